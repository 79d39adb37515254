"""Between one DAP client and the debugpy of one process: frames pass untouched, but for what the client
should not have to know (path mappings) and what a dying container cannot say any more (`terminated`).

Knows DAP and a byte stream on each side. Where the streams come from, and which process is meant, is for
`relay` and `dap/`.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from msgspec import Struct

from . import dap_frames
from .dap_frames import ByteStream, FrameError, FrameStream, Head
from .plan import PathMapping

PROCESS_KEY = "stepbridgeProcess"  # in attach arguments: the pid (in the container) of the process meant

# What debugpy's adapter answers to `initialize`, the same in all releases that we use but for terminate.
CAPABILITIES: dict[str, Any] = dict.fromkeys(
    (
        "supportsCompletionsRequest",
        "supportsConditionalBreakpoints",
        "supportsConfigurationDoneRequest",
        "supportsDebuggerProperties",
        "supportsDelayedStackTraceLoading",
        "supportsEvaluateForHovers",
        "supportsExceptionInfoRequest",
        "supportsExceptionOptions",
        "supportsFunctionBreakpoints",
        "supportsHitConditionalBreakpoints",
        "supportsLogPoints",
        "supportsModulesRequest",
        "supportsSetExpression",
        "supportsSetVariable",
        "supportsValueFormattingOptions",
        "supportsTerminateDebuggee",
        "supportsGotoTargetsRequest",
        "supportsClipboardContext",
        "supportsStepInTargetsRequest",
    ),
    True,
) | {
    "exceptionBreakpointFilters": [
        {
            "filter": "raised",
            "label": "Raised Exceptions",
            "default": False,
            "description": "Break whenever any exception is raised.",
        },
        {
            "filter": "uncaught",
            "label": "Uncaught Exceptions",
            "default": True,
            "description": "Break when the process is exiting due to unhandled exception.",
        },
        {
            "filter": "userUnhandled",
            "label": "User Uncaught Exceptions",
            "default": False,
            "description": "Break when exception escapes into library code.",
        },
    ]
}

_INJECTED = 1 << 30  # sequence numbers of our own messages start here; debugpy counts from 1
_GOODBYE_SECONDS = 2.0

Filter = Callable[[Head, bytes], bytes | None]


_ENDED = "The process has ended."
# What a process does that goes on to its end, or is ended.
_DONE_BY_ENDING = frozenset({"continue", "next", "stepIn", "stepOut", "terminate", "disconnect"})


class AttachOptions(Struct, frozen=True):
    """What is put into a client's attach request where it does not say so itself.

    port: where the client connected; debugpy hands it on in the configuration of sub-processes.
    folder: the process' working folder.
    """

    mappings: tuple[PathMapping, ...] = ()
    just_my_code: bool = True
    port: int = 0
    folder: str = ""

    def arguments(self, given: dict[str, Any], pid: int, *, sub_process: bool) -> dict[str, Any]:
        """The arguments for debugpy. Its own sub-processes inherit all but `stopOnEntry`."""
        arguments = dict(given)
        if not arguments.get("pathMappings"):
            arguments["pathMappings"] = dap_mappings(self.mappings, self.folder)
        arguments.setdefault("justMyCode", self.just_my_code)
        if "port" not in arguments:
            arguments.setdefault("connect", {"host": "127.0.0.1", "port": self.port})
        arguments[PROCESS_KEY] = pid
        if sub_process:
            arguments.pop("stopOnEntry", None)
        else:
            arguments.pop("subProcessId", None)
        return arguments


def dap_mappings(mappings: Iterable[PathMapping], folder: str = "") -> list[dict[str, str]]:
    """As debugpy wants them, the most specific first: it takes the first that matches.

    folder: the process' working folder. Of a file that lies at several places of a container (the script of
    many models), the process runs the one below it.
    """
    ordered = sorted(mappings, key=lambda m: (-len(m.remote), m.remote))
    first: dict[Path, int] = {}
    for index, mapping in enumerate(ordered):
        first.setdefault(mapping.local, index)
    below = f"{folder.rstrip('/')}/"
    ordered.sort(key=lambda m: (first[m.local], not m.remote.startswith(below)))
    return [m.as_dap() for m in ordered]


class Proxy:
    """One session. `initialize` and `attach` are the client's own two first requests; the first was answered
    already (with CAPABILITIES), so that its answer from debugpy is dropped.

    from_client and from_process may change a message (return it) or keep it (return None).
    """

    def __init__(
        self,
        client: FrameStream,
        process: ByteStream,
        initialize: dict[str, Any],
        attach: dict[str, Any],
        *,
        from_client: Filter | None = None,
        from_process: Filter | None = None,
    ) -> None:
        self._client = client
        self._process = FrameStream(process)
        self._initialize = initialize
        self._attach = attach
        self._from_client = from_client
        self._from_process = from_process
        self._numbers = itertools.count(_INJECTED)
        self._terminated = False
        self._client_left = False
        self._answer_attach = True
        self._unanswered: dict[int, str] = {}  # requests of the client that the process has: seq -> command
        self.children: set[int] = set()  # sub-processes that debugpy announced in this session
        self.client_starts_sessions = bool(
            initialize.get("arguments", {}).get("supportsStartDebuggingRequest")
        )

    async def run(self) -> None:
        """Returns when either side has ended; closes both. Raises nothing for a peer that goes away."""
        tasks: list[asyncio.Task[None]] = []
        try:
            await self._process.send(self._initialize)
            await self._process.send(self._attach)
            up = asyncio.create_task(self._up())
            down = asyncio.create_task(self._down())
            tasks = [up, down]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if not self._client_left:
                await asyncio.wait((down,), timeout=_GOODBYE_SECONDS)  # what the process said before it ended
                await self._goodbye(up)
        except ConnectionError:
            await self._goodbye(None)
        finally:
            for task in tasks:
                task.cancel()
            try:  # each of these may be cancelled, and the next must come all the same
                await asyncio.gather(*tasks, return_exceptions=True)
            finally:
                try:
                    await self._process.close()
                finally:
                    await self._client.close()

    async def event(self, name: str, body: dict[str, Any]) -> None:
        """Send an event of our own to the client."""
        await self._send({"type": "event", "event": name, "body": body})

    async def start_session(self, arguments: dict[str, Any]) -> None:
        """Have the client attach one more session with these arguments, as debugpy does for sub-processes."""
        if self.client_starts_sessions:
            request = {"request": "attach", "configuration": arguments}
            await self._send({"type": "request", "command": "startDebugging", "arguments": request})
        else:
            await self.event("debugpyAttach", {**arguments, "request": "attach"})

    async def _send(self, message: dict[str, Any]) -> None:
        with contextlib.suppress(ConnectionError):
            await self._client.send({"seq": next(self._numbers), **message})

    async def _up(self) -> None:
        """Ends when the client has left, or the process takes nothing any more."""
        with contextlib.suppress(ConnectionError, FrameError):
            while (body := await self._client.read()) is not None:
                head = dap_frames.head(body)
                if head.type == "response" and head.request_seq >= _INJECTED:
                    continue
                if self._from_client is not None:
                    changed = self._from_client(head, body)
                    if changed is None:
                        continue
                    body = changed
                if head.type == "request":
                    self._unanswered[head.seq] = head.command
                try:
                    await self._process.write(body)
                except ConnectionError:
                    return
        self._client_left = True

    async def _down(self) -> None:
        with contextlib.suppress(ConnectionError, FrameError):
            while (body := await self._process.read()) is not None:
                head = dap_frames.head(body)
                if self._is_old_news(head):
                    continue
                if head.type == "response":
                    self._unanswered.pop(head.request_seq, None)
                if head.type == "event" and head.event == "terminated":
                    self._terminated = True
                if head.event == "debugpyAttach" or (head.type, head.command) == (
                    "request",
                    "startDebugging",
                ):
                    self.children |= announced(dap_frames.decode(body))
                if self._from_process is not None:
                    changed = self._from_process(head, body)
                    if changed is None:
                        continue
                    body = changed
                await self._client.write(body)

    def _is_old_news(self, head: Head) -> bool:
        if head.type == "response" and head.request_seq == self._attach.get("seq"):
            self._answer_attach = False
        return head.type == "response" and head.request_seq == self._initialize.get("seq")

    async def _goodbye(self, up: asyncio.Task[None] | None) -> None:
        """The process is gone (its container too, maybe): say for debugpy what it had no time to say."""
        if up is not None:
            up.cancel()
            await asyncio.gather(up, return_exceptions=True)
        if self._answer_attach:
            await self._respond(self._attach, False, "The process ended before it could be attached.")
        for seq, command in self._unanswered.items():
            done = command in _DONE_BY_ENDING
            await self._respond({"seq": seq, "command": command}, done, "" if done else _ENDED)
        if not self._terminated:
            await self.event("terminated", {})
        with contextlib.suppress(TimeoutError, FrameError, ConnectionError):
            async with asyncio.timeout(_GOODBYE_SECONDS):
                while (body := await self._client.read()) is not None:
                    message = dap_frames.decode(body)
                    if message.get("type") == "request":
                        last = message.get("command") == "disconnect"
                        await self._respond(message, last, "" if last else _ENDED)
                        if last:
                            return

    async def _respond(self, request: dict[str, Any], success: bool, message: str) -> None:
        await self._send(response(request, success=success, message=message))


def announced(message: dict[str, Any]) -> set[int]:
    """The pid of the sub-process in one of debugpy's two announcements."""
    body = message.get("body") or message.get("arguments", {}).get("configuration") or {}
    child = body.get("subProcessId")
    return {child} if isinstance(child, int) else set()


