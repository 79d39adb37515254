"""Steps as statements: the pipeline itself runs under a debugger, one step at a time where someone stops it.

A `StepGate` of the executor: each step asks before it starts, and is held here while its thread is stopped.
A thread is a branch of the graph: a step goes on in the thread of one that it waited for, and steps that
start side by side have threads of their own. Knows the executor and breakpoints; knows no client.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Iterator
from typing import Any, Protocol

from msgspec import Struct, field

from stepbridge.definition.references import resolve
from stepbridge.errors import StepBridgeError
from stepbridge.events import StepStatus
from stepbridge.execution.execution import Execution
from stepbridge.execution.state import StepState

from .breakpoints import StepBreakpoint
from .types import Thread

FIRST_ID = 1_000_000_001  # debugpy counts from 1: in one session with a step, numbers tell whose they are


class PipelineThread(Struct):
    """A branch of a run. `step`: what it runs, is held before, or ran last."""

    id: int
    run: str
    step: str = ""
    busy: bool = False
    stepping: str = ""  # why the next step of this branch stops: "step", "pause"; "" where it does not
    stop: Stop | None = None

    @property
    def name(self) -> str:
        return "pipeline" if self.id == FIRST_ID else f"pipeline: {self.step}"


class Stop(Struct):
    """A step that is held before it starts. `arguments` are its own copy, and may be changed."""

    thread: PipelineThread
    execution: Execution
    state: StepState
    arguments: Any
    reason: str
    breakpoints: tuple[int, ...] = ()
    edited: bool = False
    resumed: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    @property
    def step(self) -> str:
        return self.state.plan.name


class Observer(Protocol):
    """Who is told what the statements do. Called on the loop; must not block."""

    def stopped(self, stop: Stop) -> None: ...
    def resumed(self, stop: Stop) -> None: ...
    def thread_started(self, thread: PipelineThread) -> None: ...
    def thread_exited(self, thread: PipelineThread) -> None: ...
    def hits(self, execution: Execution, state: StepState, arguments: Any) -> list[StepBreakpoint]:
        """The breakpoints that this step hits now, with their conditions met; log points do their logging."""
        ...


class Statements:
    """The gate of one debugged program: all its runs pass through it.

    stop_on_entry: stop before the first step. `open` lets everything pass (nobody debugs any more).
    """

    def __init__(self, observer: Observer, *, stop_on_entry: bool = False) -> None:
        self.entering: set[str] = set()  # steps whose script is to stop at its first line
        self.open = False
        self._observer = observer
        self._entry = stop_on_entry
        self._threads: dict[int, PipelineThread] = {}
        self._ids = iter(range(FIRST_ID, FIRST_ID + 1_000_000))
        self._anywhere = ""  # as PipelineThread.stepping, for the next step of any branch
        self._restarted: set[tuple[str, str]] = set()

    def begin(self) -> None:
        """The program starts; from here on there is a thread."""
        self._new_thread("")

    # the gate

    async def before(self, execution: Execution, state: StepState, arguments: Any) -> Any:
        """Holds the step while someone looks at it; returns the arguments it is to start with."""
        if self.open:
            return arguments
        thread = self._thread_for(execution, state)
        thread.step, thread.busy = state.plan.name, True
        reason, hit = self._why(execution, state, arguments, thread)
        if not reason:
            return arguments
        stop = Stop(thread, execution, state, copy.deepcopy(arguments), reason, hit)
        thread.stop, thread.stepping, self._anywhere = stop, "", ""
        self._observer.stopped(stop)
        try:
            await stop.resumed
        finally:
            thread.stop = None
            self._observer.resumed(stop)
        return stop.arguments if stop.edited else self._fresh(stop)

    async def after(self, execution: Execution, state: StepState) -> None:
        name = state.plan.name
        thread = next((t for t in self._threads.values() if (t.run, t.step) == (execution.run, name)), None)
        if thread is None:
            return
        thread.busy = False
        if name in self.entering:  # it had no script to stop in (a condition, a cached result ...)
            self.entering.discard(name)
            thread.stepping = "step"
        self._end_idle(execution)

    def _why(
        self, execution: Execution, state: StepState, arguments: Any, thread: PipelineThread
    ) -> tuple[str, tuple[int, ...]]:
        """Why this step stops now ("" where it does not), and at which breakpoints."""
        key = (execution.run, state.plan.name)
        hit = self._observer.hits(execution, state, arguments)
        ids = tuple(b.id for b in hit)
        if key in self._restarted:
            self._restarted.discard(key)
            return "restart", ids
        if self._entry:
            self._entry = False
            return "entry", ids
        if hit:
            return hit[0].reason, ids
        return thread.stepping or self._anywhere, ()

    def _fresh(self, stop: Stop) -> Any:
        """The arguments as they are now: a step before may have run again while this one was held."""
        if stop.state.plan.type == "Condition":
            return stop.arguments
        return resolve(stop.state.step.arguments, stop.execution.scope)

    # threads

    def threads(self) -> list[Thread]:
        return [Thread(id=thread.id, name=thread.name) for thread in self._threads.values()]

    def stop_of(self, thread: int) -> Stop | None:
        found = self._threads.get(thread)
        return found.stop if found else None

    def stops(self) -> Iterator[Stop]:
        return (thread.stop for thread in self._threads.values() if thread.stop)

    def _thread_for(self, execution: Execution, state: StepState) -> PipelineThread:
        """Its own where it runs again; else that of a step it waited for; else the first, or a new one."""
        run, name = execution.run, state.plan.name
        mine = [t for t in self._threads.values() if t.run == run]
        for thread in mine:
            if thread.step == name:
                return thread
        idle = [t for t in mine if not t.busy and t.step in state.plan.needs]
        if idle:
            return max(idle, key=lambda thread: (bool(thread.stepping), -thread.id))
        first = self._threads.get(FIRST_ID)
        if first is not None and not first.run:
            first.run = run
            return first
        return self._new_thread(run)

    def _new_thread(self, run: str) -> PipelineThread:
        thread = PipelineThread(next(self._ids), run)
        self._threads[thread.id] = thread
        self._observer.thread_started(thread)
        return thread

    def _end_idle(self, execution: Execution) -> None:
        """Threads with nothing left to run exit; a wish to step goes on to whichever step starts next."""
        waiting = {n for n, s in execution.steps.items() if s.status is StepStatus.WAITING}
        for thread in [t for t in self._threads.values() if t.run == execution.run and not t.busy]:
            follows = any(thread.step in execution.steps[name].plan.needs for name in waiting)
            if follows or thread.id == FIRST_ID:
                if not follows and thread.stepping:
                    self._anywhere, thread.stepping = thread.stepping, ""
                continue
            self._anywhere = thread.stepping or self._anywhere
            del self._threads[thread.id]
            self._observer.thread_exited(thread)

    # what a person does

    def go_on(self, stop: Stop) -> None:
        """Start the step, and stop again at breakpoints only."""
        _resume(stop)

    def step_over(self, stop: Stop) -> None:
        """Start the step, and stop before the one that follows it."""
        stop.thread.stepping = "step"
        _resume(stop)

    def step_into(self, stop: Stop) -> None:
        """Start the step, and stop at the first line of its script."""
        self.entering.add(stop.step)
        _resume(stop)

    def pause(self, thread: int) -> None:
        """Stop before the next step of a branch; of any branch where this one has ended."""
        found = self._threads.get(thread)
        if found is None or not found.run:
            self._anywhere = "pause"
        else:
            found.stepping = "pause"

    async def run_again(self, execution: Execution, step: str) -> None:
        """Run a finished step once more with the inputs it had; stops before it.

        Raises:
            StepBridgeError: it has not run yet, or runs right now.
        """
        state = execution.steps[step]
        if not state.status.ended:
            raise StepBridgeError(f"Step {step} has not ended", "Only a finished step can run again.")
        self._restarted.add((execution.run, step))
        try:
            await execution.restart_step(step)
        except BaseException:
            self._restarted.discard((execution.run, step))
            raise

    def release(self) -> None:
        """Let everything pass from now on."""
        self.open = True
        for stop in list(self.stops()):
            _resume(stop)


def _resume(stop: Stop) -> None:
    if not stop.resumed.done():
        stop.resumed.set_result(None)
