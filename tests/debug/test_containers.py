"""The debugger in real containers: no port, no network, any user, a read-only root file system."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from stepbridge.debug import (
    DebuggedProcess,
    DebugPlan,
    DebugpyCache,
    PathMapping,
    RelayServer,
    ScriptTarget,
    StepDebugger,
)
from stepbridge.engines.base import Container, ContainerSpec, Engine, ExitStatus, Mount
from stepbridge.engines.docker import DockerEngine
from stepbridge.engines.process import ProcessEngine

from tests.support import docker_images
from tests.support.dap_client import DapClient

SCRIPT = """\
import os, sys
import helper

def area(width, height):
    result = width * height
    return result

print("total", area(6, 7) + helper.one(), flush=True)
sys.exit(3)
"""
HELPER = "def one():\n    value = 1\n    return value\n"
WAIT = DebugPlan(mode="wait")


@pytest.fixture
async def docker() -> AsyncIterator[DockerEngine]:
    if reason := docker_images.missing(docker_images.PYTHON):
        pytest.skip(reason)
    engine = await DockerEngine.connect()
    yield engine
    await engine.close()


@pytest.fixture
async def process(tmp_path: Path) -> AsyncIterator[ProcessEngine]:
    if sys.platform != "linux":
        pytest.skip("local processes need the mount namespaces of Linux")
    engine = ProcessEngine(lambda reference: sys.executable, tmp_path / "processes")
    yield engine
    await engine.close()


@pytest.fixture(params=[pytest.param("docker", marks=pytest.mark.docker), "process"])
def engine(request: pytest.FixtureRequest) -> Engine:
    chosen: Engine = request.getfixturevalue(request.param)
    return chosen


@pytest.fixture
def code(step_folder: Path) -> Path:
    (step_folder / "train.py").write_text(SCRIPT)
    (step_folder / "helper.py").write_text(HELPER)
    (step_folder / "wrapper.sh").write_text(
        "set -e\npython3 -m pip --version > /dev/null\npython3 train.py\n"
    )
    step_folder.chmod(0o755)
    return step_folder


def spec_for(code: Path, *command: str, image: str = docker_images.PYTHON) -> ContainerSpec:
    return ContainerSpec(
        name=f"debug-{uuid.uuid4().hex[:12]}",
        image=image,
        command=command,
        entrypoint=(),
        mounts=(Mount(code, "/opt/ml/code", read_only=True),),
        workdir="/opt/ml/code",
    )


class Running:
    """A container under a StepDebugger, with its output."""

    def __init__(self, container: Container, debugger: StepDebugger, relay: RelayServer) -> None:
        self.container = container
        self.debugger = debugger
        self.relay = relay
        self.states: list[tuple[str, DebuggedProcess]] = []
        self.watching = asyncio.create_task(debugger.watch(container))
        self._output = asyncio.create_task(self._read())

    async def _read(self) -> list[str]:
        return [line.text async for line in self.container.lines()]

    async def result(self) -> tuple[ExitStatus, list[str]]:
        async with asyncio.timeout(60):
            status = await self.container.wait()
            await self.watching
            return status, await self._output


@contextlib.asynccontextmanager
async def running(
    engine: Engine,
    cache: DebugpyCache,
    spec: ContainerSpec,
    plan: DebugPlan,
    *,
    code: Path,
    script: ScriptTarget | None = None,
    tcp: bool = False,
) -> AsyncIterator[Running]:
    runtime = Path(tempfile.mkdtemp(prefix="sb-"))
    states: list[tuple[str, DebuggedProcess]] = []
    image = await engine.image(spec.image)
    assert image is not None
    debugger = StepDebugger(
        plan,
        script=script or ScriptTarget(files=("train.py",)),
        mappings=(PathMapping(code, "/opt/ml/code"),),
        runtime=runtime,
        debugpy=cache,
        on_state=lambda state, process: states.append((state, process)),
        tcp_host=engine.host_address() if tcp else None,
        host=engine.host_name(),
    )
    container = await engine.start(debugger.instrument(spec, image.environment))
    run = Running(container, debugger, RelayServer(debugger))
    run.states = states
    try:
        yield run
    finally:
        await container.stop(0.1)
        await asyncio.gather(run.watching, return_exceptions=True)
        await run.relay.close()
        await container.remove()
        shutil.rmtree(runtime, ignore_errors=True)


async def debug_train(run: Running, code: Path) -> None:
    """Breakpoints in local files, in the script and in a second module; locals; then on to the end."""
    port = await run.relay.listen()
    async with await DapClient.connect("127.0.0.1", port) as client:
        await client.attach(breakpoints={str(code / "train.py"): [6], str(code / "helper.py"): [3]})
        path, line, top, body = await client.where()
        assert (path, line) == (str(code / "train.py"), 6)
        assert await client.local_variables(top["id"]) == {"height": "7", "result": "42", "width": "6"}
        await client.resume(body["threadId"])
        path, line, top, body = await client.where()
        assert (path, line) == (str(code / "helper.py"), 3)
        assert (await client.local_variables(top["id"]))["value"] == "1"
        await client.resume(body["threadId"])
        await client.event("terminated")


@pytest.mark.parametrize("kind", ["plain", "locked down", "shell wrapper", "module"])
async def test_breakpoints_in_local_files_stop_a_container(
    engine: Engine, cache: DebugpyCache, code: Path, kind: str
) -> None:
    spec = spec_for(code, "python3", "train.py")
    if kind == "locked down":
        if engine.name == "process":
            pytest.skip("local processes share the machine's network and user")
        spec = replace(spec, network="none", user="1234", read_only_root=True)
    if kind == "shell wrapper":
        spec = spec_for(code, "bash", "wrapper.sh")
    if kind == "module":
        spec = spec_for(code, "python3", "-m", "train")
    target = ScriptTarget(files=("train.py",), modules=("train",))
    async with running(engine, cache, spec, WAIT, code=code, script=target) as run:
        await debug_train(run, code)
        status, lines = await run.result()
        assert (status.code, lines) == (3, ["total 43"])
        assert [state for state, _ in run.states][:2] == ["waiting", "attached"]


@pytest.mark.docker
async def test_where_socket_files_do_not_reach_the_container_tcp_does(
    docker: DockerEngine, cache: DebugpyCache, code: Path
) -> None:
    async with running(
        docker, cache, spec_for(code, "python3", "train.py"), WAIT, code=code, tcp=True
    ) as run:
        await debug_train(run, code)
        assert (await run.result())[0].code == 3


@pytest.mark.docker
async def test_the_images_own_python_path_stays(
    docker: DockerEngine, cache: DebugpyCache, code: Path
) -> None:
    (code / "train.py").write_text("import sys, json; print(json.dumps(sys.path))\n")
    spec = replace(spec_for(code, "python3", "train.py"), environment={"PYTHONPATH": "/opt/elsewhere"})
    async with running(docker, cache, spec, DebugPlan(mode="arm"), code=code) as run:
        path = json.loads((await run.result())[1][0])
        assert path[1:3] == ["/opt/stepbridge/payload/site", "/opt/elsewhere"]


@pytest.mark.docker
async def test_the_training_toolkit_runs_the_script_as_a_child_of_its_own(
    docker: DockerEngine, cache: DebugpyCache, code: Path, tmp_path: Path
) -> None:
    """The real sagemaker-training: it rebuilds PYTHONPATH, and reads the child's output to the end."""
    if reason := docker_images.missing(docker_images.TOOLKIT):
        pytest.skip(reason)
    ml = tmp_path / "ml"
    for part in ("input/config", "model", "output", "input/data"):
        (ml / part).mkdir(parents=True)
    (ml / "input/config/hyperparameters.json").write_text(
        json.dumps({"sagemaker_program": '"train.py"', "sagemaker_submit_directory": '"/opt/ml/code"'})
    )
    (ml / "input/config/resourceconfig.json").write_text(
        json.dumps({"current_host": "algo-1", "hosts": ["algo-1"], "network_interface_name": "eth0"})
    )
    (ml / "input/config/inputdataconfig.json").write_text("{}")
    spec = spec_for(code, "train", image=docker_images.TOOLKIT)
    writable = Mount(code, "/opt/ml/code")
    spec = replace(spec, workdir=None, hostname="algo-1", mounts=(Mount(ml, "/opt/ml"), writable))
    undebugged = replace(spec, name=spec.name + "-plain")
    async with running(docker, cache, undebugged, DebugPlan(), code=code) as run:
        expected, _ = await run.result()
    async with running(docker, cache, spec, WAIT, code=code) as run:
        await debug_train(run, code)
        status, lines = await run.result()
        assert any("total 43" in line for line in lines), lines
        assert status == expected
        assert len({process.pid for _, process in run.states}) == 1


