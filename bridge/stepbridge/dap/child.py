"""The debug session of one process of a step: the editor's messages go to its debugpy, and back.

Path mappings are put in here, so that users write none. `restart` starts the step again with the file as it
is now, in the same session. Knows no pipeline beyond the step's name.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from msgspec.structs import replace

from stepbridge.debug.proxy import AttachOptions
from stepbridge.errors import StepBridgeError
from stepbridge.execution.debugging import Session

from .children import Children, ProcessKey
from .connection import Connection, RefusedError
from .link import ProcessLink, Setup
from .protocol import Event, Message, Request

GOODBYE_SECONDS = 5.0  # an editor disconnects within this time after `terminated`

# what debugpy cannot do; the rest of what we announced before we knew what the session would be, it can
CAPABILITIES = {
    "supportsRestartFrame": False,
    "supportsCancelRequest": False,
    "supportsBreakpointLocationsRequest": False,
}


class ChildSession:
    """Serves one client until it leaves or the process has ended.

    restart: starts the step again.
    """

    def __init__(
        self,
        connection: Connection,
        children: Children,
        key: ProcessKey,
        restart: Callable[[], Awaitable[None]],
        port: int,
    ) -> None:
        self._connection = connection
        self._children = children
        self._key = key
        self._restart = restart
        self._port = port
        self._setup = Setup()
        self._given: dict[str, Any] = {}
        self._link: ProcessLink | None = None
        self._next: asyncio.Future[int] | None = None  # set while the step starts again
        self._stopped: int | None = None  # the thread that stopped last
        self._terminated = False
        self._announced: set[int] = set()  # sub-processes that debugpy told the client of
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, initialize: Request, attach: Request) -> None:
        """`initialize` has been answered already, `attach` has not."""
        self._setup.initialize = initialize.arguments or {}
        self._given = attach.arguments or {}
        sub_process = self._given.get("subProcessId")
        try:
            link = await self._attach(initialize, attach, sub_process)
        except (StepBridgeError, ConnectionError) as error:
            self._connection.refuse(attach, str(error), show=True)
            self._connection.event("terminated", {})
            await self._goodbye(asyncio.create_task(self._read()))
            return
        self._connection.share_numbers()
        self._connection.event("capabilities", {"capabilities": CAPABILITIES})
        reading = asyncio.create_task(self._read())
        parted = self._children.joined(self._dismiss)
        try:
            await self._serve(link, reading)
        finally:
            parted()
            reading.cancel()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(reading, *self._tasks, return_exceptions=True)
            if not sub_process:
                self._children.left(self._key)
                for child in self._announced:
                    self._children.forgo(self._key, child)

    async def _attach(self, initialize: Request, attach: Request, sub_process: int | None) -> ProcessLink:
        stream, session, self._key, sub = await self._children.connect(self._key, sub_process)
        link = self._link = ProcessLink(stream, self._deliver)
        arguments = self._arguments(session, sub)
        await link.pass_on(initialize, replace_arguments(attach, arguments))
        return link

    def _arguments(self, session: Session, sub_process: bool) -> dict[str, Any]:
        folder = session.debugger.working_folder(self._key.pid)
        options = AttachOptions(session.mappings, self._children.just_my_code, self._port, folder)
        arguments = options.arguments(self._given, self._key.pid, sub_process=sub_process)
        arguments.setdefault("redirectOutput", False)  # the run's own session shows the log
        return arguments | {"__pid": self._key.pid}

    async def _serve(self, link: ProcessLink, reading: asyncio.Task[None]) -> None:
        while True:
            running = asyncio.create_task(link.run())
            await asyncio.wait({reading, running}, return_when=asyncio.FIRST_COMPLETED)
            if reading.done():
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
                await link.close()
                return
            await link.close()
            self._refuse_open(link)
            again = await self._await_next(reading)
            if again is None:
                self._end()
                await self._goodbye(reading)
                return
            link = again

    async def _await_next(self, reading: asyncio.Task[None]) -> ProcessLink | None:
        """The link to the process that takes the place of the one that ended; None where none does."""
        if self._next is None:
            return None
        waiting = self._next
        await asyncio.wait((reading, waiting), return_when=asyncio.FIRST_COMPLETED)
        self._next = None
        if reading.done() or waiting.cancelled():
            return None
        try:
            key = replace(self._key, pid=waiting.result())
            stream, session, self._key, _ = await self._children.connect(key)
        except (StepBridgeError, ConnectionError):
            return None
        link = self._link = ProcessLink(stream, self._deliver)
        replay = asyncio.create_task(self._replay(link, session))
        self._tasks.add(replay)
        replay.add_done_callback(self._tasks.discard)
        return link

    async def _replay(self, link: ProcessLink, session: Session) -> None:
        try:
            await link.replay(self._arguments(session, sub_process=False), self._setup)
        except RefusedError:
            await link.close()

    # from the client

    async def _read(self) -> None:
        """Returns when the client has left."""
        while (received := await self._connection.receive()) is not None:
            message, content = received
            if isinstance(message, Request):
                if await self._request(message, content):
                    return
            elif self._link is not None:
                with contextlib.suppress(ConnectionError):
                    await self._link.forward(message, content)

    async def _request(self, request: Request, content: bytes) -> bool:
        """True where it was the client's last."""
        self._setup.note(request)
        if request.command == "restart":
            self._begin_restart(request)
            return False
        link = self._link
        leaves = request.command == "disconnect"
        if link is None or self._next is not None or self._terminated:
            self._answer_without_process(request)
            return leaves
        try:
            await link.forward(request, content)
        except ConnectionError:
            self._answer_without_process(request)
            return leaves
        return False

    def _answer_without_process(self, request: Request) -> None:
        if self._link is not None:
            self._link.open.pop(request.seq, None)
        match request.command:
            case "disconnect" | "terminate" | "configurationDone" | "setExceptionBreakpoints":
                self._connection.respond(request)
            case "threads":
                self._connection.respond(request, {"threads": []})
            case "setBreakpoints" | "setFunctionBreakpoints":
                given = (request.arguments or {}).get("breakpoints") or []
                pending = [{"verified": False, "message": "The step is starting."} for _ in given]
                self._connection.respond(request, {"breakpoints": pending})
            case _ if self._next is not None:
                self._connection.refuse(request, "The step is starting again.")
            case _:
                self._connection.refuse(request, "The process has ended.")

    # restart

    def _begin_restart(self, request: Request) -> None:
        if self._next is None:
            self._next = self._children.await_next(self._key)
        task = asyncio.create_task(self._restarted(request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _restarted(self, request: Request) -> None:
        try:
            await self._restart()
        except StepBridgeError as error:
            if self._next is not None:
                self._next.cancel()
                self._next = None
            self._connection.refuse(request, str(error), show=True)
            return
        if self._stopped is not None:
            self._connection.event("continued", {"threadId": self._stopped, "allThreadsContinued": True})
            self._stopped = None
        self._connection.respond(request)

    # from the process

    def _deliver(self, message: Message, content: bytes) -> None:
        self._announced |= announced(message)
        if isinstance(message, Event):
            if message.event in ("terminated", "exited") and self._next is not None:
                return  # the session goes on with the next process
            if message.event == "terminated":
                self._terminated = True
            elif message.event == "stopped":
                self._stopped = (message.body or {}).get("threadId")
            elif message.event == "continued":
                self._stopped = None
        self._connection.forward(content)

    def _refuse_open(self, link: ProcessLink) -> None:
        """Requests that the process took with it."""
        for request in link.open.values():
            if request.command in ("disconnect", "terminate"):
                self._connection.respond(request)
            else:
                self._connection.refuse(request, "The process has ended.")
        link.open.clear()

    def _end(self) -> None:
        if not self._terminated:
            self._terminated = True
            self._connection.event("terminated", {})

    def _dismiss(self) -> None:
        """Nobody debugs the run any more: the process goes on by itself."""
        if self._link is not None:
            task = asyncio.create_task(self._link.close())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _goodbye(self, reading: asyncio.Task[None]) -> None:
        """Let the editor say its last words."""
        self._terminated = True
        await asyncio.wait({reading}, timeout=GOODBYE_SECONDS)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


def announced(message: Message) -> set[int]:
    """The sub-process that debugpy tells the client of, in either of its two ways."""
    given: Any = None
    if isinstance(message, Event) and message.event == "debugpyAttach":
        given = message.body
    elif isinstance(message, Request) and message.command == "startDebugging":
        given = (message.arguments or {}).get("configuration")
    child = given.get("subProcessId") if isinstance(given, dict) else None
    return {child} if isinstance(child, int) else set()


def replace_arguments(request: Request, arguments: dict[str, Any]) -> Request:
    return Request(request.seq, request.command, arguments)
