"""Attaching to a step of a run that the command line, or another session, started."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from stepbridge.dap.attach import sole_step
from stepbridge.errors import DebugError

from tests.support.dap_client import DapClient, RequestFailed

from .conftest import Editor, Server, environment, line_of

SLOW = "import time\nfor tick in range(2000):\n    time.sleep(0.02)\n    if tick < 0:\n        break\n"


@pytest.fixture
async def cli_run(project: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """`stepbridge run --arm`, with a first step that takes long."""
    (project / "prepare.py").write_text(SLOW)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "import sys; from stepbridge.cli import main; main()",
        *("run", "pipeline.py", "--engine", "process", "--arm"),
        cwd=project,
        env=environment() | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    yield process
    if process.returncode is None:
        process.send_signal(signal.SIGINT)
    await process.communicate()


async def attached(server: Server, arguments: dict[str, str], script: str) -> DapClient:
    """A client of a run's step, whose Python starts some time after the run."""
    async with asyncio.timeout(60):
        while True:
            client = await server.client()
            try:
                await client.attach(arguments, breakpoints={script: [3]})
            except RequestFailed:
                await client.close()
                await asyncio.sleep(0.2)
            else:
                return client


async def test_a_step_of_the_command_lines_run(
    server: Server, project: Path, cli_run: asyncio.subprocess.Process
) -> None:
    assert cli_run.stdout is not None
    async for line in cli_run.stdout:
        if b"Prepare: started" in line:
            break
    script = str(project / "prepare.py")
    client = await attached(server, {"execution": "latest", "step": "Prepare"}, script)
    path, line, top, _ = await client.where()
    assert (path, line) == (script, 3)
    assert int((await client.local_variables(top["id"]))["tick"]) >= 0
    await client.set_breakpoints(script, [])
    await client.disconnect()
    assert cli_run.returncode is None  # it goes on


async def test_the_only_step_that_runs_need_not_be_named(
    server: Server, project: Path, cli_run: asyncio.subprocess.Process
) -> None:
    script = str(project / "prepare.py")
    client = await attached(server, {"execution": "latest"}, script)
    path, line, _, _ = await client.where()
    assert (path, line) == (script, 3)
    await client.set_breakpoints(script, [])
    await client.disconnect()


def test_without_a_running_step_one_has_to_be_named() -> None:
    with pytest.raises(DebugError, match="No step runs now") as raised:
        sole_step(())
    assert '"step"' in raised.value.hint


async def test_what_cannot_be_attached_is_said(editor: Editor) -> None:
    async def refused(**arguments: str) -> str:
        client = await editor.server.client()
        with pytest.raises(RequestFailed) as raised:
            await client.attach(arguments)
        await client.close()
        return str(raised.value)

    assert "No run is under way" in await refused()
    assert "No run is under way" in await refused(step="Train")
    await editor.launch(engine="process", functions=("Train",))
    stopped = await editor.parent.stopped()
    assert "'Trian'" in await refused(step="Trian")
    assert "Train" in await refused(step="Trian")
    assert "has ended" in await refused(step="Prepare")
    assert "Steps Train, Report run" in await refused()
    assert "not under way" in await refused(step="Train", execution="abcdefghijkl")
    await editor.parent.resume(stopped["threadId"])
    assert await editor.end() == 0


async def test_attaching_waits_for_a_step_that_has_not_started(editor: Editor) -> None:
    await editor.launch(engine="process", functions=("Train",))
    stopped = await editor.parent.stopped()
    script = editor.project / "train.py"
    client = await DapClient.connect("127.0.0.1", editor.server.port)
    await client.initialize()
    attached = client.begin("attach", {"step": "Train"})
    leaver = await DapClient.connect("127.0.0.1", editor.server.port)
    await leaver.initialize()
    leaver.begin("attach", {"step": "Train"}).add_done_callback(lambda future: future.exception())
    with pytest.raises(RequestFailed, match="not started"):
        await leaver.request("threads")
    await leaver.request("disconnect")
    await editor.set_breakpoints("train.py", line_of(script, "total = 0"))
    editor.begin_child = lambda configuration: None  # type: ignore[method-assign]
    await editor.parent.resume(stopped["threadId"])
    await client.first_of(attached, client.event("initialized"))
    await client.set_breakpoints(str(script), [line_of(script, 'print("trained"')])
    await client.request("configurationDone")
    await attached
    path, line, _, _ = await client.where()
    assert (path, line) == (str(script), line_of(script, 'print("trained"'))
    await client.disconnect()
    assert await editor.end() == 0


async def test_a_run_without_debugging_may_be_attached_to(editor: Editor) -> None:
    script = editor.project / "prepare.py"
    script.write_text(SLOW)
    editor.breakpoints["prepare.py"] = [3]
    await editor.launch(engine="process", noDebug=True)
    await editor.parent.event("output", lambda body: "Prepare: started" in body["output"])
    client = await editor.server.client()
    await client.attach({}, breakpoints={str(script): [4]})  # the only one that runs
    path, line, top, _ = await client.where()
    assert (path, line) == (str(script), 4)
    assert int((await client.local_variables(top["id"]))["tick"]) >= 0
    assert editor.configurations == []
    await client.set_breakpoints(str(script), [])
    await client.disconnect()
    await editor.parent.request("terminate")
    assert await editor.end() == 1
