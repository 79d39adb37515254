"""Messages of the Debug Adapter Protocol on a byte stream: a header with Content-Length, then JSON.

Strict, and bounded in both parts. Knows no request and no event by name; that is for `proxy` and `dap/`.
"""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

import msgspec

from stepbridge.errors import DebugError

HEADER_LIMIT = 4 * 1024
BODY_LIMIT = 64 * 1024 * 1024
_HEADERS = (b"content-length", b"content-type")


class FrameError(DebugError):
    """What arrived is not the Debug Adapter Protocol."""


class Head(msgspec.Struct, frozen=True):
    """What routing needs of a message; the rest is skipped, not decoded."""

    seq: int = 0
    type: str = ""
    command: str = ""
    event: str = ""
    request_seq: int = 0


class ByteStream(Protocol):
    """Bytes both ways: a socket, or what `StepDebugger.connect` returns."""

    reader: asyncio.StreamReader

    async def write(self, data: bytes) -> None: ...
    async def close(self) -> None: ...


class FrameStream:
    """Messages both ways. A cancelled `read` loses nothing: the next one goes on where it was."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._reading: asyncio.Task[bytes | None] | None = None

    async def read(self) -> bytes | None:
        """The next body, or None at the end. Raises FrameError, ConnectionError."""
        if self._reading is None:
            self._reading = asyncio.create_task(read_frame(self._stream.reader))
        task = self._reading
        body = await asyncio.shield(task)
        self._reading = None
        return body

    async def write(self, body: bytes) -> None:
        await self._stream.write(frame(body))

    async def send(self, message: dict[str, Any]) -> None:
        await self._stream.write(encode(message))

    async def close(self) -> None:
        try:
            if self._reading is not None:
                self._reading.cancel()
                await asyncio.gather(self._reading, return_exceptions=True)
        finally:
            await self._stream.close()


async def read_frame(reader: asyncio.StreamReader) -> bytes | None:
    """The body of the next message; None where the stream ends between two messages.

    Raises:
        FrameError: a bad or too long header, a body over the limit, or the stream ends inside of a message.
    """
    try:
        header = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if not error.partial:
            return None
        raise FrameError("The stream ended inside of a message's header.") from None
    except asyncio.LimitOverrunError:
        raise FrameError("A message's header is too long.") from None
    length = _content_length(header)
    try:
        return await reader.readexactly(length)
    except asyncio.IncompleteReadError:
        raise FrameError("The stream ended inside of a message.") from None


def frame(body: bytes) -> bytes:
    """A body with its header."""
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


def encode(message: dict[str, Any]) -> bytes:
    """A message as a frame."""
    return frame(msgspec.json.encode(message))


def decode(body: bytes) -> dict[str, Any]:
    """The JSON object of a body. Raises FrameError."""
    try:
        return _decode_object(body)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise FrameError(f"A message is not a JSON object: {error}") from None


def head(body: bytes) -> Head:
    """Type, command and numbers of a message. Raises FrameError."""
    try:
        return _decode_head(body)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise FrameError(f"A message is not one of the protocol: {error}") from None


def _content_length(header: bytes) -> int:
    if len(header) > HEADER_LIMIT:
        raise FrameError("A message's header is too long.")
    length = -1
    for line in header.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        if line and not colon:
            raise FrameError(f"A header line has no colon: {line[:80]!r}")
        if line and name.strip().lower() not in _HEADERS:  # what a web page's request would carry
            raise FrameError(f"Unknown header: {name[:80]!r}")
        if name.strip().lower() == b"content-length":
            if not value.strip().isdigit():
                raise FrameError(f"Content-Length is not a number: {value[:40]!r}")
            length = int(value)
    if length < 0:
        raise FrameError("A message's header has no Content-Length.")
    if length > BODY_LIMIT:
        raise FrameError(f"A message of {length} bytes is over the limit of {BODY_LIMIT}.")
    return length


_decode_object = msgspec.json.Decoder(dict[str, Any]).decode
_decode_head = msgspec.json.Decoder(Head).decode
