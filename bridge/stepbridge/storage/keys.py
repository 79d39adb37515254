"""Names of objects: `s3://` URIs, bucket names, keys, and which keys can be plain paths.

Pure text. Knows no file system beyond the length that a path segment may have.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from stepbridge.errors import StorageError

LONGEST_SEGMENT = 255  # bytes of a file name, on every file system that we meet
LONGEST_KEY = 1024  # bytes, S3's own limit

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")


class Address(NamedTuple):
    """A bucket and a key (empty for the bucket itself)."""

    bucket: str
    key: str

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


def parse_uri(uri: str) -> Address:
    """`s3://bucket/key` in its two parts.

    Raises:
        StorageError: it is no S3 URI, or names a bucket that cannot exist.
    """
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme not in ("s3", "s3a", "s3n") or not bucket:
        raise StorageError(f"{uri!r} is not an S3 URI.", "Write it as s3://bucket/key.")
    return Address(check_bucket(bucket), key)


def check_bucket(bucket: str) -> str:
    """The name itself. Raises StorageError where it could leave the store's folder or is no bucket name."""
    if not _BUCKET.fullmatch(bucket) or ".." in bucket:
        raise StorageError(
            f"{bucket!r} is not a bucket name.", "Use 3 to 63 lower-case letters, digits, dots and hyphens."
        )
    return bucket


def check_key(key: str, bucket: str = "") -> str:
    """The key itself.

    Raises:
        StorageError: it is absolute, holds a NUL or a `..` segment, is too long, or is not Unicode.
    """
    place = f"s3://{bucket}/{key}" if bucket else repr(key)
    if key.startswith("/"):
        raise StorageError(f"{place}: the key starts with '/'.", "Remove the second slash after the bucket.")
    if "\0" in key:
        raise StorageError(f"{place!r}: the key holds a NUL character.")
    if ".." in key and ".." in key.split("/"):
        raise StorageError(f"{place}: the key holds a '..' segment.", "Write the key without '..'.")
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        raise StorageError(f"{place!r}: the key is not valid Unicode.") from None
    if size > LONGEST_KEY:
        raise StorageError(
            f"{place}: the key has {size} bytes, S3 takes {LONGEST_KEY}.", "Use a shorter key."
        )
    return key


def can_be_path(key: str) -> bool:
    """Whether a (checked) key can be a file's relative path: no empty, `.` or overlong segment."""
    if not key:
        return False
    return all(
        segment not in ("", ".") and (len(segment) < 64 or len(segment.encode()) <= LONGEST_SEGMENT)
        for segment in key.split("/")
    )


def as_prefix(key: str) -> str:
    """`a/b` or `a/b/` as the prefix of what lies in that folder: `a/b/`; empty stays empty."""
    return key if not key or key.endswith("/") else key + "/"
