"""The Docker Engine API on the wire, for asyncio: calls, streams, and upgraded ("hijacked") connections.

Why not the docker package: importing it costs 0.2 to 0.4 s, a good part of what a run may cost in all, and
its streams are blocking sockets in threads, which cannot be cancelled and lose what came with the response
head. Stored credentials still come from that package. Each call has its
own connection in HTTP/1.0, so that a body simply ends with it. Knows the protocol, no containers.
https://docs.docker.com/reference/api/engine/version/v1.41/
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from stepbridge.errors import EngineError

from .docker_host import Address

NEWEST_API = (1, 47)  # we know nothing of later ones
STREAMS = {0: "stdout", 1: "stdout", 2: "stderr"}


class ApiError(Exception):
    """The engine answered a call with an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def segment(name: str) -> str:
    """A name as part of a path; image references keep their slashes."""
    return quote(name, safe="/:@")


class Wire:
    """Calls to one engine. `negotiate` first; it is the proof that somebody answers."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._prefix = ""

    async def negotiate(self, timeout: float) -> dict[str, Any]:
        """The engine's answer to /version.

        Raises:
            EngineError: nobody answers there within `timeout` seconds.
        """
        try:
            async with asyncio.timeout(timeout):
                version: dict[str, Any] = await self.call("GET", "/version")
        except TimeoutError:
            raise EngineError(f"The engine at {self.address.url} does not answer") from None
        except ApiError as error:
            raise EngineError(f"{self.address.url} is no container engine: {error}") from None
        newest, oldest = _number(version.get("ApiVersion")), _number(version.get("MinAPIVersion"))
        number = max(min(newest, NEWEST_API), oldest)
        self._prefix = f"/v{number[0]}.{number[1]}"
        return version

    async def call(
        self, method: str, path: str, body: Any = None, query: Mapping[str, Any] | None = None
    ) -> Any:
        """One call; its answer from JSON, None where it has none.

        Raises:
            ApiError: the engine answered with an error.
            EngineError: no engine answers, or it went away before it had answered.
        """
        async with self._request(method, path, body, query) as reader:
            text = await self._read(reader.read())
        try:
            return json.loads(text) if text.strip() else None
        except ValueError:
            raise EngineError(
                f"The engine at {self.address.url} went away in the middle of an answer"
            ) from None

    async def messages(
        self,
        path: str,
        query: Mapping[str, Any],
        headers: Mapping[str, str] | None = None,
        upload: Path | None = None,
    ) -> AsyncIterator[dict[str, Any]]:
        """POST, with a tar archive where given; the answer's JSON objects as they come. Errors as `call`."""
        async with self._request("POST", path, upload, query, headers) as reader:
            while line := await self._read(reader.readline()):
                if line.strip():
                    yield json.loads(line)

    async def upgrade(self, method: str, path: str, frames: Frames, body: Any = None) -> None:
        """Connect `frames` to a stream of the engine; errors as `call`."""
        head = {"Connection": "Upgrade", "Upgrade": "tcp"} if method == "POST" else {}
        version = "1.1" if method == "POST" else "1.0"
        loop = asyncio.get_running_loop()
        with self._explained():
            if self.address.socket:
                await loop.create_unix_connection(lambda: frames, self.address.socket)
            else:
                await loop.create_connection(lambda: frames, self.address.host, self.address.port)
        frames.send(_head(method, self._prefix + path, body, head, version))
        try:
            await frames.started
        except EngineError:
            raise self._gone() from None
        except BaseException:
            frames.abort()
            raise

    @contextlib.asynccontextmanager
    async def _request(
        self,
        method: str,
        path: str,
        body: Any,
        query: Mapping[str, Any] | None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[asyncio.StreamReader]:
        target = self._prefix + path + (f"?{urlencode(query)}" if query else "")
        with self._explained():
            if self.address.socket:
                reader, writer = await asyncio.open_unix_connection(self.address.socket, limit=1 << 20)
            else:
                reader, writer = await asyncio.open_connection(
                    self.address.host, self.address.port, limit=1 << 20
                )
        try:
            writer.write(_head(method, target, body, headers or {}))
            if isinstance(body, Path):
                await self._upload(body, writer)
            head = await self._read(reader.readuntil(b"\r\n\r\n"))
            status = _status(head)
            if status >= 400:
                raise ApiError(status, _message(await self._read(reader.read()), status))
            yield reader
        finally:
            writer.close()

    async def _upload(self, file: Path, writer: asyncio.StreamWriter) -> None:
        try:
            with file.open("rb") as content:
                while piece := content.read(1 << 18):
                    writer.write(piece)
                    await writer.drain()
        except ConnectionError:  # the engine had enough of it; its answer says why
            return

    async def _read(self, reading: Any) -> bytes:
        try:
            data: bytes = await reading
        except (OSError, asyncio.IncompleteReadError):
            raise self._gone() from None
        return data

    @contextlib.contextmanager
    def _explained(self) -> Any:
        try:
            yield
        except PermissionError:
            raise EngineError(
                f"You may not use the engine at {self.address.url}",
                "Add yourself to the group docker (sudo usermod -aG docker $USER, then log in again), or use "
                "--engine process.",
            ) from None
        except OSError as error:
            raise EngineError(
                f"No container engine answers at {self.address.url} ({error.strerror or error})",
                "Start Docker, set DOCKER_HOST to your engine, or use --engine process.",
            ) from None

    def _gone(self) -> EngineError:
        return EngineError(
            f"The container engine at {self.address.url} went away",
            "Start it again; `docker info` and its log say why it ended.",
        )


class Frames(asyncio.Protocol):
    """A stream of frames (stream number, length, payload), and bytes the other way.

    Args:
        on_data: called as on_data("stdout" | "stderr", payload) at once, in order.
        on_end: called once, when the stream is over.
    """

    def __init__(self, on_data: Callable[[str, bytes], None], on_end: Callable[[], None]) -> None:
        self.transport: asyncio.Transport | None = None
        loop = asyncio.get_running_loop()
        self.started: asyncio.Future[None] = loop.create_future()  # the engine said yes
        self.ended: asyncio.Future[None] = loop.create_future()
        self._on_data = on_data
        self._on_end = on_end
        self._buffer = bytearray()
        self._refused = 0  # HTTP status of an error
        self._stream = ""
        self._left = 0  # bytes of the current frame that have not come yet
        self._writable = asyncio.Event()
        self._writable.set()

    # -- asyncio.Protocol ------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if not self.started.done():
            self._buffer += data
            if not self._take_head():
                return
            data = bytes(self._buffer)
            self._buffer.clear()
        self._take_frames(data)

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._writable.set()
        if not self.started.done():
            if self._refused:
                error: Exception = ApiError(self._refused, _message(bytes(self._buffer), self._refused))
            else:
                error = EngineError("the engine went away")
            self.started.set_exception(error)
        if not self.ended.done():
            self.ended.set_result(None)
            self._on_end()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    # -- our side --------------------------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(data)

    async def drain(self) -> None:
        await self._writable.wait()

    def send_eof(self) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write_eof()

    def close(self) -> None:
        """Ends the connection, once what was sent has gone out."""
        if self.transport is not None:
            self.transport.close()

    def abort(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    def _take_head(self) -> bool:
        """Whether the answer's head is there and says yes; the buffer then holds what came behind it."""
        if not self._refused:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return False
            status = _status(bytes(self._buffer[: end + 4]))
            length = _content_length(bytes(self._buffer[:end]))
            del self._buffer[: end + 4]
            if status < 400:
                self.started.set_result(None)
                return True
            self._refused = status
            self._left = length
        if len(self._buffer) >= self._left and self.transport is not None:
            self.transport.close()  # HTTP/1.1 would keep the connection
        return False

    def _take_frames(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            if self._left:
                piece = view[: self._left]
                view = view[len(piece) :]
                self._left -= len(piece)
                self._on_data(self._stream, bytes(piece))
                continue
            missing = 8 - len(self._buffer)
            self._buffer += view[:missing]
            view = view[missing:]
            if len(self._buffer) == 8:
                self._stream = STREAMS.get(self._buffer[0], "stderr")
                self._left = int.from_bytes(self._buffer[4:8], "big")
                self._buffer.clear()


def _head(method: str, target: str, body: Any, headers: Mapping[str, str], version: str = "1.0") -> bytes:
    """The head of a request, and its body; a file (a tar archive) is sent behind it by the caller."""
    if isinstance(body, Path):
        kind, content, length = "application/x-tar", b"", body.stat().st_size
    else:
        kind, content = "application/json", b"" if body is None else json.dumps(body).encode()
        length = len(content)
    lines = [f"{method} {target} HTTP/{version}", "Host: docker", "User-Agent: stepbridge"]
    if method == "POST":
        lines += [f"Content-Type: {kind}", f"Content-Length: {length}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + content


def _status(head: bytes) -> int:
    parts = head.split(b" ", 2)
    return int(parts[1]) if len(parts) > 1 and parts[1].isdigit() else 599


def _content_length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.split(b":", 1)[1])
    return 1 << 40  # until the connection ends


def _message(body: bytes, status: int) -> str:
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return body.decode(errors="replace").strip() or f"HTTP status {status}"


def _number(version: Any) -> tuple[int, int]:
    try:
        major, minor = str(version).split(".")[:2]
        return int(major), int(minor)
    except ValueError:
        return 1, 41
