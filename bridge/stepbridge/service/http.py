"""A small HTTP/1.1 server: threads, keep-alive, bodies streamed both ways, files sent by the kernel.

Knows no AWS. `http.server` and werkzeug would do it too, but their imports alone take longer than the
endpoint may take to come up, and neither lets a handler refuse a request before its body was sent (`Expect`).
"""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator
from io import BufferedReader
from typing import BinaryIO, Protocol, cast
from urllib.parse import parse_qsl, unquote

from msgspec import Struct, field

CHUNK = 256 * 1024  # bytes read from a body at once
_HEAD_LIMIT = 64 * 1024  # bytes of a request's line and headers
_DRAIN_LIMIT = 1024 * 1024  # bytes of an unread body that we skip to keep the connection
_IDLE_SECONDS = 300.0
_LINGER_SECONDS = 5.0

REASONS = {
    100: "Continue",
    200: "OK",
    204: "No Content",
    206: "Partial Content",
    304: "Not Modified",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    411: "Length Required",
    412: "Precondition Failed",
    413: "Content Too Large",
    416: "Range Not Satisfiable",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
}


class Headers(dict[str, str]):
    """Header fields by lower-case name; a repeated field's values are joined by a comma."""

    def add(self, name: str, value: str) -> None:
        name = name.lower()
        self[name] = f"{self[name]},{value}" if name in self else value


class BadRequestError(Exception):
    """The client broke the protocol; the connection ends after the answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Body(Protocol):
    """The bytes of a request, read once."""

    def read(self, size: int) -> bytes:
        """At most `size` bytes; empty at the end. Raises BadRequestError where the client stops short."""
        ...


class Request(Struct):
    """One request. `path` is decoded, `raw_path` as it was sent, `query` keeps empty values."""

    method: str
    target: str
    raw_path: str
    path: str
    query: dict[str, str]
    headers: Headers
    body: Body
    client: str

    def read_all(self, limit: int) -> bytes:
        """The whole body, for bodies that are small by nature. Raises BadRequestError over `limit` bytes."""
        parts = []
        size = 0
        while part := self.body.read(CHUNK):
            size += len(part)
            if size > limit:
                raise BadRequestError(413, f"The request's body is larger than {limit} bytes.")
            parts.append(part)
        return b"".join(parts)


class FileRange(Struct, frozen=True):
    """Bytes of an open file: `length` of them from `start`. The server closes it."""

    file: BinaryIO
    start: int
    length: int


class Response(Struct):
    """An answer. An iterator is streamed as it yields, in chunks; `length` is set where its size is known."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | FileRange | Iterator[bytes] = b""
    length: int | None = None
    close: bool = False


Handler = Callable[[Request], Response]


# --- reading ------------------------------------------------------------------------------------------------


class _Input:
    """A request's body on its connection; says "100 Continue" when the first byte is wanted."""

    def __init__(self, connection: _Connection, headers: Headers) -> None:
        self._connection = connection
        self._chunked = "chunked" in headers.get("transfer-encoding", "").lower()
        self._left = 0 if self._chunked else _content_length(headers)
        self._ended = not self._chunked and not self._left
        self._expects = headers.get("expect", "").lower() == "100-continue" and not self._ended

    @property
    def untouched(self) -> bool:
        """The client still waits for our consent to send the body."""
        return self._expects

    def read(self, size: int) -> bytes:
        if self._ended:
            return b""
        if self._expects:
            self._connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            self._expects = False
        if self._chunked and not self._left and not self._next_chunk():
            return b""
        data = self._connection.file.read1(min(size, self._left))
        if not data:
            raise BadRequestError(400, "The body ended before its announced length.")
        self._left -= len(data)
        if self._chunked and not self._left:
            self._connection.file.readline(3)
        self._ended = not self._chunked and not self._left
        return bytes(data)

    def _next_chunk(self) -> bool:
        line = self._connection.file.readline(1024)
        try:
            self._left = int(line.split(b";")[0], 16)
        except ValueError:
            raise BadRequestError(400, "A chunk's size cannot be read.") from None
        if not self._left:
            while self._connection.file.readline(_HEAD_LIMIT).strip():
                pass  # trailer fields
            self._ended = True
        return not self._ended

    def drain(self) -> bool:
        """Skip what was not read. Returns whether the connection can go on."""
        if self._expects:
            return False  # the client may send the body or not: we cannot tell
        skipped = 0
        while not self._ended:
            skipped += len(self.read(CHUNK))
            if skipped > _DRAIN_LIMIT:
                return False
        return True


