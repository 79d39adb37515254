"""Lambda: a function that a program created is called once, in a container or a process of its own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from stepbridge.errors import StepBridgeError
from stepbridge.execution.arns import job_name
from stepbridge.execution.job_runner import JobOrder, describe_error
from stepbridge.jobs.function import RESULT, image_of, plan_function
from stepbridge.jobs.plan import JobContext, JobPlan, as_text

from .base import StepContext, StepFailure, StepResult, StepStoppedError

_FAULT = "SageMaker.JOB_INTERNAL_ERROR"


async def run_lambda(context: StepContext, arguments: Any) -> StepResult:
    """The step's arguments are the handler's event; what it returns holds the OutputParameters."""
    arn = str(context.step.raw.get("FunctionArn", ""))
    function, code = context.registry.function(arn)
    metadata: dict[str, Any] = {"Lambda": {"Arn": str(function["FunctionArn"])}}
    context.note_metadata(metadata)
    returned = await _call(context, function, code, arguments or {}, metadata)
    outputs = _outputs(context.step.raw.get("OutputParameters") or (), returned, metadata)
    metadata["Lambda"]["OutputParameters"] = [
        {"Name": name, "Value": as_text(value)} for name, value in outputs.items()
    ]
    found = [{"Name": name, "Value": value} for name, value in outputs.items()]
    return StepResult(properties={"OutputParameters": found}, metadata=metadata)


async def _call(
    context: StepContext, function: Mapping[str, Any], code: str, event: Any, metadata: Mapping[str, Any]
) -> Any:
    def plan(request: Mapping[str, Any], job: JobContext) -> JobPlan:
        return plan_function(function, code, request, job)

    order = JobOrder(
        kind="function",
        name=job_name(context.run, context.step.name),
        arn=str(function["FunctionArn"]),
        run=context.run,
        step=context.step.name,
        request=event,
        images=(image_of(function),),
        planner=plan,
        folder=context.folder,
        attempt=context.attempt,
    )
    try:
        outcome = await context.jobs.run(order)
    except StepBridgeError as error:
        raise StepFailure(describe_error(error), _FAULT, metadata) from error
    if outcome.status == "Stopped":
        raise StepStoppedError(metadata)
    if outcome.status == "Failed":
        raise StepFailure(outcome.failure, _FAULT, metadata)
    return json.loads((context.folder / "algo-1" / "call" / RESULT).read_text("utf-8"))


def _outputs(
    declared: Any, returned: Any, metadata: Mapping[str, Any]
) -> dict[str, str | int | float | bool]:
    """The declared outputs. The service fails the step where the function does not return one."""
    names = [str(item["OutputName"]) for item in declared]
    values = returned if isinstance(returned, dict) else {}
    missing = [name for name in names if name not in values]
    if missing:
        raise StepFailure(
            f"ClientError: the function returned no {', '.join(missing)}, which the step's outputs name; "
            f"it returned {json.dumps(returned)[:200]}",
            metadata=metadata,
        )
    return {name: values[name] for name in names}
