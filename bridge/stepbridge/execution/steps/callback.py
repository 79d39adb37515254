"""Callback: the run waits until somebody says success or failure with the step's token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stepbridge.execution.arns import new_id

from .base import StepContext, StepFailure, StepResult

Value = str | int | float | bool
_BOOLEANS = {"true": True, "false": False}


async def run_callback(context: StepContext, arguments: Any) -> StepResult:
    """The token stands in the step's metadata, and in a notice for the person at the terminal.

    Answers are text on the wire; the step's outputs have the types that it declares.
    """
    token = new_id(10)
    metadata: dict[str, Any] = {
        "Callback": {"CallbackToken": token, "SqsQueueUrl": context.step.raw.get("SqsQueueUrl", "")}
    }
    context.note_metadata(metadata)
    declared = {str(o["OutputName"]): str(o.get("OutputType")) for o in _declared(context)}
    outputs = "".join(f" -o {name}=..." for name in declared)
    context.notice(f"waits for its callback: stepbridge callback {context.step.name}{outputs}")
    answer = await context.callbacks.wait(token)
    if answer.failure is not None:
        raise StepFailure(answer.failure, metadata=metadata)
    metadata["Callback"]["OutputParameters"] = _pairs(answer.outputs)
    try:
        values = {name: _typed(text, name, declared.get(name, "")) for name, text in answer.outputs.items()}
    except ValueError as error:
        raise StepFailure(f"ClientError: {error}", metadata=metadata) from None
    return StepResult(properties={"OutputParameters": _pairs(values)}, metadata=metadata)


def _declared(context: StepContext) -> list[Mapping[str, Any]]:
    return list(context.step.raw.get("OutputParameters") or ())


def _pairs(values: Mapping[str, Value]) -> list[dict[str, Value]]:
    return [{"Name": name, "Value": value} for name, value in values.items()]


def _typed(text: str, name: str, kind: str) -> Value:
    """Raises ValueError for a text that is none of the declared type."""
    try:
        match kind:
            case "Integer":
                return int(text)
            case "Float":
                return float(text)
            case "Boolean":
                return _BOOLEANS[text.lower()]
            case _:
                return text
    except (ValueError, KeyError):
        raise ValueError(f"output {name} of the callback is no {kind}: {text}") from None
