"""A debug server in a process of its own, a small pipeline to debug, and an editor that starts children."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support import docker_images
from tests.support.dap_client import JSON, DapClient, Refusal

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@dataclass
class Server:
    """`stepbridge dap --port 0`, as a user's editor starts it."""

    process: asyncio.subprocess.Process
    port: int
    token: str
    errors: asyncio.Task[bytes]

    async def client(self) -> DapClient:
        return await DapClient.connect("127.0.0.1", self.port)

    async def stop(self) -> str:
        """End it as an editor does; what it wrote to standard error."""
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(self.process.wait(), 30)
        return (await self.errors).decode()


def environment() -> dict[str, str]:
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "STEPBRIDGE_"))
    }
    return clean | {"PYTHONPATH": f"{ROOT / 'bridge'}:{ROOT / 'lsp'}"}


async def start_server(
    cwd: Path,
    *options: str,
    stdin: int | None = asyncio.subprocess.PIPE,
    variables: Mapping[str, str] = {},
) -> Server:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "import sys; from stepbridge.dap.server import serve;sys.exit(serve(0, token='--token' in sys.argv))",
        *options,
        cwd=cwd,
        env={**environment(), **variables},
        stdin=stdin,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    errors = asyncio.create_task(process.stderr.read())
    line = (await asyncio.wait_for(process.stdout.readline(), 30)).decode()
    begin, _, rest = line.partition("127.0.0.1:")
    assert begin == "stepbridge dap listening on ", (line, await errors if not line else "")
    port, _, token = rest.strip().partition(" token=")
    return Server(process, int(port), token, errors)


@pytest.fixture
async def server(project: Path) -> AsyncIterator[Server]:
    started = await start_server(project)
    yield started
    errors = await started.stop()
    assert "Traceback" not in errors, errors


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The pipeline of tests/dap/project, in a workspace of its own."""
    folder = tmp_path / "project"
    shutil.copytree(HERE / "project", folder)
    return folder


@pytest.fixture(params=["process", pytest.param("docker", marks=pytest.mark.docker)])
def engine(request: pytest.FixtureRequest) -> str:
    if request.param == "docker" and (why := docker_images.missing(docker_images.PYTHON)):
        pytest.skip(why)
    return str(request.param)


class Editor:
    """An editor with one parent session that starts a child session wherever the server asks for one."""

    def __init__(self, server: Server, project: Path) -> None:
        self.server = server
        self.project = project
        self.children: dict[str, DapClient] = {}
        self.configurations: list[JSON] = []
        self.breakpoints: dict[str, list[int | JSON]] = {}
        self.exceptions: tuple[str, ...] = ("uncaught",)
        self.refuses = False  # to start children
        self.parent: DapClient
        self._arrived = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()
        self.failures: list[BaseException] = []

    async def launch(self, *, functions: tuple[str, ...] = (), features: JSON = {}, **arguments: Any) -> JSON:
        self.parent = await self.server.client()
        self.parent.answer("startDebugging", self._start_debugging)
        given = {"program": str(self.project / "pipeline.py"), **arguments}
        told = {"supportsStartDebuggingRequest": True, **features}
        await self.parent.initialize(**told)
        launched = self.parent.begin("launch", given)
        await self.parent.first_of(launched, self.parent.event("initialized"))
        await self.tell(self.parent)
        if functions:
            names = [{"name": name} for name in functions]
            await self.parent.request("setFunctionBreakpoints", {"breakpoints": names})
        await self.parent.request("configurationDone")
        return await launched

    async def tell(self, client: DapClient) -> None:
        for name, lines in self.breakpoints.items():
            await client.set_breakpoints(str(self.project / name), lines)
        await client.request("setExceptionBreakpoints", {"filters": list(self.exceptions)})

    async def set_breakpoints(self, name: str, *lines: int | JSON) -> list[JSON]:
        """In every session there is, as editors do; the parent's answer."""
        self.breakpoints[name] = list(lines)
        answer = await self.parent.set_breakpoints(str(self.project / name), list(lines))
        for child in list(self.children.values()):
            if not child.closed.is_set():
                await child.set_breakpoints(str(self.project / name), list(lines))
        return answer

    def _start_debugging(self, arguments: JSON) -> JSON:
        if self.refuses:
            raise Refusal("one session is enough")
        self.begin_child(arguments["configuration"])
        return {}

    def begin_child(self, configuration: JSON) -> None:
        self.configurations.append(configuration)
        task = asyncio.create_task(self._child(configuration))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _child(self, configuration: JSON) -> None:
        client = await self.server.client()
        client.answer("startDebugging", self._start_debugging)
        try:
            await client.initialize(supportsStartDebuggingRequest=True)
            attached = client.begin("attach", configuration)
            await client.first_of(attached, client.event("initialized"))
            await self.tell(client)
            await client.request("configurationDone")
            await attached
        except BaseException as error:
            self.failures.append(error)
            raise
        async with self._arrived:
            self.children[configuration["name"]] = client
            self._arrived.notify_all()

    async def child(self, name: str) -> DapClient:
        """The session of that name, as soon as it is there."""
        async with asyncio.timeout(60), self._arrived:
            await self._arrived.wait_for(lambda: name in self.children)
            return self.children[name]

    async def first_stopped(self, prefix: str) -> DapClient:
        """The first session with such a name that stops."""
        stops: dict[asyncio.Task[JSON], DapClient] = {}
        try:
            async with asyncio.timeout(60):
                while True:
                    for name, client in self.children.items():
                        if name.startswith(prefix) and client not in stops.values():
                            there = client.next(lambda message: message.get("event") == "stopped")
                            stops[asyncio.create_task(there)] = client
                    more = asyncio.create_task(self._another(len(self.children)))
                    done, _ = await asyncio.wait({*stops, more}, return_when=asyncio.FIRST_COMPLETED)
                    more.cancel()
                    for task in done & stops.keys():
                        stops[task]._seen = 0  # for the caller to see it again
                        return stops[task]
        finally:
            for task in stops:
                task.cancel()

    async def _another(self, known: int) -> None:
        async with self._arrived:
            await self._arrived.wait_for(lambda: len(self.children) > known)

    async def end(self) -> int:
        """Wait for the end of the run; its exit code."""
        exited = await self.parent.event("exited")
        await self.parent.event("terminated")
        return int(exited["exitCode"])

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for client in [*self.children.values(), self.parent]:
            await client.close()


@pytest.fixture
async def editor(server: Server, project: Path) -> AsyncIterator[Editor]:
    made = Editor(server, project)
    yield made
    await made.close()


def line_of(path: Path, text: str) -> int:
    """The line that has this text, counted from 1."""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if text in line:
            return number
    raise AssertionError(f"{path} has no line with {text!r}")


async def variables(client: DapClient, reference: int) -> dict[str, JSON]:
    answer = await client.request("variables", {"variablesReference": reference})
    return {item["name"]: item for item in answer["variables"]}


async def scopes(client: DapClient, frame: int) -> Mapping[str, JSON]:
    answer = await client.request("scopes", {"frameId": frame})
    return {scope["name"]: scope for scope in answer["scopes"]}
