"""The dispatcher of SageMaker's JSON 1.1 calls: checks a request against the model, calls, words errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from stepbridge.errors import StepBridgeError
from stepbridge.service.backend import Executions, Serving
from stepbridge.service.errors import ServiceError, as_json, request_id, unknown_operation
from stepbridge.service.http import Response
from stepbridge.service.records import Records
from stepbridge.storage import ObjectStore

from . import executions as execution_calls
from . import jobs, models, pipelines, registry, tags
from .context import Call, Context, name_of
from .model import ServiceModel

_CALLS: dict[str, Call] = {
    **pipelines.CALLS,
    **execution_calls.CALLS,
    **jobs.CALLS,
    **models.CALLS,
    **registry.CALLS,
    **tags.CALLS,
}

# Programs hand on the ARN of a step's job or model where these calls want a name (issue 2, the seed program).
_NAME_MEMBERS = ("TrainingJobName", "ProcessingJobName", "TransformJobName", "HyperParameterTuningJobName")


class SageMakerApi:
    """SageMaker for one account and region.

    Args:
        executions: runs pipelines and jobs.
        records: where models, configurations, packages and tags are kept.
        store: the S3 store that a definition may lie in.
        serving: runs real-time endpoints; without it CreateEndpoint names itself as unknown.
    """

    def __init__(
        self,
        executions: Executions,
        records: Records,
        store: ObjectStore,
        *,
        region: str,
        account: str,
        serving: Serving | None = None,
    ) -> None:
        self._context = Context(records, region, account, executions, store, serving)

    @property
    def serving(self) -> Serving | None:
        return self._context.serving

    @property
    def records(self) -> Records:
        return self._context.records

    def prepare(self) -> None:
        """Read botocore's model now, so that the first call need not."""
        ServiceModel.sagemaker()

    def call(self, operation: str, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """One call in this process, with the checks and the answer of the wire. Raises ServiceError."""
        context = self._context
        handler = _CALLS.get(operation)
        if handler is None:
            raise unknown_operation("sagemaker", operation)
        if not operation.startswith(("Create", "List")):
            request = {
                name: name_of(value) if name in _NAME_MEMBERS and isinstance(value, str) else value
                for name, value in request.items()
            }
        context.model.check_request(operation, request)
        try:
            return handler(context, _without_nulls(request))
        except ServiceError:
            raise
        except StepBridgeError as error:
            raise ServiceError("ValidationException", f"{error.message} {error.hint}".rstrip()) from error

    def answer(self, operation: str, body: bytes) -> Response:
        """One call of the wire. Never raises for what a client did wrong."""
        try:
            request = msgspec.json.decode(body or b"{}")
            if not isinstance(request, dict):
                raise ServiceError("SerializationException", "The request is no JSON object.")
            answer = self.call(operation, request)
        except msgspec.DecodeError as error:
            return as_json(ServiceError("SerializationException", f"The request is not JSON: {error}"))
        except ServiceError as error:
            return as_json(error)
        headers = {"Content-Type": "application/x-amz-json-1.1", "x-amzn-RequestId": request_id()}
        return Response(200, headers, msgspec.json.encode(answer))


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(item) for name, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value
