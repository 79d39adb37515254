"""The debug adapter against a container that one debugs by hand, turn by turn, warm.

By hand: `docker run` of the same script in the same image under `python -m debugpy --wait-for-client`, and a
raw client that attaches as soon as the port answers. Limits (issue 3): F5 to `stopped` at the first line at
most 1.3 times that; a step that is restarted after an edit at most 1.2 times; the round trip of a request
under 3 ms; a CPU-bound step that is armed at most 1.02 times one that is not debugged.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "bridge")]

from stepbridge.debug import DebugpyCache  # noqa: E402

from tests.support.dap_client import DapClient, DapError  # noqa: E402

IMAGE = "stepbridge-test/python:latest"
ROUNDS = 7
CPU_ROUNDS = 15  # the noise of a shared machine is larger than what is looked for
REQUESTS = 300
SCRIPT = "value = 1\nprint('value', value)\n"
BUSY = """\
import time
began = time.process_time()
total = 0
for number in range(6_000_000):
    total += number % 7
print("cpu", time.process_time() - began)
"""


def make_project(folder: Path) -> Path:
    """A pipeline of one training step, in plain boto3."""
    source = ROOT / "tests" / "dap" / "project"
    project = folder / "project"
    project.mkdir()
    program = (source / "pipeline.py").read_text()
    program = program.replace('    needs=["Prepare"],\n', "", 1)
    program = program.replace('"Steps": [prepare, train, report, check]', '"Steps": [train]')
    (project / "pipeline.py").write_text(program)
    for name in ("prepare.py", "report.py", "stepbridge.toml"):
        shutil.copy(source / name, project)
    (project / "train.py").write_text(SCRIPT)
    return project


class Editor:
    """A raw client of a server that runs already: one parent, and its child as soon as the server asks."""

    def __init__(self, project: Path, port: int) -> None:
        self.project = project
        self.port = port
        self.parent: DapClient
        self.child: DapClient
        self._configuration: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def launch(self, breakpoints: dict[str, list[int]], **arguments: Any) -> None:
        self.parent = await DapClient.connect("127.0.0.1", self.port)
        self.parent.answer("startDebugging", self._start_debugging)
        given = {"program": str(self.project / "pipeline.py"), "engine": "docker", **arguments}
        paths = {str(self.project / name): lines for name, lines in breakpoints.items()}
        await self.parent.attach(
            given,
            command="launch",
            breakpoints=paths,
            initialize={"supportsStartDebuggingRequest": True},
            expect_verified=False,
        )

    def _start_debugging(self, given: dict[str, Any]) -> dict[str, Any]:
        self._configuration.put_nowait(given["configuration"])
        return {}

    async def stopped_in_script(self) -> int:
        """Start the child and wait for its stop; the thread's number."""
        configuration = await self._configuration.get()
        self.child = await DapClient.connect("127.0.0.1", self.port)
        await self.child.attach(configuration, breakpoints={str(self.project / "train.py"): [1]})
        return int((await self.child.stopped())["threadId"])

    async def finish(self, thread: int) -> None:
        await self.child.resume(thread)
        await self.parent.event("terminated")
        await self.parent.disconnect()
        await self.child.close()


@contextlib.asynccontextmanager
async def server(project: Path) -> AsyncIterator[int]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "stepbridge", "dap", "--port", "0"),
        cwd=project,
        env={"PATH": "/usr/bin:/bin:/usr/sbin:/usr/local/bin", "PYTHONPATH": f"{ROOT}/bridge:{ROOT}/lsp"}
        | {"HOME": str(Path.home())},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    line = (await process.stdout.readline()).decode()
    try:
        yield int(line.rpartition(":")[2])
    finally:
        process.stdin.close()
        await process.wait()


async def f5(project: Path, port: int) -> tuple[float, float]:
    """(seconds from F5 to the first line, seconds from `restart` after an edit to the first line)."""
    editor = Editor(project, port)
    began = time.perf_counter()
    await editor.launch({"train.py": [1]})
    thread = await editor.stopped_in_script()
    to_stop = time.perf_counter() - began
    script = project / "train.py"
    script.write_text(SCRIPT + f"# edited {time.time()}\n")
    began = time.perf_counter()
    restarting = editor.child.begin("restart")
    thread = int((await editor.child.stopped())["threadId"])
    again = time.perf_counter() - began
    await restarting
    await editor.finish(thread)
    return to_stop, again


