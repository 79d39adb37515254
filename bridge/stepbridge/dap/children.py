"""The processes of a run's steps that get a debug session of their own in the editor: which, when, and how.

A step is held for the editor only where a breakpoint lies in code that it can run; every other one is armed,
which costs nothing, and is attached when that changes. Knows debuggers and breakpoints; how a client starts
a session is for the caller.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from msgspec import Struct

from stepbridge.debug import DebuggedProcess, DebugPlan, DebugStream, PathMapping
from stepbridge.debug.proxy import let_go
from stepbridge.errors import DebugError
from stepbridge.events import AnyEvent, RunFinished, StepDebug, StepFinished
from stepbridge.execution.debugging import Debuggers, Session
from stepbridge.execution.execution import Execution

from .breakpoints import Breakpoints, covers
from .connection import RefusedError
from .launch import LaunchArguments


class ProcessKey(Struct, frozen=True):
    """One process of one container of a step; `pid` is the container's."""

    run: str
    step: str
    host: str
    pid: int


class DebugTimes(Struct, frozen=True):
    """How long a process holds for an editor that does not come, in seconds."""

    wait: float
    post_mortem: float


class Children:
    """Of one debugged program.

    begin: asks the client to start a session with that configuration. RefusedError: it will not.
    executions: the runs that go on, by id. complain: tells the user something.
    """

    def __init__(
        self,
        arguments: LaunchArguments,
        times: DebugTimes,
        just_my_code: bool,
        breakpoints: Breakpoints,
        entering: set[str],
        begin: Callable[[dict[str, Any]], Awaitable[None]],
        complain: Callable[[str, str], None],
    ) -> None:
        self.just_my_code = just_my_code
        self._arguments = arguments
        self._times = times
        self._breakpoints = breakpoints
        self._entering = entering
        self._begin = begin
        self._complain = complain
        self._debuggers: Debuggers | None = None
        self._busy: set[ProcessKey] = set()  # processes with a session, or one that is on its way
        self._awaited: dict[tuple[str, str, str], asyncio.Future[int]] = {}  # run, step, host
        self._tasks: set[asyncio.Task[None]] = set()
        self._came: set[tuple[ProcessKey, int]] = set()  # debugpy's own sub-processes that an editor came for
        self._leavers: set[Callable[[], None]] = set()  # what ends the sessions there are
        self.open = True  # False: nobody debugs any more

    def use(self, debuggers: Debuggers) -> None:
        self._debuggers = debuggers

    # before a container starts

    def plan(self, step: str, code: tuple[PathMapping, ...]) -> DebugPlan:
        """How the next container of a step is to be debugged. `code`: what it can run."""
        if not self.open:
            return DebugPlan()
        if self._arguments.no_debug:
            # whoever wants to look into a run that was not to be debugged may, where that needs no download
            ready = self._debuggers is not None and not self._debuggers.cache.missing()
            return DebugPlan(mode="arm" if ready else "off", just_my_code=self.just_my_code)
        entry = self._enters(step)
        wanted = entry or self._breakpoints.tracing or self._breakpoints.in_code(code)
        restarting = any(key[1] == step for key in self._awaited)
        return DebugPlan(
            mode="wait" if wanted or restarting else "arm",
            post_mortem=self._arguments.post_mortem and "uncaught" in self._breakpoints.filters,
            stop_on_entry=entry,
            just_my_code=self.just_my_code,
            wait_seconds=self._times.wait,
            post_mortem_seconds=self._times.post_mortem,
        )

    def _enters(self, step: str) -> bool:
        """Its script is to stop at the first line: somebody steps into it, or the configuration says so."""
        if step in self._entering:
            self._entering.discard(step)
            return True
        at_start = self._arguments.break_on_start
        return step in at_start if isinstance(at_start, list) else at_start

    # while it runs

    def take(self, event: AnyEvent) -> None:
        """React to what happens in the run."""
        match event:
            case StepDebug(state="waiting" | "crashed"):
                self._holding(event)
            case StepDebug(state="armed"):
                self._armed(event)
            case StepDebug(state="absent") if self._expected(event):
                text = "its Python never checked in, so that no breakpoint was set there"
                self._complain(event.step, text)
            case StepDebug(state="failed"):
                self._complain(event.step, f"it cannot be debugged: {event.error}")
            case StepDebug(state="ended"):
                self._busy.discard(ProcessKey(event.run, event.step, event.host, event.pid))
            case StepFinished():
                self._give_up(event.run, event.step)
            case RunFinished():
                self._give_up(event.run, None)

    def _holding(self, event: StepDebug) -> None:
        key = ProcessKey(event.run, event.step, event.host, event.pid)
        awaited = self._awaited.pop((key.run, key.step, key.host), None)
        if awaited is not None and not awaited.done():
            self._busy.add(key)
            awaited.set_result(key.pid)
        elif key not in self._busy and self.open:
            self._start(key)

    def _armed(self, event: StepDebug) -> None:
        """A breakpoint may have been set while the container started."""
        for session, process in self._attachable(event.step):
            if process.pid == event.pid and self._breakpoints.in_code(session.mappings):
                self._start(ProcessKey(session.run, session.step, session.host, process.pid))

    def breakpoints_changed(self, path: Path) -> None:
        """Attach, on the spot, the processes that can run this file and are not attached yet."""
        for session, process in self._attachable():
            if covers(session.mappings, path) and self._breakpoints.in_code(session.mappings):
                self._start(ProcessKey(session.run, session.step, session.host, process.pid))

    def _attachable(self, step: str = "") -> list[tuple[Session, DebuggedProcess]]:
        """Processes of the users' scripts that run without an editor; none where one must ask for them."""
        if self._debuggers is None or self._arguments.no_debug or not self.open:
            return []
        found = []
        for session in self._debuggers:
            if step in ("", session.step):
                open_ones = [p for p in session.debugger.processes() if p.state in ("armed", "detached")]
                scripts = [p for p in open_ones if p.role == "script"]
                found += [(session, process) for process in scripts or open_ones]
        return [
            (session, process)
            for session, process in found
            if ProcessKey(session.run, session.step, session.host, process.pid) not in self._busy
        ]

    def _expected(self, event: StepDebug) -> bool:
        return self._debuggers is not None and any(
            session.plan.mode == "wait" for session in self._debuggers.sessions(event.run, event.step)
        )

    # sessions in the editor

    def _start(self, key: ProcessKey) -> None:
        self._busy.add(key)
        task = asyncio.create_task(self._ask_client(key), name=f"child {key.step}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _ask_client(self, key: ProcessKey) -> None:
        try:
            await self._begin(self._configuration(key))
        except RefusedError as error:
            self._busy.discard(key)
            self._complain(key.step, f"the editor started no debug session for it: {error}")
            await self._release(key)

    def _configuration(self, key: ProcessKey) -> dict[str, Any]:
        assert self._debuggers is not None
        hosts = {session.host for session in self._debuggers.sessions(key.run, key.step)}
        name = f"{key.step} ({key.host})" if len(hosts) > 1 else key.step
        return {
            "type": "stepbridge",
            "request": "attach",
            "name": name,
            "__run": key.run,
            "__step": key.step,
            "__host": key.host,
            "__pid": key.pid,
        }

    async def _release(self, key: ProcessKey) -> None:
        for session in self.sessions_of(key):
            await session.debugger.release(key.pid)

    def sessions_of(self, key: ProcessKey) -> list[Session]:
        if self._debuggers is None:
            return []
        found = self._debuggers.sessions(key.run, key.step)
        return [session for session in found if key.host in ("", session.host)]

    async def connect(
        self, key: ProcessKey, sub_process: int | None = None
    ) -> tuple[DebugStream, Session, ProcessKey, bool]:
        """A stream to a process' debugpy, whose container it is in, and whether it is one of debugpy's own
        sub-processes. A `pid` of 0 means the one an editor that asks for "the step" should get.

        Raises:
            DebugError: the process has gone, or another editor holds it.
        """
        sessions = self.sessions_of(key)
        if not sessions:
            raise DebugError(f"Step {key.step} does not run any more, or is not debugged.")
        session = sessions[0]
        known = {process.pid for process in session.debugger.processes()}
        if sub_process is not None and sub_process not in known:
            stream = await session.debugger.connect_more(key.pid)
            self._came.add((key, sub_process))
            return stream, session, key, True
        pid = sub_process or key.pid or await self._free_process(session)
        key = ProcessKey(session.run, session.step, session.host, pid)
        stream = await session.debugger.connect(pid)
        self._busy.add(key)
        return stream, session, key, False

    async def _free_process(self, session: Session) -> int:
        """The pid of the process that an editor gets which asks for the step."""
        processes = session.debugger.processes()
        if processes and all(process.state == "attached" for process in processes):
            raise DebugError(
                f"Step {session.step} is being debugged by another editor.", "Disconnect that one first."
            )
        return (await session.debugger.candidate()).pid

    def left(self, key: ProcessKey) -> None:
        """The editor's session with that process has ended."""
        self._busy.discard(key)

    def joined(self, leave: Callable[[], None]) -> Callable[[], None]:
        """A session is there; `leave` ends it. Returns what to call when it has ended."""
        self._leavers.add(leave)
        return lambda: self._leavers.discard(leave)

    def forgo(self, key: ProcessKey, sub_process: int) -> None:
        """No editor comes for a sub-process that debugpy announced and holds for one: let it go on."""
        if (key, sub_process) in self._came:
            return
        task = asyncio.create_task(self._forgo(key, sub_process))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _forgo(self, key: ProcessKey, sub_process: int) -> None:
        for session in self.sessions_of(key):
            with contextlib.suppress(DebugError):
                await let_go(await session.debugger.connect_more(key.pid), sub_process)

    # starting a step again

    def await_next(self, key: ProcessKey) -> asyncio.Future[int]:
        """The pid of the process that comes in this one's place when its step starts again.

        Cancelled where the step ends instead.
        """
        self._busy.discard(key)
        slot = (key.run, key.step, key.host)
        earlier = self._awaited.get(slot)
        if earlier is None or earlier.done():
            self._awaited[slot] = asyncio.get_running_loop().create_future()
        return self._awaited[slot]

    async def restart(self, execution: Execution, step: str) -> None:
        await execution.restart_step(step)

    def _give_up(self, run: str, step: str | None) -> None:
        for slot in [s for s in self._awaited if s[0] == run and step in (None, s[1])]:
            self._awaited.pop(slot).cancel()

    # end

    async def release_all(self) -> None:
        """Nobody debugs any more: processes that hold go on, later ones are not held."""
        self.open = False
        for leave in tuple(self._leavers):
            leave()
        for session in self._debuggers or ():
            await session.debugger.release()

    async def close(self) -> None:
        self.open = False
        for awaited in self._awaited.values():
            awaited.cancel()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
