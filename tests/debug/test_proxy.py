"""What a client is told when a process ends with requests of the client open."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest
from stepbridge.debug.control import DebugStream
from stepbridge.debug.dap_frames import FrameStream, decode
from stepbridge.debug.proxy import Proxy


async def connection() -> tuple[DebugStream, DebugStream]:
    ends = [await asyncio.open_connection(sock=end) for end in socket.socketpair()]
    return DebugStream(*ends[0]), DebugStream(*ends[1])


async def messages(client: FrameStream, count: int) -> list[dict[str, Any]]:
    found = []
    async with asyncio.timeout(10):
        while len(found) < count and (body := await client.read()) is not None:
            found.append(decode(body))
    return found


@pytest.mark.parametrize(("command", "success"), [("continue", True), ("variables", False)])
async def test_a_request_is_answered_though_the_process_ends(command: str, success: bool) -> None:
    ours, theirs = await connection()
    near, far = await connection()
    initialize = {"seq": 1, "type": "request", "command": "initialize", "arguments": {}}
    attach = {"seq": 2, "type": "request", "command": "attach", "arguments": {}}
    running = asyncio.create_task(Proxy(FrameStream(ours), near, initialize, attach).run())
    client, process = FrameStream(theirs), FrameStream(far)
    assert [decode(await process.read() or b"")["command"] for _ in range(2)] == ["initialize", "attach"]
    answer = {"type": "response", "request_seq": 2, "success": True, "command": "attach"}
    await process.send({"seq": 1, **answer})
    assert (await messages(client, 1))[0]["request_seq"] == 2
    await client.send({"seq": 3, "type": "request", "command": "threads"})
    await client.send({"seq": 4, "type": "request", "command": command})
    for _ in range(2):
        await process.read()
    await process.send({"seq": 2, **answer, "request_seq": 3, "command": "threads"})
    await process.close()
    answered, ended, terminated = await messages(client, 3)
    assert answered["request_seq"] == 3
    assert (ended["request_seq"], ended["command"], ended["success"]) == (4, command, success)
    assert ("message" in ended) is not success
    assert terminated["event"] == "terminated"
    await client.close()
    await running
