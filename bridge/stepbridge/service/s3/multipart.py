"""Multipart uploads on the wire."""

from __future__ import annotations

import base64

import msgspec

from stepbridge.service.errors import ServiceError
from stepbridge.service.http import Response
from stepbridge.service.xml import document, element, parse, text
from stepbridge.storage.uploads import Part, Upload

from .bodies import Received, receive
from .buckets import required
from .checksums import NAMES, announced, composite
from .context import Call, empty_answer, iso, quoted, url_encoded, xml_answer
from .objects import check_write_conditions, checksum_headers, copy_source, details_of, malformed

_SMALLEST = 5 * 1024 * 1024  # bytes of every part but the last


def _upload(call: Call) -> Upload:
    found = call.context.uploads.find(call.query("uploadId"), call.bucket, call.key)
    if found is None:
        raise ServiceError(
            "NoSuchUpload",
            "The specified upload does not exist. The upload ID may be invalid, or the upload may have been "
            "aborted or completed.",
            404,
            UploadId=call.query("uploadId"),
        )
    return found


def _number(call: Call) -> int:
    number = call.query("partNumber")
    if not number.isdecimal() or not 1 <= int(number) <= 10_000:
        raise ServiceError("InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive")
    return int(number)


def create(call: Call) -> Response:
    required(call)
    algorithm = call.header("x-amz-checksum-algorithm").upper()
    upload = call.context.uploads.start(call.bucket, call.key, details_of(call), algorithm)
    body = document(
        "InitiateMultipartUploadResult",
        text("Bucket", call.bucket),
        text("Key", call.key),
        text("UploadId", upload.id),
    )
    headers = {"x-amz-server-side-encryption": "AES256"}
    if algorithm in NAMES:
        headers |= {
            "x-amz-checksum-algorithm": algorithm,
            "x-amz-checksum-type": call.header("x-amz-checksum-type") or "COMPOSITE",
        }
    return xml_answer(body, 200, **headers)


def put_part(call: Call) -> Response:
    upload, number = _upload(call), _number(call)
    incoming = call.store.incoming()
    try:
        received = receive(call.request, incoming)
        part = call.context.uploads.add(upload, number, incoming, received.checksum_hex)
    finally:
        incoming.discard()
    return empty_answer(headers={"ETag": quoted(part.etag), **_part_checksum(received)})


def _part_checksum(received: Received) -> dict[str, str]:
    if not received.checksum:
        return {}
    return {f"x-amz-checksum-{received.algorithm.lower()}": received.checksum}


def copy_part(call: Call) -> Response:
    upload, number = _upload(call), _number(call)
    source = copy_source(call)
    start, length = 0, source.size
    wanted = call.header("x-amz-copy-source-range")
    if wanted:
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        if not (first.isdecimal() and last.isdecimal() and int(first) <= int(last) < source.size):
            raise ServiceError("InvalidArgument", f"The x-amz-copy-source-range {wanted} is not valid")
        start, length = int(first), int(last) - int(first) + 1
    incoming = call.store.incoming()
    try:
        with source.path.open("rb") as file:
            file.seek(start)
            while length and (chunk := file.read(min(length, 1 << 20))):
                incoming.write(chunk)
                length -= len(chunk)
        part = call.context.uploads.add(upload, number, incoming)
    finally:
        incoming.discard()
    body = document(
        "CopyPartResult", text("LastModified", iso(part.modified)), text("ETag", quoted(part.etag))
    )
    return xml_answer(body)