def _content_length(headers: Headers) -> int:
    text = headers.get("content-length", "0")
    if not text.isdecimal():
        raise BadRequestError(400, "Content-Length is not a number.")
    return int(text)


def _read_head(file: BufferedReader) -> tuple[str, str, str, Headers] | None:
    """(method, target, version, headers) of the next request; None where the client has gone."""
    line = file.readline(_HEAD_LIMIT)
    while line in (b"\r\n", b"\n"):
        line = file.readline(_HEAD_LIMIT)
    if not line:
        return None
    words = line.decode("latin-1").split()
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise BadRequestError(400, "This is not an HTTP/1.1 request.")
    headers = Headers()
    size = len(line)
    while (field_line := file.readline(_HEAD_LIMIT)).strip():
        size += len(field_line)
        if size > _HEAD_LIMIT:
            raise BadRequestError(431, "The request's headers are larger than 64 KiB.")
        name, colon, value = field_line.decode("latin-1").partition(":")
        if not colon or name != name.strip():
            raise BadRequestError(400, "A header line cannot be read.")
        headers.add(name, value.strip())
    return words[0], words[1], words[2], headers


def parse_target(target: str) -> tuple[str, str, dict[str, str]]:
    """(raw path, decoded path, query) of a request target; an absolute URL is taken too."""
    if "://" in target.partition("?")[0]:
        target = "/" + target.split("://", 1)[1].partition("/")[2]
    raw, _, query = target.partition("?")
    try:
        path = unquote(raw, errors="strict")
        pairs = dict(parse_qsl(query, keep_blank_values=True, errors="strict"))
    except (UnicodeDecodeError, ValueError):
        raise BadRequestError(400, "The request's URL is not valid UTF-8.") from None
    return raw, path, pairs


# --- answering ----------------------------------------------------------------------------------------------


