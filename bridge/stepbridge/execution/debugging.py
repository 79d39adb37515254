"""The debuggers of the steps that run now: made for each container, found again by run and step.

Sits between the job runner (which knows containers) and `debug/` (which knows one container's debugger), and
publishes what becomes of them as `StepDebug` events. A step that waits or may be attached to gets a loopback
relay, so that any DAP client reaches it.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from stepbridge.debug import (
    DebuggedProcess,
    DebugPlan,
    DebugpyCache,
    DebugStream,
    PathMapping,
    RelayServer,
    ScriptTarget,
    StepDebugger,
)
from stepbridge.debug.plan import to_local
from stepbridge.engines.base import Container, ContainerSpec
from stepbridge.errors import DebugError
from stepbridge.events import EventBus, StepDebug
from stepbridge.jobs.images import LocalImage
from stepbridge.jobs.plan import JobPlan

from .job_runner import JobOrder

PlanFor = Callable[[str, str, tuple[PathMapping, ...]], DebugPlan]
"""(run, step, code that it can run) -> plan; asked once for every container, when it is about to start."""

_ATTENDED = {"attached", "crashed"}
_HELD = _ATTENDED | {"waiting"}


class Session:
    """The debugger of one container, as the job runner's hook."""

    def __init__(
        self, owner: Debuggers, order: JobOrder, plan: JobPlan, host: str, image: LocalImage, debug: DebugPlan
    ) -> None:
        self.run, self.step, self.host = order.run, order.step, host
        self.plan = debug
        self.mappings = code_of(plan, host)
        self._is_first = host == host_of(plan.containers[0])
        self._owner = owner
        self._image = image
        self._runtime = Path(tempfile.mkdtemp(prefix="sb-"))
        self._unheld, self._unattended = asyncio.Event(), asyncio.Event()
        self._unheld.set()
        self._unattended.set()
        self.debugger = StepDebugger(
            debug,
            script=_target(plan),
            mappings=self.mappings,
            runtime=self._runtime,
            debugpy=owner.cache,
            on_state=self._on_state,
            tcp_host=owner.tcp_host,
        )
        self.relay = RelayServer(self.debugger, just_my_code=debug.just_my_code)

    # the job runner's hook (ContainerDebugger)

    def instrument(self, spec: ContainerSpec) -> ContainerSpec:
        return self.debugger.instrument(spec, self._image.config.environment)

    async def watch(self, container: Container) -> None:
        wanted = self._owner.relay_ports.pop(self.step, 0) if self._is_first else 0
        await self.relay.listen(wanted)
        await self.debugger.watch(container)

    async def unheld(self) -> None:
        await self._unheld.wait()

    async def unattended(self) -> None:
        await self._unattended.wait()

    async def close(self) -> None:
        await self.debugger.close()
        await self.relay.close()
        self._owner.forget(self)
        shutil.rmtree(self._runtime, ignore_errors=True)

    # inside

    def _on_state(self, state: str, process: DebuggedProcess) -> None:
        states = {state} | {p.state for p in self.debugger.processes() if p.pid != process.pid}
        for event, holding in ((self._unheld, _HELD), (self._unattended, _ATTENDED)):
            event.clear() if states & holding else event.set()
        local = to_local(self.mappings, process.file) if process.file else None
        self._owner.publish(
            StepDebug(
                run=self.run,
                time=time.time(),
                step=self.step,
                state=state,
                pid=process.pid,
                port=self.relay.port,
                host=self.host,
                file=str(local or process.file),
                line=process.line,
                error=process.error,
            )
        )


def _target(plan: JobPlan) -> ScriptTarget | None:
    """The user's own processes, as far as the plan names them."""
    if not plan.scripts and not plan.modules:
        return None
    return ScriptTarget(files=plan.scripts, modules=plan.modules, servers=plan.client is not None)


def code_of(plan: JobPlan, host: str) -> tuple[PathMapping, ...]:
    """The workspace's code that a host of a job can run, and where its container sees it."""
    return tuple(PathMapping(item.local, item.remote) for item in plan.code if item.host in ("", host))


def host_of(spec: ContainerSpec) -> str:
    return spec.hostname or "algo-1"


class Debuggers:
    """Makes step debuggers for a job runner, and finds those that live.

    tcp_host: see ControlServer.
    """

    def __init__(self, bus: EventBus, cache: DebugpyCache, tcp_host: str | None = None) -> None:
        self.cache = cache
        self.tcp_host = tcp_host
        self.plan_for: PlanFor = lambda run, step, code: DebugPlan()
        self.relay_ports: dict[str, int] = {}  # step -> the loopback port that was asked for its first relay
        self._bus = bus
        self._sessions: list[Session] = []

    def __call__(
        self, order: JobOrder, plan: JobPlan, spec: ContainerSpec, image: LocalImage
    ) -> Session | None:
        """The job runner's hook for one container; None: nothing is injected.

        Raises:
            DebugError: debugpy is not to be had.
        """
        host = host_of(spec)
        wanted = self.plan_for(order.run, order.step, code_of(plan, host))
        if not wanted.active:
            return None
        session = Session(self, order, plan, host, image, wanted)
        self._sessions.append(session)
        return session

    def sessions(self, run: str, step: str) -> tuple[Session, ...]:
        """Of a step that runs now; one a host, in their order."""
        return tuple(s for s in self._sessions if (s.run, s.step) == (run, step))

    def processes(self, run: str, step: str) -> tuple[DebuggedProcess, ...]:
        return tuple(p for session in self.sessions(run, step) for p in session.debugger.processes())

    def mappings(self, run: str, step: str) -> tuple[PathMapping, ...]:
        return tuple(dict.fromkeys(m for session in self.sessions(run, step) for m in session.mappings))

    async def connect(self, run: str, step: str, pid: int | None = None) -> DebugStream:
        """A stream to the debugpy of a step's process; an armed one is attached on the spot.

        pid None: the process that an editor asking for "the step" should get, once there is one.

        Raises:
            DebugError: nothing of that step runs, or it is not to be debugged.
        """
        session = self._session(run, step, pid)
        if pid is None:
            pid = (await session.debugger.candidate()).pid
        return await session.debugger.connect(pid)

    async def release(self, run: str, step: str) -> None:
        """Let all processes of a step that wait or crashed go on."""
        for session in self.sessions(run, step):
            await session.debugger.release()

    def relay_port(self, run: str, step: str, host: str | None = None) -> int:
        """The loopback port under which a stock DAP client reaches the step; host None: its first one.

        Raises:
            DebugError: nothing of that step runs, or it is not to be debugged.
        """
        for session in self.sessions(run, step):
            if host in (None, session.host) and session.relay.port:
                return session.relay.port
        raise self._absent(step)

    def publish(self, event: StepDebug) -> None:
        self._bus.publish(event)

    def forget(self, session: Session) -> None:
        if session in self._sessions:
            self._sessions.remove(session)

    def _session(self, run: str, step: str, pid: int | None) -> Session:
        for session in self.sessions(run, step):
            if pid is None or any(process.pid == pid for process in session.debugger.processes()):
                return session
        raise self._absent(step)

    def _absent(self, step: str) -> DebugError:
        return DebugError(
            f"No process of step {step} can be debugged now",
            "It has not started, has ended, or was started without --debug, --arm or --post-mortem.",
        )

    def __iter__(self) -> Iterator[Session]:
        return iter(tuple(self._sessions))
