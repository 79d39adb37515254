"""The relay's port, as clients meet it that are early, late, rude or gone."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from stepbridge.debug import DebugPlan, DebugpyCache, PathMapping, RelayServer
from stepbridge.debug.proxy import AttachOptions
from stepbridge.errors import DebugError

from tests.support.dap_client import DapClient, RequestFailed

from .local_step import LocalStep

WAIT = DebugPlan(mode="wait")


@pytest.fixture
async def step(cache: DebugpyCache, step_folder: Path, tmp_path: Path) -> AsyncIterator[LocalStep]:
    (step_folder / "script.py").write_text("value = 1\nprint('over', value)\n")
    mappings = (PathMapping(tmp_path / "mine", str(step_folder)),)
    argv = [sys.executable, "script.py"]
    async with LocalStep(cache, WAIT, argv, cwd=step_folder, mappings=mappings) as step:
        yield step


@pytest.fixture
async def relay(step: LocalStep) -> AsyncIterator[RelayServer]:
    relay = RelayServer(step.debugger, just_my_code=False)
    await relay.listen()
    yield relay
    await relay.close()


async def test_path_mappings_are_injected_where_the_client_has_none(
    step: LocalStep, relay: RelayServer, tmp_path: Path
) -> None:
    mine = tmp_path / "mine" / "script.py"
    async with await DapClient.connect("127.0.0.1", relay.port) as client:
        await client.attach(breakpoints={str(mine): [2]})
        path, line, _, body = await client.where()
        assert (path, line) == (str(mine), 2)
        await client.resume(body["threadId"])
        await client.event("terminated")
    assert (await step.result())[:2] == (0, "over 1\n")


async def test_a_client_that_brings_mappings_keeps_them(
    step: LocalStep, relay: RelayServer, step_folder: Path
) -> None:
    theirs = [{"localRoot": "/other", "remoteRoot": str(step_folder)}]
    async with await DapClient.connect("127.0.0.1", relay.port) as client:
        await client.attach({"pathMappings": theirs}, breakpoints={"/other/script.py": [2]})
        path, _, _, body = await client.where()
        assert path == "/other/script.py"
        await client.resume(body["threadId"])
        await client.event("terminated")


async def test_what_is_not_attach_is_refused_and_does_no_harm(step: LocalStep, relay: RelayServer) -> None:
    async with await DapClient.connect("127.0.0.1", relay.port) as client:
        with pytest.raises(RequestFailed, match="initialize is expected"):
            await client.request("threads")
        capabilities = await client.initialize()
        assert capabilities["supportsConfigurationDoneRequest"]
        with pytest.raises(RequestFailed, match="attach is expected"):
            await client.request("launch", {"program": "x.py"})
        await client.request("disconnect")
        await asyncio.wait_for(client.closed.wait(), 10)
    await step.state("waiting")
    await step.debugger.release()
    assert (await step.result())[0] == 0


@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.1\r\n\r\n", b"Content-Length: 9999999999\r\n\r\n", b"\0" * 70_000]
)
async def test_what_is_no_dap_is_hung_up_on(step: LocalStep, relay: RelayServer, data: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
    writer.write(data)
    assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.close()


async def test_a_client_may_come_before_the_step_and_leave_again(
    cache: DebugpyCache, step_folder: Path
) -> None:
    (step_folder / "script.py").write_text("print('over')\n")
    step = LocalStep(cache, WAIT, [sys.executable, "script.py"], cwd=step_folder)
    relay = RelayServer(step.debugger)
    step.environment()  # instrumented, not started
    port = await relay.listen()
    client = await DapClient.connect("127.0.0.1", port)
    await client.initialize()
    waiting = client.begin("attach", {})
    await asyncio.sleep(0.05)
    assert not waiting.done()
    await client.close()
    await relay.close()
    await step.debugger.close()
    with pytest.raises(AssertionError):
        await waiting


async def test_a_client_of_an_ended_step_is_told_so(step: LocalStep, relay: RelayServer) -> None:
    await step.state("waiting")
    await step.debugger.release()
    await step.result()
    async with await DapClient.connect("127.0.0.1", relay.port) as client:
        await client.initialize()
        with pytest.raises(RequestFailed, match="The step has ended"):
            await client.request("attach", {})
        await client.event("terminated")


async def test_a_step_that_is_killed_terminates_its_editor(step: LocalStep, relay: RelayServer) -> None:
    async with await DapClient.connect("127.0.0.1", relay.port) as client:
        await client.attach({"stopOnEntry": True})
        await client.stopped()
        step.process.kill()
        await client.event("terminated")


async def test_a_port_in_use_is_a_clear_error(step: LocalStep, relay: RelayServer) -> None:
    with pytest.raises(DebugError, match=rf"Port {relay.port} .* cannot be opened") as caught:
        await RelayServer(step.debugger).listen(relay.port)
    assert "--debug-port" in caught.value.hint


def test_of_a_script_at_several_places_a_process_runs_the_one_below_its_folder(tmp_path: Path) -> None:
    """debugpy sets a breakpoint at the first mapping that fits."""
    script, other = tmp_path / "inference.py", tmp_path / "other.py"
    mappings = (
        PathMapping(script, "/opt/ml/models/one/model/code/inference.py"),
        PathMapping(script, "/opt/ml/models/longest/model/code/inference.py"),
        PathMapping(other, "/opt/ml/code/other.py"),
    )

    def remotes(folder: str) -> list[str]:
        arguments = AttachOptions(mappings, folder=folder).arguments({}, 7, sub_process=False)
        return [mapping["remoteRoot"].split("/")[-4] for mapping in arguments["pathMappings"][:2]]

    assert remotes("/opt/ml/models/one/model") == ["one", "longest"]
    assert remotes("/opt/ml/models/longest/model") == ["longest", "one"]
    assert remotes("") == ["longest", "one"]
