"""Calls on one object: put, get, head, delete, copy, and what is said of it (tags, attributes, ACL)."""

from __future__ import annotations

from urllib.parse import unquote

import msgspec

from stepbridge.service.errors import ServiceError
from stepbridge.service.http import FileRange, Response, http_date, parse_http_date
from stepbridge.service.xml import document, element, parse, text
from stepbridge.storage import Details, ObjectInfo

from .bodies import Received, receive
from .context import (
    Call,
    base_headers,
    empty_answer,
    existing,
    iso,
    missing,
    no_such_bucket,
    no_such_key,
    parse_tagging,
    quoted,
    xml_answer,
)

_KEPT_HEADERS = ("content-encoding", "cache-control", "content-disposition", "content-language", "expires")
_OVERRIDES = {
    "response-content-type": "Content-Type",
    "response-content-language": "Content-Language",
    "response-expires": "Expires",
    "response-cache-control": "Cache-Control",
    "response-content-disposition": "Content-Disposition",
    "response-content-encoding": "Content-Encoding",
}


# --- what a client says of an object ------------------------------------------------------------------------


def details_of(call: Call, received: Received | None = None) -> Details:
    """What the headers of a Put, Copy or CreateMultipartUpload say of the object."""
    headers = {name: call.header(name) for name in _KEPT_HEADERS if call.header(name)}
    codings = [part.strip() for part in headers.pop("content-encoding", "").split(",")]
    kept = [coding for coding in codings if coding and coding != "aws-chunked"]
    if kept:
        headers["content-encoding"] = ",".join(kept)
    prefix = "x-amz-meta-"
    metadata = {
        name[len(prefix) :]: value for name, value in call.request.headers.items() if name.startswith(prefix)
    }
    checksums = {}
    if received and received.checksum:
        checksums = {received.algorithm: received.checksum, "TYPE": "FULL_OBJECT"}
    return Details(
        content_type=call.header("content-type") or "binary/octet-stream",
        metadata=metadata,
        headers=headers,
        tags=parse_tagging(call.header("x-amz-tagging")),
        checksums=checksums,
    )


def checksum_headers(details: Details) -> dict[str, str]:
    checksums = {
        f"x-amz-checksum-{name.lower()}": value for name, value in details.checksums.items() if name != "TYPE"
    }
    if checksums:
        checksums["x-amz-checksum-type"] = details.checksums.get("TYPE", "FULL_OBJECT")
    return checksums


def _headers(call: Call, info: ObjectInfo) -> dict[str, str]:
    """Response headers of Get and Head."""
    headers = {
        **base_headers(),
        "Last-Modified": http_date(info.modified),
        "ETag": quoted(info.etag),
        "Accept-Ranges": "bytes",
        "Content-Type": info.content_type,
        "x-amz-server-side-encryption": "AES256",
        **{name.title(): value for name, value in info.details.headers.items()},
        **{f"x-amz-meta-{name}": value for name, value in info.metadata.items()},
    }
    if info.details.tags:
        headers["x-amz-tagging-count"] = str(len(info.details.tags))
    for parameter, name in _OVERRIDES.items():
        if parameter in call.request.query:
            headers[name] = call.query(parameter)
    return headers


# --- conditions ---------------------------------------------------------------------------------------------


def _matches(header: str, etag: str) -> bool:
    return header == "*" or etag in (part.strip().strip('"') for part in header.split(","))


def _check_conditions(call: Call, info: ObjectInfo, prefix: str = "") -> bool:
    """Whether the client has it already (304). Raises ServiceError (PreconditionFailed)."""
    match, none_match = call.header(f"{prefix}if-match"), call.header(f"{prefix}if-none-match")
    since = parse_http_date(call.header(f"{prefix}if-modified-since"))
    unmodified = parse_http_date(call.header(f"{prefix}if-unmodified-since"))
    seconds = int(info.modified)
    if match and not _matches(match, info.etag):
        raise _precondition_failed("If-Match")
    if unmodified is not None and not match and seconds > unmodified:
        raise _precondition_failed("If-Unmodified-Since")
    known = _matches(none_match, info.etag) if none_match else since is not None and seconds <= since
    if known and prefix:
        raise _precondition_failed("x-amz-copy-source-If-None-Match")
    return known


