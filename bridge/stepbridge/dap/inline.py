"""For an editor that can hold one session only: steps are debugged inside of the pipeline's own session.

One process at a time; others that hold for an editor wait for their turn. What the user has set up is told to
each of them anew. Numbers tell whose a thread or a frame is: the pipeline's begin at FIRST_ID.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, Protocol

from stepbridge.debug.proxy import AttachOptions
from stepbridge.errors import StepBridgeError
from stepbridge.execution.debugging import Session

from .children import Children, ProcessKey
from .connection import RefusedError, RequestError
from .link import ProcessLink, Setup
from .protocol import Event, Message, Request
from .statements import FIRST_ID

_OF_A_PROCESS = frozenset({"exceptionInfo", "goto", "gotoTargets", "modules", "source", "stepInTargets"})
_PASSED_ON = frozenset({"stopped", "continued", "thread", "module", "breakpoint", "invalidated", "output"})


class Client(Protocol):
    def event(self, name: str, body: Any = None) -> None: ...


class InlineSteps:
    """Of one session.

    children: of the run that goes on; another object after the pipeline was restarted. complain: (step, what
    to tell the user).
    """

    def __init__(
        self,
        client: Client,
        features: dict[str, Any],
        children: Callable[[], Children],
        complain: Callable[[str, str], None],
    ) -> None:
        self._client = client
        self._children = children
        self._complain = complain
        self._setup = Setup({**features, "supportsStartDebuggingRequest": False})
        self._waiting: asyncio.Queue[ProcessKey] = asyncio.Queue()
        self._link: ProcessLink | None = None
        self._threads: set[int] = set()
        self._task: asyncio.Task[None] | None = None
        self.key: ProcessKey | None = None  # of the process that is debugged now

    # processes

    def add(self, key: ProcessKey) -> None:
        """A process is to be debugged, now or when those before it have ended."""
        self._waiting.put_nowait(key)
        if self._task is None:
            self._task = asyncio.create_task(self._serve(), name="inline steps")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _serve(self) -> None:
        while True:
            key = await self._waiting.get()
            try:
                await self._debug(key)
            except (StepBridgeError, RefusedError, ConnectionError) as error:
                self._complain(key.step, f"it is not debugged: {error}")

    async def _debug(self, key: ProcessKey) -> None:
        """One process, from attach to its end."""
        stream, session, key, _ = await self._children().connect(key)
        link = ProcessLink(stream, self._deliver)
        running = asyncio.create_task(link.run())
        self.key = key
        try:
            self._link = link
            await link.replay(self._arguments(session, key), self._setup)
            await running
        finally:
            self._link = self.key = None
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await link.close()
            self._children().left(key)
            for thread in self._threads:
                self._client.event("thread", {"reason": "exited", "threadId": thread})
            self._threads.clear()

    def _arguments(self, session: Session, key: ProcessKey) -> dict[str, Any]:
        folder = session.debugger.working_folder(key.pid)
        options = AttachOptions(session.mappings, self._children().just_my_code, folder=folder)
        return options.arguments({"redirectOutput": False}, key.pid, sub_process=False)

    def _deliver(self, message: Message, content: bytes) -> None:
        if not isinstance(message, Event):
            return
        body = message.body or {}
        if message.event == "debugpyAttach" and self.key is not None:
            self._children().forgo(self.key, int(body["subProcessId"]))
        if message.event not in _PASSED_ON or body.get("category") == "telemetry":
            return
        if message.event == "thread":
            started = body.get("reason") == "started"
            (self._threads.add if started else self._threads.discard)(int(body["threadId"]))
        self._client.event(message.event, message.body)

    # requests

    def note(self, request: Request) -> None:
        """Remember what the user sets up."""
        self._setup.note(request)

    def is_about_process(self, request: Request) -> bool:
        """The request is for the process that is debugged now, not for the pipeline."""
        given = request.arguments or {}
        for name in ("threadId", "frameId", "variablesReference"):
            if isinstance(given.get(name), int):
                return bool(given[name] < FIRST_ID)
        return self._link is not None and request.command in _OF_A_PROCESS

    async def ask(self, request: Request) -> Any:
        """Raises RequestError where debugpy says no, or nothing is debugged."""
        if self._link is None:
            raise RequestError("No step is being debugged now.")
        try:
            return await self._link.ask(request.command, request.arguments or {})
        except RefusedError as error:
            raise RequestError(str(error)) from None

    async def merge(self, request: Request, body: Any) -> Any:
        """The pipeline's answer to a request that concerns both, with the process' own part."""
        if self._link is None or request.command not in ("threads", "setBreakpoints"):
            return body
        with contextlib.suppress(RequestError):
            answer = await self.ask(request)
            if request.command == "threads":
                return {"threads": [*body["threads"], *answer["threads"]]}
            pairs = zip(body["breakpoints"], answer["breakpoints"], strict=True)
            return {"breakpoints": [own if own.verified else theirs for own, theirs in pairs]}
        return body
