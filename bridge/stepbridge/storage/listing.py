"""Walks folders in the order in which S3 lists keys: by the bytes of the whole key.

A folder `a/` sorts as "a/", so "a-b" comes before "a/c". Folders with very many files are read once and
remembered while their time stamp stands, since a client reads such a listing page by page.
"""

from __future__ import annotations

import os
import stat
import threading
import time
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

_REMEMBER_FROM = 1000  # entries
_REMEMBERED_FOLDERS = 16
_SETTLED = 0.1  # seconds; a folder changed later than that may change again within its time stamp


class Cursor(Struct):
    """What of a tree is wanted. `skip` may be moved during a walk: keys that start with it are passed."""

    prefix: str = ""
    after: str = ""
    skip: str = ""

    def wants(self, key: str) -> bool:
        return (
            key > self.after and key.startswith(self.prefix) and not (self.skip and key.startswith(self.skip))
        )

    def enters(self, folder: str) -> bool:
        """Whether a folder (key with its final slash) may hold wanted keys."""
        return (
            (folder.startswith(self.prefix) or self.prefix.startswith(folder))
            and (folder > self.after or self.after.startswith(folder))
            and not (self.skip and folder.startswith(self.skip))
        )


class Folders:
    """Sorted names of folders: files as they are, subfolders with a final slash."""

    def __init__(self, follow_links: bool = False) -> None:
        self._follow = follow_links
        self._known: OrderedDict[str, tuple[int, list[str]]] = OrderedDict()
        self._lock = threading.Lock()

    def names(self, folder: str) -> list[str]:
        """Raises FileNotFoundError or NotADirectoryError."""
        changed = Path(folder).stat().st_mtime_ns
        with self._lock:
            known = self._known.get(folder)
            if known and known[0] == changed:
                self._known.move_to_end(folder)
                return known[1]
        names = sorted(self._scan(folder))
        if len(names) >= _REMEMBER_FROM and time.time() - changed / 1e9 > _SETTLED:
            with self._lock:
                self._known[folder] = (changed, names)
                while len(self._known) > _REMEMBERED_FOLDERS:
                    self._known.popitem(last=False)
        return names

    def _scan(self, folder: str) -> Iterator[str]:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not is_unicode(entry.name):
                    continue  # no key can name it
                if entry.is_dir(follow_symlinks=self._follow):
                    yield entry.name + "/"
                elif entry.is_file(follow_symlinks=self._follow):
                    yield entry.name

    def walk(self, folder: str, key: str, cursor: Cursor) -> Iterator[tuple[str, str]]:
        """(key, path) of each wanted file under `folder`, whose own key (final slash, or empty) is `key`.

        A folder that does not exist has nothing in it.
        """
        return self._walk(folder, key, cursor, frozenset())

    def _walk(
        self, folder: str, key: str, cursor: Cursor, above: frozenset[tuple[int, int]]
    ) -> Iterator[tuple[str, str]]:
        try:
            if self._follow:  # a link may lead back to a folder that we stand in
                status = Path(folder).stat()
                if (status.st_dev, status.st_ino) in above:
                    return
                above |= {(status.st_dev, status.st_ino)}
            names = self.names(folder)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return
        for index in range(_first(names, key, cursor), len(names)):
            name = names[index]
            own = key + name
            if own > cursor.prefix and not own.startswith(cursor.prefix):
                return
            if name.endswith("/"):
                if cursor.enters(own):
                    yield from self._walk(os.path.join(folder, name[:-1]), own, cursor, above)  # noqa: PTH118
            elif cursor.wants(own):
                yield own, os.path.join(folder, name)  # noqa: PTH118


def _first(names: list[str], key: str, cursor: Cursor) -> int:
    """Index of the first name that the cursor may want."""
    low = max(cursor.prefix, cursor.after)
    if not low.startswith(key):
        return 0
    head, slash, _ = low[len(key) :].partition("/")
    return bisect_left(names, head + slash)


def is_unicode(name: str) -> bool:
    return name.isascii() or not any("\ud800" <= character <= "\udfff" for character in name)


def regular_file(path: str) -> os.stat_result | None:
    """The status of a regular file; None for all else, links included."""
    try:
        status = os.lstat(path)
    except (OSError, ValueError):
        return None
    return status if stat.S_ISREG(status.st_mode) else None
