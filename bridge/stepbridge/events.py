"""The typed events of a run: one stream that the CLI, the journal, the DAP server and the service all read.

Pure values and a fan-out. Times are seconds since the epoch (float). Events of one run carry its `run` id,
which is the last part of the execution's ARN (12 lower-case letters or digits).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from enum import StrEnum
from typing import Any

import msgspec


class StepStatus(StrEnum):
    """A step's status, in the service's words, plus WAITING (the service lists no such step)."""

    WAITING = "Waiting"
    STARTING = "Starting"
    EXECUTING = "Executing"
    STOPPING = "Stopping"
    STOPPED = "Stopped"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    SKIPPED = "Skipped"  # the branch was not taken; never listed on the wire

    @property
    def ended(self) -> bool:
        return self in (StepStatus.STOPPED, StepStatus.SUCCEEDED, StepStatus.FAILED, StepStatus.SKIPPED)


class RunStatus(StrEnum):
    """An execution's status, in the service's words."""

    EXECUTING = "Executing"
    STOPPING = "Stopping"
    STOPPED = "Stopped"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"

    @property
    def ended(self) -> bool:
        return self in (RunStatus.STOPPED, RunStatus.SUCCEEDED, RunStatus.FAILED)


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event"):
    """What all events share."""

    run: str
    time: float


class StepPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A step as the run knows it before it starts."""

    name: str
    type: str  # "Training", "Processing", "Condition" ... as in the definition
    needs: tuple[
        str, ...
    ] = ()  # steps it waits for (data edges, DependsOn, the condition whose branch it is in)
    branch: tuple[str, bool] | None = None  # (condition step, is in IfSteps)


class RunStarted(Event, frozen=True, kw_only=True, tag="run-started"):
    pipeline: str
    arn: str
    parameters: dict[str, Any]
    steps: tuple[StepPlan, ...]
    program: str | None = None  # the file that was run, absolute


class StepStarted(Event, frozen=True, kw_only=True, tag="step-started"):
    step: str
    attempt: int = 1


class StepPhase(Event, frozen=True, kw_only=True, tag="step-phase"):
    """What a step is busy with before and after its script runs.

    phase: "pull", "stage", "start", "debug" (waits for a debugger), "run", "collect", "breakpoint" (paused).
    """

    step: str
    phase: str
    detail: str = ""
    progress: float | None = None  # 0..1 where known


class StepJob(Event, frozen=True, kw_only=True, tag="step-job"):
    """A step has its job: its ARN and the container that runs it.

    engine: "docker", "podman" or "process".
    """

    step: str
    arn: str
    container: str = ""
    engine: str = ""


class StepLog(Event, frozen=True, kw_only=True, tag="step-log"):
    """One line of a step's output, without its line end."""

    step: str
    stream: str  # "stdout" | "stderr"
    line: str
    host: str = "algo-1"


class StepDebug(Event, frozen=True, kw_only=True, tag="step-debug"):
    """The debugger of one process of a step changed state.

    state: "armed", "listening", "waiting" (listening and holding the script), "attached", "detached",
    "crashed" (holding at the raising frame), "released", "failed" (debugpy did not load: `error`), "ended"
    (the process is gone), "absent" (the step ended without checking in).
    port: loopback port of the relay on this machine, 0 where none is open.
    """

    step: str
    state: str
    pid: int = 0
    port: int = 0
    host: str = "algo-1"
    file: str = ""  # crashed: local path (or the container's, where no local file matches) and line
    line: int = 0
    error: str = ""


def shown_name(step: str, host: str) -> str:
    """What a person calls one host of a step: the step, and the host where it is not the first."""
    return step if host == "algo-1" else f"{step} ({host})"


class StepFinished(Event, frozen=True, kw_only=True, tag="step-finished"):
    step: str
    status: StepStatus
    seconds: float
    failure: str = ""
    cached: bool = False
    outputs: dict[str, str] = {}  # name -> S3 URI
    outcome: str = ""  # Condition: "True" or "False"


class RunFinished(Event, frozen=True, kw_only=True, tag="run-finished"):
    status: RunStatus
    seconds: float
    failure: str = ""


class Notice(Event, frozen=True, kw_only=True, tag="notice"):
    """Something a person should know that fails nothing (an argument without meaning here ...)."""

    message: str
    step: str = ""


AnyEvent = (
    RunStarted | StepStarted | StepPhase | StepJob | StepLog | StepDebug | StepFinished | RunFinished | Notice
)

encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(AnyEvent).decode


class EventBus:
    """Fan-out of events, bound to one asyncio loop. `publish` may be called from the loop's thread only."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[AnyEvent], None]] = []

    def publish(self, event: AnyEvent) -> None:
        for listener in tuple(self._listeners):
            listener(event)

    def listen(self, listener: Callable[[AnyEvent], None]) -> Callable[[], None]:
        """Call `listener` for each event from now on; returns the call that ends it."""
        self._listeners.append(listener)

        def forget() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return forget

    async def stream(self, run: str) -> AsyncIterator[AnyEvent]:
        """The events of one run from now on, until it has finished."""
        queue: asyncio.Queue[AnyEvent] = asyncio.Queue()
        forget = self.listen(queue.put_nowait)
        try:
            while True:
                event = await queue.get()
                if event.run != run:
                    continue
                yield event
                if isinstance(event, RunFinished):
                    return
        finally:
            forget()
