"""What holds for local processes alone: supervisor, interpreter as image, users without privileges."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from stepbridge.engines.base import ContainerSpec, Mount
from stepbridge.engines.process import ProcessEngine
from stepbridge.engines.process_shim import open_folders
from stepbridge.errors import EngineError

from .conftest import texts, unique

BRIDGE = Path(__file__).parents[2] / "bridge"
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="mount namespaces are Linux")


def spec(*command: str, **fields: object) -> ContainerSpec:
    return ContainerSpec(unique("process"), "any:image", command=command, **fields)  # type: ignore[arg-type]


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def make_environment(folder: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)


def start_program(program: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(BRIDGE)}
    return subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, env=environment)


async def eventually(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.02)


# -- the interpreter is the image --------------------------------------------------------------------------


async def test_a_file_that_is_where_it_is_wanted_is_left_there(tmp_path: Path) -> None:
    """Mounts make a file of a container of it; here it is this machine's own, which the step may change."""
    program = tmp_path / "program.py"
    program.write_text("")
    code = f"import pathlib; pathlib.Path({str(program)!r}).write_text('x')"
    engine = ProcessEngine()
    container = await engine.start(
        spec("python3", "-c", code, mounts=(Mount(program, str(program), read_only=True),))
    )
    assert (await container.wait()).code == 0
    await container.remove()
    assert program.read_text() == "x"
    await engine.close()


async def test_python_is_the_interpreter_that_stands_for_the_image(tmp_path: Path) -> None:
    make_environment(tmp_path / "venv")
    (packages,) = (tmp_path / "venv/lib").glob("python3*/site-packages")
    (packages / "only_here.py").write_text("")
    known = {"team/sklearn:1": str(tmp_path / "venv/bin/python3")}
    engine = ProcessEngine(known.get, tmp_path / "steps")
    try:
        for name in ("python", "python3"):
            command = (name, "-c", "import only_here, sys; print(sys.prefix)")
            container = await engine.start(ContainerSpec(unique("venv"), "team/sklearn:1", command=command))
            assert await texts(container) == [str(tmp_path / "venv")]
        assert await engine.image("team/other") is None
    finally:
        await engine.close()


async def test_a_lone_interpreter_answers_to_both_names(tmp_path: Path) -> None:
    """And keeps its virtual environment, which a plain link elsewhere would hide."""
    make_environment(tmp_path / "venv")
    lone = tmp_path / "venv/bin/python-of-ours"
    lone.symlink_to(sys.executable)
    (tmp_path / "venv/bin/python").unlink()
    engine = ProcessEngine(folder=tmp_path / "steps")
    try:
        command = ("python", "-c", "import sys; print(sys.prefix)")
        container = await engine.start(ContainerSpec(unique("lone"), f"python:{lone}", command=command))
        assert await texts(container) == [str(tmp_path / "venv")]
    finally:
        await engine.close()


async def test_the_image_changes_with_what_is_installed(tmp_path: Path) -> None:
    make_environment(tmp_path / "venv")
    reference = f"python:{tmp_path}/venv/bin/python"
    engine = ProcessEngine(folder=tmp_path / "steps")
    before = await engine.image(reference)
    assert await engine.image(reference) == before
    (packages,) = (tmp_path / "venv/lib").glob("python3*/site-packages")
    (packages / "pandas-3.0.dist-info").mkdir()
    after = await engine.image(reference)
    assert before is not None
    assert after is not None
    assert before.id != after.id
    await engine.close()


# -- supervision -------------------------------------------------------------------------------------------


