"""What stands around a cursor in the text of a JSON value that need not be whole: the pointer of the value,
and whether a key or a value is being written."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

from stepbridge.definition.values import Pointer

_TOKEN = re.compile(rb'"(?:[^"\\\r\n]|\\.)*("|(?=[\r\n])|\Z)|[{}\[\]:,]|[^\s"{}\[\]:,]+')


@dataclass(frozen=True)
class JsonCursor:
    """A cursor.

    Attributes:
        pointer: of the object or array around it; of the value itself where a value is being written.
        role: "key" of an object, or "value" of a member or item.
        word: start and end of the string (with its quotes) or bare word around it; empty between tokens.
        prefix: the characters before the cursor, without a quote.
        quoted: the word is a string.
        colon: a colon follows the word.
        keys: the keys of the object around it that stand before the cursor.
    """

    pointer: Pointer
    role: str
    word: tuple[int, int]
    prefix: str
    quoted: bool
    colon: bool
    keys: frozenset[str] = frozenset()


@dataclass
class _Level:
    kind: bytes
    key: str | None = None
    index: int = 0
    colon: bool = False
    keys: set[str] = field(default_factory=set)


def json_cursor(source: bytes, offset: int, start: int = 0, base: Pointer = ()) -> JsonCursor | None:
    """The cursor at a byte offset; None outside of any object or array.

    `start` may be the beginning of a value that holds the offset, and `base` its pointer.
    """
    levels: list[_Level] = []
    for match in _TOKEN.finditer(source, start):
        if match.start() >= offset:
            break
        text = match[0]
        first = text[:1]
        if match.end() >= offset and first not in b'{}[]:,"':
            return _cursor(source, levels, base, (match.start(), match.end()), offset, quoted=False)
        if first == b'"':
            inside = match.start() < offset < match.end() or (match.end() == offset and not match[1])
            if inside:
                return _cursor(source, levels, base, (match.start(), match.end()), offset, quoted=True)
        if not _advance(levels, text):
            return None
    return _cursor(source, levels, base, (offset, offset), offset, quoted=False)


def _advance(levels: list[_Level], text: bytes) -> bool:
    """Take one token; False behind the end of the outermost value."""
    first = text[:1]
    if first in (b"{", b"["):
        levels.append(_Level(first))
    elif first in (b"}", b"]"):
        if levels:
            levels.pop()
        return bool(levels)
    elif not levels:
        return True
    elif first == b",":
        level = levels[-1]
        level.index += 1
        level.key, level.colon = None, False
    elif first == b":":
        levels[-1].colon = True
    elif first == b'"' and levels[-1].kind == b"{" and not levels[-1].colon:
        key = _decoded(text)
        levels[-1].key = key
        levels[-1].keys.add(key)
    return True


def _decoded(text: bytes) -> str:
    try:
        value = json.loads(text)
    except ValueError:
        return text.decode("utf-8", "replace").strip('"')
    return value if isinstance(value, str) else ""


def _cursor(
    source: bytes, levels: list[_Level], base: Pointer, word: tuple[int, int], offset: int, *, quoted: bool
) -> JsonCursor | None:
    if not levels:
        return None
    start, end = word
    prefix = source[start + quoted : offset].decode("utf-8", "replace")
    outer = (*base, *(_part(level) for level in levels[:-1]))
    level = levels[-1]
    colon = source[end : end + 40].lstrip()[:1] == b":"
    if level.kind == b"{" and not level.colon:
        return JsonCursor(outer, "key", word, prefix, quoted, colon, frozenset(level.keys))
    return JsonCursor((*outer, _part(level)), "value", word, prefix, quoted, colon)


def _part(level: _Level) -> str | int:
    return level.index if level.kind == b"[" else (level.key or "")