async def let_go(process: ByteStream, child: int) -> None:
    """Set a sub-process free that waits for an editor which will not come: debugpy holds it until one has
    attached. `process` is a further stream to the adapter that announced it; it is closed."""
    frames = FrameStream(process)
    requests: tuple[tuple[str, dict[str, Any]], ...] = (
        ("initialize", {"adapterID": "debugpy"}),
        ("attach", {"subProcessId": child}),
        ("configurationDone", {}),
        ("disconnect", {"terminateDebuggee": False}),
    )
    try:
        async with asyncio.timeout(_GOODBYE_SECONDS):
            for seq, (command, arguments) in enumerate(requests, 1):
                message = {"seq": seq, "type": "request", "command": command, "arguments": arguments}
                await frames.send(message)
                if not await _accepted(frames, seq, command):
                    break
    except (TimeoutError, ConnectionError, FrameError):
        pass  # it has ended, or does not answer: nothing more can be done for it
    finally:
        await frames.close()


async def _accepted(frames: FrameStream, seq: int, command: str) -> bool:
    """Read on until the request may be followed by the next one; debugpy answers `attach` last."""
    while (body := await frames.read()) is not None:
        head = dap_frames.head(body)
        if head.event == "terminated":
            return False
        if head.event == "initialized" and command == "attach":
            return True
        if head.type == "response" and head.request_seq == seq:
            return True
    return False


def response(
    request: dict[str, Any], *, success: bool = True, message: str = "", body: dict[str, Any] | None = None
) -> dict[str, Any]:
    """A response to `request`, without its own number."""
    answer: dict[str, Any] = {
        "type": "response",
        "request_seq": request.get("seq", 0),
        "command": request.get("command", ""),
        "success": success,
    }
    if message:
        answer["message"] = message
    if body is not None:
        answer["body"] = body
    return answer
