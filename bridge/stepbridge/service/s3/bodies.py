"""Bodies of uploads, from the wire to a file: aws-chunked framing, trailers, checksums."""

from __future__ import annotations

import base64
from collections.abc import Iterator

from msgspec import Struct

from stepbridge.service.errors import ServiceError
from stepbridge.service.http import CHUNK, Request
from stepbridge.storage import Incoming

from .checksums import NAMES, announced, check_md5, digest_of

_LINE_LIMIT = 8192


class Received(Struct, frozen=True):
    """What arrived: its checksum (algorithm and base64), empty where the client sent none."""

    algorithm: str = ""
    checksum: str = ""

    @property
    def checksum_hex(self) -> str:
        return base64.b64decode(self.checksum).hex() if self.checksum else ""


def receive(request: Request, incoming: Incoming) -> Received:
    """Write a request's payload to a file and check it.

    Raises:
        ServiceError: a checksum does not fit, or the framing is broken.
    """
    name, value = announced(request.headers)
    digest = digest_of(name)
    trailers: dict[str, str] = {}
    for chunk in _payload(request, trailers):
        incoming.write(chunk)
        if digest is not None:
            digest.update(chunk)
    check_md5(request.headers, incoming.close())
    for candidate in NAMES:
        sent = trailers.get(f"x-amz-checksum-{candidate.lower()}")
        if sent:
            name, value = candidate, sent
    computed = base64.b64encode(digest.digest()).decode() if digest is not None else ""
    if value and computed and value != computed:
        raise ServiceError("BadDigest", f"The {name} you specified did not match the calculated checksum.")
    return Received(name, value or computed) if value or computed else Received()


def _payload(request: Request, trailers: dict[str, str]) -> Iterator[bytes]:
    if is_chunked(request):
        yield from _Chunks(request).read(trailers)
        return
    while chunk := request.body.read(CHUNK):
        yield chunk


def is_chunked(request: Request) -> bool:
    """Whether the payload comes in aws-chunked framing."""
    return request.headers.get("x-amz-content-sha256", "").startswith("STREAMING-") or any(
        coding.strip() == "aws-chunked" for coding in request.headers.get("content-encoding", "").split(",")
    )


class _Chunks:
    """Takes `SIZE[;chunk-signature=...]CRLF data CRLF ... 0 CRLF trailers CRLF` apart."""

    def __init__(self, request: Request) -> None:
        self._body = request.body
        self._buffer = b""

    def read(self, trailers: dict[str, str]) -> Iterator[bytes]:
        while size := self._size():
            yield from self._data(size)
            if self._line():
                raise _broken()
        while line := self._line():
            name, _, value = line.decode("latin-1").partition(":")
            trailers[name.strip().lower()] = value.strip()

    def _size(self) -> int:
        try:
            return int(self._line().split(b";")[0], 16)
        except ValueError:
            raise _broken() from None

    def _line(self) -> bytes:
        while b"\n" not in self._buffer:
            more = self._body.read(CHUNK)
            if not more:
                line, self._buffer = self._buffer, b""
                return line.strip()
            self._buffer += more
            if len(self._buffer) > CHUNK + _LINE_LIMIT:
                raise _broken()
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.strip()

    def _data(self, size: int) -> Iterator[bytes]:
        while size:
            if not self._buffer:
                self._buffer = self._body.read(CHUNK)
                if not self._buffer:
                    raise ServiceError(
                        "IncompleteBody", "The request body ended before the announced number of bytes."
                    )
            piece, self._buffer = self._buffer[:size], self._buffer[size:]
            size -= len(piece)
            yield piece


def _broken() -> ServiceError:
    return ServiceError("InvalidRequest", "The aws-chunked framing of the request's body cannot be read.")
