"""Callback: the run waits until somebody says success or failure with the step's token."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from stepbridge.definition.references import resolve
from stepbridge.errors import StepBridgeError
from stepbridge.execution.arns import new_id
from stepbridge.execution.callbacks import Answer
from stepbridge.execution.job_runner import describe_error

from .base import StepContext, StepFailure, StepResult

Value = str | int | float | bool
_BOOLEANS = {"true": True, "false": False}


async def run_callback(context: StepContext, arguments: Any) -> StepResult:
    """The token stands in the step's metadata, and in a notice for the person at the terminal.

    Answers are text on the wire; the step's outputs have the types that it declares.
    """
    token = new_id(10)
    queue = str(resolve(context.step.raw.get("SqsQueueUrl", ""), context.scope))
    metadata: dict[str, Any] = {"Callback": {"CallbackToken": token, "SqsQueueUrl": queue}}
    context.note_metadata(metadata)
    declared = {str(o["OutputName"]): str(o.get("OutputType")) for o in _declared(context)}
    outputs = "".join(f" -o {name}=..." for name in declared)
    context.notice(f"waits for its callback: stepbridge callback {context.step.name}{outputs}")
    answer = await _answer(context, token, queue, arguments)
    if answer.failure is not None:
        raise StepFailure(answer.failure, metadata=metadata)
    metadata["Callback"]["OutputParameters"] = _pairs(answer.outputs)
    try:
        values = {name: _typed(text, name, declared.get(name, "")) for name, text in answer.outputs.items()}
    except ValueError as error:
        raise StepFailure(f"ClientError: {error}", metadata=metadata) from None
    return StepResult(properties={"OutputParameters": _pairs(values)}, metadata=metadata)


async def _answer(context: StepContext, token: str, queue: str, arguments: Any) -> Answer:
    """Put the step's message on its queue, and wait. A run that is stopped says so there, as on the service.

    Raises StepFailure where the queue's address is none.
    """

    async def send(status: str) -> None:
        message = {
            "token": token,
            "pipelineExecutionArn": context.scope.record.arn,
            "arguments": arguments,
            "status": status,
        }
        await asyncio.to_thread(context.queues.send, queue, json.dumps(message), context.run)

    with context.callbacks.expected(token) as answer:  # before the message: a worker may be quick
        try:
            await send("Executing")
            return await answer
        except asyncio.CancelledError:
            await asyncio.shield(send("Stopping"))
            raise
        except StepBridgeError as error:
            raise StepFailure(describe_error(error)) from None


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
