"""The process: how clients are let in, what wrong ones get, that nothing is left behind."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.dap_client import DapClient, RequestFailed

from .conftest import Editor, Server, environment, line_of, start_server


async def raw(server: Server, data: bytes) -> bytes:
    """What the server answers to bytes; it must close the connection by itself."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(data)
    try:
        return await asyncio.wait_for(reader.read(), 20)
    finally:
        writer.close()


def body_of(data: bytes) -> dict[str, object]:
    return dict(json.loads(data.partition(b"\r\n\r\n")[2]))


async def test_bytes_that_are_no_protocol_are_answered_and_hung_up_on(server: Server) -> None:
    answer = body_of(await raw(server, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"))
    assert answer["type"] == "response"
    assert answer["success"] is False
    assert "header" in str(answer["message"])
    huge = body_of(await raw(server, b"Content-Length: 999999999\r\n\r\n"))
    assert "limit" in str(huge["message"])


async def test_a_message_that_is_not_json_is_answered_and_the_next_one_is_read(server: Server) -> None:
    client = await server.client()
    client._write(b"Content-Length: 3\r\n\r\n{x}")
    client._pending[0] = ("", asyncio.get_running_loop().create_future())
    answer = await client.next(lambda message: message["type"] == "response")
    assert answer["success"] is False
    assert "JSON" in answer["message"]
    assert await client.initialize()
    await client.close()


async def test_requests_out_of_order_are_refused_with_their_reason(server: Server) -> None:
    client = await server.client()
    with pytest.raises(RequestFailed, match="threads before initialize"):
        await client.request("threads")
    await client.initialize()
    with pytest.raises(RequestFailed, match="before launch or attach"):
        await client.request("configurationDone")
    with pytest.raises(RequestFailed, match="program"):
        await client.request("launch", {})
    with pytest.raises(RequestFailed, match="launch: Expected"):
        await client.request("launch", {"program": 7})
    with pytest.raises(RequestFailed, match="no request 'dance'"):
        await client.request("dance")
    with pytest.raises(RequestFailed, match="setBreakpoints: "):
        await client.request("setBreakpoints", {"source": 1})
    await client.disconnect()


async def test_a_program_that_is_not_there_is_named(server: Server) -> None:
    client = await server.client()
    await client.initialize()
    with pytest.raises(RequestFailed, match=r"no pipeline program .*absent\.py"):
        await client.request("launch", {"program": "absent.py"})
    await client.disconnect()


async def test_a_program_that_fails_is_told_and_ends_the_session(editor: Editor) -> None:
    (editor.project / "pipeline.py").write_text("import sys\nprint('hello')\nraise ValueError('not today')\n")
    await editor.launch(engine="process")
    assert await editor.end() == 1
    assert editor.parent.output("stdout") == "hello\n"
    assert "not today" in editor.parent.output("stderr")


async def test_the_token_opens_the_port(project: Path) -> None:
    server = await start_server(project, "--token")
    try:
        assert len(server.token) > 20
        for arguments in ({}, {"__token": "wrong"}):
            client = await server.client()
            await client.initialize()
            with pytest.raises(RequestFailed, match="token"):
                await client.request("launch", {"program": "pipeline.py", **arguments})
            await client.close()
        for where in ("launch", "initialize"):
            client = await server.client()
            key = {"__token": server.token}
            await client.initialize(**(key if where == "initialize" else {}))
            await client.request("launch", {"program": "pipeline.py", **(key if where == "launch" else {})})
            await client.disconnect()
    finally:
        assert "Traceback" not in await server.stop()


async def test_the_server_ends_when_its_owner_does(project: Path) -> None:
    server = await start_server(project)
    assert server.process.stdin is not None
    server.process.stdin.close()
    assert await asyncio.wait_for(server.process.wait(), 20) == 0


async def test_the_server_stays_where_standard_input_says_nothing(project: Path) -> None:
    server = await start_server(project, stdin=subprocess.DEVNULL)
    client = await server.client()
    assert await client.initialize()
    await client.close()
    assert server.process.returncode is None
    await server.stop()


async def test_a_port_in_use_is_said(project: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            "import sys; from stepbridge.cli import main; main()",
            "dap",
            "--port",
            str(taken.getsockname()[1]),
            cwd=project,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        out, err = await process.communicate()
    assert process.returncode == 1
    assert out == b""
    assert b"cannot be opened" in err


# nothing is left behind


class Traces:
    """What a workspace's runs could leave on this machine."""

    def __init__(self, project: Path, server: Server) -> None:
        self._project = project
        self._server = server

    def processes(self) -> list[str]:
        """Those of the server's session that are not the server itself, and any that live in the project."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                session = int((folder / "stat").read_text().rpartition(")")[2].split()[3])
                state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
            except (OSError, ValueError):
                continue
            if int(folder.name) == self._server.process.pid or state == "Z":
                continue
            if session == self._server.process.pid or str(self._project) in command:
                found.append(command)
        return found

    def containers(self) -> list[str]:
        asked = subprocess.run(
            ["docker", "ps", "-a", "--format", '{{.Label "stepbridge.run"}}'],
            capture_output=True,
            text=True,
            check=False,
        )
        return [
            line for line in asked.stdout.splitlines() if "-Train-" in line and str(self._project) in line
        ]

    def ports(self) -> int:
        fds = Path(f"/proc/{self._server.process.pid}/fd").iterdir()
        return sum(1 for fd in fds if _target(fd).startswith("socket:"))

    def files(self) -> list[str]:
        return [p.name for p in (self._project / ".stepbridge" / "bridges").glob("*")]


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ""


@pytest.fixture
def traces(editor: Editor) -> Traces:
    return Traces(editor.project, editor.server)


async def test_twenty_stops_and_starts_leave_nothing(editor: Editor, traces: Traces, engine: str) -> None:
    editor.breakpoints = {"prepare.py": [line_of(editor.project / "prepare.py", "rows = ")]}
    await editor.launch(engine=engine)
    await (await editor.child("Prepare")).stopped()
    await editor.parent.disconnect()
    before = traces.ports()
    for cycle in range(20):
        editor.children.clear()
        await editor.launch(engine=engine)
        if cycle % 4 == 1:
            await (await editor.child("Prepare")).stopped()
        if cycle % 4 == 2:
            await editor.parent.event("output", lambda body: "Run " in body["output"])
        if cycle % 4 == 3:
            await editor.parent.close()  # it dies
        else:
            await editor.parent.disconnect()
    await settled(traces, before)


async def settled(traces: Traces, ports: int) -> None:
    """A client that hangs up gets no answer: give the server time to clean up after it."""
    async with asyncio.timeout(30):
        while traces.processes() or traces.containers() or traces.files() or traces.ports() > ports:
            await asyncio.sleep(0.2)


@pytest.mark.parametrize(
    "moment", ["initialize", "launch", "configurationDone", "started", "stopped", "child"]
)
async def test_a_client_that_dies_leaves_nothing(editor: Editor, traces: Traces, moment: str) -> None:
    before = traces.ports()
    editor.breakpoints = {"prepare.py": [line_of(editor.project / "prepare.py", "rows = ")]}
    if moment in ("initialize", "launch", "configurationDone"):
        client = editor.parent = await editor.server.client()
        await client.initialize(supportsStartDebuggingRequest=True)
        if moment != "initialize":
            launched = client.begin("launch", {"program": "pipeline.py", "engine": "process"})
            launched.add_done_callback(lambda f: f.cancelled() or f.exception())
        if moment == "configurationDone":
            await launched
            client.begin("configurationDone").add_done_callback(lambda f: f.cancelled() or f.exception())
    else:
        await editor.launch(engine="process")
        if moment == "started":
            await editor.parent.event("output", lambda body: "Prepare: started" in body["output"])
        if moment in ("stopped", "child"):
            child = await editor.child("Prepare")
            await child.stopped()
            if moment == "child":
                await child.close()
    await editor.parent.close()
    await settled(traces, before)


async def test_the_server_told_to_end_takes_its_runs_along(project: Path, engine: str) -> None:
    server = await start_server(project)
    editor = Editor(server, project)
    editor.breakpoints = {"prepare.py": [line_of(project / "prepare.py", "rows = ")]}
    await editor.launch(engine=engine)
    await (await editor.child("Prepare")).stopped()
    traces = Traces(project, server)
    server.process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(server.process.wait(), 30) == 0
    await editor.close()
    assert traces.processes() == []
    assert traces.containers() == []
    assert traces.files() == []


# the whole session


async def test_terminate_stops_the_run_and_says_so(editor: Editor) -> None:
    (editor.project / "prepare.py").write_text("import time\nprint('up', flush=True)\ntime.sleep(60)\n")
    await editor.launch(engine="process")
    await editor.parent.event("output", lambda body: "[Prepare] up" in body["output"])
    await editor.parent.request("terminate")
    assert await editor.end() == 1
    assert "Stopped" in editor.parent.output("console")
    await editor.parent.disconnect()


async def test_disconnect_without_terminating_lets_the_run_go_on(editor: Editor, traces: Traces) -> None:
    editor.breakpoints = {"prepare.py": [line_of(editor.project / "prepare.py", "rows = ")]}
    await editor.launch(engine="process", functions=("Train",))
    await (await editor.child("Prepare")).stopped()
    await editor.parent.disconnect(terminateDebuggee=False)
    done = editor.project / ".stepbridge" / "s3" / "models"
    async with asyncio.timeout(60):
        while not list(done.rglob("model.tar.gz")):
            await asyncio.sleep(0.2)


async def test_restart_runs_the_pipeline_again_with_the_edited_program(editor: Editor) -> None:
    await editor.launch(engine="process", functions=("Train",))
    await editor.parent.stopped()
    program = editor.project / "pipeline.py"
    program.write_text(program.read_text().replace('epochs="3"', 'epochs="6"'))
    await editor.parent.request("restart")
    stopped = await editor.parent.stopped()
    top = (await editor.parent.stack(stopped["threadId"]))[0]
    assert await editor.parent.evaluate("/HyperParameters/epochs", top["id"]) == '"6"'
    await editor.parent.resume(stopped["threadId"])
    assert await editor.end() == 0


async def test_progress_is_reported_where_the_client_shows_it(editor: Editor) -> None:
    await editor.launch(engine="process", features={"supportsProgressReporting": True})
    assert await editor.end() == 0
    begun = {body["progressId"]: body["title"] for body in editor.parent.events("progressStart")}
    ended = {body["progressId"] for body in editor.parent.events("progressEnd")}
    assert set(begun) == ended
    assert "Running pipeline.py" in begun.values()
    assert "Train: Starting the container" in begun.values()


async def test_lines_counted_from_zero(editor: Editor) -> None:
    program = editor.project / "pipeline.py"
    editor.breakpoints = {"pipeline.py": [line_of(program, "train = ") - 1]}
    await editor.launch(engine="process", features={"linesStartAt1": False, "columnsStartAt1": False})
    stopped = await editor.parent.stopped("breakpoint")
    top = (await editor.parent.stack(stopped["threadId"]))[0]
    assert top["line"] == line_of(program, "train = ") - 1
    await editor.parent.disconnect()


async def test_two_editors_attach_to_two_steps_of_one_run(editor: Editor) -> None:
    editor.breakpoints = {
        "train.py": [line_of(editor.project / "train.py", "total = 0")],
        "report.py": [2],
    }
    editor.begin_child = lambda configuration: None  # type: ignore[method-assign]
    await editor.launch(engine="process")
    await editor.parent.event("output", lambda body: "Run " in body["output"])
    editors = {}
    for step, script, line in (("Train", "train.py", 6), ("Report", "report.py", 2)):
        client = editors[step] = await DapClient.connect("127.0.0.1", editor.server.port)
        path = str(editor.project / script)
        await client.attach({"execution": "latest", "step": step}, breakpoints={path: [line]})
        assert (await client.where())[:2] == (path, line)
    third = await DapClient.connect("127.0.0.1", editor.server.port)
    await third.initialize()
    with pytest.raises(RequestFailed, match="another editor"):
        await asyncio.wait_for(third.request("attach", {"step": "Train"}), 20)
    for client in editors.values():
        await client.resume(1)
    assert await editor.end() == 0
    for client in [*editors.values(), third]:
        await client.close()
