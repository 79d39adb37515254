"""Pulling and building images through the Docker Engine API, with their progress."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from stepbridge.errors import EngineError, ImageNotFoundError

from .docker_wire import ApiError, Wire

BUILDER_TALK = ("Step ", " --->", "Removing intermediate", "WARNING")  # not what a command said
COLOURS = re.compile("\x1b\\[[0-9;]*m")  # the builder writes standard error in red
Progress = Callable[[str, float | None], None]


async def pull(wire: Wire, reference: str, auth: Mapping[str, str] | None, progress: Progress) -> None:
    """As Engine.pull; without `auth`, with what `docker login` stored."""
    auth = auth or await asyncio.to_thread(_stored_credentials, reference)
    headers = {"X-Registry-Auth": _encoded(auth)} if auth else {}
    layers = PullProgress()
    last = None
    try:
        async for message in wire.messages("/images/create", {"fromImage": _tagged(reference)}, headers):
            if "error" in message:
                raise _not_pulled(reference, str(message["error"]))
            if (shown := layers.add(message)) != last:
                progress(*shown)
                last = shown
    except ApiError as error:
        raise _not_pulled(reference, error.message) from None


async def build(
    wire: Wire, context: Path, tag: str, arguments: Mapping[str, str], output: Callable[[str], None]
) -> str:
    """Build the tar archive `context` (its Dockerfile at the top); the new image's id.

    Raises:
        EngineError: a command of the Dockerfile failed, with what it said last.
    """
    query = {"t": tag, "rm": 1, "forcerm": 1, "buildargs": json.dumps(dict(arguments))}
    identity = ""
    last = ""
    try:
        async for message in wire.messages("/build", query, upload=context):
            if "error" in message:
                raise _not_built(tag, str(message["error"]), last)
            identity = (message.get("aux") or {}).get("ID") or identity
            for line in COLOURS.sub("", str(message.get("stream", ""))).splitlines():
                if line.strip():
                    output(line)
                    last = last if line.startswith(BUILDER_TALK) else line
    except ApiError as error:
        raise _not_built(tag, error.message, last) from None
    return identity


class PullProgress:
    """The messages of a pull as one text and one share."""

    def __init__(self) -> None:
        self._downloaded: dict[str, tuple[int, int]] = {}  # layer -> (bytes so far, bytes in all)
        self._extracted: dict[str, tuple[int, int]] = {}
        self._share: float | None = None
        self._text = "pulling"

    def add(self, message: Mapping[str, Any]) -> tuple[str, float | None]:
        layer, status = str(message.get("id", "")), str(message.get("status", ""))
        detail = message.get("progressDetail") or {}
        current, total = int(detail.get("current") or 0), int(detail.get("total") or 0)
        if status == "Downloading" and total:
            self._downloaded[layer] = (current, total)
        elif (
            status in ("Download complete", "Verifying Checksum", "Pull complete")
            and layer in self._downloaded
        ):
            size = self._downloaded[layer][1]
            self._downloaded[layer] = (size, size)
            if status == "Pull complete":
                self._extracted[layer] = (size, size)
        elif status == "Extracting" and total:
            self._extracted[layer] = (current, total)
        self._sum_up()
        return self._text, self._share

    def _sum_up(self) -> None:
        total = sum(size for _, size in self._downloaded.values())
        if not total:
            return
        here = sum(done for done, _ in self._downloaded.values())
        unpacked = sum(done for done, _ in self._extracted.values())
        share = round(min((0.8 * here + 0.2 * unpacked) / total, 1.0), 2)
        self._share = max(share, self._share or 0.0)
        verb = "downloading" if here < total else "unpacking"
        self._text = f"{verb} {here / 1e6:.0f} of {total / 1e6:.0f} MB"


def _tagged(reference: str) -> str:
    """Without a tag the engine would fetch every tag that there is."""
    last = reference.rsplit("/", 1)[-1]
    return reference if ":" in last or "@" in reference else f"{reference}:latest"


def _stored_credentials(reference: str) -> Mapping[str, str] | None:
    """What `docker login` (or a credential program) holds for the reference's registry."""
    from docker import auth, errors

    try:
        registry, _ = auth.resolve_repository_name(_tagged(reference))
        found = auth.load_config().resolve_authconfig(registry)
    except (errors.DockerException, OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _encoded(auth: Mapping[str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(dict(auth)).encode()).decode()


def _not_pulled(reference: str, reason: str) -> ImageNotFoundError:
    return ImageNotFoundError(
        f"{reference} could not be pulled: {reason.strip()}",
        "Check its name, your network and `docker login`, or map it to a local image ([images]).",
    )


def _not_built(tag: str, reason: str, last: str) -> EngineError:
    return EngineError(
        f"{tag} could not be built: {reason.strip()}" + (f" (last output: {last.strip()})" if last else "")
    )
