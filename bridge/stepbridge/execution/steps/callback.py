"""Callback: the run waits until somebody says success or failure with the step's token."""

from __future__ import annotations

from typing import Any

from stepbridge.execution.arns import new_id

from .base import StepContext, StepFailure, StepResult


async def run_callback(context: StepContext, arguments: Any) -> StepResult:
    """The token stands in the step's metadata, and in a notice for the person at the terminal."""
    token = new_id(10)
    metadata: dict[str, Any] = {
        "Callback": {"CallbackToken": token, "SqsQueueUrl": context.step.raw.get("SqsQueueUrl", "")}
    }
    context.note_metadata(metadata)
    context.notice(
        f"waits for its callback: aws sagemaker send-pipeline-execution-step-success --callback-token {token}"
    )
    answer = await context.callbacks.wait(token)
    if answer.failure is not None:
        raise StepFailure(answer.failure, metadata=metadata)
    found = [{"Name": name, "Value": value} for name, value in answer.outputs.items()]
    metadata["Callback"]["OutputParameters"] = found
    return StepResult(properties={"OutputParameters": found}, metadata=metadata)
