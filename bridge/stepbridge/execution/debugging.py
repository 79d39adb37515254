"""The debuggers of the steps that run now: made for each container, found again by run and step.

Sits between the job runner (which knows containers) and `debug/` (which knows one container's debugger), and
publishes what becomes of them as `StepDebug` events. Opens a loopback relay for a step that waits.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from stepbridge.debug import (
    DebugPlan,
    DebuggedProcess,
    DebugpyCache,
    PathMapping,
    RelayServer,
    ScriptTarget,
    StepDebugger,
)
from stepbridge.engines.base import Container, ContainerSpec
from stepbridge.errors import DebugError
from stepbridge.events import EventBus, StepDebug
from stepbridge.jobs.images import LocalImage
from stepbridge.jobs.plan import JobPlan

from .job_runner import JobOrder

PlanFor = Callable[[str, str], DebugPlan]  # (run, step) -> plan
"""Asked once for every container, when it is about to start."""


@dataclass
class Session:
    """The debugger of one container, and its relay."""

    run: str
    step: str
    host: str
    debugger: StepDebugger
    mappings: tuple[PathMapping, ...]
    relay: RelayServer | None = None
    held: set[int] = field(default_factory=set)  # processes that a client or a crash holds


class Debuggers:
    """Makes step debuggers for a job runner, and finds those that live."""

    def __init__(self, bus: EventBus, cache: DebugpyCache, runtime: Path, plan_for: PlanFor) -> None:
        self._bus = bus
        self._cache = cache
        self._runtime = runtime
        self.plan_for = plan_for
        self.relay_ports: dict[str, int] = {}  # step -> the loopback port that was asked for
        self._sessions: dict[tuple[str, str], list[Session]] = {}

    def __call__(
        self, order: JobOrder, plan: JobPlan, spec: ContainerSpec, image: LocalImage
    ) -> _Hook | None:
        """The job runner's hook for one container; None: nothing is injected."""
        wanted = self.plan_for(order.run, order.step)
        if not wanted.on:
            return None
        return _Hook(self, order, plan, spec, image, wanted)