async def test_a_killed_bridge_takes_its_steps_along(tmp_path: Path) -> None:
    program = textwrap.dedent(f"""
        import asyncio, sys
        from pathlib import Path
        from stepbridge.engines.base import ContainerSpec
        from stepbridge.engines.process import ProcessEngine
        async def main():
            engine = ProcessEngine(folder=Path({str(tmp_path / "steps")!r}))
            command = ("sh", "-c", "sleep 600 & echo $! $$; wait")
            container = await engine.start(ContainerSpec("step", "python:" + sys.executable, command=command))
            async for line in container.lines():
                print(line.text, flush=True)
        asyncio.run(main())
        """)
    bridge = start_program(program)
    assert bridge.stdout is not None
    pids = [int(word) for word in (await asyncio.to_thread(bridge.stdout.readline)).split()]
    assert len(pids) == 2
    assert not any(gone(pid) for pid in pids)
    bridge.send_signal(signal.SIGKILL)
    bridge.wait()
    bridge.stdout.close()
    await eventually(lambda: all(gone(pid) for pid in pids))
    assert list((tmp_path / "steps").iterdir()) != []
    await ProcessEngine(folder=tmp_path / "steps").close()  # the next bridge tidies up
    assert not (tmp_path / "steps").exists()


async def test_a_killed_supervisor_is_an_error_and_not_an_end(process: ProcessEngine) -> None:
    code = "import os; print(os.getppid(), os.getpid(), flush=True); import time; time.sleep(600)"
    container = await process.start(spec("python3", "-c", code))
    supervisor, step = map(int, (await anext(container.lines())).text.split())
    os.kill(supervisor, signal.SIGKILL)
    with pytest.raises(EngineError, match="supervisor"):
        await container.wait()
    await eventually(lambda: gone(step))


async def test_ctrl_c_of_the_terminal_does_not_reach_the_step(process: ProcessEngine) -> None:
    container = await process.start(spec("python3", "-c", "import os; print(os.getsid(0) == os.getpid())"))
    assert await texts(container) == ["True"]


async def test_what_a_step_writes_beside_its_mounts_stays_its_own(
    process: ProcessEngine, tmp_path: Path
) -> None:
    """Scripts run in / and unpack "..", write /opt/ml/output, and must not litter this machine."""
    command = (
        "sh",
        "-c",
        "echo x > /of-a-step && mkdir -p /opt/ml/output && echo x > /opt/ml/output/f && ls /opt/ml",
    )
    first = await process.start(spec(*command, mounts=(Mount(tmp_path, "/opt/ml/input"),)))
    assert await texts(first) == ["input", "output"]
    assert not Path("/of-a-step").exists()
    second = await process.start(spec("sh", "-c", "ls /of-a-step /opt/ml"))
    assert [line for line in await texts(second) if line] == ["/opt/ml:"]


