"""The bridge's end of the line into the processes of one container: a socket in a private folder, which the
container has mounted. Processes check in by themselves and say what they do; debugpy's adapters keep one
connection each in store for the next editor.

Knows the messages (JSON lines in, words out) and which process is in which state; knows no plan, no mapping
and no DAP. Everything that comes in here was written by code in a container: it is checked, and limited.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import os
import secrets
import socket
from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from stepbridge.errors import DebugError

_LINE_LIMIT = 64 * 1024  # bytes of one message of a process
_SOCKET_PATH_LIMIT = 100  # sun_path holds 108


class _Message(msgspec.Struct, frozen=True, rename={"kind": "type"}):
    """One line of a process. Which fields count depends on `kind`."""

    kind: str
    pid: int = 0
    ppid: int = 0
    python: str = ""
    executable: str = ""
    argv: tuple[str, ...] = ()
    cwd: str = ""
    role: str = ""
    mode: str = ""
    forked: bool = False
    debugpy: str = ""
    seconds: float = 0.0
    file: str = ""
    line: int = 0
    error: str = ""
    why: str = ""
    token: str = ""


class DebuggedProcess(Struct, frozen=True):
    """A snapshot of one process of a step. `pid` is the container's.

    state: "armed", "listening", "waiting", "attached", "detached", "crashed", "released" as in
    events.StepDebug, "started" before any of them, "failed" (debugpy did not load: `error`), "ended" (the
    last of each process), and "absent" for a step of which no process ever checked in (pid 0).
    role: "script" (the step's own script) or "user" (another program of the user's).
    file, line: where a crashed process raised; a container path.
    """

    pid: int
    state: str = "started"
    ppid: int = 0
    python: str = ""
    executable: str = ""
    argv: tuple[str, ...] = ()
    cwd: str = ""  # its working folder when it started
    role: str = "script"
    forked: bool = False
    debugpy: str = ""
    file: str = ""
    line: int = 0
    error: str = ""


class DebugStream:
    """Bytes to and from one process' debugpy."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self._writer = writer

    async def write(self, data: bytes) -> None:
        """Raises ConnectionError when the process is gone."""
        self._writer.write(data)
        await self._writer.drain()

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


class _Line(Struct):
    """One process and its open line."""

    process: DebuggedProcess
    writer: asyncio.StreamWriter
    tunnels: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter] | None] = field(
        default_factory=asyncio.Queue
    )
    ended: bool = False