class _Connection:
    """One client's connection, served by its own thread."""

    def __init__(self, sock: socket.socket, client: str, handler: Handler) -> None:
        self._socket = sock
        self._client = client
        self._handler = handler
        self.file = cast(BufferedReader, sock.makefile("rb", buffering=64 * 1024))
        self.busy = False

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def close(self) -> None:
        """End it; a client that still sends gets a moment to read our answer, which a reset would destroy."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
            self._socket.settimeout(1.0)
            end = time.monotonic() + _LINGER_SECONDS
            while self._socket.recv(CHUNK) and time.monotonic() < end:
                pass
        with contextlib.suppress(OSError):
            self.file.close()
        self._socket.close()

    def interrupt(self) -> None:
        """End it from another thread."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def serve(self) -> None:
        """Answer requests until either side ends the connection."""
        with contextlib.suppress(OSError, TimeoutError):
            while self._serve_one():
                pass

    def _serve_one(self) -> bool:
        try:
            head = _read_head(self.file)
            if head is None:
                return False
            self.busy = True
            return self._answer(*head)
        except BadRequestError as error:
            body = f"{error}\n".encode()
            self._send_response(
                Response(error.status, {"Content-Type": "text/plain"}, body, close=True), "GET"
            )
            return False
        finally:
            self.busy = False

    def _answer(self, method: str, target: str, version: str, headers: Headers) -> bool:
        body = _Input(self, headers)
        raw, path, query = parse_target(target)
        request = Request(method, target, raw, path, query, headers, body, self._client)
        response = self._handler(request)
        wanted = headers.get("connection", "").lower()
        keep = "close" not in wanted and (version != "HTTP/1.0" or "keep-alive" in wanted)
        keep = keep and not response.close and body.drain()
        response.close = not keep
        self._send_response(response, method)
        return keep

    def _send_response(self, response: Response, method: str) -> None:
        try:
            self._send(response, method)
        finally:
            if isinstance(response.body, FileRange):
                response.body.file.close()

    def _send(self, response: Response, method: str) -> None:
        length = _length(response)
        head = [f"HTTP/1.1 {response.status} {REASONS.get(response.status, 'Status')}"]
        head += [f"{name}: {value}" for name, value in response.headers.items()]
        if "Date" not in response.headers:
            head.append(f"Date: {http_date(time.time())}")
        if "Content-Length" not in response.headers and response.status not in (204, 304):
            head.append("Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}")
        if response.close:
            head.append("Connection: close")
        lines = [line.replace("\r", "").replace("\n", " ") for line in head]
        start = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")
        if method == "HEAD" or response.status in (204, 304):
            self.send(start)
        elif isinstance(response.body, bytes):
            self.send(start + response.body)
        elif isinstance(response.body, FileRange):
            self.send(start)
            self._send_file(response.body)
        else:
            self.send(start)
            self._send_stream(response.body, chunked=length is None)

    def _send_file(self, part: FileRange) -> None:
        sent = self._socket.sendfile(part.file, part.start, part.length) if part.length else 0
        if sent != part.length:  # the file shrank under us: the client must notice
            raise ConnectionAbortedError(errno.ECONNABORTED, "file is shorter than announced")

    def _send_stream(self, stream: Iterator[bytes], chunked: bool) -> None:
        try:
            for piece in stream:
                if piece:
                    self.send(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
            if chunked:
                self.send(b"0\r\n\r\n")
        finally:
            close = getattr(stream, "close", None)
            if close:
                close()


def _length(response: Response) -> int | None:
    if isinstance(response.body, bytes):
        return len(response.body)
    return response.body.length if isinstance(response.body, FileRange) else response.length


_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def http_date(seconds: float) -> str:
    """`Sun, 06 Nov 1994 08:49:37 GMT`, whatever the locale."""
    t = time.gmtime(seconds)
    day, month = _DAYS[t.tm_wday], _MONTHS[t.tm_mon - 1]
    return f"{day}, {t.tm_mday:02} {month} {t.tm_year} {t.tm_hour:02}:{t.tm_min:02}:{t.tm_sec:02} GMT"


def parse_http_date(text: str) -> float | None:
    """Seconds since the epoch; None where it is no date."""
    words = text.replace("-", " ").split()
    try:
        day, month, year, clock = words[1], words[2], words[3], words[4]
        hour, minute, second = (int(part) for part in clock.split(":"))
        numbers = (int(year), _MONTHS.index(month[:3].title()) + 1, int(day), hour, minute, second)
    except (ValueError, IndexError):
        return None
    import calendar

    return float(calendar.timegm((*numbers, 0, 0, 0)))


# --- the server ---------------------------------------------------------------------------------------------


class Server:
    """Listens on one or more addresses and answers each connection in a thread of its own."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._listeners: list[socket.socket] = []
        self._connections: set[_Connection] = set()
        self._changed = threading.Condition()
        self._stopping = False
        self._wake_read, self._wake_write = os.pipe()
        self._acceptor: threading.Thread | None = None

    def listen(self, address: str, port: int = 0) -> int:
        """Bind and answer. Returns the port. Raises OSError where the address or port is taken."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            if os.name == "posix":
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((address, port))
            listener.listen(256)
            listener.setblocking(False)
        except OSError:
            listener.close()
            raise
        with self._changed:
            self._listeners.append(listener)
            if self._acceptor is None:
                self._acceptor = threading.Thread(target=self._accept, name="endpoint", daemon=True)
                self._acceptor.start()
        os.write(self._wake_write, b"+")
        return int(listener.getsockname()[1])

    def stop(self, grace_seconds: float = 2.0) -> None:
        """Take no more connections, let requests under way end within the grace, close all."""
        with self._changed:
            if self._stopping:
                return
            self._stopping = True
        os.write(self._wake_write, b"-")
        if self._acceptor:
            self._acceptor.join()
        with self._changed:
            for connection in self._connections:
                if not connection.busy:
                    connection.interrupt()
            self._changed.wait_for(lambda: not self._connections, grace_seconds)
            for connection in self._connections:
                connection.interrupt()
            self._changed.wait_for(lambda: not self._connections, 1.0)
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _accept(self) -> None:
        known: set[socket.socket] = set()
        with selectors.DefaultSelector() as selector:
            selector.register(self._wake_read, selectors.EVENT_READ)
            while not self._stopping:
                with self._changed:
                    new = set(self._listeners) - known
                for listener in new:
                    selector.register(listener, selectors.EVENT_READ)
                known |= new
                for key, _ in selector.select():
                    if isinstance(key.fileobj, socket.socket):
                        self._welcome(key.fileobj)
                    else:
                        os.read(self._wake_read, 64)
        for listener in self._listeners:
            listener.close()

    def _welcome(self, listener: socket.socket) -> None:
        try:
            sock, peer = listener.accept()
        except OSError:
            return  # the client has gone already, or we are out of descriptors
        sock.setblocking(True)
        sock.settimeout(_IDLE_SECONDS)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = _Connection(sock, str(peer[0]), self._handler)
        with self._changed:
            self._connections.add(connection)
        threading.Thread(target=self._run, args=(connection,), name="endpoint-client", daemon=True).start()

    def _run(self, connection: _Connection) -> None:
        try:
            connection.serve()
        finally:
            connection.close()
            with self._changed:
                self._connections.discard(connection)
                self._changed.notify_all()
