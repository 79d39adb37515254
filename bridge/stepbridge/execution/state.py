"""The state of a run and of its steps while it runs, and how the wire and the journal show it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct, field

from stepbridge.definition.document import Step
from stepbridge.events import StepPlan, StepStatus


class StepState(Struct):
    """One step of one run. Changed by the executor alone, on its loop."""

    plan: StepPlan
    step: Step
    status: StepStatus = StepStatus.WAITING
    attempt: int = 0
    started: float | None = None
    ended: float | None = None
    failure: str = ""
    outcome: str = ""
    cached_from: str = ""  # ARN of the execution whose result was reused
    properties: Mapping[str, Any] | None = None  # the Describe* response that `Steps.X...` reads
    outputs: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)  # ListPipelineExecutionSteps' Metadata
    arguments: Any = None  # resolved

    def to_json(self) -> dict[str, Any]:
        """For the journal; everything that `show`, a rerun or a restart of the bridge needs."""
        return {
            "name": self.plan.name,
            "type": self.plan.type,
            "needs": self.plan.needs,
            "branch": self.plan.branch,
            "status": str(self.status),
            "attempt": self.attempt,
            "started": self.started,
            "ended": self.ended,
            "failure": self.failure,
            "outcome": self.outcome,
            "cached_from": self.cached_from,
            "properties": self.properties,
            "outputs": dict(self.outputs),
            "metadata": dict(self.metadata),
        }


def wire_step(state: Mapping[str, Any]) -> dict[str, Any] | None:
    """A journal's step in ListPipelineExecutionSteps' shape; None for one that never started."""
    if state["started"] is None:
        return None
    shown: dict[str, Any] = {
        "StepName": state["name"],
        "StepStatus": state["status"],
        "StartTime": state["started"],
        "AttemptCount": state["attempt"],
        "Metadata": dict(state["metadata"]),
    }
    if state["ended"] is not None:
        shown["EndTime"] = state["ended"]
    if state["failure"]:
        shown["FailureReason"] = state["failure"]
    if state["cached_from"]:
        shown["CacheHitResult"] = {"SourcePipelineExecutionArn": state["cached_from"]}
    if state["outcome"]:
        shown["Metadata"]["Condition"] = {"Outcome": state["outcome"]}
    return shown