def complete(call: Call) -> Response:
    upload = _upload(call)
    parts = _chosen(call, upload)
    check_write_conditions(call)
    details = upload.details
    checksum = composite(upload.algorithm, [part.checksum for part in parts]) if upload.algorithm else ""
    sent, value = announced(call.request.headers)
    if call.header("x-amz-checksum-type").upper() == "FULL_OBJECT" and value:
        details = msgspec.structs.replace(details, checksums={sent: value, "TYPE": "FULL_OBJECT"})
    elif checksum:
        checksums = {upload.algorithm: checksum, "TYPE": "COMPOSITE"}
        details = msgspec.structs.replace(details, checksums=checksums)
    info = call.context.uploads.complete(upload, parts, details)
    checksum_elements = [
        text("ChecksumType" if name == "TYPE" else f"Checksum{name}", value)
        for name, value in details.checksums.items()
    ]
    body = document(
        "CompleteMultipartUploadResult",
        text("Location", f"http://s3.amazonaws.com/{call.bucket}/{url_encoded(call.key, 'url')}"),
        text("Bucket", call.bucket),
        text("Key", call.key),
        text("ETag", quoted(info.etag)),
        *checksum_elements,
    )
    return xml_answer(body, 200, **checksum_headers(details))


def _chosen(call: Call, upload: Upload) -> list[Part]:
    """The parts that the client names, in its order. Raises ServiceError where they do not fit."""
    try:
        named = [
            (int(item.findtext("PartNumber", "0")), item.findtext("ETag", "").strip().strip('"'))
            for item in parse(call.document()).iter("Part")
        ]
    except ValueError:
        raise malformed() from None
    if not named:
        raise malformed()
    numbers = [number for number, _ in named]
    if numbers != sorted(set(numbers)):
        raise ServiceError(
            "InvalidPartOrder",
            "The list of parts was not in ascending order. Parts must be ordered by part number.",
        )
    there = {part.number: part for part in call.context.uploads.parts(upload)}
    for number, etag in named:
        if number not in there or there[number].etag != etag:
            raise ServiceError(
                "InvalidPart",
                "One or more of the specified parts could not be found. The part may not have been uploaded, "
                "or the specified entity tag may not match the part's entity tag.",
                PartNumber=str(number),
            )
    chosen = [there[number] for number in numbers]
    for part in chosen[:-1]:
        if part.size < _SMALLEST:
            raise ServiceError(
                "EntityTooSmall",
                "Your proposed upload is smaller than the minimum allowed size",
                PartNumber=str(part.number),
            )
    return chosen


def abort(call: Call) -> Response:
    call.context.uploads.abort(_upload(call))
    return empty_answer(204)


def list_parts(call: Call) -> Response:
    upload = _upload(call)
    after = int(call.query("part-number-marker") or "0")
    limit = min(int(call.query("max-parts") or "1000"), 1000)
    rest = [part for part in call.context.uploads.parts(upload) if part.number > after]
    shown = rest[:limit]
    parts = [
        element(
            "Part",
            text("PartNumber", part.number),
            text("LastModified", iso(part.modified)),
            text("ETag", quoted(part.etag)),
            text("Size", part.size),
            _listed_checksum(upload, part),
        )
        for part in shown
    ]
    body = document(
        "ListPartsResult",
        text("Bucket", call.bucket),
        text("Key", call.key),
        text("UploadId", upload.id),
        text("PartNumberMarker", after),
        text("NextPartNumberMarker", shown[-1].number if shown else after),
        text("MaxParts", limit),
        text("IsTruncated", "true" if len(rest) > limit else "false"),
        text("StorageClass", "STANDARD"),
        *parts,
    )
    return xml_answer(body)


def _listed_checksum(upload: Upload, part: Part) -> str:
    if not part.checksum or upload.algorithm not in NAMES:
        return ""
    return text(f"Checksum{upload.algorithm}", base64.b64encode(bytes.fromhex(part.checksum)).decode())


def list_uploads(call: Call) -> Response:
    required(call)
    encoding = call.query("encoding-type")
    uploads = [
        element(
            "Upload",
            text("Key", url_encoded(upload.key, encoding)),
            text("UploadId", upload.id),
            text("StorageClass", "STANDARD"),
            text("Initiated", iso(upload.started)),
        )
        for upload in call.context.uploads.all(call.bucket, call.query("prefix"))
    ]
    body = document(
        "ListMultipartUploadsResult",
        text("Bucket", call.bucket),
        text("Prefix", url_encoded(call.query("prefix"), encoding)),
        text("MaxUploads", 1000),
        text("IsTruncated", "false"),
        *([text("EncodingType", encoding)] if encoding else []),
        *uploads,
    )
    return xml_answer(body)
