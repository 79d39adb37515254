"""Side information of objects, apart from the plain files: content type, user metadata, ETag, checksums.

One SQLite file beside the buckets. Several processes may write it at once. What it says of a file's content
is believed only while the file carries the stamp (size, time, inode) that the row was written for; a file
without a row is an object all the same.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from stepbridge.errors import StorageError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    bucket TEXT NOT NULL, key TEXT NOT NULL, stamp TEXT NOT NULL, etag TEXT, sha256 TEXT,
    apart INTEGER NOT NULL DEFAULT 0, details BLOB NOT NULL, PRIMARY KEY (bucket, key)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS objects_apart ON objects (bucket, key) WHERE apart = 1;
CREATE TABLE IF NOT EXISTS buckets (name TEXT PRIMARY KEY, created REAL NOT NULL, tags BLOB) WITHOUT ROWID;
"""
_COLUMNS = "key, stamp, etag, sha256, apart, details"
_LAST = "\U0010ffff"  # sorts after every key that shares a prefix


class Details(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a client said about an object and wants to hear again."""

    content_type: str = "binary/octet-stream"
    metadata: Mapping[str, str] = {}  # x-amz-meta-*, without that prefix
    headers: Mapping[str, str] = {}  # Content-Encoding, Cache-Control ...
    tags: Mapping[str, str] = {}
    checksums: Mapping[str, str] = {}  # "CRC32" -> base64, as the service writes them; "TYPE" -> FULL_OBJECT


class Row(msgspec.Struct, frozen=True):
    """One object's side information."""

    key: str
    stamp: str
    etag: str | None
    sha256: str | None
    apart: bool  # its file lies outside of the bucket's folder, because its key cannot be a path there
    details: Details


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Details).decode


class Metadata:
    """The rows. Every method may be called from any thread."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._depth = 0
        try:
            self._db = sqlite3.connect(path, timeout=60, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.executescript(_SCHEMA)
        except sqlite3.Error as error:
            raise StorageError(
                f"{path}: cannot open the store's side information ({error}).",
                "Check that the folder can be written and the disk is not full.",
            ) from None

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Hold the store for one writer among all processes. May be nested within a thread."""
        with self._lock:
            if not self._depth:
                self._db.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
            except BaseException:
                self._depth -= 1
                if not self._depth:
                    self._db.execute("ROLLBACK")
                raise
            self._depth -= 1
            if not self._depth:
                self._db.execute("COMMIT")

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep the writers of this process out."""
        with self._lock:
            yield

    def checkpoint(self) -> None:
        """Within a transaction: write down what was said so far, and go on."""
        with self._lock:
            if self._depth:
                self._db.execute("COMMIT")
                self._db.execute("BEGIN IMMEDIATE")

    def get(self, bucket: str, key: str) -> Row | None:
        with self._lock:
            found = self._db.execute(
                f"SELECT {_COLUMNS} FROM objects WHERE bucket=? AND key=?", (bucket, key)
            ).fetchone()
        return _row(found) if found else None

    def between(self, bucket: str, first: str, last: str) -> dict[str, Row]:
        """Rows whose key lies in [first, last]."""
        with self._lock:
            found = self._db.execute(
                f"SELECT {_COLUMNS} FROM objects WHERE bucket=? AND key>=? AND key<=?", (bucket, first, last)
            ).fetchall()
        return {row[0]: _row(row) for row in found}

    def apart(self, bucket: str, prefix: str) -> list[str]:
        """Keys under `prefix` whose files lie apart, sorted."""
        with self._lock:
            found = self._db.execute(
                "SELECT key FROM objects WHERE bucket=? AND apart=1 AND key>=? AND key<=? ORDER BY key",
                (bucket, prefix, prefix + _LAST),
            ).fetchall()
        return [key for (key,) in found]

    def save(self, bucket: str, row: Row) -> None:
        with self._lock:
            self._db.execute(
                f"INSERT OR REPLACE INTO objects (bucket, {_COLUMNS}) VALUES (?,?,?,?,?,?,?)",
                (bucket, row.key, row.stamp, row.etag, row.sha256, row.apart, _encode(row.details)),
            )

    def forget(self, bucket: str, key: str) -> None:
        with self._lock:
            self._db.execute("DELETE FROM objects WHERE bucket=? AND key=?", (bucket, key))

    def forget_under(self, bucket: str, prefix: str) -> None:
        """All rows under a prefix but those whose files lie apart."""
        with self._lock:
            self._db.execute(
                "DELETE FROM objects WHERE bucket=? AND apart=0 AND key>=? AND key<=?",
                (bucket, prefix, prefix + _LAST),
            )

    def bucket_created(self, name: str) -> float | None:
        with self._lock:
            found = self._db.execute("SELECT created FROM buckets WHERE name=?", (name,)).fetchone()
        return float(found[0]) if found else None

    def save_bucket(self, name: str, created: float) -> None:
        with self._lock:
            self._db.execute("INSERT OR IGNORE INTO buckets (name, created) VALUES (?,?)", (name, created))

    def forget_bucket(self, name: str) -> None:
        with self.transaction():
            self._db.execute("DELETE FROM buckets WHERE name=?", (name,))
            self._db.execute("DELETE FROM objects WHERE bucket=?", (name,))


def _row(columns: tuple[str, str, str | None, str | None, int, bytes]) -> Row:
    key, stamp, etag, sha256, apart, details = columns
    return Row(key, stamp, etag, sha256, bool(apart), _decode(details))
