"""Executions of pipelines: start, describe, list, steps, stop, retry, callbacks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stepbridge.service.backend import ExecutionRecord

from . import pipelines
from .context import Call, Context, invalid, not_found
from .paging import Item, page

_RETRIED = ("Failed", "Stopped")


def _required(context: Context, arn: str) -> ExecutionRecord:
    found = context.executions.execution(arn)
    if found is None:
        raise not_found(f"Pipeline execution '{arn}' does not exist.")
    return found


def _start(context: Context, request: Mapping[str, Any]) -> Mapping[str, Any]:
    pipeline = pipelines.required(context, request["PipelineName"])
    parameters: dict[str, str] = {}
    for parameter in request.get("PipelineParameters", ()):
        if parameter["Name"] in parameters:
            raise invalid(f"Parameter {parameter['Name']} is given more than once.")
        parameters[parameter["Name"]] = parameter["Value"]
    record = context.executions.start(
        pipeline,
        parameters,
        display_name=request.get("PipelineExecutionDisplayName"),
        description=request.get("PipelineExecutionDescription"),
        parallelism=pipelines.parallelism(request),
        selective=request.get("SelectiveExecutionConfig"),
        client_token=request.get("ClientRequestToken"),
    )
    return {"PipelineExecutionArn": record.arn}


def _describe(context: Context, request: Mapping[str, Any]) -> Mapping[str, Any]:
    record = _required(context, request["PipelineExecutionArn"])
    limit = record.parallelism
    return context.model.answer(
        "DescribePipelineExecution",
        {
            "PipelineArn": record.pipeline_arn,
            "PipelineExecutionArn": record.arn,
            "PipelineExecutionDisplayName": record.display_name,
            "PipelineExecutionStatus": record.status,
            "PipelineExecutionDescription": record.description,
            "FailureReason": record.failure[:1300] or None,
            "CreationTime": record.created,
            "LastModifiedTime": record.modified,
            "CreatedBy": context.user,
            "LastModifiedBy": context.user,
            "ParallelismConfiguration": {"MaxParallelExecutionSteps": limit} if limit else None,
            "SelectiveExecutionConfig": record.selective,
            "RoleArn": record.role_arn,
        },
    )


def _list(context: Context, request: Mapping[str, Any]) -> Mapping[str, Any]:
    pipeline = pipelines.required(context, request["PipelineName"])
    items = [
        Item(
            name=record.arn,
            created=record.created,
            modified=record.modified,
            status=record.status,
            summary=context.model.pick(
                "PipelineExecutionSummary",
                {
                    "PipelineExecutionArn": record.arn,
                    "StartTime": record.created,
                    "PipelineExecutionStatus": record.status,
                    "PipelineExecutionDescription": record.description,
                    "PipelineExecutionDisplayName": record.display_name,
                    "PipelineExecutionFailureReason": record.failure[:3072] or None,
                },
            ),
        )
        for record in context.executions.executions(pipeline.name)
    ]
    shown, token = page(items, request, order="Descending")
    return {"PipelineExecutionSummaries": shown, **token}


def _steps(context: Context, request: Mapping[str, Any]) -> Mapping[str, Any]:
    record = _required(context, request["PipelineExecutionArn"])
    items = [
        Item(name=f"{index:06}", created=0.0, summary=step)
        for index, step in enumerate(context.executions.steps(record.arn))
    ]
    shown, token = page(items, request, order="Descending")
    return {"PipelineExecutionSteps": shown, **token}


def _parameters(context: Context, request: Mapping[str, Any]) -> Mapping[str, Any]:
    record = _required(context, request["PipelineExecutionArn"])
    items = [
        Item(name=f"{index:06}", created=0.0, summary={"Name": name, "Value": value})
        for index, (name, value) in enumerate(record.parameters.items())
    ]
    shown, token = page(items, request)
    return {"PipelineParameters": shown, **token}


def _definition(context: Context, request: Mapping[str, Any]) -> Mapping[str, Any]:
    record = _required(context, request["PipelineExecutionArn"])
    return {"PipelineDefinition": record.definition_text, "CreationTime": record.created}


def _stop(context: Context, request: Mapping[str, Any]) -> Mapping[str, Any]:
    record = _required(context, request["PipelineExecutionArn"])
    if record.status not in ("Executing", "Stopping"):
        raise invalid(
            f"Pipeline execution with ARN {record.arn} is in status {record.status}. "
            "Only pipeline executions in status Executing can be stopped."
        )
    context.executions.stop(record.arn)
    return {"PipelineExecutionArn": record.arn}


def _retry(context: Context, request: Mapping[str, Any]) -> Mapping[str, Any]:
    record = _required(context, request["PipelineExecutionArn"])
    if record.status not in _RETRIED:
        raise invalid(
            f"Pipeline execution with ARN {record.arn} is in status {record.status}. "
            "Only pipeline executions in status Failed or Stopped can be retried."
        )
    context.executions.retry(record.arn, parallelism=pipelines.parallelism(request))
    return {"PipelineExecutionArn": record.arn}


def _update(context: Context, request: Mapping[str, Any]) -> Mapping[str, Any]:
    record = _required(context, request["PipelineExecutionArn"])
    context.executions.update_execution(
        record.arn,
        display_name=request.get("PipelineExecutionDisplayName"),
        description=request.get("PipelineExecutionDescription"),
    )
    return {"PipelineExecutionArn": record.arn}


def _step_succeeded(context: Context, request: Mapping[str, Any]) -> Mapping[str, Any]:
    outputs = {output["Name"]: output["Value"] for output in request.get("OutputParameters", ())}
    arn = context.executions.step_succeeded(request["CallbackToken"], outputs)
    return _ended(arn, request["CallbackToken"])


def _step_failed(context: Context, request: Mapping[str, Any]) -> Mapping[str, Any]:
    arn = context.executions.step_failed(request["CallbackToken"], request.get("FailureReason", ""))
    return _ended(arn, request["CallbackToken"])


def _ended(arn: str | None, token: str) -> Mapping[str, Any]:
    if arn is None:
        raise not_found(f"No step waits with the callback token {token}.")
    return {"PipelineExecutionArn": arn}


CALLS: dict[str, Call] = {
    "StartPipelineExecution": _start,
    "DescribePipelineExecution": _describe,
    "ListPipelineExecutions": _list,
    "ListPipelineExecutionSteps": _steps,
    "ListPipelineParametersForExecution": _parameters,
    "DescribePipelineDefinitionForExecution": _definition,
    "StopPipelineExecution": _stop,
    "RetryPipelineExecution": _retry,
    "UpdatePipelineExecution": _update,
    "SendPipelineExecutionStepSuccess": _step_succeeded,
    "SendPipelineExecutionStepFailure": _step_failed,
}