async def test_an_armed_container_is_attached_while_it_runs(
    engine: Engine, cache: DebugpyCache, code: Path
) -> None:
    (code / "train.py").write_text(
        "import time\nend = time.time() + 60\nn = 0\nwhile time.time() < end:\n    n += 1\nprint('over')\n"
    )
    spec = spec_for(code, "python3", "train.py")
    if engine.name == "docker":
        spec = replace(spec, network="none", user="1234")
    async with running(engine, cache, spec, DebugPlan(mode="arm"), code=code) as run:
        port = await run.relay.listen()
        async with await DapClient.connect("127.0.0.1", port) as client:
            await client.attach(breakpoints={str(code / "train.py"): [5]})
            _, line, top, body = await client.where()
            assert line == 5
            await client.set_breakpoints(str(code / "train.py"), [])
            await client.request("setExpression", {"expression": "end", "value": "0", "frameId": top["id"]})
            await client.resume(body["threadId"])
            await client.event("terminated")
        assert (await run.result())[1] == ["over"]


async def test_a_crash_holds_the_container_until_the_editor_has_seen_it(
    engine: Engine, cache: DebugpyCache, code: Path
) -> None:
    (code / "helper.py").write_text("def one():\n    rows = []\n    return rows[0]\n")
    spec = spec_for(code, "python3", "train.py")
    async with running(engine, cache, spec, DebugPlan(post_mortem=True), code=code) as run:
        port = await run.relay.listen()
        async with await DapClient.connect("127.0.0.1", port) as client:
            await client.attach()
            path, line, top, body = await client.where()
            assert (path, line) == (str(code / "helper.py"), 3)
            assert (await client.local_variables(top["id"]))["rows"] == "[]"
            await client.resume(body["threadId"])
            await client.event("terminated")
        status, lines = await run.result()
        assert status.code == 1
        assert lines[-1] == "IndexError: list index out of range"
        state, process = run.states[0]
        assert (state, process.line) == ("crashed", 3)
        assert run.debugger.local_file(process.file) == code / "helper.py"


async def test_a_container_without_our_python_is_reported_absent(
    engine: Engine, cache: DebugpyCache, code: Path
) -> None:
    for command in (("bash", "-c", "echo no python"), ("python3", "-I", "-c", "print('isolated')")):
        async with running(engine, cache, spec_for(code, *command), WAIT, code=code) as run:
            assert (await run.result())[0].code == 0
            assert [state for state, _ in run.states] == ["absent"]


async def test_a_message_takes_a_few_milliseconds(engine: Engine, cache: DebugpyCache, code: Path) -> None:
    async with running(engine, cache, spec_for(code, "python3", "train.py"), WAIT, code=code) as run:
        port = await run.relay.listen()
        async with await DapClient.connect("127.0.0.1", port) as client:
            await client.attach(breakpoints={str(code / "train.py"): [6]})
            body = await client.stopped()
            times = []
            for _ in range(60):
                began = time.perf_counter()
                await client.request("threads")
                times.append(time.perf_counter() - began)
            assert sorted(times)[30] < 0.02, times  # idle machine: 0.0015; with Nagle's algorithm: 0.044
            await client.resume(body["threadId"])
            await client.event("terminated")
