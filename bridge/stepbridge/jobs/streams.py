"""What flows through a channel in input mode Pipe: the bytes of its objects, one after the other.

The rules are the API reference's (Channel, S3DataSource, ShuffleConfig) and those of "Augmented Manifest File
Format for Pipe Mode Training". Knows no pipe: whoever writes the bytes asks for one epoch after another.
"""

from __future__ import annotations

import gzip
import json
import os
import random
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from msgspec import Struct

from stepbridge.errors import StepBridgeError, StorageError
from stepbridge.storage.objects import ObjectStore

from . import record_io
from .channels import existing_object, objects_of

_CHUNK = 1 << 20  # bytes that are read at a time; a multiple of four

Part = bytes | Path
"""A value of an augmented manifest, or an object's file."""


class Stream(Struct, frozen=True):
    """The data of one channel for one host.

    what: names the channel in errors ("channel train of Train").
    units: what stays together when data is shuffled or shared out: an object, or all attributes of a line of
        an augmented manifest. In the order of their keys, or of the manifest.
    seed: of ShuffleConfig; each epoch has another order. None: the order of `units`.
    shard: (index, count) for ShardedByS3Key: every count-th unit; with a seed, of the epoch's order.
    """

    what: str
    units: tuple[tuple[Part, ...], ...]
    compressed: bool = False  # objects are Gzip files; their content flows
    record_io: bool = False  # each part is wrapped in a RecordIO record
    seed: int | None = None
    shard: tuple[int, int] | None = None

    def epoch(self, number: int) -> Iterator[bytes]:
        """The bytes of one epoch, counted from 0, in chunks of at most 1 MiB (but for compressed records).

        Raises:
            StorageError: an object is gone, or is no Gzip file.
            StepBridgeError: an object does not fit into a RecordIO record.
        """
        for unit in self._order(number):
            for part in unit:
                yield from self._record(part) if self.record_io else self._plain(part)

    def _order(self, number: int) -> list[tuple[Part, ...]]:
        units = list(self.units)
        if self.seed is not None:
            random.Random(f"{self.seed}/{number}").shuffle(units)
        return units if self.shard is None else units[self.shard[0] :: self.shard[1]]

    def _plain(self, part: Part) -> Iterator[bytes]:
        if isinstance(part, bytes):
            yield part
            return
        try:
            with self._open(part) as file:
                while chunk := file.read(_CHUNK):
                    yield chunk
        except (OSError, EOFError, zlib.error) as error:
            raise self._unreadable(part, error) from None

    def _record(self, part: Part) -> Iterator[bytes]:
        """A record, in one part or in several, as `record_io` says."""
        if isinstance(part, Path) and self.compressed:
            part = b"".join(self._plain(part))
        length = len(part) if isinstance(part, bytes) else self._size(part)
        if length > record_io.LIMIT:
            raise StepBridgeError(
                f"{self.what}: {_name(part)} has {length} bytes; a RecordIO record holds {record_io.LIMIT}",
                "Split it, or set RecordWrapperType to None.",
            )
        begin = 0
        for cut in list(self._cuts(part)):
            yield record_io.header(record_io.MIDDLE if begin else record_io.FIRST, cut - begin)
            yield from self._between(part, begin, cut)
            begin = cut + 4
        yield record_io.header(record_io.LAST if begin else record_io.WHOLE, length - begin)
        yield from self._between(part, begin, length)
        yield bytes(-length % 4)

    def _cuts(self, part: Part) -> Iterator[int]:
        """Where a record has to be cut: what it holds is read for that before any of it flows."""
        at = 0
        for chunk in self._plain(part):
            yield from (at + cut for cut in record_io.cuts(chunk))
            at += len(chunk)

    def _between(self, part: Part, begin: int, end: int) -> Iterator[bytes]:
        """The bytes of a part from one place to another."""
        if isinstance(part, bytes):
            yield part[begin:end]
            return
        try:
            with part.open("rb") as file:
                file.seek(begin)
                while begin < end and (chunk := file.read(min(_CHUNK, end - begin))):
                    yield chunk
                    begin += len(chunk)
        except OSError as error:
            raise self._unreadable(part, error) from None

    def _open(self, path: Path) -> BinaryIO:
        return cast(BinaryIO, gzip.open(path, "rb")) if self.compressed else path.open("rb")

    def _size(self, path: Path) -> int:
        try:
            return path.stat().st_size
        except OSError as error:
            raise self._unreadable(path, error) from None

    def _unreadable(self, path: Path, error: Exception) -> StorageError:
        hint = "Set CompressionType to None where its objects are not compressed." if self.compressed else ""
        return StorageError(f"{self.what}: {path.name} cannot be read: {error}", hint)


def units_of(
    store: ObjectStore, uri: str, *, what: str, kind: str = "S3Prefix", attributes: tuple[str, ...] = ()
) -> tuple[tuple[Part, ...], ...]:
    """What a channel streams.

    Args:
        kind: S3Prefix, ManifestFile or AugmentedManifestFile.
        attributes: names that count in each line of an augmented manifest; those that end in "-ref" hold the
            address of an object.

    Raises:
        StorageError: nothing is there, or it is no manifest.
    """
    if kind == "AugmentedManifestFile":
        return _augmented(store, uri, what, attributes)
    return tuple((path,) for _, path in objects_of(store, uri, what=what, kind=kind))


def _augmented(
    store: ObjectStore, uri: str, what: str, attributes: tuple[str, ...]
) -> tuple[tuple[Part, ...], ...]:
    if not attributes:
        raise StorageError(
            f"{what}: an AugmentedManifestFile needs AttributeNames", 'For example ["source-ref", "label"].'
        )
    text = existing_object(store, uri, what).read_text("utf-8")
    lines = ((number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip())
    return tuple(_unit(store, f"{what}: {uri}, line {number}", line, attributes) for number, line in lines)


def _unit(store: ObjectStore, place: str, line: str, attributes: tuple[str, ...]) -> tuple[Part, ...]:
    try:
        values = json.loads(line)
        found = [(name, values[name]) for name in attributes]
    except KeyError as error:
        raise StorageError(f"{place}: there is no {error}", "Every line needs all AttributeNames.") from None
    except (ValueError, TypeError):
        raise StorageError(f"{place} is no JSON object", "A line is one JSON object.") from None
    return tuple(
        existing_object(store, str(value), place) if name.endswith("-ref") else _text(value)
        for name, value in found
    )


def _text(value: Any) -> bytes:
    return (value if isinstance(value, str) else json.dumps(value)).encode()


def _name(part: Part) -> str:
    return os.fspath(part.name) if isinstance(part, Path) else "a value"
