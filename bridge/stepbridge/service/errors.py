"""Errors as AWS services word them: a code, a message, an HTTP status. Each protocol has its own shape."""

from __future__ import annotations

import json
import secrets

from stepbridge.errors import StepBridgeError

from .http import Response
from .xml import escape


class ServiceError(StepBridgeError):
    """An answer that a client sees as an error.

    Args:
        code: the service's code, e.g. "NoSuchKey", "ValidationException".
        message: the service's words.
        status: HTTP status.
        fields: more elements of the error document (S3 says the key and the bucket).
    """

    def __init__(self, code: str, message: str, status: int = 400, **fields: str) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.fields = fields


def unknown_operation(service: str, operation: str) -> ServiceError:
    """What a call gets that nobody here answers."""
    return ServiceError(
        "UnknownOperationException", f"StepBridge does not run {service}:{operation} yet.", 501
    )


def request_id() -> str:
    return secrets.token_hex(16)


def as_json(error: ServiceError) -> Response:
    """JSON 1.1 and REST-JSON."""
    body = json.dumps({"__type": error.code, "message": error.message, "Message": error.message}).encode()
    headers = {
        "Content-Type": "application/x-amz-json-1.1",
        "x-amzn-RequestId": request_id(),
        "x-amzn-ErrorType": error.code,
    }
    return Response(error.status, headers, body)


def as_s3_xml(error: ServiceError) -> Response:
    identity = request_id()
    fields = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in error.fields.items())
    body = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{error.code}</Code>'
        f"<Message>{escape(error.message)}</Message>{fields}<RequestId>{identity}</RequestId>"
        "<HostId>stepbridge</HostId></Error>"
    )
    headers = {"Content-Type": "application/xml", "x-amz-request-id": identity}
    return Response(error.status, headers, body.encode("utf-8", "replace"))


def as_query_xml(error: ServiceError) -> Response:
    """STS, IAM and other services of the query protocol."""
    identity = request_id()
    blame = "Sender" if error.status < 500 else "Receiver"
    body = (
        f"<ErrorResponse><Error><Type>{blame}</Type><Code>{error.code}</Code>"
        f"<Message>{escape(error.message)}</Message></Error><RequestId>{identity}</RequestId></ErrorResponse>"
    )
    return Response(error.status, {"Content-Type": "text/xml", "x-amzn-RequestId": identity}, body.encode())
