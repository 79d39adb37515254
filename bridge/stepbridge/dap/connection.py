"""One client on a pair of byte streams: requests in, responses and events out, requests to the client.

Numbers messages, matches responses, and lets a request be cancelled. Knows the base protocol and nothing of
what any request means.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import sys
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

from stepbridge.errors import StepBridgeError

from .protocol import Event, FramingError, Message, MessageError, Request, Response, decode, encode, frame
from .protocol import read_frame as read_frame
from .types import ArgumentsError

FORWARDED = 1 << 30  # our own numbers start here where another adapter's messages pass through as well


class RequestError(Exception):
    """A request cannot be answered; the message goes to the client, and to the user where `show` is set."""

    def __init__(self, message: str, *, show: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.show = show


class RefusedError(Exception):
    """The client answered one of our own requests with a failure, or left before it answered."""


class Connection:
    """Frames both ways. `receive` is called by one task only; everything else from anywhere on the loop."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._numbers = itertools.count(1)
        self._asked: dict[int, asyncio.Future[Response]] = {}
        connected = writer.get_extra_info("socket")
        if connected is not None and connected.family in (socket.AF_INET, socket.AF_INET6):
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    # in

    async def receive(self) -> tuple[Message, bytes] | None:
        """The client's next message and its bytes; None when it has left.

        Responses to our own requests, and what is no message at all, are dealt with here.
        """
        while True:
            try:
                content = await read_frame(self._reader)
            except FramingError as error:
                self._refuse_frame(0, str(error))
                return None
            except ConnectionError:
                return None
            if content is None:
                return None
            try:
                message = decode(content)
            except MessageError as error:
                self._refuse_frame(error.seq, error.reason)
                continue
            if isinstance(message, Response) and message.request_seq in self._asked:
                self._asked.pop(message.request_seq).set_result(message)
                continue
            return message, content

    def _refuse_frame(self, seq: int, reason: str) -> None:
        self._send(Response(self._next(), seq, False, "", message=reason, body=_error(reason, show=False)))

    # out

    def share_numbers(self) -> None:
        """From now on another adapter's messages pass to this client too: keep our numbers apart."""
        self._numbers = itertools.count(FORWARDED)

    def respond(self, request: Request, body: Any = None) -> None:
        self._send(Response(self._next(), request.seq, True, request.command, body=body))

    def refuse(self, request: Request, message: str, *, show: bool = False, kind: str = "") -> None:
        """`kind`: the error's class, for a client that offers something to do about it."""
        body = _error(message, show=show, kind=kind)
        first_line = message.partition("\n")[0]
        response = Response(self._next(), request.seq, False, request.command, message=first_line, body=body)
        self._send(response)

    def event(self, name: str, body: Any = None) -> None:
        self._send(Event(self._next(), name, body))

    async def ask(self, command: str, arguments: dict[str, Any]) -> Any:
        """Send a request to the client; the body of its response.

        Raises:
            RefusedError: it said no, or left.
        """
        seq = self._next()
        answer = self._asked[seq] = asyncio.get_running_loop().create_future()
        self._send(Request(seq, command, arguments))
        try:
            response = await answer
        finally:
            self._asked.pop(seq, None)
        if not response.success:
            raise RefusedError(response.message or f"the editor refused {command}")
        return response.body

    def forward(self, content: bytes) -> None:
        """Pass on a message of another adapter."""
        if not self._writer.is_closing():
            self._writer.write(frame(content))

    async def drain(self) -> None:
        with contextlib.suppress(ConnectionError):
            await self._writer.drain()

    @property
    def backlog(self) -> int:
        """Bytes that the client has not taken yet."""
        return 0 if self._writer.is_closing() else self._writer.transport.get_write_buffer_size()

    async def close(self) -> None:
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(RefusedError("the editor has left"))
                answer.exception()  # its asker may be gone as well
        self._asked.clear()
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    def _next(self) -> int:
        return next(self._numbers)

    def _send(self, message: Message) -> None:
        self.forward(encode(message))


def _error(message: str, *, show: bool, kind: str = "") -> dict[str, Any]:
    error = {"id": 1, "format": message.replace("{", "(").replace("}", ")"), "showUser": show}
    return {"error": error | ({"variables": {"kind": kind}} if kind else {})}


Handler = Callable[[Request], Awaitable[Any]]


class Dispatcher:
    """Answers requests by a handler, several at a time, started in the order in which they came."""

    def __init__(self, connection: Connection, handle: Handler) -> None:
        self._connection = connection
        self._handle = handle
        self._open: dict[int, asyncio.Task[None]] = {}

    def take(self, request: Request) -> None:
        """Start to answer a request."""
        task = asyncio.create_task(self._answer(request), name=f"dap {request.command}")
        self._open[request.seq] = task
        task.add_done_callback(lambda _: self._open.pop(request.seq, None))

    def cancel(self, seq: int) -> bool:
        """Cancel a request that is not answered yet; its answer is a failure."""
        task = self._open.get(seq)
        return task is not None and task.cancel()

    async def close(self) -> None:
        """Cancel what is open."""
        current = asyncio.current_task()
        tasks = [task for task in self._open.values() if task is not current]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _answer(self, request: Request) -> None:
        connection = self._connection
        try:
            body = await self._handle(request)
        except RequestError as error:
            connection.refuse(request, error.message, show=error.show)
        except ArgumentsError as error:
            connection.refuse(request, f"{request.command}: {error}")
        except StepBridgeError as error:
            connection.refuse(request, str(error), show=True, kind=type(error).__name__)
        except asyncio.CancelledError:
            connection.refuse(request, "cancelled")
        except Exception as error:
            traceback.print_exception(error, file=sys.stderr)
            connection.refuse(request, f"{request.command} failed: {error!r}", show=True)
        else:
            connection.respond(request, body)