async def by_hand(project: Path, debugpy: Path) -> float:
    """Seconds from `docker run` to the first line."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    name = f"stepbridge-bench-{port}"
    command = ["docker", "run", "--rm", "--name", name, "-p", f"127.0.0.1:{port}:5678"]
    command += ["-v", f"{project}:/code:ro", "-v", f"{debugpy}:/debugpy:ro", "-e", "PYTHONPATH=/debugpy"]
    command += ["-e", "PYDEVD_DISABLE_FILE_VALIDATION=1", "--entrypoint", "python3", IMAGE]
    command += ["-m", "debugpy", "--listen", "0.0.0.0:5678", "--wait-for-client", "/code/train.py"]
    began = time.perf_counter()
    container = await asyncio.create_subprocess_exec(*command, stdout=subprocess.DEVNULL)
    mapping = {"pathMappings": [{"localRoot": str(project), "remoteRoot": "/code"}]}
    while True:
        try:
            client = await DapClient.connect("127.0.0.1", port)
            await client.attach(mapping, breakpoints={str(project / "train.py"): [1]})
            break
        except (DapError, OSError):
            await asyncio.sleep(0.01)
    thread = int((await client.stopped())["threadId"])
    seconds = time.perf_counter() - began
    await client.resume(thread)
    await container.wait()
    await client.close()
    return seconds


async def round_trips(project: Path, port: int) -> tuple[float, float]:
    """Median and 95th percentile of a request at a stop, in milliseconds."""
    editor = Editor(project, port)
    await editor.launch({"train.py": [1]})
    thread = await editor.stopped_in_script()
    frame = (await editor.child.stack(thread))[0]["id"]
    seconds = []
    for _ in range(REQUESTS):
        began = time.perf_counter()
        await editor.child.request("scopes", {"frameId": frame})
        seconds.append(time.perf_counter() - began)
    await editor.finish(thread)
    return 1000 * statistics.median(seconds), 1000 * statistics.quantiles(seconds, n=20)[-1]


async def cpu(project: Path, port: int, *, armed: bool) -> float:
    """CPU seconds that a busy script counts for itself."""
    editor = Editor(project, port)
    (project / "train.py").write_text(BUSY)
    await editor.launch({}, noDebug=not armed)
    await editor.parent.event("terminated")
    output = editor.parent.output("stdout")
    await editor.parent.disconnect()
    found = re.search(r"cpu ([\d.]+)", output)
    assert found, output
    return float(found[1])


async def measure(project: Path) -> None:
    cache = DebugpyCache()
    versions = cache.prepare()
    newest = versions / (versions / "versions").read_text().split()[1]
    async with server(project) as port:
        await f5(project, port)  # compiles, and fills every cache there is
        await by_hand(project, newest)
        stops, restarts, hand = [], [], []
        for _ in range(ROUNDS):
            to_stop, again = await f5(project, port)
            stops.append(to_stop)
            restarts.append(again)
            hand.append(await by_hand(project, newest))
        (project / "train.py").write_text(SCRIPT)
        middle, worst = await round_trips(project, port)
        pairs = [
            (await cpu(project, port, armed=True), await cpu(project, port, armed=False))
            for _ in range(CPU_ROUNDS)
        ]
    limit = statistics.median(hand)
    ours, again = statistics.median(stops), statistics.median(restarts)
    armed, plain = (statistics.median(values) for values in zip(*pairs, strict=True))
    print(f"by hand, to the first line   {limit:7.2f} s  (median of {ROUNDS})")
    print(f"F5, to the first line        {ours:7.2f} s  ratio {ours / limit:.2f}   limit 1.3")
    print(f"restart, to the first line   {again:7.2f} s  ratio {again / limit:.2f}   limit 1.2")
    print(f"round trip of a request      {middle:7.2f} ms (95 %: {worst:.2f} ms)   limit 3")
    ratio = f"ratio {armed / plain:.3f}"
    print(f"CPU of a step, armed         {armed:7.2f} s  {ratio}  limit 1.02 (median of {CPU_ROUNDS})")


def main() -> int:
    if subprocess.run(["docker", "image", "inspect", IMAGE], capture_output=True, check=False).returncode:
        print(f"skipped: no image {IMAGE} (scripts/build_test_images.sh makes it)")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(make_project(Path(folder))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
