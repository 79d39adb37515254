"""Pipelines and their executions, for everyone above: the wire service, the CLI and the DAP server.

The facade may be called from any thread; runs themselves live on one asyncio loop, which the bridge owns.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from stepbridge.definition.document import PipelineDefinition, parse
from stepbridge.definition.parameters import bind
from stepbridge.definition.values import did_you_mean
from stepbridge.errors import CompiledError, DefinitionError, StepBridgeError
from stepbridge.events import RunStatus, StepStatus
from stepbridge.jobs import plan_processing, plan_training
from stepbridge.jobs.plan import as_text

from .arns import new_id
from .describe import describe_processing, describe_training, describe_transform
from .execution import Execution, RunOptions, RunServices
from .job_runner import JobOrder, JobOutcome, Planner, describe_error
from .journal import ExecutionRecord, PipelineRecord
from .state import wire_step
from .steps import HANDLERS
from .steps.jobs import image_of
from .steps.transform import images_and_planner

_PLANNERS: dict[str, Planner] = {"training": plan_training, "processing": plan_processing}
_DESCRIBE = {
    "training": describe_training,
    "processing": describe_processing,
    "transform": describe_transform,
}

OptionsFor = Callable[[ExecutionRecord, PipelineDefinition], RunOptions]


class Overrides(Struct, frozen=True):
    """What the person who started the program asked for; it wins over what the program asked for."""

    parameters: Mapping[str, str] = field(default_factory=dict)
    program: str | None = None
    options: OptionsFor = lambda record, definition: RunOptions()
    prepare: Callable[[], None] = lambda: None  # before anything starts: the program's sources are known then
    refuse: Callable[[StepBridgeError], None] = lambda error: None  # told before a start is refused
    compile_only: bool = False


class Executions:
    """Creates pipelines, starts and stops runs, describes both."""

    def __init__(self, services: RunServices, loop: asyncio.AbstractEventLoop) -> None:
        self._services = services
        self._loop = loop
        self._journal = services.journal
        self.live: dict[str, Execution] = {}
        self.overrides = Overrides()
        self._tasks: set[asyncio.Task[None] | Future[None]] = set()

    # pipelines

    def create_pipeline(
        self,
        name: str,
        definition_text: str,
        *,
        display_name: str | None = None,
        description: str | None = None,
        role_arn: str = "",
        parallelism: int | None = None,
        tags: Sequence[Mapping[str, str]] = (),
    ) -> PipelineRecord:
        """Keep a new pipeline.

        Raises:
            DefinitionError: the definition is not valid.
        """
        self._refuse_invalid(definition_text)
        now = time.time()
        record = PipelineRecord(
            name=name,
            arn=self._services.arns.pipeline(name),
            definition_text=definition_text,
            display_name=display_name or name,
            description=description or "",
            role_arn=role_arn,
            parallelism=parallelism,
            created=now,
            modified=now,
            version=1,
            tags=tuple(tags),
        )
        self._journal.save_pipeline(record)
        return record

    def update_pipeline(
        self, name: str, *, definition_text: str | None = None, **changes: Any
    ) -> PipelineRecord:
        """Change what is not None: definition_text, display_name, description, role_arn, parallelism.

        Raises:
            DefinitionError: the definition is not valid.
        """
        earlier = self.pipeline(name)
        if earlier is None:
            raise StepBridgeError(f"There is no pipeline {name}")
        if definition_text is not None and definition_text != earlier.definition_text:
            self._refuse_invalid(definition_text)
            changes["definition_text"] = definition_text
        given = {member: value for member, value in changes.items() if value is not None}
        record = replace(earlier, **given, modified=time.time(), version=earlier.version + 1)
        self._journal.save_pipeline(record)
        return record

    def declare(self, name: str, definition_text: str, **members: Any) -> PipelineRecord:
        """Create the pipeline, or update the one of that name. Raises DefinitionError."""
        if self.pipeline(name) is None:
            return self.create_pipeline(name, definition_text, **members)
        members.pop("tags", None)
        return self.update_pipeline(name, definition_text=definition_text, **members)

    def pipeline(self, name: str) -> PipelineRecord | None:
        """By name or ARN."""
        return self._journal.pipeline(name.rpartition("/")[2])

    def pipelines(self) -> list[PipelineRecord]:
        return self._journal.pipelines()

    def delete_pipeline(self, name: str) -> None:
        self._journal.delete_pipeline(name)

    # executions

    def start(
        self,
        pipeline: PipelineRecord,
        parameters: Mapping[str, str],
        *,
        display_name: str | None = None,
        description: str | None = None,
        parallelism: int | None = None,
        selective: Mapping[str, Any] | None = None,
        client_token: str | None = None,
    ) -> ExecutionRecord:
        """Start a run of a pipeline; returns as soon as it is known to be startable.

        Raises:
            DefinitionError: the definition is not valid.
            ParameterError: a parameter is unknown, missing or of the wrong type.
            StepBridgeError: there are steps that cannot run on this machine.
        """
        known = self._by_token(pipeline.name, client_token) if client_token else None
        if known:
            return known
        try:
            return self._start(
                pipeline,
                parameters,
                selective,
                display_name=display_name or f"execution-{int(time.time() * 1000)}",
                description=description or "",
                parallelism=parallelism or pipeline.parallelism,
                client_token=client_token or "",
            )
        except StepBridgeError as error:
            self.overrides.refuse(error)
            raise

    def _start(
        self,
        pipeline: PipelineRecord,
        parameters: Mapping[str, str],
        selective: Mapping[str, Any] | None,
        **members: Any,
    ) -> ExecutionRecord:
        overrides = self.overrides
        if overrides.compile_only:
            raise CompiledError(f"pipeline {pipeline.name} is compiled")
        overrides.prepare()
        definition = parse(pipeline.definition_text)
        values = bind(definition, {**parameters, **overrides.parameters})
        run = new_id()
        record = ExecutionRecord(
            run=run,
            arn=self._services.arns.execution(pipeline.name, run),
            pipeline=pipeline.name,
            pipeline_arn=pipeline.arn,
            role_arn=pipeline.role_arn,
            definition_text=pipeline.definition_text,
            parameters={name: as_text(value) for name, value in values.items()},
            status=RunStatus.EXECUTING,
            failure="",
            started=time.time(),
            ended=None,
            program=overrides.program,
            selective=selective,
            owner=os.getpid(),
            **members,
        )
        options = overrides.options(record, definition)
        if selective:
            options = self._selected(options, record, definition)
        _refuse_unsupported(definition, options)
        self._journal.save_execution(record)
        self._journal.save_pipeline(replace(pipeline, last_run=record.started))
        self._launch(record, definition, values, options)
        return record

    def retry(self, arn: str, *, parallelism: int | None = None) -> ExecutionRecord:
        """Run the steps of a failed or stopped execution that did not succeed (RetryPipelineExecution).

        Raises:
            StepBridgeError: as `unfinished` does, or there are steps that cannot run on this machine.
        """
        record = self.unfinished(arn)
        definition = parse(record.definition_text)
        done = {s["name"] for s in self._journal.steps(record.run) if s["status"] == StepStatus.SUCCEEDED}
        rest = frozenset(step.name for step in definition.walk()) - done
        options = replace(
            self.overrides.options(record, definition),
            selected=rest,
            base=record.run,
            parallelism=parallelism,
        )
        _refuse_unsupported(definition, options)
        again = replace(record, status=RunStatus.EXECUTING, failure="", ended=None, owner=os.getpid())
        self._journal.save_execution(again)
        self._launch(again, definition, bind(definition, record.parameters), options)
        return again

    def unfinished(self, arn: str) -> ExecutionRecord:
        """A run that ended before all its steps had succeeded, or whose bridge is gone.

        Raises:
            StepBridgeError: there is no such run, it is under way, or it has succeeded.
        """
        record = self.need(arn)
        problem = f"Execution {record.run} is {record.status}: only failed and stopped ones go on"
        if record.status is RunStatus.SUCCEEDED:
            raise StepBridgeError(problem, "stepbridge run PROGRAM --from STEP runs a step again.")
        if not record.status.ended and is_alive(record.owner):
            raise StepBridgeError(problem, "End it first: stepbridge stop")
        return record

    def stop(self, arn: str, grace_seconds: float = 5.0) -> None:
        """Stop a run; returns at once. A run whose bridge is gone is marked stopped."""
        record = self.need(arn)
        live = self.live.get(record.run)
        if live is not None:
            asyncio.run_coroutine_threadsafe(live.stop(grace_seconds), self._loop)
        elif not record.status.ended and not is_alive(record.owner):
            self.give_up(record)

    def abandoned(self) -> list[ExecutionRecord]:
        """Runs that have not ended and whose bridge is gone."""
        return [
            record
            for record in self._journal.executions()
            if not record.status.ended and not is_alive(record.owner)
        ]

    def give_up(self, record: ExecutionRecord) -> None:
        """Mark an abandoned run as stopped."""
        failure = f"The bridge that ran it (process {record.owner}) is gone."
        ended = replace(record, status=RunStatus.STOPPED, failure=failure, ended=time.time())
        self._journal.save_execution(ended)

    def restart_step(self, run: str, step: str) -> None:
        """Run a step of a live run again, with its code as it is on disk now.

        Raises:
            StepBridgeError: no such run is under way, or the step has not run yet.
        """
        live = self.live.get(run)
        if live is None or step not in live.steps:
            raise StepBridgeError(f"Run {run} with step {step} is not under way")
        asyncio.run_coroutine_threadsafe(live.restart_step(step), self._loop).result()

    def execution(self, arn: str) -> ExecutionRecord | None:
        """By ARN or run id."""
        return self._journal.execution(arn)

    def need(self, arn: str) -> ExecutionRecord:
        record = self.execution(arn)
        if record is None:
            raise StepBridgeError(f"There is no execution {arn}", "stepbridge runs lists them.")
        return record

    def executions(self, pipeline_name: str) -> list[ExecutionRecord]:
        """Newest first."""
        return self._journal.executions(pipeline_name)

    def steps(self, arn: str) -> list[dict[str, Any]]:
        """Steps that have started, in ListPipelineExecutionSteps' shape, first started first."""
        shown = [wire_step(state) for state in self._journal.steps(self.need(arn).run)]
        return sorted((step for step in shown if step), key=lambda step: step["StartTime"])

    def update_execution(
        self, arn: str, display_name: str | None, description: str | None
    ) -> ExecutionRecord:
        record = self.need(arn)
        record = replace(
            record,
            display_name=display_name or record.display_name,
            description=record.description if description is None else description,
        )
        self._journal.save_execution(record)
        return record

    async def finished(self, run: str) -> ExecutionRecord:
        """Waits until a run of this bridge has ended."""
        live = self.live.get(run)
        if live is not None:
            await live.finished.wait()
        return self.need(run)

    async def idle(self) -> None:
        """Waits until no run and no job is under way."""
        while self._tasks:
            await asyncio.wait([_as_task(task) for task in self._tasks])

    # jobs

    def job(self, kind: str, name: str) -> dict[str, Any] | None:
        return self._journal.job(kind, name)

    def jobs(self, kind: str) -> list[dict[str, Any]]:
        return self._journal.jobs(kind)

    def run_job(self, kind: str, request: Mapping[str, Any]) -> str:
        """Run a job that belongs to no pipeline; returns its ARN at once. kind: a key of _DESCRIBE.

        Raises:
            StepBridgeError: jobs of that kind do not run here.
        """
        if kind not in _DESCRIBE:
            raise StepBridgeError(f"{kind.capitalize()} jobs do not run on this machine yet")
        self.overrides.prepare()
        name = str(request[f"{kind.capitalize()}JobName"])
        arn = self._services.arns.resource(kind, name)
        images, planner = self._images_and_planner(kind, name, request)
        order = JobOrder(
            kind=kind,
            name=name,
            arn=arn,
            run=name,
            step=name,
            request=request,
            images=images,
            planner=planner,
            folder=self._services.runs / name,
        )
        self._save_job(order, None)
        self._spawn(self._run_job(order))
        return arn

    def _images_and_planner(
        self, kind: str, name: str, request: Mapping[str, Any]
    ) -> tuple[tuple[str, ...], Planner]:
        if kind == "transform":
            return images_and_planner(self._services.registry, request)
        return (image_of(kind, request, name),), _PLANNERS[kind]

    def stop_job(self, kind: str, name: str) -> None:
        """Stop a job, a step's own as well; it is described as Stopped when its containers have ended."""
        for job in list(self._services.jobs.running.values()):
            if job.order.kind == kind and job.order.name == name:
                asyncio.run_coroutine_threadsafe(job.stop(), self._loop)

    def stop_jobs(self, grace_seconds: float = 2.0) -> None:
        """Stop the jobs that belong to no execution: the program that wanted them is gone."""
        for job in list(self._services.jobs.running.values()):
            if job.order.run not in self.live:
                asyncio.run_coroutine_threadsafe(job.stop(grace_seconds), self._loop)

    async def _run_job(self, order: JobOrder) -> None:
        try:
            outcome = await self._services.jobs.run(order)
        except StepBridgeError as error:
            outcome = JobOutcome("Failed", describe_error(error), -1, {}, time.time(), time.time())
        self._save_job(order, outcome)

    def _save_job(self, order: JobOrder, outcome: JobOutcome | None) -> None:
        described = _DESCRIBE[order.kind](order, outcome)
        self._journal.save_job(order.kind, order.name, described, order.run, order.step)

    def waiting_callbacks(self) -> list[dict[str, Any]]:
        """Callback steps that wait: run, step, token, and the outputs that they declare (name -> type)."""
        return [
            {
                "run": execution.run,
                "step": name,
                "token": token,
                "outputs": {
                    str(output["OutputName"]): str(output.get("OutputType", "String"))
                    for output in state.step.raw.get("OutputParameters") or ()
                },
            }
            for execution in list(self.live.values())
            for name, state in execution.steps.items()
            if (token := state.metadata.get("Callback", {}).get("CallbackToken"))
            and execution.callbacks.waits(token)
        ]

    def step_succeeded(self, token: str, outputs: Mapping[str, str]) -> str | None:
        """End the callback step that waits with this token. Its execution's ARN; None: unknown token."""
        return self._answer(token, outputs, None)

    def step_failed(self, token: str, reason: str) -> str | None:
        return self._answer(token, {}, reason)

    # inside

    def _refuse_invalid(self, definition_text: str) -> None:
        from .validation import validate  # the rules are not loaded where a definition is as it was

        try:
            validate(definition_text)
        except DefinitionError as error:
            self.overrides.refuse(error)
            raise

    def _answer(self, token: str, outputs: Mapping[str, str], failure: str | None) -> str | None:
        for execution in list(self.live.values()):
            if execution.callbacks.waits(token):
                answer = execution.callbacks.answer
                self._loop.call_soon_threadsafe(answer, token, dict(outputs), failure)
                return execution.record.arn
        return None

    def _launch(
        self,
        record: ExecutionRecord,
        definition: PipelineDefinition,
        values: Mapping[str, Any],
        options: RunOptions,
    ) -> None:
        shutil.rmtree(self._services.runs / record.run, ignore_errors=True) if options.base is None else None
        execution = Execution(record, definition, values, self._services, options)
        self.live[record.run] = execution
        self._spawn(self._run(execution))

    async def _run(self, execution: Execution) -> None:
        try:
            await execution.start()
        finally:
            self.live.pop(execution.run, None)

    def _spawn(self, work: Any) -> None:
        """Run a coroutine on the loop, from whichever thread."""
        task: Future[None] = asyncio.run_coroutine_threadsafe(work, self._loop)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _by_token(self, pipeline: str, token: str) -> ExecutionRecord | None:
        return next((e for e in self._journal.executions(pipeline) if e.client_token == token), None)

    def _selected(
        self, options: RunOptions, record: ExecutionRecord, definition: PipelineDefinition
    ) -> RunOptions:
        """SelectiveExecutionConfig: the steps to run, on the results of an earlier execution."""
        selective = record.selective or {}
        names = frozenset(item["StepName"] for item in selective.get("SelectedSteps", ()))
        known = [step.name for step in definition.walk()]
        for name in names - set(known):
            raise DefinitionError(
                f"SelectedSteps: the pipeline has no step {name}", did_you_mean(name, known)
            )
        source = selective.get("SourcePipelineExecutionArn")
        base = self.execution(source) if source else self._latest(record)
        if base is None:
            raise StepBridgeError(
                f"There is no execution of {record.pipeline} to take the other steps' results from",
                "Run the whole pipeline once.",
            )
        return replace(options, selected=names, base=base.run)

    def _latest(self, record: ExecutionRecord) -> ExecutionRecord | None:
        earlier = (e for e in self._journal.executions(record.pipeline) if e.run != record.run)
        return next((e for e in earlier if e.status.ended), None)


def _refuse_unsupported(definition: PipelineDefinition, options: RunOptions) -> None:
    """Raises StepBridgeError with all steps that are to run and cannot: better now than after an hour."""
    wanted = [
        step
        for step in definition.walk()
        if step.name not in options.stubs and (options.selected is None or step.name in options.selected)
    ]
    unsupported = [f"{step.name} ({step.type})" for step in wanted if step.type not in HANDLERS]
    if unsupported:
        raise StepBridgeError(
            f"These steps cannot run on this machine: {', '.join(unsupported)}",
            "Give each one's outputs in [stubs.NAME] of stepbridge.toml (an empty table where nothing needs"
            " them), or leave it out with --only.",
        )


def _as_task(task: asyncio.Task[None] | Future[None]) -> asyncio.Future[None]:
    return asyncio.wrap_future(task) if isinstance(task, Future) else task


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
