"""The dispatcher of S3: which call a request is, path style or virtual-host style, and errors in XML."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping

from stepbridge.errors import StepBridgeError
from stepbridge.service.errors import ServiceError, as_s3_xml
from stepbridge.service.http import Request, Response
from stepbridge.service.records import Records
from stepbridge.storage import ObjectStore
from stepbridge.storage.objects import ReadOnlyObjectError
from stepbridge.storage.uploads import Uploads

from . import buckets, listing, multipart, objects
from .context import Call, Context, Handler

_ON_BUCKET: Mapping[tuple[str, str], Handler] = {
    ("PUT", ""): buckets.create_bucket,
    ("HEAD", ""): buckets.head_bucket,
    ("GET", ""): listing.list_v1,
    ("DELETE", ""): buckets.delete_bucket,
    ("GET", "list-type"): listing.list_v2,
    ("GET", "versions"): listing.list_versions,
    ("GET", "uploads"): multipart.list_uploads,
    ("GET", "location"): buckets.get_location,
    ("GET", "acl"): buckets.get_acl,
    ("PUT", "acl"): buckets.put_acl,
    ("POST", "delete"): buckets.delete_objects,
    **{("GET", name): buckets.get_setting for name in buckets.SETTINGS},
    **{("PUT", name): buckets.put_setting for name in buckets.SETTINGS},
    **{("DELETE", name): buckets.delete_setting for name in buckets.SETTINGS},
}
_ON_OBJECT: Mapping[tuple[str, str], Handler] = {
    ("PUT", ""): objects.put_object,
    ("GET", ""): objects.get_object,
    ("HEAD", ""): objects.get_object,
    ("DELETE", ""): objects.delete_object,
    ("GET", "tagging"): objects.get_tagging,
    ("PUT", "tagging"): objects.put_tagging,
    ("DELETE", "tagging"): objects.delete_tagging,
    ("GET", "attributes"): objects.get_attributes,
    ("GET", "acl"): objects.get_acl,
    ("PUT", "acl"): objects.put_acl,
    ("POST", "uploads"): multipart.create,
    ("PUT", "uploadId"): multipart.put_part,
    ("POST", "uploadId"): multipart.complete,
    ("DELETE", "uploadId"): multipart.abort,
    ("GET", "uploadId"): multipart.list_parts,
}
# sub-resources that we do not answer; without them such a call would pass for a plain one
_UNKNOWN = (
    "torrent",
    "retention",
    "legal-hold",
    "select",
    "restore",
    "renameObject",
    "analytics",
    "inventory",
    "metrics",
    "intelligent-tiering",
    "session",
    "metadataTable",
    "metadataConfiguration",
    "abac",
)
_UPLOAD_SECONDS = 7 * 24 * 3600.0  # an upload that was begun longer ago is given up
_HOSTED = re.compile(
    r"(?P<bucket>.+?)\.(?:s3[.-][a-z0-9.-]*amazonaws\.com(?:\.cn)?|(?:s3\.)?localhost)(?::\d+)?"
)


class S3Api:
    """S3 for one account and region."""

    def __init__(self, store: ObjectStore, records: Records, *, region: str, account: str) -> None:
        self._context = Context(store, Uploads(store), records, region, account)

    def sweep(self) -> None:
        """Remove what uploads left that nobody will finish."""
        self._context.store.sweep()
        self._context.uploads.sweep(time.time() - _UPLOAD_SECONDS)

    def answer(self, request: Request) -> Response:
        """One call. Never raises for what a client did wrong."""
        try:
            call = self._call(request)
            if call.bucket == "":
                return _service_handler(request)(call)
            self._check_owner(call)
            return _handler(call)(call)
        except ServiceError as error:
            return self._refuse(request, error)
        except ReadOnlyObjectError as error:
            return self._refuse(request, ServiceError("AccessDenied", error.message, 403))
        except StepBridgeError as error:
            message = f"{error.message} {error.hint}".rstrip()
            return self._refuse(request, ServiceError("InvalidArgument", message))

    def address(self, request: Request) -> tuple[str, str]:
        """(bucket, key) that a request is about; empty where it names none."""
        path = request.path[1:]
        hosted = _HOSTED.fullmatch(request.headers.get("host", ""))
        if hosted:
            return hosted["bucket"], path
        bucket, _, key = path.partition("/")
        return bucket, key

    def _call(self, request: Request) -> Call:
        return Call(self._context, request, *self.address(request))

    def _check_owner(self, call: Call) -> None:
        expected = call.header("x-amz-expected-bucket-owner")
        if expected and expected != self._context.account:
            raise ServiceError("AccessDenied", "Access Denied", 403)

    def _refuse(self, request: Request, error: ServiceError) -> Response:
        answer = as_s3_xml(error)
        if error.code == "PreconditionFailed" or request.method == "HEAD":
            answer.headers["x-amz-error-code"] = error.code
        return answer


def _service_handler(request: Request) -> Handler:
    if request.method == "GET":
        return buckets.list_buckets
    raise _not_allowed(request.method)


def _handler(call: Call) -> Handler:
    table = _ON_OBJECT if call.key else _ON_BUCKET
    method, query = call.request.method, call.request.query
    unknown = next((name for name in _UNKNOWN if name in query), None)
    if unknown:
        raise ServiceError(
            "NotImplemented", f"StepBridge does not run the S3 call {method} ?{unknown} yet.", 501
        )
    if call.key and method == "PUT" and call.header("x-amz-copy-source"):
        return multipart.copy_part if "uploadId" in query else objects.copy_object
    for (candidate, resource), handler in table.items():
        if resource and candidate == method and resource in query:
            return handler
    handler_or_none: Callable[[Call], Response] | None = table.get((method, ""))
    if handler_or_none is None:
        raise _not_allowed(method)
    return handler_or_none


def _not_allowed(method: str) -> ServiceError:
    return ServiceError(
        "MethodNotAllowed", "The specified method is not allowed against this resource.", 405, Method=method
    )
