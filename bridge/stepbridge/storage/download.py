"""What is to be downloaded, how much that is, and how far it has come. Knows no S3."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from msgspec import Struct

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


class Remote(Struct, frozen=True):
    """An object that is to come here. size: in bytes; etag: its version there."""

    bucket: str
    key: str
    etag: str
    size: int

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


def total(objects: Sequence[Remote]) -> int:
    """Bytes of all of them."""
    return sum(item.size for item in objects)


def counted(objects: Sequence[Remote]) -> str:
    """`3 objects (1.2 GB)`."""
    number = "1 object" if len(objects) == 1 else f"{len(objects):,} objects"
    return f"{number} ({shown(total(objects))})"


def shown(size: float) -> str:
    """Bytes in the unit that fits them, of a thousand each: `999 B`, `1.2 GB`."""
    unit = 0
    while size >= 999.5 and unit < len(_UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:.0f} {_UNITS[unit]}" if not unit or size >= 99.5 else f"{size:.3g} {_UNITS[unit]}"


class Progress:
    """Tells how far a long download has come. `add` may be called from any thread.

    Args:
        what: where it comes from.
        size: bytes in all.
        tell: called with a sentence.
        every: seconds between two sentences, and before the first.
    """

    def __init__(self, what: str, size: int, tell: Callable[[str], None], every: float) -> None:
        self._what, self._size, self._tell, self._every = what, size, tell, every
        self._lock = threading.Lock()
        self._done = 0
        self._told = time.monotonic()

    def add(self, count: int) -> None:
        """That many more bytes are here."""
        with self._lock:
            self._done += count
            now = time.monotonic()
            if now - self._told < self._every or self._done >= self._size:
                return
            self._told, share = now, self._done / self._size
        self._tell(f"fetched {shown(self._done)} of {shown(self._size)} ({share:.0%}) from {self._what}")
