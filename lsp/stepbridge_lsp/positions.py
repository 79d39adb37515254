"""Places in a text: byte offsets inside, lines and UTF-16 columns at the edge.

Everything below the edge counts bytes of UTF-8, as tree-sitter does; the Language Server Protocol counts
lines and UTF-16 code units; a terminal counts characters. This module is the only one that converts. It
knows no document and no protocol library.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import NamedTuple


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


class Position(NamedTuple):
    """A place as the Language Server Protocol writes it: zero-based line and UTF-16 column."""

    line: int
    character: int


class Range(NamedTuple):
    start: Position
    end: Position


@dataclass(frozen=True, slots=True)
class LineIndex:
    """The lines of one text, to convert offsets. Lines end at LF, CRLF or a lone CR, as in the protocol."""

    source: bytes
    starts: tuple[int, ...]

    @classmethod
    def of(cls, source: bytes) -> LineIndex:
        starts = [0]
        if b"\r" not in source:
            found = source.find(b"\n")
            while found >= 0:
                starts.append(found + 1)
                found = source.find(b"\n", found + 1)
            return cls(source, tuple(starts))
        for offset, byte in enumerate(source):
            if byte == 10 or (byte == 13 and source[offset + 1 : offset + 2] != b"\n"):
                starts.append(offset + 1)
        return cls(source, tuple(starts))

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
