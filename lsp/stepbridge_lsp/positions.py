"""Places in a text: byte offsets inside, lines and UTF-16 columns at the edge.

Everything below the edge counts bytes of UTF-8, as tree-sitter does; the Language Server Protocol counts
lines and UTF-16 code units; a terminal counts characters. This module is the only one that converts. It
knows no document and no protocol library.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from itertools import accumulate
from typing import NamedTuple

from msgspec import Struct


class Span(NamedTuple):
    """A stretch of one document: `start` (inclusive) and `end` (exclusive) are byte offsets in UTF-8.

    `document` is the key of the document that holds it: an absolute path, or a URI where there is no file.
    """

    document: str
    start: int
    end: int

    def holds(self, offset: int) -> bool:
        """Whether `offset` lies inside, the end counted in (a cursor behind the last character is inside)."""
        return self.start <= offset <= self.end


_LF = re.compile(rb"\n")
_new = tuple.__new__


def make_span(document: str, start: int, end: int) -> Span:
    """`Span(document, start, end)` without the detour over the constructor, for the places that make
    thousands.
    """
    return _new(Span, (document, start, end))


class Position(NamedTuple):
    """A place as the Language Server Protocol writes it: zero-based line and UTF-16 column."""

    line: int
    character: int


class Range(NamedTuple):
    start: Position
    end: Position


class LineIndex(Struct, frozen=True):
    """The lines of one text, to convert offsets. Lines end at LF, CRLF or a lone CR, as in the protocol."""

    source: bytes
    starts: tuple[int, ...]

    @classmethod
    def of(cls, source: bytes) -> LineIndex:
        starts = list(accumulate(map(len, source.splitlines(keepends=True)), initial=0))
        if len(starts) > 1 and not source.endswith((b"\n", b"\r")):
            starts.pop()  # the last line has no end, so none begins behind it
        return cls(source, tuple(starts))

    def edited(self, start: int, old_end: int, text: bytes) -> LineIndex:
        """The lines of the text with the bytes between two offsets replaced."""
        source = self.source[:start] + text + self.source[old_end:]
        if b"\r" in text or b"\r" in self.source:
            return LineIndex.of(source)  # a CR and an LF may come together, or part
        first, last = bisect_right(self.starts, start), bisect_right(self.starts, old_end)
        inside = [start + match.end() for match in _LF.finditer(text)]
        shift = len(text) - (old_end - start)
        behind = [at + shift for at in self.starts[last:]]
        return LineIndex(source, (*self.starts[:first], *inside, *behind))

    def line_of(self, offset: int) -> int:
        return bisect_right(self.starts, offset) - 1

    def line_bytes(self, line: int) -> bytes:
        """The bytes of a line without its line end; empty for a line past the end."""
        if not 0 <= line < len(self.starts):
            return b""
        end = self.starts[line + 1] if line + 1 < len(self.starts) else len(self.source)
        return self.source[self.starts[line] : end].rstrip(b"\r\n")

    def position(self, offset: int) -> Position:
        """Line and UTF-16 column of a byte offset; an offset past the end is the end."""
        offset = max(0, min(offset, len(self.source)))
        line = self.line_of(offset)
        before = self.source[self.starts[line] : offset]
        if before.isascii():
            return Position(line, len(before))
        return Position(line, len(before.decode("utf-8", "replace").encode("utf-16-le")) // 2)

    def character(self, offset: int) -> tuple[int, int]:
        """Zero-based line and column in characters (code points), for a terminal."""
        offset = max(0, min(offset, len(self.source)))
        line = self.line_of(offset)
        return line, len(self.source[self.starts[line] : offset].decode("utf-8", "replace"))

    def offset(self, position: Position) -> int:
        """Byte offset of a line and UTF-16 column. Past the end of a line means its end, as the protocol
        says.
        """
        line, character = position
        if line < 0:
            return 0
        if line >= len(self.starts):
            return len(self.source)
        content = self.line_bytes(line)
        if content.isascii():
            return self.starts[line] + max(0, min(character, len(content)))
        units = 0
        for index, letter in enumerate(text := content.decode("utf-8", "replace")):
            if units >= character:
                return self.starts[line] + len(text[:index].encode("utf-8"))
            units += 2 if ord(letter) > 0xFFFF else 1
        return self.starts[line] + len(content)

    def range(self, start: int, end: int) -> Range:
        return Range(self.position(start), self.position(end))
