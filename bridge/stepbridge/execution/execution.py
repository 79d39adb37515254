"""One run of a pipeline: which step may start, what became of it, what follows.

All state changes happen on the run's asyncio loop. Steps whose needs have ended start at the same time, up to
the run's limit. A failed step lets the steps that already run come to their end and starts no further one.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from msgspec import Struct, field
from msgspec.structs import replace

from stepbridge.definition.document import PipelineDefinition
from stepbridge.definition.graph import Graph, graph
from stepbridge.definition.references import resolve
from stepbridge.errors import StepBridgeError
from stepbridge.events import (
    AnyEvent,
    EventBus,
    Notice,
    RunFinished,
    RunStarted,
    RunStatus,
    StepFinished,
    StepPlan,
    StepStarted,
    StepStatus,
)
from stepbridge.storage.objects import ObjectStore

from .arns import Arns
from .cache import StepCache
from .callbacks import Callbacks
from .job_runner import JobRunner
from .journal import ExecutionRecord, Journal
from .retry import RetryState
from .scope import RunScope
from .state import StepState
from .steps import HANDLERS, Queues, Registry, StepContext, StepFailure, StepResult, StepStoppedError

_log = logging.getLogger(__name__)


class StepGate(Protocol):
    """Someone who wants a word before a step starts (the debugger: steps are statements)."""

    async def before(self, execution: Execution, state: StepState, arguments: Any) -> Any:
        """Returns the arguments to go on with: those given, or changed ones."""
        ...

    async def after(self, execution: Execution, state: StepState) -> None: ...


class OpenGate:
    """Lets every step pass."""

    async def before(self, execution: Execution, state: StepState, arguments: Any) -> Any:
        return arguments

    async def after(self, execution: Execution, state: StepState) -> None:
        return None


class RunOptions(Struct, frozen=True):
    """How a run is to go, beyond what the wire can say.

    selected: only these steps run, None: all. Results of the others come from `base`, the run they were
    selected from (SelectiveExecutionConfig, --from, --only).
    """

    selected: frozenset[str] | None = None
    base: str | None = None  # run id
    use_cache: bool | None = None  # None: as each step's CacheConfig says; True: always; False: never
    gate: StepGate = field(default_factory=OpenGate)
    parallelism: int | None = None
    stubs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


class RunServices(Struct, frozen=True):
    """The parts a run works with."""

    jobs: JobRunner
    journal: Journal
    store: ObjectStore
    cache: StepCache
    bus: EventBus
    arns: Arns
    registry: Registry
    queues: Queues
    runs: Path  # folder of all runs


def plans(definition: PipelineDefinition, edges: Graph) -> tuple[StepPlan, ...]:
    return tuple(
        StepPlan(
            name=step.name,
            type=step.type,
            needs=tuple(sorted(edges.needs(step.name))),
            branch=step.branch,
        )
        for step in definition.walk()
    )


class Execution:
    """A run. `start` it once; `finished` is set when it ended."""

    def __init__(
        self,
        record: ExecutionRecord,
        definition: PipelineDefinition,
        parameters: Mapping[str, Any],
        services: RunServices,
        options: RunOptions,
    ) -> None:
        self.record = record
        self.definition = definition
        self.parameters = parameters
        self.options = options
        self.finished = asyncio.Event()
        self.callbacks = Callbacks()
        self._services = services
        self._graph = graph(definition)
        self.steps = {
            plan.name: StepState(plan, definition.step(plan.name)) for plan in plans(definition, self._graph)
        }
        self.scope = RunScope(
            definition=definition,
            record=record,
            pipeline_arn=services.arns.pipeline(record.pipeline),
            parameters=parameters,
            steps=self.steps,
            store=services.store,
        )
        self._tasks: dict[asyncio.Task[None], str] = {}
        self._failure = ""
        self._stopping = False
        self._changed = asyncio.Event()

    @property
    def run(self) -> str:
        return self.record.run

    @property
    def under_way(self) -> tuple[str, ...]:
        """Names of the steps that run now."""
        running = (StepStatus.STARTING, StepStatus.EXECUTING)
        return tuple(name for name, state in self.steps.items() if state.status in running)

    def folder(self, step: str) -> Path:
        return self._services.runs / self.run / step

    # life

    async def start(self) -> None:
        """Run to the end. Raises nothing: what went wrong is in the record and in the events."""
        services = self._services
        self._adopt_unselected()
        services.journal.save_steps(self.run, [(name, state.to_json()) for name, state in self.steps.items()])
        self._publish(
            RunStarted(
                run=self.run,
                time=self.record.started,
                pipeline=self.record.pipeline,
                arn=self.record.arn,
                parameters=dict(self.parameters),
                steps=tuple(state.plan for state in self.steps.values()),
                program=self.record.program,
            )
        )
        for state in self.steps.values():
            if state.status.ended:
                self._publish(self._finished_event(state, 0.0))
        try:
            await self._schedule()
        except StepBridgeError as error:
            self._failure = error.message
        finally:
            self._end()

    async def stop(self, grace_seconds: float = 5.0) -> None:
        """End the run: running steps get TERM, then KILL; steps that wait are not started."""
        if self.record.status.ended or self._stopping:
            return
        self._stopping = True
        self._save(replace(self.record, status=RunStatus.STOPPING))
        running = [job for (run, _), job in self._services.jobs.running.items() if run == self.run]
        await asyncio.gather(*(job.stop(grace_seconds) for job in running))
        for task, name in self._tasks.items():
            if (self.run, name) not in self._services.jobs.running:
                task.cancel()
        self._changed.set()

    async def restart_step(self, name: str) -> None:
        """Run a step again: at once where it runs, else as a new attempt with the same inputs.

        Raises:
            StepBridgeError: the step has not started yet.
        """
        running = self._services.jobs.running.get((self.run, name))
        if running is not None:
            await running.restart()
            return
        state = self.steps[name]
        if not state.status.ended or state.status is StepStatus.SKIPPED:
            raise StepBridgeError(
                f"Step {name} has not run yet", "It starts as soon as the steps it needs have ended."
            )
        state.status, state.failure, state.ended = StepStatus.WAITING, "", None
        self._failure = ""
        self._start_step(state)
        self._changed.set()

    # scheduling

    async def _schedule(self) -> None:
        while True:
            self._start_ready()
            if not self._tasks:
                return
            changed = asyncio.create_task(self._changed.wait())
            done, _ = await asyncio.wait({*self._tasks, changed}, return_when=asyncio.FIRST_COMPLETED)
            changed.cancel()
            self._changed.clear()
            for task in [task for task in self._tasks if task in done]:
                self._tasks.pop(task)
                if not task.cancelled() and (error := task.exception()):
                    raise error

    def _start_ready(self) -> None:
        self._skip_untaken()
        limit = self.options.parallelism or self.record.parallelism or max(os.cpu_count() or 1, 2)
        for name in self._graph.order():
            if self._stopping or self._failure or len(self._tasks) >= limit:
                return
            state = self.steps[name]
            if state.status is StepStatus.WAITING and self._ready(state):
                self._start_step(state)

    def _start_step(self, state: StepState) -> None:
        state.status = StepStatus.STARTING
        task = asyncio.create_task(self._run_step(state), name=f"step {state.plan.name}")
        self._tasks[task] = state.plan.name

    def _ready(self, state: StepState) -> bool:
        return all(self.steps[need].status is StepStatus.SUCCEEDED for need in state.plan.needs)

    def _skip_untaken(self) -> None:
        """Steps of the branch that was not taken, and all that wait for one of those."""
        for name in self._graph.order():
            state = self.steps[name]
            if state.status is StepStatus.WAITING and self._untaken(state):
                state.status = StepStatus.SKIPPED
                self._save_step(state)
                self._publish(self._finished_event(state, 0.0))

    def _untaken(self, state: StepState) -> bool:
        if any(self.steps[need].status is StepStatus.SKIPPED for need in state.plan.needs):
            return True
        if state.plan.branch is None:
            return False
        condition, in_if = state.plan.branch
        outcome = self.steps[condition].outcome
        return bool(outcome) and (outcome == "True") is not in_if

    # one step

    async def _run_step(self, state: StepState) -> None:
        name = state.plan.name
        retry = RetryState(state.step.retry_policies)
        while True:
            state.attempt += 1
            state.started = time.time()
            state.status = StepStatus.EXECUTING
            self._save_step(state)
            self._publish(StepStarted(run=self.run, time=state.started, step=name, attempt=state.attempt))
            try:
                result = await self._attempt(state)
            except StepFailure as failure:
                delay = retry.delay(failure.exception_type, time.time())
                if delay is not None and not self._stopping:
                    await asyncio.sleep(delay)
                    continue
                self._finish(state, StepStatus.FAILED, failure=failure.reason, metadata=failure.metadata)
                self._failure = self._failure or _why(state)
            except (StepStoppedError, asyncio.CancelledError) as stopped:
                self._finish(state, StepStatus.STOPPED, metadata=getattr(stopped, "metadata", None) or {})
            except StepBridgeError as error:
                self._finish(state, StepStatus.FAILED, failure=f"ClientError: {error.message}")
                self._failure = self._failure or _why(state)
            except Exception as error:  # a fault of ours must not leave the run hanging
                _log.exception("step %s of run %s", name, self.run)
                self._finish(state, StepStatus.FAILED, failure=f"InternalError: {error!r}")
                self._failure = self._failure or _why(state)
            else:
                self._succeed(state, result)
            await self.options.gate.after(self, state)
            return

    async def _attempt(self, state: StepState) -> StepResult:
        step = state.step
        arguments: Any = step.arguments
        if step.type != "Condition":
            arguments = resolve(step.arguments, self.scope)
        arguments = await self.options.gate.before(self, state, arguments)
        state.arguments = arguments
        if step.name in self.options.stubs:
            return _stub(self.options.stubs[step.name])
        handler = HANDLERS[step.type]  # others were refused before the start
        cache = self._services.cache
        key = await cache.key(step, arguments, self.record)
        if key and (reuse := cache.lookup(step, key, self.options.use_cache)):
            state.cached_from = reuse.source
            return reuse.result
        result = await handler(self._context(state), arguments)
        if key and key == await cache.key(step, arguments, self.record):
            cache.keep(step, key, result, self.record)
        return result

    def _context(self, state: StepState) -> StepContext:
        def note(metadata: Mapping[str, Any]) -> None:
            state.metadata = dict(metadata)
            self._save_step(state)

        services = self._services
        return StepContext(
            run=self.run,
            step=state.step,
            attempt=state.attempt,
            folder=self.folder(state.plan.name),
            scope=self.scope,
            jobs=services.jobs,
            journal=services.journal,
            arns=services.arns,
            callbacks=self.callbacks,
            registry=services.registry,
            queues=services.queues,
            notice=lambda text: self._publish(
                Notice(run=self.run, time=time.time(), step=state.plan.name, message=text)
            ),
            note_metadata=note,
        )

    def _succeed(self, state: StepState, result: StepResult) -> None:
        state.properties = result.properties
        state.outputs = dict(result.outputs)
        state.outcome = result.outcome
        self._finish(state, StepStatus.SUCCEEDED, metadata=result.metadata)

    def _finish(
        self,
        state: StepState,
        status: StepStatus,
        *,
        failure: str = "",
        metadata: Mapping[str, Any] = {},
    ) -> None:
        state.status, state.failure, state.ended = status, failure, time.time()
        if metadata:
            state.metadata = dict(metadata)
        self._save_step(state)
        self._publish(self._finished_event(state, state.ended - (state.started or state.ended)))

    def _finished_event(self, state: StepState, seconds: float) -> StepFinished:
        return StepFinished(
            run=self.run,
            time=time.time(),
            step=state.plan.name,
            status=state.status,
            seconds=seconds,
            failure=state.failure,
            cached=bool(state.cached_from),
            outputs=dict(state.outputs),
            outcome=state.outcome,
        )

    # selective runs

    def _adopt_unselected(self) -> None:
        """Steps that were not selected count as ended, with their results of the base run."""
        if self.options.selected is None:
            return
        earlier = {state["name"]: state for state in self._services.journal.steps(self.options.base or "")}
        for name, state in self.steps.items():
            if name in self.options.selected:
                continue
            known = earlier.get(name)
            if known is None or known["status"] != StepStatus.SUCCEEDED:
                state.status = StepStatus.SKIPPED
                continue
            state.status = StepStatus.SUCCEEDED
            state.properties, state.outputs = known["properties"], known["outputs"]
            state.outcome, state.metadata = known["outcome"], known["metadata"]
            state.cached_from = self.record.arn if self.options.base == self.run else self._base_arn()
            state.attempt, state.started, state.ended = known["attempt"], known["started"], known["ended"]

    def _base_arn(self) -> str:
        base = self._services.journal.execution(self.options.base or "")
        return base.arn if base else ""

    # end

    def _end(self) -> None:
        ended = time.time()
        status = (
            RunStatus.STOPPED
            if self._stopping and not self._failure
            else RunStatus.FAILED
            if self._failure
            else RunStatus.SUCCEEDED
        )
        self._save(replace(self.record, status=status, failure=self._failure, ended=ended))
        self._publish(
            RunFinished(
                run=self.run,
                time=ended,
                status=status,
                seconds=ended - self.record.started,
                failure=self._failure,
            )
        )
        self.finished.set()

    def _save(self, record: ExecutionRecord) -> None:
        self.record = record
        self._services.journal.save_execution(record)

    def _save_step(self, state: StepState) -> None:
        self._services.journal.save_step(self.run, state.plan.name, state.to_json())

    def _publish(self, event: AnyEvent) -> None:
        self._services.bus.publish(event)


def _why(state: StepState) -> str:
    """The execution's FailureReason, as the service words it."""
    return f"Step failure: One or multiple steps failed: [{state.plan.name}] {state.failure}"[:1300]


def _stub(outputs: Mapping[str, Any]) -> StepResult:
    """A step that the user described instead of running ([stubs] of the settings)."""
    parameters = {"OutputParameters": [{"Name": name, "Value": value} for name, value in outputs.items()]}
    return StepResult(properties={**parameters, **outputs}, outputs={k: str(v) for k, v in outputs.items()})
