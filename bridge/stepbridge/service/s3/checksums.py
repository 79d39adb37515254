"""Checksums of uploads: the flexible ones (`x-amz-checksum-*`), Content-MD5, and the parts' composites."""

from __future__ import annotations

import base64
import hashlib
import zlib
from typing import Protocol

from stepbridge.service.errors import ServiceError

NAMES = ("CRC64NVME", "CRC32", "CRC32C", "SHA1", "SHA256")


class Digest(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def digest(self) -> bytes: ...


class _Crc32:
    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes, /) -> None:
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


def digest_of(name: str) -> Digest | None:
    """A new digest; None for those which Python cannot compute at speed (CRC32C, CRC64NVME: kept as sent)."""
    if name == "CRC32":
        return _Crc32()
    if name == "SHA1":
        return hashlib.sha1(usedforsecurity=False)
    return hashlib.sha256() if name == "SHA256" else None


def announced(headers: dict[str, str]) -> tuple[str, str]:
    """(algorithm, base64 value) that a request carries or will carry in its trailer (value empty then)."""
    for name in NAMES:
        value = headers.get(f"x-amz-checksum-{name.lower()}")
        if value:
            return name, value
    trailer = headers.get("x-amz-trailer", "").lower()
    for name in NAMES:
        if f"x-amz-checksum-{name.lower()}" in (part.strip() for part in trailer.split(",")):
            return name, ""
    wanted = headers.get("x-amz-sdk-checksum-algorithm", "").upper()
    return (wanted, "") if wanted in NAMES else ("", "")


def check_md5(headers: dict[str, str], md5: str) -> None:
    """Raises ServiceError (BadDigest, InvalidDigest) where Content-MD5 says otherwise."""
    sent = headers.get("content-md5")
    if not sent:
        return
    try:
        wanted = base64.b64decode(sent, validate=True).hex()
    except ValueError:
        raise ServiceError("InvalidDigest", "The Content-MD5 you specified was invalid.") from None
    if wanted != md5:
        raise ServiceError("BadDigest", "The Content-MD5 you specified did not match what we received.", 400)


def composite(name: str, parts: list[str]) -> str:
    """The checksum of a multipart object from its parts' (hexadecimal); empty where we cannot say it."""
    digest = digest_of(name)
    if digest is None or not all(parts):
        return ""
    for part in parts:
        digest.update(bytes.fromhex(part))
    return f"{base64.b64encode(digest.digest()).decode()}-{len(parts)}"
