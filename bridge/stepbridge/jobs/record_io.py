"""The RecordIO framing of dmlc (recordio.h of dmlc-core), for channels in input mode Pipe and for transforms.

A record is magic, length, content, zeros up to a multiple of four bytes; numbers are little-endian. A reader
that starts anywhere in a file looks for the magic number at multiples of four: so a record whose content has
it there is cut at these places into parts, without the number itself, and the upper three bits of each length
say which part it is.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

MAGIC = 0xCED7230A
LIMIT = 2**29 - 1  # bytes of a record: the upper three bits of its length are flags
WHOLE, FIRST, MIDDLE, LAST = range(4)
_WORD = struct.pack("<I", MAGIC)


def header(flag: int, length: int) -> bytes:
    """What stands before a part. flag: WHOLE, FIRST, MIDDLE or LAST; length: bytes of the part."""
    return struct.pack("<II", MAGIC, flag << 29 | length)


def read_header(data: bytes) -> tuple[int, int] | None:
    """(flag, length) of eight bytes; None where they are no header."""
    magic, length = struct.unpack("<II", data) if len(data) == 8 else (0, 0)
    return (length >> 29, length & LIMIT) if magic == MAGIC else None


def cuts(data: bytes) -> Iterator[int]:
    """Where a content has the magic number at a multiple of four bytes."""
    at = data.find(_WORD)
    while at >= 0:
        if at % 4 == 0:
            yield at
        at = data.find(_WORD, at + 4 if at % 4 == 0 else at + 1)
