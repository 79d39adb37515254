"""The bridge's end of the line, against peers that were not written by us."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from stepbridge.debug.control import ControlServer, DebuggedProcess
from stepbridge.errors import DebugError


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="sb-") as path:
        yield Path(path)


class Bridge:
    def __init__(self, folder: Path, tcp_host: str | None = None) -> None:
        self.seen: list[DebuggedProcess] = []
        self._writers: list[asyncio.StreamWriter] = []  # dropped ones would be closed
        self.server = ControlServer(folder, self.seen.append, tcp_host=tcp_host)

    async def peer(self, *lines: object) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        path = str(self.server.shared / "s")
        reader, writer = await asyncio.open_unix_connection(path)
        self._writers.append(writer)
        for line in lines:
            writer.write(line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n")
        return reader, writer

    async def until(self, state: str) -> None:
        async with asyncio.timeout(10):
            while not any(process.state == state for process in self.server.processes()):
                await self.server.changed()


@pytest.fixture
async def bridge(folder: Path) -> AsyncIterator[Bridge]:
    bridge = Bridge(folder)
    await bridge.server.serve()
    yield bridge
    await bridge.server.close()


HELLO = {
    "type": "hello",
    "pid": 7,
    "python": "3.9.1",
    "argv": ["python", "x.py"],
    "role": "script",
    "mode": "arm",
}


async def test_a_process_checks_in_obeys_and_goes(bridge: Bridge) -> None:
    reader, writer = await bridge.peer(HELLO)
    await bridge.until("armed")
    bridge.server.tell(7, "attach")
    assert await reader.readline() == b"attach\n"
    writer.write(b'{"type":"crashed","file":"/opt/ml/code/x.py","line":3,"error":"E: x"}\n')
    await bridge.until("crashed")
    (process,) = bridge.server.processes()
    assert (process.file, process.line, process.error, process.python) == (
        "/opt/ml/code/x.py",
        3,
        "E: x",
        "3.9.1",
    )
    writer.close()
    async with asyncio.timeout(10):
        while bridge.server.processes():
            await bridge.server.changed()
    assert [process.state for process in bridge.seen] == ["armed", "crashed", "ended"]


@pytest.mark.parametrize(
    "junk",
    [
        b"\n",
        b"{}\n",
        b"nonsense\n",
        b"\xff\xfe\n",
        b'{"type":"hello","pid":"x"}\n',
        b"[" * 100_000,
        b'{"type":"adapter","pid":99}\n',
    ],
)
async def test_junk_is_dropped_and_harms_nobody(bridge: Bridge, junk: bytes) -> None:
    reader, writer = await bridge.peer(junk)
    assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.close()
    await bridge.peer(HELLO)
    await bridge.until("armed")


async def test_an_unknown_report_changes_nothing(bridge: Bridge) -> None:
    await bridge.peer(HELLO, {"type": "sings"}, {"type": "listening", "debugpy": "1.8.22"})
    await bridge.until("listening")
    assert [process.state for process in bridge.seen] == ["armed", "listening"]


async def test_a_tunnel_is_an_adapters_connection_after_the_word(bridge: Bridge) -> None:
    await bridge.peer(HELLO)
    await bridge.until("armed")
    reader, writer = await bridge.peer({"type": "adapter", "pid": 7})
    stream = await asyncio.wait_for(bridge.server.tunnel(7), 10)
    assert await reader.readline() == b"go\n"
    await stream.write(b"to debugpy")
    assert await reader.readexactly(10) == b"to debugpy"
    writer.write(b"back")
    assert await stream.reader.readexactly(4) == b"back"
    await stream.close()
    assert await reader.read() == b""


async def test_asking_for_a_process_that_ends_meanwhile_fails(bridge: Bridge) -> None:
    _, writer = await bridge.peer(HELLO)
    await bridge.until("armed")
    asking = asyncio.create_task(bridge.server.tunnel(7))
    await asyncio.sleep(0)
    writer.close()
    with pytest.raises(DebugError, match="ended"):
        await asyncio.wait_for(asking, 10)
    with pytest.raises(DebugError, match="ended"):
        await bridge.server.tunnel(8)


async def test_close_ends_everything_and_leaves_no_file(folder: Path) -> None:
    bridge = Bridge(folder)
    await bridge.server.serve()
    reader, _ = await bridge.peer(HELLO)
    await bridge.until("armed")
    await bridge.server.close()
    assert await reader.read() == b""
    with pytest.raises(DebugError, match="ended"):
        await bridge.server.changed()
    assert not list(folder.rglob("*"))


async def test_only_the_containers_see_the_socket(bridge: Bridge, folder: Path) -> None:
    """Private to this user here; open to every user of the container, which sees the inner folder alone."""
    assert folder.stat().st_mode & 0o777 == 0o700
    assert bridge.server.shared.stat().st_mode & 0o777 == 0o755
    assert (bridge.server.shared / "s").stat().st_mode & 0o777 == 0o666


async def test_by_tcp_only_who_knows_the_token_is_heard(folder: Path) -> None:
    bridge = Bridge(folder, tcp_host="127.0.0.1")
    await bridge.server.serve()
    kind, host, port, token = bridge.server.address("/run", "127.0.0.1").split(":")
    assert kind == "tcp"
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(json.dumps({**HELLO, "token": "wrong"}).encode() + b"\n")
    assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.close()
    assert bridge.server.processes() == ()
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(json.dumps({**HELLO, "token": token}).encode() + b"\n")
    await bridge.until("armed")
    writer.close()
    await bridge.server.close()


def test_a_path_too_long_for_a_socket_is_refused_with_a_way_out(tmp_path: Path) -> None:
    with pytest.raises(DebugError, match="too long") as caught:
        ControlServer(tmp_path / ("x" * 100), lambda process: None)
    assert "TMPDIR" in caught.value.hint
