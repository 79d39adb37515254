"""The `[data]` map: `s3://` addresses that are answered from local files, read-only and without a copy."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from .keys import as_prefix, check_bucket, check_key, parse_uri
from .listing import Cursor, Folders


class MappedData(Struct, frozen=True):
    """One entry: everything at or below a key is this file or folder."""

    bucket: str
    key: str  # without a final slash
    path: Path


class Overlay:
    """All entries of the map; the longest matching address wins."""

    def __init__(self, mapping: Mapping[str, Path]) -> None:
        entries = []
        for uri, path in mapping.items():
            bucket, key = parse_uri(uri)
            check_bucket(bucket)
            check_key(key, bucket)
            entries.append(MappedData(bucket, key.rstrip("/"), Path(path)))
        self._entries = sorted(entries, key=lambda entry: len(entry.key), reverse=True)
        self._folders = Folders(follow_links=True)

    def buckets(self) -> set[str]:
        return {entry.bucket for entry in self._entries}

    def find(self, bucket: str, key: str) -> Path | None:
        """The local file of an object, where the map has one."""
        path = self.place(bucket, key)
        return path if path is not None and path.is_file() else None

    def place(self, bucket: str, key: str) -> Path | None:
        """The local file or folder at a key or prefix, whether it exists or not; None outside of the map."""
        key = key.rstrip("/")
        for entry in self._entries:
            if entry.bucket != bucket:
                continue
            if key == entry.key:
                return entry.path
            below = as_prefix(entry.key)
            if key.startswith(below):
                return entry.path / key[len(below) :]
        return None

    def touches(self, bucket: str, prefix: str) -> bool:
        """Whether any address of the map lies at, below or above `prefix`."""
        return any(
            entry.bucket == bucket
            and (as_prefix(entry.key).startswith(prefix) or prefix.startswith(entry.key))
            for entry in self._entries
        )

    def walks(self, bucket: str, cursor: Cursor) -> list[Iterator[tuple[str, str]]]:
        """One sorted iterator of (key, path) for each entry of the bucket."""
        return [self._walk(entry, cursor) for entry in self._entries if entry.bucket == bucket]

    def _walk(self, entry: MappedData, cursor: Cursor) -> Iterator[tuple[str, str]]:
        if entry.path.is_dir():
            below = as_prefix(entry.key)
            if not below or cursor.enters(below):
                yield from self._folders.walk(os.fspath(entry.path), below, cursor)
        elif entry.path.is_file() and entry.key and cursor.wants(entry.key):
            yield entry.key, os.fspath(entry.path)