async def test_all_else_of_this_machine_is_in_its_place(process: ProcessEngine, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x\n")
    seen = await process.start(spec("sh", "-c", f"cat {tmp_path}/file; ls /; ls /opt", mounts=()))
    lines = await texts(seen)
    assert lines[0] == "x"
    roots = {item.name for item in Path("/").iterdir() if item.is_dir()}
    opt = {item.name for item in Path("/opt").iterdir()} if Path("/opt").is_dir() else set()
    assert roots | opt <= set(lines[1:])


def test_only_folders_above_missing_mount_points_are_opened(tmp_path: Path) -> None:
    always = {"/", "/opt", "/opt/ml"}
    assert open_folders(set()) == always
    assert open_folders({str(tmp_path)}) == always
    missing = str(tmp_path / "a" / "b")
    assert open_folders({missing}) >= {str(tmp_path / "a"), str(tmp_path), str(tmp_path.parent)}
    nested = {"/opt/ml/input", "/opt/ml/input/data/train"}
    assert open_folders(nested) == always, "a mount point below a mount belongs to that mount"


# -- without privileges ------------------------------------------------------------------------------------

SYSTEM_PYTHON = "/usr/bin/python3"
VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"
DROP_PRIVILEGES = ("setpriv", "--reuid=1234", "--regid=1234", "--clear-groups")


def _why_not_unprivileged() -> str:
    prefix = DROP_PRIVILEGES if os.geteuid() == 0 else ()
    if prefix and not _of_our_version(SYSTEM_PYTHON):
        return f"needs a Python {VERSION} that every user may run; msgspec is compiled for that"
    return "" if _user_namespaces(*prefix) else "this system lets users make no namespaces"


def _of_our_version(python: str) -> bool:
    if not shutil.which(python):
        return False
    asked = subprocess.run([python, "-V"], capture_output=True, text=True, check=False)
    return asked.stdout.startswith(f"Python {VERSION}.")


def _user_namespaces(*prefix: str) -> bool:
    try:
        tried = subprocess.run([*prefix, "unshare", "-Urm", "true"], capture_output=True, check=False)
    except FileNotFoundError:
        return False
    return tried.returncode == 0


UNPRIVILEGED = """
import asyncio, sys
from pathlib import Path
from stepbridge.engines.base import ContainerSpec, Mount
from stepbridge.engines.process import ProcessEngine

SCRIPT = "id -u; hostname; echo x > /opt/ml/model/f; cat /data/in/f; echo x > /data/in/g"

async def main():
    folder = Path(sys.argv[1])
    (folder / "model").mkdir()
    engine = ProcessEngine(folder=folder / "steps")
    mounts = (Mount(folder / "model", "/opt/ml/model"), Mount(folder / "model", "/data/in", True))
    image = "python:" + sys.executable
    spec = ContainerSpec("step", image, command=("sh", "-c", SCRIPT), mounts=mounts, hostname="algo-1")
    container = await engine.start(spec)
    lines = [line async for line in container.lines()]
    for line in sorted(lines, key=lambda line: line.stream != "stdout"):
        print(line.text)
    print((await container.wait()).code != 0)
    await engine.close()
    print(sorted(str(path.relative_to(folder)) for path in folder.rglob("*")))

asyncio.run(main())
"""


async def test_users_without_privileges_get_the_same() -> None:
    """A user namespace stands in for root; the step is the user, and its files are the user's."""
    if reason := _why_not_unprivileged():
        pytest.skip(reason)
    prefix: tuple[str, ...] = ()
    python, uid = sys.executable, os.getuid()
    if uid == 0:
        python, uid, prefix = SYSTEM_PYTHON, 1234, DROP_PRIVILEGES
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are closed to other users
        folder = Path(name)
        folder.chmod(0o755)
        shutil.copytree(BRIDGE / "stepbridge" / "engines", folder / "source" / "stepbridge" / "engines")
        for file in ("__init__.py", "errors.py"):
            shutil.copy(BRIDGE / "stepbridge" / file, folder / "source" / "stepbridge" / file)
        shutil.copytree(Path(msgspec.__file__).parent, folder / "source" / "msgspec")
        own = folder / "own"
        own.mkdir()
        os.chown(own, uid, os.getgid() if uid == os.getuid() else uid)
        ran = await asyncio.to_thread(
            subprocess.run,
            [*prefix, python, "-B", "-c", UNPRIVILEGED, str(own)],
            env={"PATH": os.defpath, "PYTHONPATH": str(folder / "source")},
            capture_output=True,
            text=True,
            check=False,
        )
        said = ran.stdout.splitlines()
        assert said[:3] == [str(uid), "algo-1", "x"], ran.stderr
        assert "Read-only file system" in said[3]
        assert said[4:] == ["True", "['model', 'model/f']"]
        assert (own / "model" / "f").stat().st_uid == uid


async def test_the_default_folder_is_shared_private_and_tidied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    first, second = ProcessEngine(), ProcessEngine()
    container = await first.start(ContainerSpec(unique("first"), "any", command=("true",)))
    assert (await container.wait()).code == 0
    (shared,) = tmp_path.iterdir()
    assert shared.stat().st_mode & 0o066 == 0
    dead = shared / "999999999-0123abcd-1"
    dead.mkdir()
    await second.close()
    assert shared.is_dir(), "the other engine still works in there"
    await ProcessEngine().close()
    assert not dead.exists()
    await first.close()
    assert list(tmp_path.iterdir()) == []


async def test_a_folder_that_somebody_else_made_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    theirs = tmp_path / f"stepbridge-{os.geteuid()}"
    theirs.mkdir()
    theirs.chmod(0o777)
    engine = ProcessEngine()
    container = await engine.start(ContainerSpec(unique("trap"), "any", command=("true",)))
    assert (await container.wait()).code == 0
    assert list(theirs.iterdir()) == []
    await engine.close()
