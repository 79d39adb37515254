"""Results of earlier steps that may be used again.

A step's key is a digest over everything its result depends on: its type and resolved arguments (without the
parts that differ by name only), the content of the objects it reads (by their ETags), the content of its code
as the workspace has it now, and the digest of its image. A hit is only taken while the outputs it names still
lie in the store with the content they had: so a wrong hit cannot be built.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from stepbridge.definition.document import Step
from stepbridge.storage.objects import ObjectStore

from .journal import ExecutionRecord, Journal
from .steps.base import StepResult

_DESTINATIONS = {"S3Output", "OutputDataConfig", "CheckpointConfig", "TensorBoardOutputConfig"}
# Transform and Lambda steps name a model or a function, whose code their arguments do not show: their results
# are not reused, as a hit might be wrong.
CACHEABLE = ("Processing", "Training", "Tuning")


class Reuse(Struct, frozen=True):
    source: str  # ARN of the execution that made it
    result: StepResult


class StepCache:
    """Looks results up and keeps them.

    Args:
        code_digest: content digest of a code object as the workspace has it now, None for plain data.
        image_digest: digest of the local image that stands for an image URI.
    """

    def __init__(
        self,
        journal: Journal,
        store: ObjectStore,
        code_digest: Callable[[str], str | None],
        image_digest: Callable[[str], str],
    ) -> None:
        self._journal = journal
        self._store = store
        self._code_digest = code_digest
        self._image_digest = image_digest

    def lookup(
        self, step: Step, arguments: Any, wanted: bool | None, record: ExecutionRecord
    ) -> Reuse | None:
        """A result that may be used again, None when there is none or it is not wanted.

        wanted: None asks the step's own CacheConfig; True and False overrule it.
        """
        if step.type not in CACHEABLE or wanted is False:
            return None
        age = _max_age(step)
        if wanted is None and age is None:
            return None
        found = self._journal.cached(self._key(step, arguments, record))
        if found is None:
            return None
        created, kept = found
        if wanted is None and age is not None and time.time() - created > age:
            return None
        if self._digests(kept["outputs"]) != kept["digests"]:
            return None
        return Reuse(kept["arn"], StepResult(kept["properties"], kept["outputs"], kept["metadata"]))

    def keep(self, step: Step, arguments: Any, result: StepResult, record: ExecutionRecord) -> None:
        if step.type not in CACHEABLE:
            return
        self._journal.save_cached(
            self._key(step, arguments, record),
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

    def _key(self, step: Step, arguments: Any, record: ExecutionRecord) -> str:
        digest = hashlib.sha256()
        asked = _without_destinations(arguments)
        document = {"pipeline": record.pipeline, "step": step.name, "type": step.type, "arguments": asked}
        digest.update(msgspec.json.encode(document, order="deterministic"))
        for uri in sorted(set(_uris(arguments))):
            digest.update(f"\0{uri}\0{self._content(uri)}".encode())
        for image in sorted(set(_images(arguments))):
            digest.update(f"\0{image}\0{self._image_digest(image)}".encode())
        return digest.hexdigest()

    def _content(self, uri: str) -> str:
        code = self._code_digest(uri)
        return code if code is not None else self._tree(uri)

    def _tree(self, uri: str) -> str:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        digest = hashlib.sha256()
        for info in self._store.objects(bucket, key):
            digest.update(f"{info.key}\0{info.etag}\0".encode())
        return digest.hexdigest()

    def _digests(self, outputs: Mapping[str, str]) -> dict[str, str]:
        return {name: self._tree(uri) for name, uri in outputs.items() if uri.startswith("s3://")}


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
