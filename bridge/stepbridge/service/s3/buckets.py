"""Calls on a bucket: create, delete, and its settings, which are kept as they were put and have no effect."""

from __future__ import annotations

import re

from stepbridge.errors import StorageError
from stepbridge.service.errors import ServiceError
from stepbridge.service.http import Response
from stepbridge.service.xml import document, element, parse, text

from .context import Call, empty_answer, iso, no_such_bucket, xml_answer
from .objects import malformed, owner_acl

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")

# sub-resource -> (code and message where it was never put); None: an empty document of that name
_MISSING: dict[str, tuple[str, str]] = {
    "tagging": ("NoSuchTagSet", "The TagSet does not exist"),
    "policy": ("NoSuchBucketPolicy", "The bucket policy does not exist"),
    "policyStatus": ("NoSuchBucketPolicy", "The bucket policy does not exist"),
    "publicAccessBlock": (
        "NoSuchPublicAccessBlockConfiguration",
        "The public access block configuration was not found",
    ),
    "lifecycle": ("NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist"),
    "cors": ("NoSuchCORSConfiguration", "The CORS configuration does not exist"),
    "website": ("NoSuchWebsiteConfiguration", "The specified bucket does not have a website configuration"),
    "replication": ("ReplicationConfigurationNotFoundError", "The replication configuration was not found"),
    "object-lock": (
        "ObjectLockConfigurationNotFoundError",
        "Object Lock configuration does not exist for this bucket",
    ),
    "ownershipControls": (
        "OwnershipControlsNotFoundError",
        "The bucket ownership controls were not found",
    ),
}
_DEFAULTS: dict[str, bytes] = {
    "versioning": document("VersioningConfiguration"),
    "logging": document("BucketLoggingStatus"),
    "notification": document("NotificationConfiguration"),
    "accelerate": document("AccelerateConfiguration"),
    "requestPayment": document("RequestPaymentConfiguration", text("Payer", "BucketOwner")),
    "encryption": document(
        "ServerSideEncryptionConfiguration",
        element(
            "Rule",
            element("ApplyServerSideEncryptionByDefault", text("SSEAlgorithm", "AES256")),
            text("BucketKeyEnabled", "false"),
        ),
    ),
}
SETTINGS = (*_MISSING, *_DEFAULTS)


def required(call: Call) -> None:
    """Raises ServiceError (NoSuchBucket)."""
    if not call.store.has_bucket(call.bucket):
        raise no_such_bucket(call.bucket)


def list_buckets(call: Call) -> Response:
    prefix = call.query("prefix")
    buckets = [
        element(
            "Bucket",
            text("Name", name),
            text("CreationDate", iso(call.store.bucket_created(name))),
            text("BucketRegion", call.context.region),
        )
        for name in call.store.buckets()
        if name.startswith(prefix)
    ]
    owner = element("Owner", text("ID", call.context.account), text("DisplayName", "stepbridge"))
    return xml_answer(document("ListAllMyBucketsResult", element("Buckets", *buckets), owner))


def create_bucket(call: Call) -> Response:
    if not _NAME.fullmatch(call.bucket) or ".." in call.bucket:
        raise ServiceError("InvalidBucketName", "The specified bucket is not valid.", BucketName=call.bucket)
    call.document()  # the location: there is one
    new = call.store.create_bucket(call.bucket)
    if not new and call.context.region != "us-east-1":  # where S3 answers as if it were new
        raise ServiceError(
            "BucketAlreadyOwnedByYou",
            "Your previous request to create the named bucket succeeded and you already own it.",
            409,
            BucketName=call.bucket,
        )
    return empty_answer(headers={"Location": f"/{call.bucket}"})


def head_bucket(call: Call) -> Response:
    required(call)
    return empty_answer(
        headers={"x-amz-bucket-region": call.context.region, "Content-Type": "application/xml"}
    )


def delete_bucket(call: Call) -> Response:
    required(call)
    try:
        call.store.delete_bucket(call.bucket)
    except StorageError:
        raise ServiceError(
            "BucketNotEmpty", "The bucket you tried to delete is not empty", 409, BucketName=call.bucket
        ) from None
    for setting in SETTINGS:
        call.context.records.remove(f"bucket-{setting}", call.bucket)
    return empty_answer(204)


def get_location(call: Call) -> Response:
    required(call)
    region = call.context.region
    name = '<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
    return xml_answer(f"{name}{'' if region == 'us-east-1' else region}</LocationConstraint>".encode())


def get_acl(call: Call) -> Response:
    required(call)
    return xml_answer(owner_acl(call))


def put_acl(call: Call) -> Response:
    required(call)
    call.document()
    return empty_answer()


def _setting(call: Call) -> str:
    return next(name for name in SETTINGS if name in call.request.query)


def get_setting(call: Call) -> Response:
    required(call)
    name = _setting(call)
    record = call.context.records.get(f"bucket-{name}", call.bucket)
    if record is not None:
        return xml_answer(record["document"].encode())
    if name in _DEFAULTS:
        return xml_answer(_DEFAULTS[name])
    code, message = _MISSING[name]
    raise ServiceError(code, message, 404, BucketName=call.bucket)


def put_setting(call: Call) -> Response:
    required(call)
    name = _setting(call)
    body = call.document()
    try:
        if name != "policy":  # the one that is JSON
            parse(body)
        record = {"document": body.decode("utf-8")}
    except ValueError:
        raise malformed() from None
    call.context.records.change(f"bucket-{name}", call.bucket, lambda _: record)
    return empty_answer(204 if name in ("tagging", "policy") else 200)


def delete_setting(call: Call) -> Response:
    required(call)
    call.context.records.remove(f"bucket-{_setting(call)}", call.bucket)
    return empty_answer(204)


def delete_objects(call: Call) -> Response:
    """DeleteObjects: each key is answered for itself."""
    required(call)
    try:
        root = parse(call.document())
    except ValueError:
        raise malformed() from None
    quiet = root.findtext("Quiet", "false").strip().lower() == "true"
    results = []
    for item in root.iter("Object"):
        key = item.findtext("Key", "")
        try:
            call.store.delete(call.bucket, key)
        except StorageError as error:
            refused = (text("Code", "AccessDenied"), text("Message", error.message))
            results.append(element("Error", text("Key", key), *refused))
        else:
            if not quiet:
                results.append(element("Deleted", text("Key", key)))
    return xml_answer(document("DeleteResult", *results))
