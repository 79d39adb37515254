"""What a step type is: a coroutine from resolved arguments to a result."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stepbridge.definition.document import Step
from stepbridge.execution.arns import Arns
from stepbridge.execution.job_runner import JobRunner
from stepbridge.execution.journal import Journal
from stepbridge.execution.scope import RunScope


class StepFailure(Exception):  # noqa: N818 - the service's word
    """The step failed; `reason` is its FailureReason.

    `exception_type` is what retry policies match (docs: "Retry policy for pipeline steps").
    """

    def __init__(
        self, reason: str, exception_type: str = "", metadata: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.exception_type = exception_type
        self.metadata = metadata or {}


class StepStoppedError(Exception):
    """The step was stopped before it ended."""

    def __init__(self, metadata: Mapping[str, Any] | None = None) -> None:
        super().__init__("stopped")
        self.metadata = metadata or {}


@dataclass(frozen=True)
class StepContext:
    """What a handler may use."""

    run: str
    step: Step
    attempt: int
    folder: Path
    scope: RunScope
    jobs: JobRunner
    journal: Journal
    arns: Arns
    note_metadata: Callable[[Mapping[str, Any]], None]  # tells the wire about the job as soon as it exists


@dataclass(frozen=True)
class StepResult:
    """properties: what `Steps.<name>...` reads, in the shape of the step type's Describe* response."""

    properties: Mapping[str, Any]
    outputs: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    outcome: str = ""
    ends_run: str = ""  # Fail: the execution's FailureReason


StepHandler = Callable[[StepContext, Any], Awaitable[StepResult]]
