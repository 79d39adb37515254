"""The endpoint's memory of what a program asked: how a caller finds out which pipelines it made and started.

Only calls made with the program's own access key are kept; those of step containers are not the program's.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct, field

from .http import Request, Response

_S3_BY_RESOURCE = {
    ("POST", "uploads"): "CreateMultipartUpload",
    ("PUT", "uploadId"): "UploadPart",
    ("POST", "uploadId"): "CompleteMultipartUpload",
    ("DELETE", "uploadId"): "AbortMultipartUpload",
    ("POST", "delete"): "DeleteObjects",
    ("PUT", "tagging"): "PutObjectTagging",
}
_S3_ON_OBJECT = {"PUT": "PutObject", "GET": "GetObject", "HEAD": "HeadObject", "DELETE": "DeleteObject"}
_S3_ON_BUCKET = {"PUT": "CreateBucket", "GET": "ListObjects", "HEAD": "HeadBucket", "DELETE": "DeleteBucket"}


class Call(Struct, frozen=True):
    """One answered request; `error` is the error code, empty where it succeeded."""

    service: str
    operation: str
    request: Mapping[str, Any] = field(default_factory=dict)
    response: Mapping[str, Any] | None = None
    error: str = ""


class CallLog:
    """Calls in the order they were answered. For all threads."""

    def __init__(self) -> None:
        self._calls: list[Call] = []
        self._lock = threading.Lock()

    def add(self, call: Call) -> None:
        with self._lock:
            self._calls.append(call)

    def mark(self) -> int:
        """A point in time: the number of calls so far."""
        with self._lock:
            return len(self._calls)

    def since(self, mark: int) -> Sequence[Call]:
        """The calls answered after `mark`."""
        with self._lock:
            return tuple(self._calls[mark:])


def sagemaker_call(operation: str, body: bytes, response: Response) -> Call:
    """A call of the JSON protocol."""
    failed = response.status >= 400
    answer = _decoded(response.body if isinstance(response.body, bytes) else b"")
    error = str(answer.get("__type", response.status)).rpartition("#")[2] if failed else ""
    return Call("sagemaker", operation, _decoded(body), None if failed else answer, error)


def s3_call(request: Request, bucket: str, key: str, response: Response) -> Call:
    """An S3 call by its verb and sub-resource."""
    error = f"HTTP{response.status}" if response.status >= 400 else ""
    return Call("s3", _s3_operation(request, key), {"Bucket": bucket, "Key": key}, None, error)


def _s3_operation(request: Request, key: str) -> str:
    for (method, resource), operation in _S3_BY_RESOURCE.items():
        if request.method == method and resource in request.query:
            return operation
    if key and request.method == "PUT" and "x-amz-copy-source" in request.headers:
        return "CopyObject"
    if any(resource in request.query for resource in ("location", "acl", "policy", "encryption")):
        return f"{'Put' if request.method == 'PUT' else 'Get'}BucketSetting"
    table = _S3_ON_OBJECT if key else _S3_ON_BUCKET
    return table.get(request.method, request.method)


def _decoded(body: bytes) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(body or b"{}")
    except msgspec.DecodeError:
        return {}
    return value if isinstance(value, dict) else {}
