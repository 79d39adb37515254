"""SageMaker's runtime: InvokeEndpoint and its streaming kin, handed on to the serving backend."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from stepbridge.errors import StepBridgeError

from .backend import Serving
from .errors import ServiceError, as_json, request_id, unknown_operation
from .http import CHUNK, Request, Response

_PATH = re.compile(
    r"/endpoints/(?P<name>[^/]+)/(?P<call>invocations|invocations-response-stream|async-invocations)"
)
_OPERATIONS = {
    "invocations": "InvokeEndpoint",
    "invocations-response-stream": "InvokeEndpointWithResponseStream",
    "async-invocations": "InvokeEndpointAsync",
}


class RuntimeApi:
    """Answers calls of sagemaker-runtime."""

    def __init__(self, serving: Serving | None) -> None:
        self._serving = serving

    def answer(self, request: Request) -> Response | None:
        """The answer to an invocation; None where the path is no such call."""
        found = _PATH.fullmatch(request.path)
        if not found or request.method != "POST":
            return None
        try:
            if self._serving is None or found["call"] != "invocations":
                raise unknown_operation("sagemaker-runtime", _OPERATIONS[found["call"]])
            return self._invoke(self._serving, found["name"], request)
        except ServiceError as error:
            return as_json(error)
        except StepBridgeError as error:
            text = f"{error.message.removesuffix('.')}. {error.hint}".rstrip()
            return as_json(ServiceError("ModelError", text, 424))

    def _invoke(self, serving: Serving, name: str, request: Request) -> Response:
        if serving.describe(name) is None:
            raise ServiceError("ValidationError", f"Endpoint {name} of account not found.")
        headers = {
            key: value
            for key, value in request.headers.items()
            if key in ("content-type", "accept") or key.startswith("x-amzn-sagemaker-")
        }
        result = serving.invoke(name, _pieces(request), headers)
        if result.status >= 400:
            text = b"".join(result.body).decode("utf-8", "replace")
            raise _model_error(result.status, text, result.said_by)
        kept = {
            "Content-Type": result.headers.get("content-type", "application/octet-stream"),
            "x-Amzn-Invoked-Production-Variant": result.headers.get(
                "x-amzn-invoked-production-variant", "AllTraffic"
            ),
            "x-amzn-RequestId": request_id(),
        }
        length = result.headers.get("content-length", "")
        return Response(200, kept, result.body, int(length) if length.isdecimal() else None)


def _pieces(request: Request) -> Iterator[bytes]:
    return iter(partial(request.body.read, CHUNK), b"")


def _model_error(status: int, text: str, container: str) -> ServiceError:
    message = f'Received client error ({status}) from {container} with message "{text[:4096]}".'
    if status >= 500:
        message = message.replace("client error", "server error")
    return ServiceError("ModelError", message, 424)