def _precondition_failed(condition: str) -> ServiceError:
    message = "At least one of the pre-conditions you specified did not hold"
    return ServiceError("PreconditionFailed", message, 412, Condition=condition)


def check_write_conditions(call: Call) -> None:
    """If-Match and If-None-Match of a Put or a completed upload. Raises ServiceError."""
    match, none_match = call.header("if-match"), call.header("if-none-match")
    if not match and not none_match:
        return
    info = call.store.head(call.bucket, call.key)
    if none_match and info is not None:
        raise _precondition_failed("If-None-Match")
    if match and info is None:
        raise no_such_key(call.bucket, call.key)
    if match and info is not None and not _matches(match, info.etag):
        raise _precondition_failed("If-Match")


# --- get and head -------------------------------------------------------------------------------------------


def _range(header: str, size: int) -> tuple[int, int] | None:
    """(start, length) of a Range header; None where the whole object is to be sent."""
    unit, _, spec = header.partition("=")
    first, dash, last = spec.strip().partition("-")
    if unit.strip() != "bytes" or not dash or "," in spec:
        return None
    if (first and not first.isdecimal()) or (last and not last.isdecimal()) or not (first or last):
        return None
    start = int(first) if first else max(size - int(last), 0)
    end = min(int(last), size - 1) if first and last else size - 1
    if first and last and int(last) < int(first):
        return None
    if start >= size or (not first and not int(last)):
        raise ServiceError(
            "InvalidRange", "The requested range is not satisfiable", 416, ActualObjectSize=str(size)
        )
    return start, end - start + 1


def _open(call: Call) -> tuple[ObjectInfo, FileRange]:
    """The object and its file, which agree even while another client replaces it."""
    found = call.store.read(call.bucket, call.key)
    if found is None:
        raise missing(call)
    info, file = found
    return info, FileRange(file, 0, info.size)


def get_object(call: Call) -> Response:
    info, whole = _open(call)
    try:
        return _get(call, info, whole)
    except ServiceError:
        whole.file.close()
        raise


def _get(call: Call, info: ObjectInfo, whole: FileRange) -> Response:
    headers = _headers(call, info)
    if _check_conditions(call, info):
        return Response(304, headers, whole)
    wanted = call.header("range")
    part = _range(wanted, info.size) if wanted else None
    if part is None:
        if call.header("x-amz-checksum-mode").upper() == "ENABLED":
            headers |= checksum_headers(info.details)
        status = 206 if call.query("partNumber") else 200
        return Response(status, headers, whole)
    start, length = part
    headers["Content-Range"] = f"bytes {start}-{start + length - 1}/{info.size}"
    return Response(206, headers, FileRange(whole.file, start, length))


def put_object(call: Call) -> Response:
    if not call.store.has_bucket(call.bucket):
        raise no_such_bucket(call.bucket)
    check_write_conditions(call)
    incoming = call.store.incoming()
    try:
        received = receive(call.request, incoming)
        check_write_conditions(call)  # again: the body may have taken its time
        info = call.store.commit(incoming, call.bucket, call.key, details_of(call, received))
    finally:
        incoming.discard()
    return empty_answer(
        headers={
            "ETag": quoted(info.etag),
            "x-amz-server-side-encryption": "AES256",
            **checksum_headers(info.details),
        }
    )


def delete_object(call: Call) -> Response:
    if not call.store.has_bucket(call.bucket):
        raise no_such_bucket(call.bucket)
    call.store.delete(call.bucket, call.key)
    return empty_answer(204)


# --- copy ---------------------------------------------------------------------------------------------------


def copy_source(call: Call) -> ObjectInfo:
    """The object that x-amz-copy-source names. Raises ServiceError."""
    source = unquote(call.header("x-amz-copy-source").partition("?versionId=")[0]).lstrip("/")
    bucket, _, key = source.partition("/")
    if not key:
        raise ServiceError("InvalidArgument", "Copy Source must mention the source bucket and key")
    info = existing(Call(call.context, call.request, bucket, key))
    _check_conditions(call, info, "x-amz-copy-source-")
    return info


