"""Which debugpy a container gets, from where, and what is said when there is none."""

from __future__ import annotations

import os
import subprocess
import time
import zipfile
from pathlib import Path

import pytest
from stepbridge.debug.debugpy_cache import PATCHES, RELEASES, DebugpyCache, release_for
from stepbridge.errors import DebugError

from .conftest import interpreter


@pytest.mark.parametrize(
    ("python", "version"),
    [
        ((3, 6), "1.5.1"),
        ((3, 7), "1.7.0"),
        ((3, 8), "1.8.21"),
        ((3, 9), "1.8.21"),
        ((3, 10), "1.8.22"),
        ((3, 14), "1.8.22"),
    ],
)
def test_each_python_has_its_release(python: tuple[int, int], version: str) -> None:
    release = release_for(python)
    assert release is not None
    assert release.version == version


def test_a_python_that_is_too_old_has_none() -> None:
    assert release_for((3, 5)) is None


def make_wheel(folder: Path, version: str, *, patched: bool = True) -> None:
    """A wheel as small as can be that our patches fit."""
    dispatch = "frame_trace_dispatch"
    texts = {
        "pydevd_comm.py": "        s.connect((host, port))\n",
        "pydevd_process_net_command_json.py": (
            "if self._options.stop_on_entry and start_reason == 'launch':\n"
        ),
        "pydevd_trace_dispatch_regular.py": (
            f"        {dispatch} = self._{dispatch}\n        if {dispatch} is not None:\n"
        ),
    }
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / f"debugpy-{version}-py2.py3-none-any.whl", "w") as wheel:
        wheel.writestr("debugpy/__init__.py", f"__version__ = {version!r}\n")
        wheel.writestr("debugpy/attach.dll", b"not for containers")
        for patch in PATCHES:
            wheel.writestr(patch.file, texts[Path(patch.file).name] if patched else "other = 1\n")


def test_vendored_wheels_fill_the_cache_without_network(tmp_path: Path) -> None:
    for release in RELEASES:
        make_wheel(tmp_path / "wheels", release.version)
    cache = DebugpyCache(tmp_path / "cache", [tmp_path / "wheels"], offline=True)
    assert cache.missing() == RELEASES
    folder = cache.prepare()
    assert cache.missing() == ()
    lines = [line.split() for line in (folder / "versions").read_text().splitlines()]
    assert lines == [["3.10", "1.8.22"], ["3.8", "1.8.21"], ["3.7", "1.7.0"], ["3.6", "1.5.1"]]
    for _, version in lines:
        unpacked = folder / version / "debugpy"
        assert (unpacked / "__init__.py").stat().st_mode & 0o777 == 0o644  # containers run as any user
        assert not (unpacked / "attach.dll").exists()
        comm = (unpacked / "_vendored/pydevd/_pydevd_bundle/pydevd_comm.py").read_text()
        assert "TCP_NODELAY" in comm
    assert not [path for path in folder.iterdir() if path.name.startswith(".new-")]


def test_without_cache_wheel_or_index_the_error_says_what_to_do(tmp_path: Path) -> None:
    cache = DebugpyCache(tmp_path / "cache", [tmp_path / "wheels"], offline=True)
    with pytest.raises(DebugError, match=r"debugpy 1\.8\.22 .*neither.*vendored") as caught:
        cache.prepare()
    assert str(tmp_path / "cache" / "wheels") in caught.value.hint


def test_an_index_that_refuses_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    for name in ("PIP_FIND_LINKS", "PIP_CONFIG_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    with pytest.raises(DebugError, match=r"could not be fetched from the package index: .+"):
        DebugpyCache(tmp_path / "cache").prepare()
    assert not list((tmp_path / "cache").rglob("debugpy"))


def test_a_wheel_that_is_not_the_published_one_is_refused(tmp_path: Path) -> None:
    make_wheel(tmp_path / "wheels", RELEASES[0].version, patched=False)
    cache = DebugpyCache(tmp_path / "cache", [tmp_path / "wheels"], offline=True)
    with pytest.raises(DebugError, match="not what we know"):
        cache.prepare()
    assert RELEASES[0] in cache.missing()


def test_the_payload_is_syntax_of_the_oldest_python(cache: DebugpyCache) -> None:
    for minor in ("3.6", "3.13"):
        for source in cache.payload().rglob("*.py"):
            check = "import ast, sys; ast.parse(open(sys.argv[1]).read())"
            subprocess.run([interpreter(minor), "-c", check, source], check=True)


def test_every_release_is_compiled_for_the_pythons_at_hand(cache: DebugpyCache) -> None:
    served = cache.compile()
    for minor in served:
        major_minor = tuple(int(part) for part in minor.split("."))
        release = release_for((major_minor[0], major_minor[1]))
        assert release is not None
        tag = f"cpython-{minor.replace('.', '')}"
        assert list((cache.debugpy / release.version / "debugpy" / "__pycache__").glob(f"__init__.{tag}.pyc"))
        assert list((cache.payload() / "stepbridge_payload" / "__pycache__").glob(f"startup.{tag}.pyc"))


def test_what_earlier_versions_left_is_swept_away_after_a_month(tmp_path: Path) -> None:
    cache = DebugpyCache(tmp_path)
    for name, days in (("payload-old", 40), ("v0", 40), ("payload-recent", 2), ("wheels", 40)):
        (tmp_path / name).mkdir()
        stamp = time.time() - days * 24 * 3600
        os.utime(tmp_path / name, (stamp, stamp))
    payload = cache.payload()
    assert {path.name for path in tmp_path.iterdir()} == {"payload-recent", "wheels", payload.name}
