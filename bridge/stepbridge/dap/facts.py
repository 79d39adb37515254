"""What is known of a run's steps, as JSON that a debugger shows: results, environments, what came before.

Reads the executor's state; changes nothing. Knows no stop, no frame and no client.
"""

from __future__ import annotations

from typing import Any

import msgspec

from stepbridge.definition.graph import graph
from stepbridge.definition.values import JSON
from stepbridge.errors import StepBridgeError
from stepbridge.execution.execution import Execution
from stepbridge.execution.state import StepState
from stepbridge.storage.objects import ObjectStore

EXECUTION_FACTS = (
    "PipelineName",
    "PipelineExecutionId",
    "PipelineExecutionArn",
    "PipelineArn",
    "StartDateTime",
)


def waited_for(execution: Execution, step: str) -> list[StepState]:
    """The steps that had to end before `step`, the last to end first."""
    names = graph(execution.definition).upstream(step)
    states = [execution.steps[name] for name in names]
    ended = [state for state in states if state.ended is not None]
    return sorted(ended, key=lambda state: state.ended or 0.0, reverse=True)


def result_of(state: StepState, store: ObjectStore) -> dict[str, Any]:
    """What became of a step. Files: where its outputs lie on this machine."""
    result: dict[str, Any] = {"Status": str(state.status)}
    if state.started is not None and state.ended is not None:
        result["Seconds"] = round(state.ended - state.started, 3)
    if state.failure:
        result["Failure"] = state.failure
    if state.outcome:
        result["Outcome"] = state.outcome
    if state.cached_from:
        result["CachedFrom"] = state.cached_from
    if state.outputs:
        result["Outputs"] = dict(state.outputs)
        result["Files"] = {name: file for name, uri in state.outputs.items() if (file := _file(uri, store))}
    if state.properties:
        result["Properties"] = dict(state.properties)
    return result


def _file(uri: str, store: ObjectStore) -> str:
    try:
        return str(store.path(uri) if store.exists(uri) else store.folder(uri))
    except (StepBridgeError, ValueError):
        return ""


def environment_of(execution: Execution, state: StepState, arguments: JSON, *, held: bool) -> dict[str, str]:
    """The environment that the request gives; for a step that ran, all that its container had."""
    if not held:
        spec = execution.folder(state.plan.name) / "spec.json"
        try:
            environment = msgspec.json.decode(spec.read_bytes())[0]["environment"]
            return {str(name): str(value) for name, value in sorted(environment.items())}
        except (OSError, msgspec.DecodeError, LookupError, TypeError, AttributeError):
            pass  # a step without a container
    given = arguments.get("Environment") if isinstance(arguments, dict) else None
    return given if isinstance(given, dict) else {}
