"""What a bridge is asked: which program to run and how, and with what it was opened."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
from msgspec import Struct, field

from .debug import DebugPlan, PathMapping
from .execution.execution import OpenGate, StepGate
from .settings import Workspace

PlanOf = Callable[[str, tuple[PathMapping, ...]], DebugPlan]


class RunRequest(Struct, frozen=True):
    """A program to run, and how.

    debug: the plan of each step, by name and by the code it can run. debugged_steps: names that must exist.
    from_step and only: rerun on the results of the last run. use_cache: None leaves it to each step's
    CacheConfig.
    """

    target: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    arguments: Mapping[str, str] = field(default_factory=dict)
    program_arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    debug: PlanOf = lambda step, code: DebugPlan()
    debugged_steps: frozenset[str] = frozenset()
    debug_port: int = 0
    from_step: str | None = None
    only: frozenset[str] = frozenset()
    use_cache: bool | None = None
    gate: StepGate = field(default_factory=OpenGate)


class HowRun(Struct, frozen=True):
    """What a bridge was opened with; kept beside each run, for `resume`."""

    engine: str | None = None
    python: str | None = None
    images: Mapping[str, str] = field(default_factory=dict)
    aws: bool = False

    @classmethod
    def of(cls, workspace: Workspace, run: str) -> HowRun:
        """How an earlier run was run; the defaults where that is not known."""
        with contextlib.suppress(OSError, msgspec.DecodeError):
            return msgspec.json.decode(cls.place(workspace, run).read_bytes(), type=cls)
        return cls()

    @staticmethod
    def place(workspace: Workspace, run: str) -> Path:
        """The file beside a run."""
        return workspace.runs / run / "bridge.json"
