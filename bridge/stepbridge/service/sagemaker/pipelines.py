"""Pipelines: create, update, describe, list, delete."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stepbridge.errors import DefinitionError, StorageError
from stepbridge.service.backend import PipelineRecord

from . import tags
from .context import Call, Context, invalid, name_of, not_found
from .paging import Item, page


def required(context: Context, name_or_arn: str) -> PipelineRecord:
    """The pipeline of that name or ARN. Raises ServiceError (ResourceNotFound)."""
    found = context.executions.pipeline(name_of(name_or_arn))
    if found is None and name_or_arn.startswith("arn:"):  # the ARN may be in lower case, the name not
        wanted = name_or_arn.lower()
        found = next((one for one in context.executions.pipelines() if one.arn.lower() == wanted), None)
    if found is None:
        arn = name_or_arn if name_or_arn.startswith("arn:") else context.arn("pipeline", name_or_arn)
        raise not_found(f"Pipeline '{arn}' does not exist.")
    return found


def parallelism(request: Mapping[str, Any]) -> int | None:
    """MaxParallelExecutionSteps of a request."""
    configuration = request.get("ParallelismConfiguration") or {}
    limit: int | None = configuration.get("MaxParallelExecutionSteps")
    return limit


def _definition(context: Context, request: Mapping[str, Any]) -> str | None:
    """The definition of a request, from the request itself or from S3; None where it has neither."""
    text: str | None = request.get("PipelineDefinition")
    place = request.get("PipelineDefinitionS3Location")
    if text and place:
        raise invalid("Both PipelineDefinition and PipelineDefinitionS3Location are provided; give one.")
    if place is None:
        return text
    uri = f"s3://{place['Bucket']}/{place['ObjectKey']}"
    try:
        with context.store.open(uri) as file:
            return file.read().decode("utf-8")
    except StorageError as error:
        raise invalid(f"Unable to read the pipeline definition: {error.message} {error.hint}") from None
    except UnicodeDecodeError:
        raise invalid(f"Unable to read the pipeline definition: {uri} is not UTF-8 text.") from None


def _unreadable(error: DefinitionError) -> Exception:
    return invalid(f"Unable to parse pipeline definition. {error.message} {error.hint}".rstrip())


def _create(context: Context, request: Mapping[str, Any]) -> Mapping[str, Any]:
    name = request["PipelineName"]
    token = request.get("ClientRequestToken")
    existing = context.executions.pipeline(name)
    if existing is not None:
        known = context.records.get("pipeline-token", existing.arn) or {}
        if token and known.get("token") == token:
            return {"PipelineArn": existing.arn}  # a retry of the call that made it
        raise invalid(
            "Pipeline names must be unique within an AWS account and region. "
            f"Pipeline with name ({name}) already exists."
        )
    text = _definition(context, request)
    if text is None:
        raise invalid("Provide PipelineDefinition or PipelineDefinitionS3Location.")
    try:
        record = context.executions.create_pipeline(
            name,
            text,
            display_name=request.get("PipelineDisplayName"),
            description=request.get("PipelineDescription"),
            role_arn=request["RoleArn"],
            parallelism=parallelism(request),
            tags=request.get("Tags", ()),
        )
    except DefinitionError as error:
        raise _unreadable(error) from None
    context.records.change("pipeline-token", record.arn, lambda _: {"token": token})
    tags.save(context, record.arn, request.get("Tags", ()))
    return {"PipelineArn": record.arn}


def _update(context: Context, request: Mapping[str, Any]) -> Mapping[str, Any]:
    name = required(context, request["PipelineName"]).name
    try:
        record = context.executions.update_pipeline(
            name,
            definition_text=_definition(context, request),
            display_name=request.get("PipelineDisplayName"),
            description=request.get("PipelineDescription"),
            role_arn=request.get("RoleArn"),
            parallelism=parallelism(request),
        )
    except DefinitionError as error:
        raise _unreadable(error) from None
    return {"PipelineArn": record.arn}


def _describe(context: Context, request: Mapping[str, Any]) -> Mapping[str, Any]:
    record = required(context, request["PipelineName"])
    limit = record.parallelism
    return context.model.answer(
        "DescribePipeline",
        {
            "PipelineArn": record.arn,
            "PipelineName": record.name,
            "PipelineDisplayName": record.display_name or record.name,
            "PipelineDefinition": record.definition_text,
            "PipelineDescription": record.description,
            "RoleArn": record.role_arn,
            "PipelineStatus": "Active",
            "CreationTime": record.created,
            "LastModifiedTime": record.modified,
            "LastRunTime": record.last_run,
            "CreatedBy": context.user,
            "LastModifiedBy": context.user,
            "ParallelismConfiguration": {"MaxParallelExecutionSteps": limit} if limit else None,
        },
    )


def _list(context: Context, request: Mapping[str, Any]) -> Mapping[str, Any]:
    items = [
        Item(
            name=record.name,
            created=record.created,
            modified=record.modified,
            summary=context.model.pick(
                "PipelineSummary",
                {
                    "PipelineArn": record.arn,
                    "PipelineName": record.name,
                    "PipelineDisplayName": record.display_name or record.name,
                    "PipelineDescription": record.description,
                    "RoleArn": record.role_arn,
                    "CreationTime": record.created,
                    "LastModifiedTime": record.modified,
                    "LastExecutionTime": record.last_run,
                },
            ),
        )
        for record in context.executions.pipelines()
    ]
    shown, token = page(items, request, order="Descending", most=10)
    return {"PipelineSummaries": shown, **token}


def _delete(context: Context, request: Mapping[str, Any]) -> Mapping[str, Any]:
    record = required(context, request["PipelineName"])
    running = [one for one in context.executions.executions(record.name) if one.status == "Executing"]
    if running:
        raise invalid(
            f"Pipeline '{record.arn}' has executions that are running ({running[0].arn}); stop them first."
        )
    context.executions.delete_pipeline(record.name)
    context.records.remove("pipeline-token", record.arn)
    tags.forget(context, record.arn)
    return {"PipelineArn": record.arn}


CALLS: dict[str, Call] = {
    "CreatePipeline": _create,
    "UpdatePipeline": _update,
    "DescribePipeline": _describe,
    "ListPipelines": _list,
    "DeletePipeline": _delete,
}
