"""Plain records of the service that outlive it: models, endpoint configurations, model packages, tags.

One SQLite file in the state folder; a record is a JSON document with a kind and a name. Several processes may
use it at once. Knows no service.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from stepbridge.errors import StorageError
from stepbridge.storage.ownership import Owner

Document = dict[str, Any]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS records (
    kind TEXT NOT NULL, name TEXT NOT NULL, document BLOB NOT NULL, PRIMARY KEY (kind, name)
) WITHOUT ROWID
"""


class Records:
    """The record store. Every method may be called from any thread."""

    def __init__(self, path: Path) -> None:
        owner = Owner.of_workspace(path)
        owner.make_folder(path.parent)
        self._lock = threading.Lock()
        try:
            path.touch()
            owner.give(path)
            self._db = sqlite3.connect(path, timeout=60, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.execute(_SCHEMA)
        except (sqlite3.Error, OSError) as error:
            raise StorageError(
                f"{path}: cannot open the record store ({error}).", "Check that the folder can be written."
            ) from None

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def add(self, kind: str, name: str, document: Document) -> bool:
        """Returns False, and changes nothing, where there is one already."""
        with self._lock:
            cursor = self._db.execute(
                "INSERT OR IGNORE INTO records VALUES (?,?,?)", (kind, name, msgspec.json.encode(document))
            )
            return cursor.rowcount == 1

    def get(self, kind: str, name: str) -> Document | None:
        with self._lock:
            return self._get(kind, name)

    def change(self, kind: str, name: str, change: Callable[[Document | None], Document]) -> Document:
        """Replace a record by what `change` makes of it (None where there is none yet), in one step."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                document = change(self._get(kind, name))
                self._db.execute(
                    "INSERT OR REPLACE INTO records VALUES (?,?,?)",
                    (kind, name, msgspec.json.encode(document)),
                )
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
            return document

    def remove(self, kind: str, name: str) -> bool:
        """Returns False where there was none."""
        with self._lock:
            cursor = self._db.execute("DELETE FROM records WHERE kind=? AND name=?", (kind, name))
            return cursor.rowcount == 1

    def all(self, kind: str) -> list[Document]:
        with self._lock:
            found = self._db.execute("SELECT document FROM records WHERE kind=? ORDER BY name", (kind,))
            return [msgspec.json.decode(document) for (document,) in found.fetchall()]

    def texts(self) -> list[str]:
        """Every record of every kind, as JSON."""
        with self._lock:
            return [bytes(text).decode() for (text,) in self._db.execute("SELECT document FROM records")]

    def _get(self, kind: str, name: str) -> Document | None:
        found = self._db.execute(
            "SELECT document FROM records WHERE kind=? AND name=?", (kind, name)
        ).fetchone()
        document: Document | None = msgspec.json.decode(found[0]) if found else None
        return document
