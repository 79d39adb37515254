"""What a program asked of the endpoint, and what of it makes pipelines and starts them.

The endpoint keeps the log; this module only reads it. It knows no HTTP and no executor.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

_WORK = frozenset(
    {
        "CreateTrainingJob",
        "CreateProcessingJob",
        "CreateTransformJob",
        "CreateHyperParameterTuningJob",
        "CreateEndpoint",
    }
)


class Call(Protocol):
    """One answered request. `error` is the error code of the answer, empty where it succeeded."""

    @property
    def service(self) -> str: ...  # "sagemaker", "s3", "sts" ...
    @property
    def operation(self) -> str: ...  # "CreatePipeline"
    @property
    def request(self) -> Mapping[str, Any]: ...
    @property
    def response(self) -> Mapping[str, Any] | None: ...
    @property
    def error(self) -> str: ...


class CallLog(Protocol):
    """The endpoint's memory of calls."""

    def mark(self) -> int:
        """A point in time: the number of calls so far."""
        ...

    def since(self, mark: int) -> Sequence[Call]:
        """The calls answered after `mark`, in order."""
        ...


class PipelineDeclaration(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A pipeline as a program created or updated it."""

    name: str
    definition: str = ""  # the document; empty where it lies at `definition_location`
    definition_location: dict[str, Any] | None = None  # Bucket, ObjectKey: definitions over 100 KiB
    role: str = ""
    display_name: str | None = None
    description: str | None = None
    parallelism: int | None = None
    tags: tuple[dict[str, str], ...] = ()


class PipelineStart(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A StartPipelineExecution request, and the ARN of the execution that came of it (empty in a record)."""

    pipeline: str
    request: dict[str, Any]
    arn: str = ""


def declarations(calls: Iterable[Call]) -> tuple[PipelineDeclaration, ...]:
    """The pipelines that `calls` created or updated, each once, in the order of their first mention."""
    found: dict[str, PipelineDeclaration] = {}
    for call in calls:
        if call.operation in ("CreatePipeline", "UpdatePipeline") and _succeeded(call):
            name = _name_of(call.request["PipelineName"])
            before = found.get(name, PipelineDeclaration(name=name))
            found[name] = _declared(before, call.request)
    return tuple(found.values())


def starts(calls: Iterable[Call]) -> tuple[PipelineStart, ...]:
    """The executions that `calls` started."""
    return tuple(
        PipelineStart(
            pipeline=_name_of(call.request["PipelineName"]),
            request=dict(call.request),
            arn=(call.response or {})["PipelineExecutionArn"],
        )
        for call in calls
        if call.operation == "StartPipelineExecution" and _succeeded(call)
    )


def has_worked(calls: Iterable[Call]) -> bool:
    """Whether the program itself had jobs run or models served: its pipelines are not all that it does."""
    return any(call.operation in _WORK and _succeeded(call) for call in calls)


def uploads(calls: Iterable[Call]) -> tuple[str, ...]:
    """URIs of the objects that `calls` wrote, each once."""
    written = {
        f"s3://{call.request['Bucket']}/{call.request['Key']}": None
        for call in calls
        if call.operation in ("PutObject", "CompleteMultipartUpload", "CopyObject") and _succeeded(call)
    }
    return tuple(written)


def _succeeded(call: Call) -> bool:
    return not call.error


def _name_of(name_or_arn: str) -> str:
    return name_or_arn.rpartition("/")[2]


def _declared(before: PipelineDeclaration, request: Mapping[str, Any]) -> PipelineDeclaration:
    located = "PipelineDefinitionS3Location" in request
    inline = "PipelineDefinition" in request
    parallelism = request.get("ParallelismConfiguration", {}).get("MaxParallelExecutionSteps")
    return PipelineDeclaration(
        name=before.name,
        definition=request["PipelineDefinition"] if inline else "" if located else before.definition,
        definition_location=request["PipelineDefinitionS3Location"]
        if located
        else None
        if inline
        else before.definition_location,
        role=request.get("RoleArn", before.role),
        display_name=request.get("PipelineDisplayName", before.display_name),
        description=request.get("PipelineDescription", before.description),
        parallelism=parallelism if parallelism is not None else before.parallelism,
        tags=tuple(request.get("Tags", before.tags)),
    )
