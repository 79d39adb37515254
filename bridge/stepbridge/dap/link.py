"""The debugpy of one process of a step, spoken to on behalf of a client.

Messages pass as they are. What a client has set up (breakpoints, exception filters) is remembered, so that
the same can be told to the next process: a step that was restarted, or the next step of a client that can
hold only one session. Knows no pipeline.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

from msgspec import Struct, field

from stepbridge.debug.dap_frames import ByteStream, FrameError

from .connection import FORWARDED, RefusedError
from .protocol import (
    Event,
    FramingError,
    Message,
    MessageError,
    Request,
    Response,
    decode,
    encode,
    frame,
    read_frame,
)

OWN = 2 * FORWARDED  # numbers of our own requests to debugpy; clients' and ours to clients are below


class Setup(Struct):
    """What a client has told a debugger. Arguments as they stand in its requests."""

    initialize: dict[str, Any] = field(default_factory=dict)
    sources: dict[str, dict[str, Any]] = field(default_factory=dict)
    functions: dict[str, Any] | None = None
    exceptions: dict[str, Any] | None = None

    def note(self, request: Request) -> None:
        """Remember a request that sets something up; every other passes unnoticed, malformed ones too."""
        arguments = request.arguments or {}
        if request.command == "setBreakpoints":
            source = arguments.get("source")
            if isinstance(source, dict):
                self.sources[str(source.get("path", ""))] = arguments
        elif request.command == "setFunctionBreakpoints":
            self.functions = arguments
        elif request.command == "setExceptionBreakpoints":
            self.exceptions = arguments


class ProcessLink:
    """One connection to a debugpy. `deliver` gets every message that is for the client."""

    def __init__(self, stream: ByteStream, deliver: Callable[[Message, bytes], None]) -> None:
        self._stream = stream
        self._deliver = deliver
        self._numbers = itertools.count(OWN)
        self._asked: dict[int, asyncio.Future[Response]] = {}
        self._initialized = asyncio.Event()
        self._replaying = False
        self._dropped: int | None = None
        self.open: dict[int, Request] = {}  # requests of the client that are not answered yet

    async def pass_on(self, initialize: Request, attach: Request) -> None:
        """Begin with the client's own two requests; it has the answer to the first already."""
        self._dropped = initialize.seq
        await self.send(initialize)
        await self.forward(attach, encode(attach))

    async def replay(self, attach: dict[str, Any], setup: Setup) -> None:
        """Begin a session in place of the client: attach, tell what it had set up, let the process go on.

        Raises:
            RefusedError: debugpy said no, or the process ended.
        """
        self._replaying = True
        await self.ask("initialize", setup.initialize)
        attached = asyncio.ensure_future(self.ask("attach", attach))
        try:
            ready = asyncio.ensure_future(self._initialized.wait())
            await asyncio.wait({attached, ready}, return_when=asyncio.FIRST_COMPLETED)
            ready.cancel()
            if attached.done():
                attached.result()
            for arguments in setup.sources.values():
                await self.ask("setBreakpoints", arguments)
            if setup.functions is not None:
                await self.ask("setFunctionBreakpoints", setup.functions)
            if setup.exceptions is not None:
                await self.ask("setExceptionBreakpoints", setup.exceptions)
            await self.ask("configurationDone", {})
            await attached
        finally:
            attached.cancel()
            self._replaying = False

    async def ask(self, command: str, arguments: dict[str, Any]) -> Any:
        """A request of our own; the body of its response.

        Raises:
            RefusedError: debugpy said no, or the process ended.
        """
        seq = next(self._numbers)
        answer = self._asked[seq] = asyncio.get_running_loop().create_future()
        try:
            await self.send(Request(seq, command, arguments))
            response = await answer
        except ConnectionError:
            raise RefusedError("the process has ended") from None
        finally:
            self._asked.pop(seq, None)
        if not response.success:
            raise RefusedError(response.message or f"debugpy refused {command}")
        return response.body

    async def forward(self, message: Message, content: bytes) -> None:
        """Pass on what the client sent."""
        if isinstance(message, Request):
            self.open[message.seq] = message
        await self._write(content)

    async def send(self, message: Message) -> None:
        await self._write(encode(message))

    async def _write(self, content: bytes) -> None:
        await self._stream.write(frame(content))

    async def run(self) -> None:
        """Deliver what comes, until the process or its debugger has gone."""
        try:
            while (content := await read_frame(self._stream.reader)) is not None:
                self._take(decode(content), content)
        except (ConnectionError, FramingError, FrameError, MessageError):
            pass  # a container that was killed in the middle of a message
        finally:
            self._fail_asked()

    def _take(self, message: Message, content: bytes) -> None:
        if isinstance(message, Response):
            if message.request_seq in self._asked:
                self._asked[message.request_seq].set_result(message)
                return
            self.open.pop(message.request_seq, None)
            if message.request_seq == self._dropped:
                return
        if isinstance(message, Event) and message.event == "initialized":
            self._initialized.set()
            if self._replaying:
                return
        self._deliver(message, content)

    def _fail_asked(self) -> None:
        for seq, answer in self._asked.items():
            if not answer.done():
                answer.set_result(Response(0, seq, False, "", message="the process has ended"))

    async def close(self) -> None:
        self._fail_asked()
        await self._stream.close()
