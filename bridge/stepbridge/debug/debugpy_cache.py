"""debugpy for every Python that a container may bring, unpacked and compiled in the user's cache folder.

One version per range of Pythons (shared by all containers, mounted read-only in one piece), always the wheel
without compiled parts: it runs on any libc and architecture. Knows the package index (through pip) and a
folder of vendored wheels; knows no container.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from msgspec import Struct

from stepbridge.errors import DebugError

PAYLOAD = Path(__file__).parent / "payload"

LAYOUT = "2"  # part of every folder's name: raise it when PATCHES or the layout change


class Release(Struct, frozen=True):
    """The newest debugpy for Pythons from `minimum` (up to the next release's)."""

    minimum: tuple[int, int]
    version: str

    @property
    def wheel(self) -> str:
        return f"debugpy-{self.version}-py2.py3-none-any.whl"


RELEASES = (  # newest first: the payload takes the first whose minimum it meets
    Release((3, 10), "1.8.22"),
    Release((3, 8), "1.8.21"),
    Release((3, 7), "1.7.0"),
    Release((3, 6), "1.5.1"),
)


class Patch(Struct, frozen=True):
    """One place of debugpy's source that we change when we unpack it: exactly one match, or we refuse."""

    file: str
    pattern: str
    replacement: str


PATCHES = (
    # A message's header and body are two send() calls with Nagle's algorithm on: 44 ms a round trip instead
    # of 1. Patched in the source because processes which debugpy starts by itself need it too.
    Patch(
        "debugpy/_vendored/pydevd/_pydevd_bundle/pydevd_comm.py",
        r"(?m)^( +)s\.connect\(\(host, port\)\)$",
        r"\1s.connect((host, port))\n\1s.setsockopt(socket_module.IPPROTO_TCP, socket_module.TCP_NODELAY, 1)",
    ),
    # `stopOnEntry` counts in `attach` too: a step is always attached to, never launched.
    Patch(
        "debugpy/_vendored/pydevd/_pydevd_bundle/pydevd_process_net_command_json.py",
        r"if self\._options\.stop_on_entry and start_reason == ['\"]launch['\"]:",
        "if self._options.stop_on_entry:",
    ),
    # A loop at module level which runs while its breakpoint is set: the tracer of the outermost frame puts
    # itself back over what setting the breakpoint had put there, and the breakpoint is never hit.
    Patch(
        "debugpy/_vendored/pydevd/_pydevd_bundle/pydevd_trace_dispatch_regular.py",
        r"(?m)^(        )frame_trace_dispatch = self\._frame_trace_dispatch\n(?=\1if frame_trace_dispatch)",
        r"\1py_db = self._args[0]\n"
        r"\1if getattr(self, '_mtime', py_db.mtime) != py_db.mtime:\n"
        r"\1    return py_db.trace_dispatch(frame, event, arg)\n"
        r"\1self._mtime = py_db.mtime\n"
        r"\1frame_trace_dispatch = self._frame_trace_dispatch\n",
    ),
)

_NOT_IN_CONTAINERS = ("*/pydevd_attach_to_process/windows/*", "*.dll", "*.dylib", "*.cpp", "*.hpp", "*.c")


_KEEP_SECONDS = 30 * 24 * 3600.0


class DebugpyCache:
    """`<root>/<release>/` folders and the payload, each complete once its name exists.

    Args:
        root: the cache folder, default `$XDG_CACHE_HOME/stepbridge/debugpy`.
        wheels: folders that may hold vendored wheels; asked before `<root>/wheels` and the package index.
        offline: never ask the package index.
    """

    def __init__(
        self, root: Path | None = None, wheels: Sequence[Path] = (), *, offline: bool = False
    ) -> None:
        self.root = root or default_root()
        self._wheels = (*wheels, self.root / "wheels")
        self._offline = offline

    @property
    def debugpy(self) -> Path:
        """The folder to mount: one folder per version, and the table `versions` that the payload reads."""
        return self.root / f"v{LAYOUT}"

    def missing(self) -> tuple[Release, ...]:
        return tuple(release for release in RELEASES if not (self.debugpy / release.version).is_dir())

    def prepare(self) -> Path:
        """Make sure that every release is there; returns the folder to mount. Blocks: the first time for as
        long as pip and compiling take, later for a millisecond.

        Raises:
            DebugError: a release is neither cached, nor vendored, nor to be had from the package index.
        """
        missing = self.missing()
        if missing:
            self.debugpy.mkdir(parents=True, exist_ok=True)
            for release in missing:
                self._unpack(release)
            self.compile()
        table = "".join(f"{_dotted(r.minimum)} {r.version}\n" for r in RELEASES)
        _write_if_changed(self.debugpy / "versions", table)
        return self.debugpy

    def payload(self) -> Path:
        """The payload in a folder which every user of a container can read; made anew when it changed."""
        target = self._payload_folder()
        if not target.is_dir():
            with _staging(self.root) as staging:
                for source in _payload_sources():
                    copy = staging / source.relative_to(PAYLOAD)
                    copy.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(source, copy)
                _publish(staging, target)
            self.compile()
            self._sweep(keep={target, self.debugpy})
        return target

    def compile(self, interpreters: Iterable[Path] | None = None) -> tuple[str, ...]:
        """Compile what containers will import, with the interpreters of this machine (None: all we find).

        A container whose Python has no compiled files here loads debugpy 0.5 s more slowly, and works.
        Returns the Pythons that are served with compiled files now, as "3.11".
        """
        payload = self._payload_folder()
        served = []
        for minor, interpreter in _by_minor(interpreters or find_interpreters()).items():
            release = release_for(minor)
            if release is None:
                continue
            for folder in (payload, self.debugpy / release.version):
                _compile(interpreter, minor, folder)
            served.append(_dotted(minor))
        return tuple(served)

    def _payload_folder(self) -> Path:
        return self.root / f"payload-{_digest(_payload_sources())}"

    def _sweep(self, keep: set[Path]) -> None:
        """Remove what earlier versions of this tool left; a container that has it mounted is long over."""
        oldest = time.time() - _KEEP_SECONDS
        for pattern in ("payload-*", "v[0-9]*"):
            for folder in set(self.root.glob(pattern)) - keep:
                if folder.stat().st_mtime < oldest:
                    shutil.rmtree(folder, ignore_errors=True)

    def _unpack(self, release: Release) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            wheel = self._vendored(release) or self._download(release, Path(scratch))
            with _staging(self.debugpy) as staging:
                _extract(wheel, staging)
                for patch in PATCHES:
                    _apply(patch, staging, release)
                _publish(staging, self.debugpy / release.version)

    def _vendored(self, release: Release) -> Path | None:
        for folder in self._wheels:
            if (folder / release.wheel).is_file():
                return folder / release.wheel
        return None

    def _download(self, release: Release, folder: Path) -> Path:
        hint = f"Debug once with network, or put {release.wheel} into {self._wheels[-1]}."
        where = ", ".join(str(path) for path in self._wheels)
        if self._offline:
            raise DebugError(
                f"debugpy {release.version} (for Python {_dotted(release.minimum)} in containers) is neither "
                f"in {self.debugpy} nor among the vendored wheels ({where}).",
                hint,
            )
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        command += ["--retries", "1"]
        command += ["--no-deps", "--only-binary", ":all:", "--platform", "any", "--implementation", "py"]
        command += [
            "--python-version",
            _dotted(release.minimum),
            "--dest",
            str(folder),
            f"debugpy=={release.version}",
        ]
        # the wheel is chosen by version here; a constraints file of the user's is about other environments
        environment = {**os.environ, "PIP_CONSTRAINT": ""}
        result = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        wheel = folder / release.wheel
        if result.returncode != 0 or not wheel.is_file():
            last = (result.stderr.strip() or "pip found no pure-Python wheel").splitlines()[-1]
            raise DebugError(
                f"debugpy {release.version} (for Python {_dotted(release.minimum)} in containers) could not "
                f"be fetched from the package index: {last}",
                hint,
            )
        return wheel


def default_root() -> Path:
    """`$XDG_CACHE_HOME/stepbridge/debugpy`, else below `~/.cache`."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "stepbridge" / "debugpy"


def release_for(python: tuple[int, int]) -> Release | None:
    """The release that serves a Python; None for one that is too old."""
    return next((release for release in RELEASES if python >= release.minimum), None)


def find_interpreters() -> list[Path]:
    """Python interpreters of this machine that may compile for containers: this one, those on the PATH, and
    those of pyenv and uv."""
    names = [f"python3.{minor}" for minor in range(6, 20)]
    found = [Path(sys.executable)]
    found += [Path(path) for name in names if (path := shutil.which(name))]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    uv = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "uv" / "python"
    for pattern in (pyenv / "versions", uv):
        found += sorted(pattern.glob("*/bin/python3"))
    return found


def _by_minor(interpreters: Iterable[Path]) -> dict[tuple[int, int], Path]:
    """The first working interpreter of each minor version."""
    by_minor: dict[tuple[int, int], Path] = {}
    for interpreter in interpreters:
        probe = "import sys; print(sys.implementation.name, *sys.version_info[:2])"
        try:
            result = subprocess.run(
                [str(interpreter), "-I", "-S", "-c", probe],
                capture_output=True,
                text=True,
                timeout=20,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            continue
        words = result.stdout.split()
        if result.returncode == 0 and len(words) == 3 and words[0] == "cpython":
            by_minor.setdefault((int(words[1]), int(words[2])), interpreter)
    return by_minor


_COMPILE = """
import compileall, sys
options = {"quiet": 2, "force": False}
if sys.version_info >= (3, 7):
    import py_compile
    options["invalidation_mode"] = py_compile.PycInvalidationMode.UNCHECKED_HASH
compileall.compile_dir(sys.argv[1], **options)
"""


def _compile(interpreter: Path, minor: tuple[int, int], folder: Path) -> None:
    mark = folder / f".compiled-{_dotted(minor)}"
    if mark.exists() or not folder.is_dir():
        return
    command = [str(interpreter), "-I", "-S", "-c", _COMPILE, str(folder)]
    subprocess.run(command, capture_output=True, check=False, timeout=300)
    _readable(folder)
    mark.touch(mode=0o644)


def _extract(wheel: Path, folder: Path) -> None:
    import fnmatch

    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if any(fnmatch.fnmatch(name, pattern) for pattern in _NOT_IN_CONTAINERS):
                continue
            target = (folder / name).resolve()
            if not target.is_relative_to(folder.resolve()):
                raise DebugError(f"{wheel.name} names a file outside of itself: {name}", "Delete the wheel.")
            archive.extract(name, folder)


def _apply(patch: Patch, folder: Path, release: Release) -> None:
    path = folder / patch.file
    text = path.read_text("utf-8")
    changed, count = re.subn(patch.pattern, patch.replacement, text)
    if count != 1:
        raise DebugError(
            f"debugpy {release.version}: {patch.file} is not what we know ({count} places match).",
            "The wheel is not the published one; delete it and let it be fetched again.",
        )
    path.write_text(changed, "utf-8")


class _staging:  # noqa: N801
    """A folder beside the target that becomes it by one rename; gone again where that never happens."""

    def __init__(self, parent: Path) -> None:
        parent.mkdir(parents=True, exist_ok=True)
        self._folder = Path(tempfile.mkdtemp(prefix=".new-", dir=parent))

    def __enter__(self) -> Path:
        return self._folder

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)


def _publish(staging: Path, target: Path) -> None:
    """Containers run as any user: everything is readable. Another process may have been faster."""
    _readable(staging)
    try:
        staging.rename(target)
    except OSError:
        if not target.is_dir():
            raise


def _readable(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def _write_if_changed(path: Path, text: str) -> None:
    if not path.is_file() or path.read_text("utf-8") != text:
        scratch = path.with_name(f".{path.name}-{os.getpid()}")
        scratch.write_text(text, "utf-8")
        scratch.chmod(0o644)
        scratch.replace(path)


def _payload_sources() -> list[Path]:
    return sorted(PAYLOAD.rglob("*.py"))


def _digest(files: Sequence[Path]) -> str:
    import hashlib

    digest = hashlib.sha256()
    for path in files:
        digest.update(str(path.relative_to(PAYLOAD)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"
