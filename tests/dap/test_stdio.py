"""The server on standard input and output, as editors start adapters by default."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.dap_client import JSON, DapClient

from .conftest import environment, line_of

COMMAND = (sys.executable, "-c", "import sys; from stepbridge.cli import main; main()", "dap")


@pytest.fixture
async def adapters(project: Path) -> AsyncIterator[list[asyncio.subprocess.Process]]:
    """The adapter processes that a test started; they must have ended by themselves."""
    started: list[asyncio.subprocess.Process] = []
    yield started
    for process in started:
        assert process.stderr is not None
        assert await asyncio.wait_for(process.wait(), 30) == 0, (await process.stderr.read()).decode()
        assert b"Traceback" not in await process.stderr.read()


async def adapter(project: Path, started: list[asyncio.subprocess.Process]) -> DapClient:
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        cwd=project,
        env=environment(),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    started.append(process)
    assert process.stdout is not None
    assert process.stdin is not None
    return DapClient(process.stdout, process.stdin.write, process.stdin.close)


@pytest.mark.parametrize("child_by", ["port", "adapter of its own"])
async def test_children_of_an_adapter_on_standard_input(
    project: Path, adapters: list[asyncio.subprocess.Process], child_by: str
) -> None:
    script = project / "train.py"
    configurations: asyncio.Queue[JSON] = asyncio.Queue()
    parent = await adapter(project, adapters)
    parent.answer("startDebugging", lambda given: configurations.put_nowait(given["configuration"]) or {})
    line = line_of(script, "total = 0")
    await parent.attach(
        {"program": "pipeline.py", "engine": "process"},
        command="launch",
        breakpoints={str(script): [line]},
        initialize={"supportsStartDebuggingRequest": True},
        expect_verified=False,
    )
    configuration = await asyncio.wait_for(configurations.get(), 60)
    if child_by == "port":
        child = await DapClient.connect("127.0.0.1", configuration["__port"])
    else:
        child = await adapter(project, adapters)
    await child.attach(configuration, breakpoints={str(script): [line]})
    assert (await child.where())[:2] == (str(script), line)
    await child.resume(1)
    assert (await parent.event("exited"))["exitCode"] == 0
    await parent.event("terminated")
    await child.close()
    await parent.disconnect()


async def test_nothing_but_the_protocol_is_on_standard_output(
    project: Path, adapters: list[asyncio.subprocess.Process]
) -> None:
    (project / "pipeline.py").write_text("print('not protocol')\n" + (project / "pipeline.py").read_text())
    parent = await adapter(project, adapters)
    given = {"program": "pipeline.py", "engine": "process"}
    await parent.attach(given, command="launch", initialize={"supportsStartDebuggingRequest": True})
    assert (await parent.event("exited"))["exitCode"] == 0
    assert "not protocol\n" in parent.output("stdout")
    await parent.disconnect()


async def test_an_editor_that_dies_takes_the_adapter_along(
    project: Path, adapters: list[asyncio.subprocess.Process]
) -> None:
    (project / "prepare.py").write_text("import time\nprint('up', flush=True)\ntime.sleep(60)\n")
    parent = await adapter(project, adapters)
    given = {"program": "pipeline.py", "engine": "process"}
    await parent.attach(given, command="launch")
    await parent.event("output", lambda body: "[Prepare] up" in body["output"])
    await parent.close()
