"""One run of a pipeline program under the debugger: the bridge it runs on, and what the debugger adds to it.

Wires the executor's gate, the step debuggers and the events to one session; decides nothing about either.
Knows no client and no request.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from stepbridge.bridge import Bridge
from stepbridge.errors import StepBridgeError
from stepbridge.events import AnyEvent, RunStarted, RunStatus, StepPhase
from stepbridge.execution.execution import Execution
from stepbridge.execution.state import StepState

from .breakpoints import Breakpoints, StepBreakpoint
from .children import Children, DebugTimes
from .evaluate import interpolate, is_true
from .inspection import Inspection, Program
from .launch import Launch
from .positions import Positions, StepPosition, program_files
from .statements import PipelineThread, Statements, Stop


class Listener(Protocol):
    """The session, as a run sees it. Called on the loop; must not block."""

    def stopped(self, stop: Stop) -> None: ...
    def resumed(self, stop: Stop) -> None: ...
    def thread_started(self, thread: PipelineThread) -> None: ...
    def thread_exited(self, thread: PipelineThread) -> None: ...
    def take(self, event: AnyEvent) -> None: ...
    def program_output(self, stream: str, line: str) -> None: ...
    def complain(self, text: str, step: str = "") -> None: ...
    def log_point(self, step: str, text: str) -> None: ...
    async def begin_child(self, configuration: dict[str, Any]) -> None: ...


OpenBridge = Callable[[Launch], Awaitable[Bridge]]


class DebuggedRun:
    """`start` it once; `close` it whatever happened. All that it made is gone then."""

    def __init__(
        self,
        launch: Launch,
        bridge: Bridge,
        breakpoints: Breakpoints,
        positions: Positions,
        listener: Listener,
        line_out: Callable[[int], int],
    ) -> None:
        given, settings = launch.arguments, launch.workspace.settings.debug
        just_my_code = settings.just_my_code if given.just_my_code is None else given.just_my_code
        self._breakpoints = breakpoints
        self._listener = listener
        self.launch = launch
        self.bridge = bridge
        self.runs: list[str] = []  # ids of the executions that the program started
        self.program = Program(positions, [launch.program])
        self.inspection = Inspection(self.program, bridge.store, line_out)
        self.statements = Statements(self, stop_on_entry=given.stop_on_entry)
        self.statements.open = given.no_debug
        self.children = Children(
            given,
            DebugTimes(settings.wait_seconds, settings.post_mortem_seconds),
            just_my_code,
            breakpoints,
            self.statements.entering,
            listener.begin_child,
            lambda step, text: listener.complain(f"{step}: {text}", step),
        )
        self.children.use(bridge.debuggers)
        self._places: dict[str, StepPosition | None] = {}
        self._forget = bridge.bus.listen(self._take)
        self._closed = False

    # life

    async def run(self) -> int:
        """Run the program and its executions to their end; an exit code as of the command line.

        What went wrong is told to the listener.
        """
        self.program.files = await asyncio.to_thread(program_files, self.launch.program)
        request = self.launch.request(self.statements, self.children.plan)
        self.statements.begin()
        try:
            records = await self.bridge.run(request, self._listener.program_output)
            ended = [await self.bridge.executions.finished(record.run) for record in records]
        except StepBridgeError as error:
            self._listener.complain(str(error))
            return 1
        return 0 if all(record.status is RunStatus.SUCCEEDED for record in ended) else 1

    def stop(self) -> bool:
        """Ask the executions to stop; False where none has started yet."""
        live = list(self.bridge.executions.live)
        for run in live:
            self.bridge.executions.stop(run)
        return bool(live)

    async def detach(self) -> None:
        """Nobody debugs any more; the run goes on."""
        self.statements.release()
        await self.children.release_all()

    async def close(self) -> None:
        """End all that still runs."""
        if self._closed:
            return
        self._closed = True
        await self.children.close()
        await self.bridge.close()
        self._forget()

    # what is asked about it

    @property
    def executions(self) -> dict[str, Execution]:
        return self.bridge.executions.live

    def step_names(self) -> list[str]:
        return [name for execution in self.executions.values() for name in execution.steps]

    def place(self, step: str) -> StepPosition | None:
        """Where the program makes that step; looked up once, logs ask for every line."""
        if step not in self._places:
            states = (e.steps[step] for e in self.executions.values() if step in e.steps)
            state = next(states, None)
            self._places[step] = self.program.place(state) if state else None
        return self._places[step]

    async def restart_step(self, run: str, step: str) -> None:
        """Run a step again with its inputs and the code as it is now.

        Raises:
            StepBridgeError: the run has ended, or the step has not started.
        """
        execution = self.executions.get(run)
        if execution is None or step not in execution.steps:
            raise StepBridgeError(
                f"Step {step} cannot run again: its run has ended", "Start the pipeline again."
            )
        await execution.restart_step(step)

    # what happens (Statements' observer, and the bus)

    def _take(self, event: AnyEvent) -> None:
        if isinstance(event, RunStarted):
            self.runs.append(event.run)
            self._places.clear()
        self._listener.take(event)
        self.children.take(event)

    def stopped(self, stop: Stop) -> None:
        self.bridge.bus.publish(
            StepPhase(run=stop.execution.run, time=time.time(), step=stop.step, phase="breakpoint")
        )
        self._listener.stopped(stop)

    def resumed(self, stop: Stop) -> None:
        self.inspection.forget(stop)
        self._listener.resumed(stop)

    def thread_started(self, thread: PipelineThread) -> None:
        self._listener.thread_started(thread)

    def thread_exited(self, thread: PipelineThread) -> None:
        self._listener.thread_exited(thread)

    def hits(self, execution: Execution, state: StepState, arguments: Any) -> list[StepBreakpoint]:
        found = []
        for breakpoint_ in self._breakpoints.on_step(state.plan.name, self.program.place(state)):
            view = self.inspection.view_of(execution, arguments, {})
            try:
                if breakpoint_.condition and not is_true(breakpoint_.condition, view):
                    continue
            except StepBridgeError as error:  # stop, so that the mistake is seen where it was made
                self._listener.complain(f"Condition {breakpoint_.condition}: {error}", state.plan.name)
            if breakpoint_.log_message:
                self._listener.log_point(state.plan.name, interpolate(breakpoint_.log_message, view))
            else:
                found.append(breakpoint_)
        return found
