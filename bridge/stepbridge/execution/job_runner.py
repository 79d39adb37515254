"""Runs one job: image, files, containers, log, debugger, time limit, outputs.

Serves steps of pipelines and jobs that a program creates by itself. Knows no scheduler: an order comes in, an
outcome goes out, events tell what happens in between.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, Protocol

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from stepbridge.engines.base import Container, ContainerSpec, Engine, ExitStatus
from stepbridge.errors import StepBridgeError
from stepbridge.events import EventBus, Notice, StepJob, StepLog, StepPhase
from stepbridge.jobs.collect import FAILURE_LIMIT, failure_reason, give_back, last_exception, move_outputs
from stepbridge.jobs.images import LocalImage, Login, resolve_image
from stepbridge.jobs.pipes import Feeder
from stepbridge.jobs.plan import JobClient, JobContext, JobFailure, JobPlan, SourceCode, network_name
from stepbridge.jobs.serving import PORT, on_a_free_port
from stepbridge.storage.objects import ObjectStore

KEPT_STDERR_LINES = 200
SECRET_NAMES = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ACCESS_KEY_ID")

Planner = Callable[[Mapping[str, Any], JobContext], JobPlan]


class ContainerDebugger(Protocol):
    """What the debugger adds to one container (debug/ implements it)."""

    def instrument(self, spec: ContainerSpec) -> ContainerSpec: ...
    async def watch(self, container: Container) -> None:
        """Runs beside the container until it ended."""
        ...

    async def unheld(self) -> None:
        """Returns at once, or as soon as no client holds a process of the container any more."""
        ...

    async def unattended(self) -> None:
        """Returns at once, or as soon as no client looks at a process and no crash is kept for one."""
        ...

    async def close(self) -> None: ...


class DebuggerFactory(Protocol):
    def __call__(
        self, order: JobOrder, plan: JobPlan, spec: ContainerSpec, image: LocalImage
    ) -> ContainerDebugger | None:
        """None: nothing is to be injected into this container."""
        ...


class JobOrder(Struct, frozen=True):
    """A job to run: `request` is the Create* request with every value final."""

    kind: str  # "training" | "processing" | "transform"
    name: str
    arn: str
    run: str
    step: str
    request: Mapping[str, Any]
    images: tuple[str, ...]  # the image URIs of its containers; one for all of them, or one each
    planner: Planner
    folder: Path
    attempt: int = 1


class JobOutcome(Struct, frozen=True):
    """How a job ended. status: "Completed", "Failed" or "Stopped"."""

    status: str
    failure: str
    exit_code: int
    outputs: Mapping[str, str]
    started: float
    ended: float
    metrics: tuple[dict[str, Any], ...] = ()


class RunningJob(Struct):
    """A job while it runs: what `stop` and `restart` act upon."""

    order: JobOrder
    containers: list[Container] = field(default_factory=list)
    stopping: bool = False
    restarting: bool = False
    timed_out: bool = False

    @property
    def ending(self) -> bool:
        """Its containers are being ended, for whatever reason."""
        return self.stopping or self.restarting or self.timed_out

    async def stop(self, grace_seconds: float = 5.0) -> None:
        self.stopping = True
        await self.end_containers(grace_seconds)

    async def restart(self) -> None:
        """End the containers and start the job again, with the code as it is on disk then."""
        self.restarting = True
        await self.end_containers(0.0)

    async def time_out(self) -> None:
        self.timed_out = True
        await self.end_containers()

    async def end_containers(self, grace_seconds: float = 5.0) -> None:
        await asyncio.gather(*(container.stop(grace_seconds) for container in self.containers))


class JobServices(Struct, frozen=True):
    """The parts a job runner works with."""

    engine: Callable[[], Any]  # () -> Awaitable[Engine]; the engine is chosen when the first job needs it
    store: ObjectStore
    image_for: Callable[[str], str | None]  # the user's map of image URIs to local images
    bus: EventBus
    sources: SourceCode
    login: Login
    debugger: DebuggerFactory
    environment: Callable[[Engine], Mapping[str, str]]  # endpoint and credentials as containers see them
    region: str
    account: str
    owner: tuple[int, int]  # user and group that the workspace belongs to
    workspace: Path | None = None
    gpus: Literal["auto", "all", "none"] = "auto"  # what jobs get whose instance type has some


class JobRunner:
    """Runs jobs at the same time; `running` finds one by (run, step)."""

    def __init__(self, services: JobServices) -> None:
        self._services = services
        self.running: dict[tuple[str, str], RunningJob] = {}

    async def run(self, order: JobOrder) -> JobOutcome:
        """Run a job to its end.

        Raises:
            StepBridgeError: it could not start (no image, no engine, data missing, request malformed).
        """
        job = RunningJob(order)
        key = (order.run, order.step)
        self.running[key] = job
        try:
            while True:
                outcome = await self._attempt(job)
                if not job.restarting:
                    return outcome
                job.restarting = False
        finally:
            self.running.pop(key, None)

    async def _attempt(self, job: RunningJob) -> JobOutcome:
        order = job.order
        engine: Engine = await self._services.engine()
        images = {uri: await self._image(order, uri, engine) for uri in order.images}
        self._phase(order, "stage")
        plan = await asyncio.to_thread(self._plan, order, images, self._services.environment(engine))
        plan = await self._with_gpus(order, plan, engine)
        for notice in plan.notices:
            self._publish(Notice, order, message=notice)
        attempt = _Attempt(self._services, engine, job, plan, tuple(images.values()))
        return await attempt.run()

    async def _with_gpus(self, order: JobOrder, plan: JobPlan, engine: Engine) -> JobPlan:
        """The plan without the GPUs that containers cannot have here."""
        wanted = self._services.gpus
        if wanted == "all" or not any(spec.gpus for spec in plan.containers):
            return plan
        if wanted == "auto" and await engine.has_gpus():
            return plan
        note = "its instance type has GPUs, which are not to be had on this machine: it runs without"
        return replace(
            plan,
            containers=tuple(replace(spec, gpus=0) for spec in plan.containers),
            notices=(*plan.notices, *((note,) if wanted == "auto" else ())),
        )

    async def _image(self, order: JobOrder, uri: str, engine: Engine) -> LocalImage:
        def progress(text: str, share: float | None) -> None:
            self._phase(order, "pull", text, share)

        services = self._services
        return await resolve_image(uri, engine, services.image_for, services.login, progress)

    def _plan(
        self, order: JobOrder, images: Mapping[str, LocalImage], environment: Mapping[str, str]
    ) -> JobPlan:
        services = self._services
        image = images[order.images[0]]
        for name in ("code", *_host_folders(order.folder)):
            shutil.rmtree(order.folder / name, ignore_errors=True)
        order.folder.mkdir(parents=True, exist_ok=True)
        context = JobContext(
            name=order.name,
            arn=order.arn,
            region=services.region,
            account=services.account,
            folder=order.folder,
            store=services.store,
            image=image.reference,
            image_config=image.config,
            images=images,
            sources=services.sources,
            environment=environment,
            workspace=services.workspace,
            labels={"stepbridge.run": order.run, "stepbridge.step": order.step, "stepbridge.job": order.name},
        )
        return order.planner(order.request, context)

    def _phase(self, order: JobOrder, phase: str, detail: str = "", progress: float | None = None) -> None:
        self._publish(StepPhase, order, phase=phase, detail=detail, progress=progress)

    def _publish(self, event: Any, order: JobOrder, **values: Any) -> None:
        self._services.bus.publish(event(run=order.run, time=time.time(), step=order.step, **values))


def _host_folders(folder: Path) -> list[str]:
    return [item.name for item in folder.glob("algo-*")] if folder.is_dir() else []


class _Attempt:
    """One start of a job's containers, to their end."""

    def __init__(
        self,
        services: JobServices,
        engine: Engine,
        job: RunningJob,
        plan: JobPlan,
        images: tuple[LocalImage, ...],
    ) -> None:
        self._services = services
        self._engine = engine
        self._job = job
        self._plan = plan
        self._images = {image.reference: image for image in images}
        self._stderr: dict[str, deque[str]] = {}
        self._network: str | None = None
        self._debuggers: list[ContainerDebugger] = []
        self._servers: dict[str, Container] = {}  # by host, as they start
        self._asking: asyncio.Task[None] | None = None  # the plan's client
        self._asked = False  # it ends the containers by itself
        self._satisfied = False  # it has all it wanted
        self._refusal = ""  # why it gave up, or why the containers do not get their data
        self._giving_up: asyncio.Task[None] | None = None
        self._failed_host = ""  # the first that failed; the others are ended for it

    async def run(self) -> JobOutcome:
        started = time.time()
        try:
            statuses = await self._run_containers()
        except BaseException:
            await asyncio.shield(self._clean_up())
            raise
        cleaning = asyncio.create_task(self._clean_up())  # while the outputs are collected
        try:
            return await self._collect(started, statuses)
        finally:
            await asyncio.shield(cleaning)

    async def _collect(self, started: float, statuses: Mapping[str, ExitStatus]) -> JobOutcome:
        await self._give_back()
        host = self._failed_host or max(statuses, key=lambda name: statuses[name].code != 0)
        worst = statuses[host]
        stopped = self._job.stopping and not self._job.timed_out
        failed = worst.code != 0 or self._job.timed_out or bool(self._refusal)
        outputs: dict[str, str] = {}
        if not self._job.restarting:
            self._phase("collect")
            outputs = await asyncio.to_thread(
                move_outputs, self._plan, self._services.store, failed=failed or stopped
            )
        return JobOutcome(
            status="Stopped" if stopped else "Failed" if failed else "Completed",
            failure=self._reason(host, worst) if failed and not stopped else "",
            exit_code=worst.code,
            outputs=outputs,
            started=started,
            ended=time.time(),
            metrics=(),
        )

    async def _run_containers(self) -> dict[str, ExitStatus]:
        self._phase("start")
        specs = await self._on_one_network(self._plan.containers)
        _write_specs(self._job.order.folder, specs)
        (self._job.order.folder / "log.txt").write_bytes(b"")
        limit = asyncio.create_task(self._limit())
        feeders = self._feeders()
        try:
            for feeder in feeders:
                feeder.start()
            async with asyncio.TaskGroup() as group:
                hosts = [group.create_task(self._host(spec)) for spec in specs]
            return {spec.hostname or "": task.result() for spec, task in zip(specs, hosts, strict=True)}
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None
        finally:
            limit.cancel()
            for feeder in feeders:
                await asyncio.to_thread(feeder.stop)
            with contextlib.suppress(asyncio.CancelledError):
                await limit

    def _feeders(self) -> list[Feeder]:
        """What writes the plan's pipes; a failure there ends the job."""
        loop = asyncio.get_running_loop()

        def failed(error: StepBridgeError) -> None:
            loop.call_soon_threadsafe(self._give_up, error)

        return [Feeder(pipe, failed) for pipe in self._plan.pipes]

    def _give_up(self, error: StepBridgeError) -> None:
        self._refusal = self._refusal or describe_error(error)
        self._giving_up = asyncio.create_task(self._job.end_containers())

    async def _on_one_network(self, specs: tuple[ContainerSpec, ...]) -> tuple[ContainerSpec, ...]:
        if len(specs) == 1:
            return specs
        self._network = network_name(self._job.order.name, self._job.order.folder)
        await self._engine.network(self._network, internal=self._plan.internal_network)
        return tuple(replace(spec, network=self._network) for spec in specs)

    async def _host(self, spec: ContainerSpec) -> ExitStatus:
        order = self._job.order
        host = spec.hostname or ""
        debugger = self._services.debugger(order, self._plan, spec, self._images[spec.image])
        if debugger is not None:
            self._debuggers.append(debugger)
            spec = spec.with_environment(**self._plan.debug_environment.get(host, {}))
            spec = debugger.instrument(spec)
        if spec.ports and self._engine.name == "process":  # there is one network
            spec = on_a_free_port(spec)
        try:
            container = await self._engine.start(spec)
            self._job.containers.append(container)
            if self._job.ending or self._refusal or self._failed_host:
                await container.stop(0.0)
            self._publish(StepJob, arn=order.arn, container=container.id, engine=self._engine.name)
            self._phase("run")
            watch = asyncio.create_task(debugger.watch(container)) if debugger else None
            self._begin_asking(host, container)
            await self._log(container, host or "algo-1")
            status = await container.wait()
            if self._plan.client:
                status = await self._answered(host, status)
            if watch:
                await watch
            if status.code != 0 and not self._job.ending and not self._refusal:
                await self._end_others(host, debugger)
            return status
        finally:
            if debugger is not None:
                await debugger.close()

    async def _end_others(self, host: str, debugger: ContainerDebugger | None) -> None:
        """One host has failed, and with it the job: the others would wait for it for ever."""
        if self._failed_host:
            return
        self._failed_host = host
        for other in self._debuggers:
            if other is not debugger:
                await other.unattended()
        await self._job.end_containers()

    def _begin_asking(self, host: str, container: Container) -> None:
        """The plan's client begins when the last of its model's containers has started."""
        self._servers[host] = container
        if self._failed_host or self._plan.client is None:
            return
        if len(self._servers) == len(self._plan.containers):
            self._asking = asyncio.create_task(self._ask(self._plan.client))

    async def _ask(self, client: JobClient) -> None:
        """Do with a model's servers what the job is for; they have nothing more to do then."""
        servers = [self._servers[spec.hostname or ""] for spec in self._plan.containers]
        ports = tuple(one.published(next(iter(one.spec.ports), PORT)) for one in servers)
        try:
            await client(_Servers(ports, tuple(self._debuggers)))
            self._satisfied = True
        except JobFailure as failure:
            self._refusal = failure.reason
            self._failed_host = failure.host
        finally:
            self._asked = True
            await self._job.end_containers(0.0)

    async def _answered(self, host: str, status: ExitStatus) -> ExitStatus:
        """How a server ended: as the client says, who stops them all, or else as its container did."""
        if not self._asked and not self._failed_host:
            self._failed_host = host if not self._job.ending else ""
        if self._asking is not None:
            if not self._asked:
                self._asking.cancel()
            await asyncio.wait((self._asking,))
            if self._satisfied:
                return ExitStatus(0)
            if not self._asking.cancelled() and (error := self._asking.exception()):
                raise error
        elif not self._job.ending:  # before the others had started: there is nobody to end them
            await self._job.end_containers(0.0)
        if not self._refusal and status.code == 0:
            self._refusal = "AlgorithmError: the model server ended before its work was done."
        return ExitStatus(status.code or 1, status.out_of_memory)

    async def _log(self, container: Container, host: str) -> None:
        kept = self._stderr.setdefault(host, deque(maxlen=KEPT_STDERR_LINES))
        prefix = f"[{host}] " if len(self._plan.containers) > 1 else ""
        with (self._job.order.folder / "log.txt").open("a", encoding="utf-8", buffering=1) as file:
            async for line in container.lines():
                file.write(f"{prefix}{line.text}\n")
                if line.stream == "stderr":
                    kept.append(line.text)
                self._publish(StepLog, stream=line.stream, line=line.text, host=host)

    async def _limit(self) -> None:
        await asyncio.sleep(self._plan.time_limit)
        for debugger in self._debuggers:
            await debugger.unheld()  # time in the debugger is the user's own
        await self._job.time_out()

    async def _clean_up(self) -> None:
        for container in self._job.containers:
            await container.stop(0.0)
            await container.remove()
        self._job.containers.clear()
        if self._network:
            await self._engine.remove_network(self._network)

    async def _give_back(self) -> None:
        """Files that a container's root made become the user's; where we may not, a container does it."""
        folder = self._job.order.folder
        foreign = await asyncio.to_thread(give_back, folder, self._services.owner)
        if not foreign or self._engine.name == "process":
            return
        uid, gid = self._services.owner
        first = self._plan.containers[0]
        chown = ContainerSpec(
            name=f"{first.name}-owner",
            image=first.image,
            entrypoint=("chown", "-R", f"{uid}:{gid}", "/opt/ml/owned"),
            command=(),
            mounts=(replace(first.mounts[0], source=folder, target="/opt/ml/owned", read_only=False),),
            user="0",
            network="none",
            labels=first.labels,
        )
        container = await self._engine.start(chown)
        await container.wait()
        await container.remove()

    def _reason(self, host: str, status: ExitStatus) -> str:
        if self._refusal and not self._job.timed_out and not status.out_of_memory:
            said = last_exception(self._stderr.get(host, ()))
            return (self._refusal + (f" {said}" if said else ""))[:FAILURE_LIMIT]
        return failure_reason(
            self._plan,
            host,
            status,
            self._stderr.get(host, ()),
            timed_out=self._job.timed_out,
            kind=f"The {self._job.order.kind} job",
        )

    def _phase(self, phase: str) -> None:
        self._publish(StepPhase, phase=phase)

    def _publish(self, event: Any, **values: Any) -> None:
        order = self._job.order
        self._services.bus.publish(event(run=order.run, time=time.time(), step=order.step, **values))


class _Servers(Struct, frozen=True):
    ports: tuple[int, ...]
    debuggers: tuple[ContainerDebugger, ...]

    async def unheld(self) -> None:
        for debugger in self.debuggers:
            await debugger.unheld()


def _write_specs(folder: Path, specs: tuple[ContainerSpec, ...]) -> None:
    """`spec.json`: what was started, for people; without credentials."""
    shown = [
        {
            "name": spec.name,
            "image": spec.image,
            "entrypoint": spec.entrypoint,
            "command": spec.command,
            "environment": {
                name: "***" if name in SECRET_NAMES else value for name, value in spec.environment.items()
            },
            "mounts": [
                {"source": str(mount.source), "target": mount.target, "read_only": mount.read_only}
                for mount in spec.mounts
            ],
            "network": spec.network,
        }
        for spec in specs
    ]
    (folder / "spec.json").write_bytes(msgspec.json.format(msgspec.json.encode(shown), indent=2))


def describe_error(error: StepBridgeError) -> str:
    """A failure reason for a job that could not start."""
    if not error.hint:
        return f"ClientError: {error.message}"
    return f"ClientError: {error.message.removesuffix('.')}. {error.hint}"
