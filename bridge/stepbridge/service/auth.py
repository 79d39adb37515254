"""Who sends a request, for which service: the access key and the scope of AWS signatures, and bearer tokens.

The run's random access key is the secret that opens the endpoint. Signatures are not computed again: whoever
knows the key id got it from us, over a channel that only this user can read.
"""

from __future__ import annotations

import hmac
from urllib.parse import unquote

from msgspec import Struct

from .http import Request


class Credential(Struct, frozen=True):
    """What a request carries. `service` and `region` are empty where the signature has no scope."""

    access_key: str
    service: str = ""
    region: str = ""


def credential(request: Request) -> Credential | None:
    """The credential of a request signed in its header or its URL; None where it is anonymous."""
    header = request.headers.get("authorization", "")
    if header.startswith("AWS4-"):
        found = header.partition("Credential=")[2].split(",")[0].strip()
        return _scoped(found)
    if header.startswith("AWS "):  # signature version 2, S3 only
        return Credential(header[4:].split(":")[0].strip(), "s3")
    if "X-Amz-Credential" in request.query:
        return _scoped(request.query["X-Amz-Credential"])
    if "AWSAccessKeyId" in request.query:
        return Credential(request.query["AWSAccessKeyId"], "s3")
    return None


def bearer(request: Request) -> str:
    """The bearer token of a request; empty where it has none."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def same_secret(one: str, other: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(one.encode(), other.encode())


def _scoped(text: str) -> Credential:
    """`KEY/20250101/us-east-1/s3/aws4_request`; version 4a has no region."""
    parts = unquote(text).split("/")
    if len(parts) == 5:
        return Credential(parts[0], parts[3], parts[2])
    return Credential(parts[0], parts[2] if len(parts) == 4 else "")
