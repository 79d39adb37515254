"""The base of the Debug Adapter Protocol: frames on a stream, and the three kinds of messages in them.

A frame is `Content-Length: N`, a blank line, N bytes of JSON. Reading is strict: this port is open to every
process of the machine and to every web page of its browser, so anything that is not exactly a frame ends the
connection. Knows no pipeline and no debugger.
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

MESSAGE_LIMIT = 64 * 1024 * 1024  # bytes of one message; the largest that editors send are some 100 KB
HEADER_LIMIT = 4096  # bytes of one header line
MESSAGE_SECONDS = 30.0  # a message that has begun must be complete after this time


class FramingError(Exception):
    """The bytes are no frame, and where the next one starts cannot be known: the connection must end."""


class MessageError(Exception):
    """A frame whose content is no message. The next frame can be read.

    Attributes:
        seq: the sequence number the content gave itself, 0 where it gave none.
    """

    def __init__(self, reason: str, seq: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.seq = seq


class Request(msgspec.Struct, frozen=True, tag_field="type", tag="request"):
    seq: int
    command: str
    arguments: dict[str, Any] | None = None


class Response(msgspec.Struct, frozen=True, tag_field="type", tag="response"):
    seq: int
    request_seq: int
    success: bool
    command: str
    message: str | None = None
    body: Any = None


class Event(msgspec.Struct, frozen=True, tag_field="type", tag="event"):
    seq: int
    event: str
    body: Any = None


Message = Request | Response | Event

_decoder = msgspec.json.Decoder(Message)
_encoder = msgspec.json.Encoder()


def decode(content: bytes) -> Message:
    """A frame's content as a message.

    Raises:
        MessageError: it is not JSON, or not of one of the three kinds.
    """
    try:
        message: Message = _decoder.decode(content)
        return message
    except msgspec.ValidationError as error:
        raise MessageError(f"not a protocol message: {error}", _seq(content)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MessageError(f"not JSON: {error}") from None
    except RecursionError:
        raise MessageError("not a protocol message: nested too deeply") from None


def encode(message: Message) -> bytes:
    """A message as a frame's content; members that are null are left out, as clients expect."""
    plain = msgspec.to_builtins(message)
    return _encoder.encode({key: value for key, value in plain.items() if value is not None})


def frame(content: bytes) -> bytes:
    return b"Content-Length: %d\r\n\r\n%b" % (len(content), content)


def _seq(content: bytes) -> int:
    try:
        value = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return 0
    seq = value.get("seq", 0) if isinstance(value, dict) else 0
    return seq if isinstance(seq, int) and not isinstance(seq, bool) else 0


async def read_frame(
    reader: asyncio.StreamReader, limit: int = MESSAGE_LIMIT, seconds: float = MESSAGE_SECONDS
) -> bytes | None:
    """The content of the next frame; None where the stream ends between two frames.

    Waits without limit for a frame to begin, and `seconds` for it to be complete.

    Raises:
        FramingError: a bad or missing header, more than `limit` bytes, an end in the middle, too slow.
    """
    first = await reader.read(1)
    if not first:
        return None
    try:
        async with asyncio.timeout(seconds):
            length = await _read_header(reader, first, limit)
            return await reader.readexactly(length)
    except TimeoutError:
        raise FramingError(f"a message was not complete after {seconds:g} s") from None
    except asyncio.IncompleteReadError:
        raise FramingError("the stream ended in the middle of a message") from None


async def _read_header(reader: asyncio.StreamReader, first: bytes, limit: int) -> int:
    """The Content-Length of the header that begins with the byte `first`."""
    length: int | None = None
    while True:
        line = first + await _read_line(reader)
        first = b""
        if line in (b"\r\n", b"\n"):
            break
        name, colon, value = line.partition(b":")
        match name.strip().lower(), colon:
            case b"content-length", b":" if length is None:
                length = _length(value, limit)
            case b"content-type", b":":
                pass  # the base protocol that DAP shares with LSP allows it
            case _:
                raise FramingError(f"not a header of the debug adapter protocol: {line[:80]!r}")
    if length is None:
        raise FramingError("a header without Content-Length")
    return length


async def _read_line(reader: asyncio.StreamReader) -> bytes:
    try:
        line = await reader.readuntil(b"\n")
    except asyncio.LimitOverrunError:
        raise FramingError(f"a header line of more than {HEADER_LIMIT} bytes") from None
    if len(line) > HEADER_LIMIT:
        raise FramingError(f"a header line of more than {HEADER_LIMIT} bytes")
    return line


def _length(value: bytes, limit: int) -> int:
    digits = value.strip()
    if not digits.isdigit() or len(digits) > 12:
        raise FramingError(f"Content-Length is not a number: {value[:40]!r}")
    length = int(digits)
    if length > limit:
        raise FramingError(f"a message of {length} bytes; the limit is {limit}")
    return length