class ControlServer:
    """Create it before the container starts (processes may connect from then on), `serve` it beside.

    Args:
        folder: a short private folder of this machine; the socket's own folder is made inside of it.
        on_change: called with the snapshot of a process whenever its state changed.
        tcp_host: the address to listen at by TCP instead of by a socket file, for engines in a virtual
            machine that cannot pass socket files on (Docker Desktop).
    """

    def __init__(
        self, folder: Path, on_change: Callable[[DebuggedProcess], None], *, tcp_host: str | None = None
    ) -> None:
        self.shared = folder / "d"  # mounted into the container
        self._on_change = on_change
        self._lines: dict[int, _Line] = {}
        self._waiters: set[asyncio.Future[None]] = set()
        self._token = secrets.token_hex(16) if tcp_host else ""
        self._connections: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._closed = False
        self.seen_any = False
        self.socket = self._listen_tcp(tcp_host) if tcp_host else self._listen_unix(folder)

    def address(self, mounted_at: str, host: str = "") -> str:
        """What the payload connects to, where `shared` is mounted at that path of the container (by TCP:
        where `host` is this machine's name there)."""
        if self._token:
            return f"tcp:{host}:{self.socket.getsockname()[1]}:{self._token}"
        return f"unix:{mounted_at}/s"

    def _listen_unix(self, folder: Path) -> socket.socket:
        path = self.shared / "s"
        if len(os.fsencode(path)) > _SOCKET_PATH_LIMIT:
            raise DebugError(
                f"{folder}: too long a path for a socket ({_SOCKET_PATH_LIMIT} bytes).",
                "Set XDG_RUNTIME_DIR or TMPDIR to a shorter folder.",
            )
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)  # nobody else on this machine; in the container only `shared` is seen
        self.shared.mkdir(exist_ok=True)
        self.shared.chmod(0o755)
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(path))
        path.chmod(0o666)  # steps run as any user
        listener.listen(128)
        return listener

    def _listen_tcp(self, host: str) -> socket.socket:
        self.shared.mkdir(parents=True, exist_ok=True)
        return socket.create_server((host, 0), backlog=128)

    # -- what others ask ------------------------------------------------------------------------------

    def processes(self) -> tuple[DebuggedProcess, ...]:
        """Those that run now, in the order in which they checked in."""
        return tuple(line.process for line in self._lines.values())

    def tell(self, pid: int, word: str) -> None:
        """Send a word to a process; one that is gone has no need of it."""
        line = self._lines.get(pid)
        if line is not None and not line.writer.is_closing():
            line.writer.write(word.encode("ascii") + b"\n")

    async def changed(self) -> None:
        """Returns at the next change of any process. Raises DebugError when the step has ended."""
        if self._closed:
            raise DebugError("The step has ended.")
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            await waiter
        finally:
            self._waiters.discard(waiter)

    def update(self, pid: int, **changes: object) -> None:
        """Set fields of a process' snapshot (its state, for what is seen from outside) and tell everybody."""
        line = self._lines.get(pid)
        if line is not None:
            line.process = replace(line.process, **changes)
            self._notify(line.process)

    async def tunnel(self, pid: int, *, more: bool = False) -> DebugStream:
        """A fresh connection to the debugpy of a process; waits until its adapter offers one.

        more: beside the one that the process' editor has, for one of its sub-processes.

        Raises:
            DebugError: there is no such process, or it ended meanwhile.
        """
        line = self._lines.get(pid)
        while line is not None and not line.ended:
            offered = await line.tunnels.get()
            if offered is None:
                line.tunnels.put_nowait(None)  # for the next who asks
                break
            reader, writer = offered
            if reader.at_eof():
                continue  # its adapter is gone
            writer.write(b"more\n" if more else b"go\n")
            return DebugStream(reader, writer)
        raise DebugError(f"Process {pid} of the step has ended.")

    # -- serving --------------------------------------------------------------------------------------

    async def serve(self) -> None:
        """Accept connections until `close`."""
        if self._server is None and not self._closed:
            kind = asyncio.start_server if self._token else asyncio.start_unix_server
            self._server = await kind(self._connected, sock=self.socket, limit=_LINE_LIMIT)

    async def close(self) -> None:
        """End all connections and take the socket away. Processes that wait go on by themselves."""
        if self._closed:
            return
        self._closed = True
        if self._server is not None:
            self._server.close()
        self.socket.close()
        for line in self._lines.values():
            line.ended = True
            line.tunnels.put_nowait(None)
        for task in tuple(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        for waiter in tuple(self._waiters):
            if not waiter.done():
                waiter.set_exception(DebugError("The step has ended."))
        with contextlib.suppress(OSError):
            (self.shared / "s").unlink(missing_ok=True)
            self.shared.rmdir()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        handed_over = False
        try:
            first = await self._read(reader)
            if first is None or not hmac.compare_digest(first.token, self._token):
                return
            if first.kind == "adapter":
                handed_over = self._offer(first.pid, reader, writer)
            elif first.kind == "hello":
                await self._converse(first, reader, writer)
        except (asyncio.CancelledError, ConnectionError):
            pass  # cancelled: by `close` only
        finally:
            self._connections.discard(task)
            if not handed_over:
                writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> _Message | None:
        """The next message; None at the end of the line, and for what is none."""
        try:
            line = await reader.readuntil(b"\n")
            return _decode(line)
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, msgspec.MsgspecError, UnicodeError):
            return None

    def _offer(self, pid: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        line = self._lines.get(pid)
        if line is None or line.ended:
            return False
        line.tunnels.put_nowait((reader, writer))
        return True

    async def _converse(
        self, hello: _Message, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.seen_any = True
        process = DebuggedProcess(
            pid=hello.pid,
            ppid=hello.ppid,
            state="armed" if hello.mode == "arm" else "started",
            python=hello.python,
            executable=hello.executable,
            argv=hello.argv,
            cwd=hello.cwd,
            role=hello.role,
            forked=hello.forked,
        )
        line = self._lines[hello.pid] = _Line(process, writer)
        self._notify(process)
        try:
            while (message := await self._read(reader)) is not None:
                self._heard(line, message)
        finally:
            line.ended = True
            line.tunnels.put_nowait(None)
            if self._lines.get(hello.pid) is line:
                del self._lines[hello.pid]
            self._drop_tunnels(line)
            self._notify(replace(line.process, state="ended"))

    def _heard(self, line: _Line, message: _Message) -> None:
        state = message.kind
        process = replace(line.process, state=state, debugpy=message.debugpy or line.process.debugpy)
        if state == "crashed":
            process = replace(process, file=message.file, line=message.line, error=message.error)
        elif state == "failed":
            process = replace(process, error=message.error)
        elif state not in ("listening", "waiting", "attached", "released"):
            return
        line.process = process
        self._notify(line.process)

    def _drop_tunnels(self, line: _Line) -> None:
        while not line.tunnels.empty():
            offered = line.tunnels.get_nowait()
            if offered is not None:
                offered[1].close()
        line.tunnels.put_nowait(None)

    def _notify(self, process: DebuggedProcess) -> None:
        self.wake()
        self._on_change(process)

    def wake(self) -> None:
        """Have everybody in `changed` look again."""
        for waiter in tuple(self._waiters):
            if not waiter.done():
                waiter.set_result(None)


_decode = msgspec.json.Decoder(_Message).decode