def copy_object(call: Call) -> Response:
    source = copy_source(call)
    if not call.store.has_bucket(call.bucket):
        raise no_such_bucket(call.bucket)
    replaces = call.header("x-amz-metadata-directive").upper() == "REPLACE"
    retags = call.header("x-amz-tagging-directive").upper() == "REPLACE"
    details = source.details
    if replaces:
        new = details_of(call)
        details = msgspec.structs.replace(new, tags=details.tags, checksums=details.checksums)
    if retags:
        details = msgspec.structs.replace(details, tags=parse_tagging(call.header("x-amz-tagging")))
    if (source.bucket, source.key) == (call.bucket, call.key):
        if not replaces and not retags:
            raise ServiceError(
                "InvalidRequest",
                "This copy request is illegal because it is trying to copy an object to itself without "
                "changing the object's metadata, storage class, website redirect location or encryption "
                "attributes.",
            )
        call.store.change_details(source, details)
        info = existing(call)
    else:
        info = call.store.copy(source, call.bucket, call.key, details)
    body = document(
        "CopyObjectResult", text("LastModified", iso(info.modified)), text("ETag", quoted(info.etag))
    )
    return xml_answer(body)


# --- what is said of an object ------------------------------------------------------------------------------


def get_tagging(call: Call) -> Response:
    tags = existing(call).details.tags
    pairs = [element("Tag", text("Key", key), text("Value", value)) for key, value in tags.items()]
    return xml_answer(document("Tagging", element("TagSet", *pairs)))


def parse_tag_set(body: bytes) -> dict[str, str]:
    """Tags of a Tagging document. Raises ServiceError (MalformedXML)."""
    try:
        return {tag.findtext("Key", ""): tag.findtext("Value", "") for tag in parse(body).iter("Tag")}
    except ValueError:
        raise malformed() from None


def malformed() -> ServiceError:
    return ServiceError(
        "MalformedXML", "The XML you provided was not well-formed or did not validate against our schema"
    )


def put_tagging(call: Call) -> Response:
    info = existing(call)
    tags = parse_tag_set(call.document())
    call.store.change_details(info, msgspec.structs.replace(info.details, tags=tags))
    return empty_answer()


def delete_tagging(call: Call) -> Response:
    info = existing(call)
    call.store.change_details(info, msgspec.structs.replace(info.details, tags={}))
    return empty_answer(204)


def get_attributes(call: Call) -> Response:
    info = existing(call)
    wanted = {name.strip() for name in call.header("x-amz-object-attributes").split(",")}
    parts = []
    if "ETag" in wanted:
        parts.append(text("ETag", info.etag))
    checksums = [
        text("ChecksumType" if name == "TYPE" else f"Checksum{name}", value)
        for name, value in info.details.checksums.items()
    ]
    if "Checksum" in wanted and checksums:
        parts.append(element("Checksum", *checksums))
    if "StorageClass" in wanted:
        parts.append(text("StorageClass", "STANDARD"))
    if "ObjectSize" in wanted:
        parts.append(text("ObjectSize", info.size))
    answer = xml_answer(document("GetObjectAttributesResponse", *parts))
    answer.headers["Last-Modified"] = http_date(info.modified)
    return answer


def get_acl(call: Call) -> Response:
    existing(call)
    return xml_answer(owner_acl(call))


def owner_acl(call: Call) -> bytes:
    """The owner may do everything, nobody else anything."""
    owner = text("ID", call.context.account) + text("DisplayName", "stepbridge")
    grantee = (
        '<Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser">'
        f"{owner}</Grantee>"
    )
    return document(
        "AccessControlPolicy",
        element("Owner", owner),
        element("AccessControlList", element("Grant", grantee, text("Permission", "FULL_CONTROL"))),
    )


def put_acl(call: Call) -> Response:
    """Accepted and without effect: there is one user."""
    existing(call)
    return empty_answer()
