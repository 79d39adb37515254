"""What a step type is: a coroutine from resolved arguments to a result."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from msgspec import Struct, field

from stepbridge.definition.document import Step
from stepbridge.execution.arns import Arns
from stepbridge.execution.callbacks import Callbacks
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


class Registry(Protocol):
    """Models, model packages and Lambda functions of this account (the service keeps them)."""

    def function(self, name: str) -> tuple[Mapping[str, Any], str]:
        """A function by name or ARN: its configuration, and the URI of its code (a zip).

        Raises:
            StepBridgeError: there is none.
        """
        ...

    def create_model(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Returns DescribeModel's response. Raises StepBridgeError."""
        ...

    def model(self, name: str) -> Mapping[str, Any]:
        """A model by name or ARN: DescribeModel's response. Raises StepBridgeError where there is none."""
        ...

    def model_package(self, arn: str) -> Mapping[str, Any]:
        """DescribeModelPackage's response. Raises StepBridgeError where there is none."""
        ...

    def create_model_package(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Returns DescribeModelPackage's response. Raises StepBridgeError."""
        ...


class Queues(Protocol):
    """SQS queues of this account."""

    def send(self, url: str, body: str, group: str) -> None:
        """Put a message on a queue, which is made where it is missing. Blocking.

        group: message group, for a FIFO queue.

        Raises:
            StepBridgeError: the address is no queue's.
        """
        ...


class StepContext(Struct, frozen=True):
    """What a handler may use."""

    run: str
    step: Step
    attempt: int
    folder: Path
    scope: RunScope
    jobs: JobRunner
    journal: Journal
    arns: Arns
    callbacks: Callbacks
    registry: Registry
    queues: Queues
    notice: Callable[[str], None]  # for the person who watches
    note_metadata: Callable[[Mapping[str, Any]], None]  # tells the wire about the job as soon as it exists


class StepResult(Struct, frozen=True):
    """properties: what `Steps.<name>...` reads, in the shape of the step type's Describe* response."""

    properties: Mapping[str, Any]
    outputs: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    outcome: str = ""
    ends_run: str = ""  # Fail: the execution's FailureReason


StepHandler = Callable[[StepContext, Any], Awaitable[StepResult]]
