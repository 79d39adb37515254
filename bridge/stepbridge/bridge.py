"""A bridge: all parts of one workspace put together in one process.

The faces (CLI, DAP server) open one, run programs on it and listen to its bus; nothing else wires parts. The
asyncio loop it is opened on runs the executions; the endpoint's threads call into that loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from .debug import DebugpyCache
from .definition.document import PipelineDefinition
from .definition.graph import graph
from .definition.values import did_you_mean
from .engines.base import Engine
from .engines.select import choose
from .errors import CompiledError, ConfigurationError, DefinitionError, ProgramError, StepBridgeError
from .events import AnyEvent, EventBus, Notice, RunStarted
from .execution.arns import Arns
from .execution.cache import StepCache
from .execution.debugging import Debuggers
from .execution.execution import RunOptions, RunServices
from .execution.executions import Executions, Overrides
from .execution.job_runner import JobRunner, JobServices
from .execution.journal import ExecutionRecord, Journal, PipelineRecord
from .execution.serving import Endpoints
from .jobs.images import find_image
from .jobs.registry import ecr_login
from .program import calls as program_calls
from .program.calls import Call, PipelineDeclaration, PipelineStart
from .program.compile_cache import CompileCache, CompileKey
from .program.interpreter import find_interpreter
from .program.matching import match
from .program.observation import Observation, read_observations
from .program.provenance import Provenance
from .program.refusal import Refusal
from .program.runner import Endpoint as ProgramEndpoint
from .program.runner import OnOutput, ProgramResult, run_program
from .program.sources import WorkspaceSources
from .program.target import ProgramTarget, read_definition
from .run_request import HowRun, RunRequest
from .service.control import Control
from .service.endpoint import Endpoint
from .service.job_logs import RunLogs
from .service.keys import Keys
from .service.queues import Queues
from .service.records import Records
from .service.registry import ModelRegistry
from .service.sagemaker import SageMakerApi
from .settings import DEFAULT_ACCOUNT, Workspace, longest_match
from .storage.objects import ObjectStore
from .storage.ownership import Owner

ROLE = "StepBridgeExecutionRole"
_NUMBERS = itertools.count(1)


class Bridge:
    """One workspace, running. `open` it, `run` programs, `close` it."""

    def __init__(self, workspace: Workspace, how: HowRun) -> None:
        self.workspace = workspace
        self._number = next(_NUMBERS)  # a debug server has one bridge for each pipeline it runs
        self.bus = EventBus()
        self.bus.listen(self._keep_how)
        self._how = how
        self._engine_setting = how.engine or workspace.settings.engine
        self.program_failure: ProgramError | None = None  # of a program that failed after it started a run
        self._python = how.python
        self._images = how.images
        self._loop = asyncio.get_running_loop()
        self._owner = owner = Owner.of_workspace(workspace.state)
        _make_state(workspace.state, owner)
        self.store = self._open_store()
        self.journal = Journal(workspace.state / "history.sqlite")
        # the virtual machine of Docker Desktop mounts no sockets of the Mac, and reaches its loopback ports
        tcp_host = "127.0.0.1" if sys.platform == "darwin" else None
        self.debuggers = Debuggers(self.bus, DebugpyCache(), tcp_host)
        self._provenance = workspace.state / "provenance.json"
        self.sources = WorkspaceSources(self.store, _read_provenance(self._provenance))
        self._keys = Keys.new()
        self._engine: asyncio.Task[Engine] | None = None
        self._records = Records(workspace.state / "records.sqlite")
        services = self._run_services(owner)
        self.executions = Executions(services, self._loop)
        self.serving = Endpoints(services, self._loop, lambda: self.executions.overrides.prepare())
        self.api = SageMakerApi(
            self.executions,
            self._records,
            self.store,
            region=workspace.region,
            account=workspace.settings.account,
            serving=self.serving,
        )
        self.endpoint = Endpoint(
            self.store,
            self.api,
            access_key=self._keys.program,
            secret_key=self._keys.secret,
            region=workspace.region,
            account=workspace.settings.account,
            container_key=self._keys.container,
            admin_token=self._keys.admin,
            logs=RunLogs(self.journal, workspace.runs),
        )

    @classmethod
    async def open(
        cls,
        workspace: Workspace,
        *,
        engine: str | None = None,
        python: str | None = None,
        images: Mapping[str, str] | None = None,
        aws: bool | None = None,
        port: int = 0,
    ) -> Bridge:
        """A bridge whose endpoint answers. The engine is looked for when the first step needs it.

        Args:
            images: glob of an image URI -> local image; they go before those of the settings.
            aws: read and write the user's own S3 as well; None: as the settings say.
            port: of the endpoint, on loopback; 0: a free one.

        Raises:
            ConfigurationError: something else listens on that port.
            StorageError: S3 is wanted, and there are no credentials.
        """
        aws = workspace.settings.aws if aws is None else aws
        bridge = cls(workspace, HowRun(engine, python, images or {}, aws))
        try:
            bridge.endpoint.start(port)
        except OSError as error:
            await bridge.close()
            raise ConfigurationError(
                f"The endpoint cannot listen on port {port}: {error.strerror}", "Choose another --port."
            ) from None
        Control(bridge.executions, bridge.debuggers, bridge.bus, bridge._in_loop).install(bridge.endpoint)
        bridge._announce()
        return bridge

    async def close(self) -> None:
        """Stop what runs, and leave nothing behind."""
        await asyncio.gather(*(run.stop(2.0) for run in list(self.executions.live.values())))
        await self.serving.close()
        await self.executions.idle()
        self._announcement.unlink(missing_ok=True)
        if self._engine is not None:
            with contextlib.suppress(StepBridgeError):
                await (await self._engine).close()
        await asyncio.to_thread(self.endpoint.stop)
        self._records.close()
        self.journal.close()
        self.store.close()

    def _open_store(self) -> ObjectStore:
        workspace = self.workspace
        if not self._how.aws:
            return ObjectStore(workspace.s3, workspace.data_map())
        from .storage.cloud import CloudStore, own_s3

        def tell(message: str) -> None:
            notice = Notice(run="", time=time.time(), message=message)
            self._loop.call_soon_threadsafe(self.bus.publish, notice)

        return CloudStore(
            workspace.s3,
            workspace.data_map(),
            client=own_s3(workspace.region),
            placeholder=DEFAULT_ACCOUNT,
            tell=tell,
            limit=workspace.settings.aws_limit_gb * 1e9,
        )

    # programs

    async def run(self, request: RunRequest, on_output: OnOutput) -> tuple[ExecutionRecord, ...]:
        """Run a program; returns the executions it started as soon as it has ended.

        There are none for a program that only runs jobs or serves models by itself.

        An unchanged program is not run again: its pipelines and starts are repeated from the record of its
        last compile. A program that starts nothing has its one pipeline started.

        Raises:
            ProgramError: the program failed, or declared no pipeline.
            ParameterError, DefinitionError: what the request or the program asked for is not valid.
        """
        target = ProgramTarget.parse(request.target)
        refusal = Refusal()
        self._serve(request, program=str(target.path), parameters=request.parameters, refuse=refusal.refuse)
        try:
            declared, started = await self._compile(target, request, refusal, on_output)
        except asyncio.CancelledError:
            self.executions.stop_jobs()
            raise
        self.executions.overrides = replace(self.executions.overrides, prepare=lambda: None)
        if started:
            return tuple(self.executions.need(start.arn) for start in started)
        if not declared:  # it ran jobs by itself
            return ()
        return (self._start(self._only_pipeline(declared, target), {}),)

    async def resume(self, run: str, request: RunRequest) -> ExecutionRecord:
        """Go on with a run that failed, was stopped, or whose bridge died: its steps that have not succeeded
        run, with the code as it is now. Returns once it is under way.

        run: an id. request: how to debug; its target, parameters and selection mean nothing here.

        Raises:
            StepBridgeError: there is no such run, it is under way, or it has succeeded.
            EngineError: there is no engine.
        """
        record = self.executions.unfinished(run)
        self._serve(request, program=record.program)
        await self.engine()  # a bridge that died may have left containers of this run
        return self.executions.retry(record.arn)

    def serve(self, request: RunRequest, records: Path | None = None) -> ProgramEndpoint:
        """Let clients in that nobody here starts (the AWS CLI, a notebook); returns what leads them here.

        What they upload is matched to files of the workspace by its content, when they start something.

        Args:
            request: how what they start is debugged, and use_cache; what it says of a program means nothing.
            records: the folder where a client's process leaves what it observes (`program_environment`).
        """
        mark = self.endpoint.calls.mark()

        def learn() -> None:
            nonlocal mark
            since, mark = mark, self.endpoint.calls.mark()
            seen = read_observations(records) if records else Observation()
            self._learn(self.endpoint.calls.since(since), seen)

        self._serve(request, prepare=learn)
        return self._program_endpoint

    def _serve(self, request: RunRequest, **overrides: Any) -> None:
        """From now on runs start and are debugged as the request says."""
        self._warm_up(request)
        self.executions.overrides = Overrides(
            options=lambda record, definition: self._options(request, record, definition), **overrides
        )
        self.debuggers.plan_for = lambda run, step, code: request.debug(step, code)

    async def compile(self, request: RunRequest, on_output: OnOutput) -> tuple[PipelineRecord, ...]:
        """The pipelines that a program declares; nothing is started."""
        target = ProgramTarget.parse(request.target)
        mark, end = self.endpoint.calls.mark(), Refusal()
        self.executions.overrides = Overrides(program=str(target.path), refuse=end.refuse, compile_only=True)
        try:
            declared, _ = await self._compile(target, request, end, on_output)
        except CompiledError:  # it came to its start(), which ends a compile
            declared = program_calls.declarations(self.endpoint.calls.since(mark))
        return tuple(self._need_pipeline(item.name) for item in declared)

    async def engine(self) -> Engine:
        """The engine, chosen at the first call.

        Raises:
            EngineError: none is to be had.
        """
        if self._engine is None:
            self._engine = asyncio.create_task(self._choose_engine())
        return await asyncio.shield(self._engine)

    # compiling

    async def _compile(
        self, target: ProgramTarget, request: RunRequest, refusal: Refusal, on_output: OnOutput
    ) -> tuple[tuple[PipelineDeclaration, ...], tuple[PipelineStart, ...]]:
        if target.kind == "definition":
            declaration = read_definition(target, self._role)
            self._declare(declaration)
            return (declaration,), ()
        settings = self.workspace.settings
        python = find_interpreter(
            target.path, explicit=self._python, setting=settings.python, root=self.workspace.root
        ).path
        environment = {**os.environ, **settings.environment, **request.environment}
        cache = CompileCache(self.workspace.state / "compiled", self.store.exists)
        key = CompileKey(
            target, python, self.workspace.region, Path.cwd(), request.arguments, request.program_arguments
        )
        known = await asyncio.to_thread(cache.find, key, environment)
        if known is not None:
            return known.pipelines, tuple(self._repeat(known.pipelines, known.starts, known.provenance))
        with tempfile.TemporaryDirectory(prefix="stepbridge-program-") as folder:
            mark, records = self.endpoint.calls.mark(), Path(folder)
            self.executions.overrides = replace(
                self.executions.overrides, prepare=lambda: self._learn_so_far(mark, records)
            )
            result = await self._run_program(target, python, request, refusal, on_output, records)
        provenance = await asyncio.to_thread(self._learn, result.calls, result.observation)
        if not program_calls.has_worked(result.calls):
            await asyncio.to_thread(cache.keep, key, environment, result, provenance)
        return result.declared, result.started

    async def _run_program(
        self,
        target: ProgramTarget,
        python: Path,
        request: RunRequest,
        refusal: Refusal,
        on_output: OnOutput,
        records: Path,
    ) -> ProgramResult:
        task = asyncio.create_task(
            run_program(
                target,
                python=python,
                endpoint=self._program_endpoint,
                workspace=self.workspace.root,
                calls=self.endpoint.calls,
                on_output=refusal.quiet(on_output),
                arguments=request.arguments,
                program_arguments=request.program_arguments,
                environment={**self.workspace.settings.environment, **request.environment},
                records=records,
            )
        )
        try:
            result = await refusal.guard(task)
        finally:
            task.cancel()
        self.program_failure = result.failure
        if result.failure is not None and not result.started:
            raise result.failure
        if not result.declared and not result.started and not program_calls.has_worked(result.calls):
            raise ProgramError(
                f"{target} declared no pipeline", result.suggestion or "Call pipeline.upsert() or create()."
            )
        return result

    def _learn_so_far(self, mark: int, records: Path) -> None:
        """On the endpoint's thread, when a program that still runs starts something."""
        self._learn(self.endpoint.calls.since(mark), read_observations(records, 0))

    def _learn(self, calls: Sequence[Call], seen: Observation) -> Provenance:
        """Which workspace files the program's uploads were made from; kept for later runs."""
        objects = {uri: self.store.path(uri) for uri in program_calls.uploads(calls)}
        provenance = match(objects, seen, self.workspace.root)
        self.sources.add(provenance)
        self._provenance.write_bytes(msgspec.json.encode(self.sources.provenance))
        return provenance

    def _repeat(
        self,
        declared: tuple[PipelineDeclaration, ...],
        starts: tuple[PipelineStart, ...],
        provenance: Provenance,
    ) -> list[PipelineStart]:
        self.sources.add(provenance)
        for declaration in declared:
            self._declare(declaration)
        return [self._repeat_start(start) for start in starts if not self.executions.overrides.compile_only]

    def _repeat_start(self, start: PipelineStart) -> PipelineStart:
        request = start.request
        given = {item["Name"]: item["Value"] for item in request.get("PipelineParameters", ())}
        parallelism = request.get("ParallelismConfiguration", {}).get("MaxParallelExecutionSteps")
        record = self._start(
            self._need_pipeline(start.pipeline),
            given,
            display_name=request.get("PipelineExecutionDisplayName"),
            description=request.get("PipelineExecutionDescription"),
            parallelism=parallelism,
            selective=request.get("SelectiveExecutionConfig"),
        )
        return msgspec.structs.replace(start, arn=record.arn)

    def _declare(self, declaration: PipelineDeclaration) -> None:
        text = declaration.definition
        if declaration.definition_location:
            place = declaration.definition_location
            with self.store.open(f"s3://{place['Bucket']}/{place['ObjectKey']}") as stream:
                text = stream.read().decode()
        self.executions.declare(
            declaration.name,
            text,
            display_name=declaration.display_name,
            description=declaration.description,
            role_arn=declaration.role or self._role,
            parallelism=declaration.parallelism,
            tags=declaration.tags,
        )

    def _start(self, pipeline: PipelineRecord, parameters: Mapping[str, str], **more: Any) -> ExecutionRecord:
        return self.executions.start(pipeline, parameters, **more)

    def _only_pipeline(
        self, declared: tuple[PipelineDeclaration, ...], target: ProgramTarget
    ) -> PipelineRecord:
        if len(declared) != 1:
            names = ", ".join(item.name for item in declared)
            raise ProgramError(
                f"{target} declares several pipelines and starts none: {names}",
                "Call start() on the one to run.",
            )
        return self._need_pipeline(declared[0].name)

    def _need_pipeline(self, name: str) -> PipelineRecord:
        record = self.executions.pipeline(name)
        if record is None:
            raise ProgramError(f"There is no pipeline {name} in this workspace", "Create it first: upsert().")
        return record

    # running

    def _options(
        self, request: RunRequest, record: ExecutionRecord, definition: PipelineDefinition
    ) -> RunOptions:
        """What the request says of one execution. Raises DefinitionError for steps that are not there."""
        names = [step.name for step in definition.walk()]
        needed = {*request.debugged_steps, *request.only, *([request.from_step] if request.from_step else [])}
        for name in sorted(needed - set(names)):
            raise DefinitionError(
                f"Pipeline {record.pipeline} has no step {name}.", did_you_mean(name, names)
            )
        selected, base = self._selection(request, record, definition)
        if request.debug_port and request.debugged_steps:
            asked = sorted(request.debugged_steps, key=names.index)
            ports = {step: request.debug_port + place for place, step in enumerate(asked)}
            self.debuggers.relay_ports.update(ports)
        return RunOptions(
            selected=selected,
            base=base,
            use_cache=request.use_cache,
            gate=request.gate,
            stubs=self.workspace.settings.stubs,
        )

    def _selection(
        self, request: RunRequest, record: ExecutionRecord, definition: PipelineDefinition
    ) -> tuple[frozenset[str] | None, str | None]:
        if request.from_step is None and not request.only:
            return None, None
        selected = set(request.only)
        if request.from_step is not None:
            selected |= {request.from_step, *graph(definition).downstream(request.from_step)}
        earlier = [e for e in self.journal.executions(record.pipeline) if e.status.ended]
        if not earlier:
            raise StepBridgeError(
                f"Pipeline {record.pipeline} has not run here yet: no results to start from",
                "Run it once without --from and --only.",
            )
        return frozenset(selected), earlier[0].run

    async def _choose_engine(self) -> Engine:
        settings = self.workspace.settings
        choice = await choose(
            self._engine_setting,  # type: ignore[arg-type]
            interpreters=lambda image: settings.interpreter_for(image) or self._python or sys.executable,
        )
        engine = choice.engine
        await self._reap(engine)
        self._container_url = await asyncio.to_thread(self.endpoint.bind, engine.host_address())
        return engine

    async def _reap(self, engine: Engine) -> None:
        """Remove what bridges that died have left in the engine; their runs count as stopped."""
        for record in self.executions.abandoned():
            for container in await engine.find({"stepbridge.run": record.run}):
                await container.stop(0.0)
                await container.remove()
            self.executions.give_up(record)

    def _warm_up(self, request: RunRequest) -> None:
        """What the first step will need is made ready while the program compiles."""
        if self._engine is None:
            self._engine = asyncio.create_task(self._choose_engine())
            self._engine.add_done_callback(lambda task: task.cancelled() or task.exception())
        if request.debugged_steps or request.debug("", ()).active:
            threading.Thread(target=_quietly(self.debuggers.cache.prepare), daemon=True).start()

    def _run_services(self, owner: Owner) -> RunServices:
        settings = self.workspace.settings
        registry = ModelRegistry(self._records, region=self.workspace.region, account=settings.account)
        jobs = JobServices(
            engine=self.engine,
            store=self.store,
            image_for=self._image_for,
            bus=self.bus,
            sources=self.sources,
            login=ecr_login,
            debugger=self.debuggers,
            environment=self._container_environment,
            region=self.workspace.region,
            account=settings.account,
            owner=(owner.uid, owner.gid),
            workspace=self.workspace.root,
            gpus=settings.gpus,
        )
        return RunServices(
            jobs=JobRunner(jobs),
            journal=self.journal,
            store=self.store,
            cache=StepCache(self.journal, self.store, self.sources, self._image_digest, registry),
            bus=self.bus,
            arns=Arns(self.workspace.region, settings.account),
            registry=registry,
            queues=Queues(self.workspace.region),
            runs=self.workspace.runs,
        )

    async def _image_digest(self, uri: str) -> str | None:
        """What the cache takes for an image's content: the digest of the one that would run."""
        engine = await self.engine()
        image = await find_image(uri, engine, self._image_for)
        return image.config.id if image else None

    def _image_for(self, uri: str) -> str | None:
        return longest_match(self._images, uri) or self.workspace.settings.image_for(uri)

    def _container_environment(self, engine: Engine) -> Mapping[str, str]:
        return {
            "AWS_ENDPOINT_URL": self._container_url,
            "AWS_ACCESS_KEY_ID": self._keys.container,
            "AWS_SECRET_ACCESS_KEY": self._keys.secret,
            "AWS_DEFAULT_REGION": self.workspace.region,
            "AWS_REGION": self.workspace.region,
            "AWS_EC2_METADATA_DISABLED": "true",
            "PYTHONUNBUFFERED": "1",
        }

    @property
    def _role(self) -> str:
        return f"arn:aws:iam::{self.workspace.settings.account}:role/{ROLE}"

    @property
    def _program_endpoint(self) -> ProgramEndpoint:
        keys = self._keys
        return ProgramEndpoint(
            self.endpoint.url, keys.program, keys.secret, self.workspace.region, self._role
        )

    # the outside

    def _keep_how(self, event: AnyEvent) -> None:
        if isinstance(event, RunStarted):
            path = self._how.place(self.workspace, event.run)
            self._owner.make_folder(path.parent)
            path.write_bytes(msgspec.json.encode(self._how))
            self._owner.give(path)

    def _in_loop(self, work: Callable[[], Any]) -> Any:
        """Run a function on our loop from another thread; its result."""

        async def call() -> Any:
            return work()

        return asyncio.run_coroutine_threadsafe(call(), self._loop).result()

    @property
    def _announcement(self) -> Path:
        return self.workspace.state / "bridges" / f"{os.getpid()}-{self._number}.json"

    def _announce(self) -> None:
        """Tell other commands of this workspace how to reach us; readable by the user alone."""
        path = self._announcement
        path.parent.mkdir(exist_ok=True)
        content = msgspec.json.encode({"url": self.endpoint.url, "token": self._keys.admin})
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(handle, "wb") as file:  # noqa: PTH123 - a file descriptor
            file.write(content)


def _make_state(state: Path, owner: Owner) -> None:
    """The state folder; it ignores itself in Git."""
    owner.make_folder(state)
    ignore = state / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n")
        owner.give(ignore)


def _read_provenance(path: Path) -> Provenance:
    with contextlib.suppress(OSError, msgspec.DecodeError):
        return msgspec.json.decode(path.read_bytes(), type=Provenance)
    return Provenance()


def _quietly(work: Callable[[], object]) -> Callable[[], None]:
    """What fails here fails again, with a message, where it is needed."""

    def run() -> None:
        with contextlib.suppress(StepBridgeError):
            work()

    return run
