"""What every S3 call gets, and words that several of them share."""

from __future__ import annotations

import time
from collections.abc import Callable
from urllib.parse import parse_qsl, quote

from msgspec import Struct

from stepbridge.service.errors import ServiceError, request_id
from stepbridge.service.http import Request, Response
from stepbridge.service.records import Records
from stepbridge.storage import ObjectInfo, ObjectStore
from stepbridge.storage.uploads import Uploads

DOCUMENT_LIMIT = 8 * 1024 * 1024  # bytes of a request's XML


class Context(Struct, frozen=True):
    """One per endpoint."""

    store: ObjectStore
    uploads: Uploads
    records: Records
    region: str
    account: str


class Call(Struct, frozen=True):
    """One request, taken apart. `key` is empty for calls on the bucket."""

    context: Context
    request: Request
    bucket: str
    key: str

    @property
    def store(self) -> ObjectStore:
        return self.context.store

    def header(self, name: str) -> str:
        return self.request.headers.get(name, "")

    def query(self, name: str, default: str = "") -> str:
        return self.request.query.get(name, default)

    def document(self) -> bytes:
        return self.request.read_all(DOCUMENT_LIMIT)


Handler = Callable[[Call], Response]


def xml_answer(body: bytes, status: int = 200, **headers: str) -> Response:
    return Response(status, {**base_headers(), "Content-Type": "application/xml", **headers}, body)


def empty_answer(status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(status, {**base_headers(), **(headers or {})})


def base_headers() -> dict[str, str]:
    return {"x-amz-request-id": request_id()[:16].upper(), "x-amz-id-2": "stepbridge", "Server": "AmazonS3"}


def no_such_bucket(bucket: str) -> ServiceError:
    return ServiceError(
        "NoSuchBucket",
        f"The specified bucket does not exist. Provide its data: stepbridge data put FILE s3://{bucket}/KEY",
        404,
        BucketName=bucket,
    )


def no_such_key(bucket: str, key: str) -> ServiceError:
    return ServiceError(
        "NoSuchKey",
        f"The specified key does not exist. Provide it: stepbridge data put FILE s3://{bucket}/{key}",
        404,
        Key=key,
    )


def existing(call: Call) -> ObjectInfo:
    """The object of a call. Raises ServiceError (NoSuchBucket, NoSuchKey)."""
    info = call.store.head(call.bucket, call.key)
    if info is None:
        raise missing(call)
    return info


def missing(call: Call) -> ServiceError:
    """What a call on an object gets that is not there."""
    if not call.store.has_bucket(call.bucket):
        return no_such_bucket(call.bucket)
    return no_such_key(call.bucket, call.key)


def quoted(etag: str) -> str:
    return f'"{etag}"'


def iso(seconds: float) -> str:
    """`2025-01-31T12:00:00.000Z`"""
    t = time.gmtime(seconds)
    return time.strftime("%Y-%m-%dT%H:%M:%S", t) + f".{int(seconds % 1 * 1000):03}Z"


def url_encoded(value: str, encoding: str) -> str:
    return quote(value, safe="/-_.~*") if encoding == "url" else value


def parse_tagging(header: str) -> dict[str, str]:
    """`a=1&b=2`, as the x-amz-tagging header has it."""
    return dict(parse_qsl(header, keep_blank_values=True))
