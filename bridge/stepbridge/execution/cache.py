"""Results of earlier steps that may be used again.

A step's key is a digest over everything its result depends on: its type and resolved arguments (without the
parts that differ by name only), what those name (a model, a function: `subjects`), the content of the objects
it reads (by their ETags), the content of its code as the workspace has it now, the digest of its image, and
our own version. Where one of these is not known there is no key, and no reuse. A result is kept only where
the key after the step is the one from before it, so that an edit while it ran is never taken for what it ran
with. A hit is only taken while the outputs it names still lie in the store with the content they had.

What a script gets by itself (a call to S3, the time) is in no key; CacheConfig is a promise that it does not
matter.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from stepbridge import __version__
from stepbridge.definition.document import Step
from stepbridge.errors import StepBridgeError
from stepbridge.storage.objects import ObjectStore

from .journal import ExecutionRecord, Journal
from .steps.base import Registry, StepResult
from .subjects import Subject, subject_of

_DESTINATIONS = {"S3Output", "OutputDataConfig", "CheckpointConfig", "TensorBoardOutputConfig"}
_MANIFESTS = ("ManifestFile", "AugmentedManifestFile")  # they name objects that no argument shows
CACHEABLE = ("Processing", "Training", "Transform", "Lambda", "Tuning")
# Functions are there for their effects: only a step's own CacheConfig says that it has none.
_EFFECTS = ("Lambda",)


class Reuse(Struct, frozen=True):
    source: str  # ARN of the execution that made it
    result: StepResult


class CodeDigests(Protocol):
    """Digests of code as the workspace has it now."""

    def code(self, uri: str) -> str | None:
        """Of an object; None where it is no code of the workspace, but data."""
        ...

    def served(self, uri: str) -> Iterable[tuple[str, str]]:
        """(name, digest) of the workspace's scripts inside of a model's artifacts."""
        ...


ImageDigest = Callable[[str], Awaitable[str | None]]
"""Digest of the local image that stands for an image URI; None where there is none yet."""


class StepCache:
    """Looks results up and keeps them. `key` first; the other two take what it returned."""

    def __init__(
        self,
        journal: Journal,
        store: ObjectStore,
        digests: CodeDigests,
        image_digest: ImageDigest,
        registry: Registry,
    ) -> None:
        self._journal = journal
        self._store = store
        self._code = digests
        self._image_digest = image_digest
        self._registry = registry

    async def key(self, step: Step, arguments: Any, record: ExecutionRecord) -> str | None:
        """What the step's result depends on, as it is now; None where that is not known or never reused."""
        if step.type not in CACHEABLE:
            return None
        try:
            subject = subject_of(step, arguments, self._registry)
            if not _is_known(subject.document):
                return None
            images = {}
            for image in sorted({*subject.images, *_images(subject.document)}):
                images[image] = await self._image_digest(image)
            if None in images.values():
                return None
            return await asyncio.to_thread(self._digest, step, subject, images, record)
        except (StepBridgeError, LookupError):  # the step itself will say so
            return None

    def lookup(self, step: Step, key: str, wanted: bool | None) -> Reuse | None:
        """A result that may be used again, None when there is none or it is not wanted.

        wanted: None asks the step's own CacheConfig; True and False overrule it.
        """
        age = _max_age(step)
        by_itself = wanted is None or (wanted and step.type in _EFFECTS)
        if wanted is False or (by_itself and age is None):
            return None
        found = self._journal.cached(key)
        if found is None:
            return None
        created, kept = found
        if by_itself and age is not None and time.time() - created > age:
            return None
        if self._digests(kept["outputs"]) != kept["digests"]:
            return None
        return Reuse(kept["arn"], StepResult(kept["properties"], kept["outputs"], kept["metadata"]))

    def keep(self, step: Step, key: str, result: StepResult, record: ExecutionRecord) -> None:
        self._journal.save_cached(
            key,
            record.pipeline,
            step.name,
            {
                "arn": record.arn,
                "properties": result.properties,
                "outputs": result.outputs,
                "metadata": result.metadata,
                "digests": self._digests(result.outputs),
            },
        )

    def _digest(
        self, step: Step, subject: Subject, images: Mapping[str, str | None], record: ExecutionRecord
    ) -> str:
        digest = hashlib.sha256()
        document = {
            "version": __version__,
            "pipeline": record.pipeline,
            "step": step.name,
            "type": step.type,
            "arguments": _without_destinations(subject.document),
            "images": images,
            "served": {uri: list(self._code.served(uri)) for uri in subject.served},
        }
        digest.update(msgspec.json.encode(document, order="deterministic"))
        for uri in sorted({*subject.code, *_uris(subject.document)}):
            digest.update(f"\0{uri}\0{self._content(uri)}".encode())
        return digest.hexdigest()

    def _content(self, uri: str) -> str:
        """Of all objects below an address: code as the workspace has it now, data as it was put there."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        digest = hashlib.sha256()
        for info in self._store.objects(bucket, key):
            digest.update(f"{info.key}\0{self._code.code(info.uri) or info.etag}\0".encode())
        return digest.hexdigest()

    def _tree(self, uri: str) -> str:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        digest = hashlib.sha256()
        for info in self._store.objects(bucket, key):
            digest.update(f"{info.key}\0{info.etag}\0".encode())
        return digest.hexdigest()

    def _digests(self, outputs: Mapping[str, str]) -> dict[str, str]:
        return {name: self._tree(uri) for name, uri in outputs.items() if uri.startswith("s3://")}


def _is_known(value: Any) -> bool:
    """Whether the key can hold the content of all that a request names: nothing outside of the store."""
    if isinstance(value, str):
        return not value.startswith(("file://", '"file://'))
    if isinstance(value, Mapping):
        return value.get("S3DataType") not in _MANIFESTS and all(map(_is_known, value.values()))
    return not isinstance(value, list | tuple) or all(map(_is_known, value))


def _max_age(step: Step) -> float | None:
    """Seconds a result stays good by the step's CacheConfig; None where it is off."""
    if step.cache is None or not step.cache.enabled:
        return None
    return step.cache.max_age.total_seconds() if step.cache.max_age else float("inf")


def _is_destination(path: tuple[str, ...]) -> bool:
    """Whether the member at this path of a request says where to write."""
    return path[-1:] == ("S3OutputPath",) or bool(_DESTINATIONS & set(path[:-1]))


def _without_destinations(value: Any, path: tuple[str, ...] = ()) -> Any:
    """Where results go is no part of what they are: most programs put the execution's id into it."""
    if isinstance(value, Mapping):
        return {
            name: _without_destinations(item, (*path, name))
            for name, item in value.items()
            if not (isinstance(item, str) and item.startswith("s3://") and _is_destination((*path, name)))
        }
    if isinstance(value, list | tuple):
        return [_without_destinations(item, path) for item in value]
    return value


def _uris(value: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    """S3 addresses that a request reads; those it writes to are left out."""
    if isinstance(value, str):
        if value.startswith("s3://") and not _is_destination(path):
            yield value
        elif value.startswith('"s3://'):  # a hyperparameter, which is a JSON string
            yield value.strip('"')
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from _uris(item, (*path, name))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _uris(item, path)


def _images(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            if name in ("ImageUri", "TrainingImage", "Image") and isinstance(item, str):
                yield item
            else:
                yield from _images(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _images(item)
