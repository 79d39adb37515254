"""ListObjects (both versions) and ListObjectVersions."""

from __future__ import annotations

import base64
from collections.abc import Callable

from msgspec import Struct, field

from stepbridge.service.errors import ServiceError
from stepbridge.service.http import Response
from stepbridge.service.xml import document, element, text
from stepbridge.storage import ObjectInfo
from stepbridge.storage.listing import Cursor

from .context import Call, iso, no_such_bucket, quoted, url_encoded, xml_answer

_MOST = 1000
_LAST = "\U0010ffff"  # sorts after all keys that share a prefix


class _Page(Struct):
    """One page: objects and common prefixes, in the order of their names."""

    objects: list[ObjectInfo] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)
    last: str = ""  # key, or common prefix, that the page ended with
    truncated: bool = False

    @property
    def count(self) -> int:
        return len(self.objects) + len(self.prefixes)


def _read(call: Call, after: str, limit: int) -> _Page:
    """At most `limit` objects and common prefixes after a key."""
    prefix, delimiter = call.query("prefix"), call.query("delimiter")
    if not call.store.has_bucket(call.bucket):
        raise no_such_bucket(call.bucket)
    page = _Page()
    cursor = Cursor(prefix, after)
    for info in call.store.scan(call.bucket, cursor):
        if page.count >= limit:
            page.truncated = limit > 0
            break
        end = info.key.find(delimiter, len(prefix)) if delimiter else -1
        if end < 0:
            page.objects.append(info)
            page.last = info.key
        else:
            common = info.key[: end + len(delimiter)]
            page.prefixes.append(common)
            page.last = cursor.skip = common
    return page


def _limit(call: Call) -> int:
    asked = call.query("max-keys", str(_MOST))
    if not asked.isdecimal():
        raise ServiceError("InvalidArgument", "Provided max-keys not an integer or within integer range")
    return min(int(asked), _MOST)


def _shared(call: Call, page: _Page, limit: int, encode: Callable[[str], str]) -> list[str]:
    """Elements that all three calls have."""
    parts = [
        text("Name", call.bucket),
        text("Prefix", encode(call.query("prefix"))),
        text("MaxKeys", limit),
        text("IsTruncated", "true" if page.truncated else "false"),
    ]
    if call.query("delimiter"):
        parts.append(text("Delimiter", encode(call.query("delimiter"))))
    if call.query("encoding-type"):
        parts.append(text("EncodingType", call.query("encoding-type")))
    return parts


def _contents(call: Call, page: _Page, encode: Callable[[str], str], owner: bool) -> list[str]:
    who = _owner(call) if owner else ""
    parts = [
        element(
            "Contents",
            text("Key", encode(info.key)),
            text("LastModified", iso(info.modified)),
            text("ETag", quoted(info.etag)),
            text("Size", info.size),
            who,
            text("StorageClass", "STANDARD"),
        )
        for info in page.objects
    ]
    return parts + _prefixes(page, encode)


def _prefixes(page: _Page, encode: Callable[[str], str]) -> list[str]:
    return [element("CommonPrefixes", text("Prefix", encode(prefix))) for prefix in page.prefixes]


def _owner(call: Call) -> str:
    return element("Owner", text("ID", call.context.account), text("DisplayName", "stepbridge"))


def _encoder(call: Call) -> Callable[[str], str]:
    encoding = call.query("encoding-type")
    return lambda value: url_encoded(value, encoding)


def list_v2(call: Call) -> Response:
    token = call.query("continuation-token")
    after = _decode_token(token) if token else call.query("start-after")
    limit = _limit(call)
    page = _read(call, after, limit)
    encode = _encoder(call)
    parts = _shared(call, page, limit, encode)
    parts.append(text("KeyCount", page.count))
    if token:
        parts.append(text("ContinuationToken", token))
    if call.query("start-after"):
        parts.append(text("StartAfter", encode(call.query("start-after"))))
    if page.truncated:
        parts.append(text("NextContinuationToken", _encode_token(page)))
    parts += _contents(call, page, encode, owner=call.query("fetch-owner") == "true")
    return xml_answer(document("ListBucketResult", *parts))


def list_v1(call: Call) -> Response:
    marker, delimiter = call.query("marker"), call.query("delimiter")
    # a marker that is a common prefix (our NextMarker) stands for all the keys below it
    below = delimiter and marker.endswith(delimiter) and len(marker) > len(call.query("prefix"))
    limit = _limit(call)
    page = _read(call, marker + _LAST if below else marker, limit)
    encode = _encoder(call)
    parts = _shared(call, page, limit, encode)
    parts.append(text("Marker", encode(marker)))
    if page.truncated and delimiter:
        parts.append(text("NextMarker", encode(page.last)))
    parts += _contents(call, page, encode, owner=True)
    return xml_answer(document("ListBucketResult", *parts))


def list_versions(call: Call) -> Response:
    """Every object as its only version, whose id is "null", as in a bucket that never had versions."""
    marker = call.query("key-marker")
    limit = _limit(call)
    page = _read(call, marker, limit)
    encode = _encoder(call)
    parts = _shared(call, page, limit, encode)
    parts.append(text("KeyMarker", encode(marker)))
    if page.truncated:
        end = page.last + (_LAST if page.prefixes and page.last == page.prefixes[-1] else "")
        parts += [text("NextKeyMarker", encode(end)), text("NextVersionIdMarker", "null")]
    parts += [
        element(
            "Version",
            text("Key", encode(info.key)),
            text("VersionId", "null"),
            text("IsLatest", "true"),
            text("LastModified", iso(info.modified)),
            text("ETag", quoted(info.etag)),
            text("Size", info.size),
            _owner(call),
            text("StorageClass", "STANDARD"),
        )
        for info in page.objects
    ]
    return xml_answer(document("ListVersionsResult", *parts, *_prefixes(page, encode)))


def _encode_token(page: _Page) -> str:
    is_prefix = bool(page.prefixes) and page.last == page.prefixes[-1]
    return base64.urlsafe_b64encode((page.last + (_LAST if is_prefix else "")).encode()).decode()


def _decode_token(token: str) -> str:
    try:
        return base64.urlsafe_b64decode(token.encode()).decode()
    except ValueError:
        raise ServiceError("InvalidArgument", "The continuation token provided is incorrect") from None
