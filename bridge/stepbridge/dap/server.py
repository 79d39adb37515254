"""The debug adapter's process: standard input and output, or one loopback port for parents and children.

Lets clients in and tells what kind of session each one wants; what sessions do is in `session` and `child`.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import os
import secrets
import signal
import stat
import sys
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

from stepbridge.bridge import Bridge
from stepbridge.debug.proxy import CAPABILITIES as DEBUGPY_CAPABILITIES
from stepbridge.errors import DebugError, StepBridgeError

from .attach import find_elsewhere, find_here, sole_step, until_started
from .child import CAPABILITIES as CHILD_CAPABILITIES
from .child import ChildSession
from .children import ProcessKey
from .connection import Connection, Dispatcher
from .debugged import DebuggedRun
from .launch import AttachArguments, Hidden, Launch
from .protocol import Request
from .relay import pass_on
from .session import PipelineSession
from .types import ArgumentsError, DisconnectArguments, InitializeArguments, read_arguments

CAPABILITIES: dict[str, Any] = {
    **DEBUGPY_CAPABILITIES,
    "supportsBreakpointLocationsRequest": True,
    "supportsCancelRequest": True,
    "supportsRestartFrame": True,
    "supportsRestartRequest": True,
    "supportsTerminateRequest": True,
    "supportTerminateDebuggee": True,
    "supportsSingleThreadExecutionRequests": True,
}

# what only the Python debugger of a child can do
PIPELINE_CAPABILITIES: dict[str, Any] = {
    "supportsClipboardContext": False,
    "supportsExceptionInfoRequest": False,
    "supportsExceptionOptions": False,
    "supportsGotoTargetsRequest": False,
    "supportsHitConditionalBreakpoints": False,
    "supportsModulesRequest": False,
    "supportsStepInTargetsRequest": False,
}

RELAY_CAPABILITIES: dict[str, Any] = {**CHILD_CAPABILITIES, "supportsRestartRequest": False}


class DapServer:
    """All sessions of one process.

    token: what clients must present; children present it in any case, parents where `demand` says so.
    """

    def __init__(self, *, demand: bool, cwd: Path) -> None:
        self.token = secrets.token_urlsafe(24)
        self.port = 0
        self._demand = demand
        self._cwd = cwd
        self._runs: dict[str, PipelineSession] = {}  # by execution, the newest last
        self._clients: set[asyncio.Task[None]] = set()
        self._partings: set[asyncio.Task[None]] = set()  # clean-ups; they are never cut short
        self._left_behind: set[asyncio.Task[None]] = set()  # runs that go on without their client
        self._listener: asyncio.Server | None = None

    # life

    async def listen(self, port: int) -> int:
        """Open the loopback port (0: a free one).

        Raises:
            DebugError: it is in use.
        """
        try:
            self._listener = await asyncio.start_server(self._accept, "127.0.0.1", port)
        except OSError as error:
            message = f"Port {port} cannot be opened: {error.strerror}"
            raise DebugError(message, "Choose another --port.") from None
        self.port = int(self._listener.sockets[0].getsockname()[1])
        return self.port

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.CancelledError):  # asyncio 3.11 complains of cancelled connections
            await self.serve(reader, writer, trusted=not self._demand)

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, trusted: bool
    ) -> None:
        """One client, until it has left and its session has ended."""
        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)
        connection = Connection(reader, writer)
        try:
            await self._greet(connection, trusted=trusted)
        except asyncio.CancelledError:
            pass  # by `close` alone: the session has ended what it began
        finally:
            self._clients.discard(task)
            await connection.close()

    async def idle(self) -> None:
        """Until no run goes on that its client left behind."""
        while self._left_behind:
            await asyncio.wait(self._left_behind)

    async def close(self) -> None:
        """End every session and what it runs."""
        if self._listener is not None:
            self._listener.close()
        tasks = [*self._clients, *self._left_behind]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        while self._partings:
            await asyncio.wait(self._partings)

    # sessions find each other (session.RunRegistry)

    def add(self, run: str, session: PipelineSession) -> None:
        self._runs[run] = session

    def child_keys(self) -> dict[str, Any]:
        return {"__token": self.token, "__port": self.port}

    # a client's first requests

    async def _greet(self, connection: Connection, *, trusted: bool) -> None:
        initialize = await self._first(connection, ("initialize",))
        if initialize is None:
            return
        try:
            features = read_arguments(InitializeArguments, initialize.arguments)
        except ArgumentsError as error:
            connection.refuse(initialize, f"initialize: {error}")
            return
        connection.respond(initialize, CAPABILITIES)
        start = await self._first(connection, ("launch", "attach"))
        if start is None:
            return
        try:
            hidden = read_arguments(Hidden, start.arguments)
        except ArgumentsError as error:
            connection.refuse(start, f"{start.command}: {error}")
            return
        known = self._knows(hidden.token) or self._knows(features.token)
        if hidden.run and start.command == "attach":
            await self._child(connection, initialize, start, hidden, known=known)
        elif not (trusted or known):
            text = "The token is missing or wrong: the debug server was started with --token."
            connection.refuse(start, text, show=True)
        elif start.command == "launch":
            await self._parent(connection, features, start)
        else:
            await self._attach(connection, initialize, start)

    async def _first(self, connection: Connection, commands: tuple[str, ...]) -> Request | None:
        """The next request if it is one of these; others are refused. None: the client has left."""
        while (received := await connection.receive()) is not None:
            message, _ = received
            if not isinstance(message, Request):
                continue
            if message.command in commands:
                return message
            if message.command == "disconnect":
                connection.respond(message)
                return None
            connection.refuse(message, f"{message.command} before {' or '.join(commands)}")
        return None

    def _knows(self, token: str) -> bool:
        return hmac.compare_digest(token.encode(), self.token.encode())

    # kinds of sessions

    async def _parent(self, connection: Connection, features: InitializeArguments, launch: Request) -> None:
        connection.event("capabilities", {"capabilities": PIPELINE_CAPABILITIES})
        session = PipelineSession(connection, features, self, _open_bridge, self._cwd)
        dispatcher = Dispatcher(connection, _launching(session, connection))
        dispatcher.take(launch)
        farewell: Request | None = None
        try:
            farewell = await _talk(connection, dispatcher)
        finally:
            parting = asyncio.create_task(self._part(session, dispatcher, farewell))
            self._partings.add(parting)
            parting.add_done_callback(self._partings.discard)
            await asyncio.shield(parting)
        if farewell is not None:
            connection.respond(farewell)

    async def _part(self, session: PipelineSession, dispatcher: Dispatcher, farewell: Request | None) -> None:
        """The client leaves: by saying so, or by hanging up. Its run ends, unless it wants that to go on."""
        terminate = True
        if farewell is not None:
            with contextlib.suppress(ArgumentsError):
                wish = read_arguments(DisconnectArguments, farewell.arguments)
                terminate = bool(wish.terminate_debuggee)
        await dispatcher.close()
        await session.leave(terminate=terminate)
        if terminate:
            self._forget(session)
            return
        task = asyncio.create_task(self._outlast(session))
        self._left_behind.add(task)
        task.add_done_callback(self._left_behind.discard)

    async def _outlast(self, session: PipelineSession) -> None:
        try:
            await session.wait()
        finally:
            await session.leave(terminate=True)
            self._forget(session)

    def _forget(self, session: PipelineSession) -> None:
        self._runs = {run: known for run, known in self._runs.items() if known is not session}

    async def _child(
        self, connection: Connection, initialize: Request, attach: Request, hidden: Hidden, *, known: bool
    ) -> None:
        if hidden.port not in (0, self.port):
            # its editor gave this child a server of its own, as they do for adapters on standard input
            await pass_on(connection, initialize, attach, hidden.port)
            return
        debugged = self._debugged().get(hidden.run) if known else None
        if debugged is None:
            text = "That run has ended." if known else "The token of the step's debug session is wrong."
            connection.refuse(attach, text, show=True)
            connection.event("terminated", {})
            return
        key = ProcessKey(hidden.run, hidden.step, hidden.host, hidden.pid)
        await self._debug(connection, debugged, key, initialize, attach)

    async def _debug(
        self,
        connection: Connection,
        debugged: DebuggedRun,
        key: ProcessKey,
        initialize: Request,
        attach: Request,
    ) -> None:
        async def restart() -> None:
            await debugged.restart_step(key.run, key.step)

        child = ChildSession(connection, debugged.children, key, restart, self.port)
        await child.run(initialize, attach)

    async def _attach(self, connection: Connection, initialize: Request, attach: Request) -> None:
        """A step of a run that somebody else started, here or in another process of the workspace."""
        try:
            wanted = read_arguments(AttachArguments, attach.arguments)
            run = find_here(self._debugged(), wanted)
            step = wanted.step
            if run is None:
                port = await find_elsewhere(wanted, self._cwd)
            else:
                debugged = self._debugged()[run]
                step = step or sole_step(debugged.executions[run].under_way)
                await _while_present(connection, until_started(debugged, run, step))
        except (ArgumentsError, StepBridgeError) as error:
            connection.refuse(attach, str(error), show=True)
            connection.event("terminated", {})
            await self._first(connection, ())
        else:
            if run is None:
                connection.event("capabilities", {"capabilities": RELAY_CAPABILITIES})
                await pass_on(connection, initialize, attach, port)
                return
            key = ProcessKey(run, step, "", 0)
            await self._debug(connection, self._debugged()[run], key, initialize, attach)

    def _debugged(self) -> dict[str, DebuggedRun]:
        return {run: session.run for run, session in self._runs.items() if session.run is not None}


async def _while_present(connection: Connection, work: Coroutine[Any, Any, None]) -> None:
    """Do something that may take long, unless the client leaves meanwhile. Raises DebugError then."""
    doing = asyncio.create_task(work)
    leaving = asyncio.create_task(_gone(connection))
    try:
        await asyncio.wait((doing, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not doing.done():
            raise DebugError("The editor has left.")
        doing.result()
    finally:
        for task in (doing, leaving):
            task.cancel()
        await asyncio.gather(doing, leaving, return_exceptions=True)


async def _gone(connection: Connection) -> None:
    """Until the client leaves; what it asks meanwhile is answered."""
    while (received := await connection.receive()) is not None:
        message, _ = received
        if isinstance(message, Request):
            if message.command == "disconnect":
                connection.respond(message)
                return
            connection.refuse(message, "The step has not started yet.")


async def _talk(connection: Connection, dispatcher: Dispatcher) -> Request | None:
    """Take requests until the client disconnects; its last request, None where it hung up."""
    while (received := await connection.receive()) is not None:
        message, _ = received
        if not isinstance(message, Request):
            continue
        if message.command == "disconnect":
            return message
        if message.command == "cancel":
            dispatcher.cancel(int((message.arguments or {}).get("requestId") or 0))
            connection.respond(message)
        else:
            dispatcher.take(message)
    return None


def _launching(session: PipelineSession, connection: Connection) -> Callable[[Request], Awaitable[Any]]:
    async def handle(request: Request) -> Any:
        if request.command != "launch":
            return await session.handle(request)
        await session.launch(request.arguments or {})
        connection.event("initialized")
        return None

    return handle


async def _open_bridge(launch: Launch) -> Bridge:
    given = launch.arguments
    return await Bridge.open(launch.workspace, engine=given.engine, python=given.python, aws=given.aws)


# the process


def serve(port: int | None, *, token: bool) -> int:
    """Serve until the client (standard input and output) or whoever started us (a port) has gone.

    port: None for standard input and output, 0 for a free port. token: clients must present it.
    """
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve_stdio() if port is None else _serve_port(port, token))
    return 0


async def _serve_port(port: int, token: bool) -> None:
    server = DapServer(demand=token, cwd=Path.cwd())
    number = await server.listen(port)
    suffix = f" token={server.token}" if token else ""
    print(f"stepbridge dap listening on 127.0.0.1:{number}{suffix}", flush=True)
    try:
        await _until_told()
    finally:
        await server.close()


async def _serve_stdio() -> None:
    server = DapServer(demand=True, cwd=Path.cwd())
    await server.listen(0)  # for the children
    reader, writer = await _standard_streams()
    client = asyncio.ensure_future(server.serve(reader, writer, trusted=True))
    told = asyncio.ensure_future(_until_told(watch_input=False))
    try:
        await asyncio.wait({client, told}, return_when=asyncio.FIRST_COMPLETED)
        if client.done():
            await server.idle()
    finally:
        told.cancel()
        await server.close()
        await asyncio.gather(client, told, return_exceptions=True)


async def _standard_streams() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """The protocol's streams. Whatever else is printed goes to standard error from here on."""
    out = os.dup(1)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(os.dup(0), "rb", 0))
    transport, protocol = await loop.connect_write_pipe(
        lambda: asyncio.streams.FlowControlMixin(), os.fdopen(out, "wb", 0)
    )
    return reader, asyncio.StreamWriter(transport, protocol, None, loop)


async def _until_told(*, watch_input: bool = True) -> None:
    """Returns on SIGTERM, on SIGINT, and where standard input is a pipe of whoever started us, at its end."""
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    ended: asyncio.Task[None] | None = None
    if watch_input and _input_is_a_pipe():
        ended = asyncio.create_task(_input_ended(told))
    await told.wait()
    if ended is not None:
        ended.cancel()


def _input_is_a_pipe() -> bool:
    """An editor that dies closes the pipe it gave us; a terminal or /dev/null says nothing of that kind."""
    try:
        mode = os.fstat(0).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


async def _input_ended(told: asyncio.Event) -> None:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(os.dup(0), "rb", 0))
    while await reader.read(65536):
        pass
    told.set()
