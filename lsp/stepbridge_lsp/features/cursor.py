"""What stands around a cursor in a Python program, found in the text alone: open brackets, the argument that
is being written, the word and the string before the cursor.

The text need not parse: a program is broken whenever completion is asked for. Names are not looked up here;
`target.py` does that with what is found.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

from stepbridge_lsp.documents.python import PythonDocument

_TOKEN = re.compile(
    rb"(?P<string>\b[rRbBuUfFtT]{1,2}(?=[\"'])|(?=[\"']))(?:"
    rb"\"\"\"(?:[^\\]|\\.)*?(?:\"\"\"|\Z)|'''(?:[^\\]|\\.)*?(?:'''|\Z)"
    rb"|\"(?:[^\"\\\r\n]|\\.)*(?:\"|(?=[\r\n])|\Z)|'(?:[^'\\\r\n]|\\.)*(?:'|(?=[\r\n])|\Z))"
    rb"|(?P<comment>#[^\r\n]*)|(?P<open>[(\[{])|(?P<close>[)\]}])|(?P<mark>,|:|=(?!=)|[!<>=]=|;)"
    rb"|(?P<line>\r?\n)",
    re.S,
)
_WORD_AFTER = re.compile(rb"[\w\x80-\xff]*")
_WORD_BYTES = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789") | frozenset(
    range(128, 256)
)
_CLOSER = {b"(": b")", b"[": b"]", b"{": b"}"}
# A call whose bracket opened in an unfinished statement ends where one of these begins a line.
_STATEMENT = re.compile(rb"(?:def|class|if|for|while|with|try|import|from|return|@)\b")


@dataclass(frozen=True)
class StringToken:
    """A string literal. `inner` is the place of its characters, `closed` whether its end quote is there."""

    start: int
    end: int
    inner: tuple[int, int]
    prefix: bytes
    closed: bool

    @property
    def plain(self) -> bool:
        return not set(self.prefix.lower()) & set(b"fbt")


@dataclass(frozen=True)
class Frame:
    """An open bracket around the cursor.

    Attributes:
        kind: "(", "[" or "{".
        offset: of the bracket.
        base: the expression that stands immediately before it ("" if none): what is called or subscripted.
        index: how many items stand before the one with the cursor.
        keyword: `name` where the item is written `name=...`.
        key: the literal key where the cursor is behind the colon of a dictionary's pair.
        item: offset at which the item begins.
        behind_colon: the cursor is behind a colon of this item (a dictionary's value, a slice's end).
    """

    kind: str
    offset: int
    base: str
    index: int = 0
    keyword: str | None = None
    key: str | None = None
    item: int = 0
    behind_colon: bool = False


@dataclass(frozen=True)
class Cursor:
    """A cursor and what is around it.

    Attributes:
        offset: where it is.
        word: start and end of the identifier around it (or of the string's characters, in a string).
        prefix: the part of the word before the cursor.
        string: the string literal that it is in.
        comment: it is in a comment.
        base: the expression before the dot in `base.wo|rd`; None where no dot stands before the word.
        frames: open brackets, innermost last.
        alone: nothing but the word stands in the item that is being written.
    """

    offset: int
    word: tuple[int, int]
    prefix: str
    string: StringToken | None = None
    comment: bool = False
    base: str | None = None
    frames: tuple[Frame, ...] = ()
    alone: bool = True

    @property
    def frame(self) -> Frame | None:
        return self.frames[-1] if self.frames else None

    def call(self) -> Frame | None:
        """The innermost call around the cursor, containers within its arguments passed over."""
        return next((frame for frame in reversed(self.frames) if frame.kind == "(" and frame.base), None)


@dataclass
class _Level:
    kind: bytes
    offset: int
    base: str
    item: int
    index: int = 0
    equals: int | None = None  # offset of the `=` of `name=` in the present item
    colon: int | None = None


@dataclass
class _Scan:
    """The tokens of one stretch of text up to the cursor."""

    source: bytes
    floor: int
    levels: list[_Level] = field(default_factory=list)
    opened_by: dict[int, int] = field(default_factory=dict)  # offset of a closing bracket -> of its opening
    strings: dict[int, int] = field(default_factory=dict)  # end of a string -> its start
    item: int = 0


def cursor_at(document: PythonDocument, offset: int) -> Cursor:
    """The cursor at a byte offset of a program."""
    return cursor_in(document.source, offset, statement_start(document, offset))


def statement_start(document: PythonDocument, offset: int) -> int:
    """Offset of the top-level statement that holds an offset, or of the last one before it."""
    starts = [start for start, _ in document.analysis.lowered.block.items]
    index = bisect_right(starts, offset) - 1
    return starts[index] if index >= 0 else 0


def cursor_in(source: bytes, offset: int, floor: int = 0) -> Cursor:
    """The cursor at an offset of a text; `floor` is where the statement around it begins."""
    scan = _Scan(source, floor, item=floor)
    for match in _TOKEN.finditer(source, floor):
        if match.start() >= offset:
            break
        if match["string"] is not None:
            token = _string(match)
            if token.inner[0] <= offset <= token.inner[1]:
                return _in_string(scan, token, offset)
            scan.strings[token.end] = token.start
        elif match["comment"] is not None and offset <= match.end():
            return Cursor(offset, (offset, offset), "", comment=True, frames=tuple(_frames(scan)))
        else:
            _advance(scan, match)
    start = _word_start(source, floor, offset)
    after = _WORD_AFTER.match(source, offset)
    end = after.end() if after else offset
    return Cursor(
        offset,
        (start, end),
        source[start:offset].decode("utf-8", "replace"),
        base=_attribute_base(scan, start),
        frames=tuple(_frames(scan)),
        alone=not source[_value_start(scan) : start].strip(),
    )


def strings_in(source: bytes, start: int, end: int) -> Iterator[StringToken]:
    """The string literals of a stretch of text that begins outside of strings and comments."""
    for match in _TOKEN.finditer(source, start, end):
        if match["string"] is not None:
            yield _string(match)


def _string(match: re.Match[bytes]) -> StringToken:
    text = match[0]
    prefix = match["string"]
    body = text[len(prefix) :]
    quote = 3 if body[:3] in (b'"""', b"'''") and len(body) >= 3 else 1
    closed = len(body) >= 2 * quote and body.endswith(body[:quote])
    first = match.start() + len(prefix) + quote
    return StringToken(
        match.start(), match.end(), (first, match.end() - quote if closed else match.end()), prefix, closed
    )


def _in_string(scan: _Scan, token: StringToken, offset: int) -> Cursor:
    inner = token.inner
    return Cursor(
        offset,
        inner,
        scan.source[inner[0] : offset].decode("utf-8", "replace"),
        string=token,
        frames=tuple(_frames(scan)),
        alone=not scan.source[_value_start(scan) : token.start].strip(),
    )


def _advance(scan: _Scan, match: re.Match[bytes]) -> None:
    """Take one token outside of strings and comments."""
    levels = scan.levels
    if match["open"] is not None:
        base = _primary_before(scan, match.start())
        levels.append(_Level(match["open"], match.start(), base, match.end()))
    elif match["close"] is not None:
        if levels and _CLOSER[levels[-1].kind] == match["close"]:
            scan.opened_by[match.end()] = levels.pop().offset
    elif match["line"] is not None:
        if not levels or _STATEMENT.match(scan.source, match.end()):
            levels.clear()
            scan.item = match.end()
    elif levels:
        _mark(levels[-1], match)
    elif match["mark"] in (b"=", b";", b":", b","):
        scan.item = match.end()


def _mark(level: _Level, match: re.Match[bytes]) -> None:
    mark = match["mark"]
    if mark == b",":
        level.index += 1
        level.item = match.end()
        level.equals = level.colon = None
    elif mark == b"=" and level.equals is None:
        level.equals = match.start()
    elif mark == b":" and level.colon is None:
        level.colon = match.start()


def _frames(scan: _Scan) -> Iterator[Frame]:
    for level in scan.levels:
        keyword = key = None
        if level.equals is not None and level.kind == b"(":
            keyword = scan.source[level.item : level.equals].strip().decode("utf-8", "replace")
        if level.colon is not None and level.kind == b"{":
            key = _literal(scan.source[level.item : level.colon].strip())
        yield Frame(
            level.kind.decode(),
            level.offset,
            level.base,
            level.index,
            keyword,
            key,
            level.item,
            level.colon is not None,
        )


def _value_start(scan: _Scan) -> int:
    """Where the value that is being written begins: behind the bracket, comma, `name=` or colon before it."""
    if not scan.levels:
        return scan.item
    level = scan.levels[-1]
    marks = [level.item]
    if level.equals is not None:
        marks.append(level.equals + 1)
    if level.colon is not None:
        marks.append(level.colon + 1)
    return max(marks)


def _literal(text: bytes) -> str | None:
    for token in strings_in(text, 0, len(text)):
        if token.start == 0 and token.end == len(text) and token.closed:
            return text[token.inner[0] : token.inner[1]].decode("utf-8", "replace")
    return None


def _attribute_base(scan: _Scan, start: int) -> str | None:
    before = scan.source[scan.floor : start].rstrip(b" \t\r\n\\")
    if not before.endswith(b"."):
        return None
    return _primary_before(scan, scan.floor + len(before) - 1)


def _primary_before(scan: _Scan, end: int) -> str:
    """The primary expression (names, attributes, calls, subscripts) that ends at an offset."""
    source, floor = scan.source, scan.floor
    at = _back(source, floor, end)
    begin = at
    while at > floor:
        if (opening := scan.opened_by.get(at)) is not None:  # a call, a subscript, or a parenthesis
            begin = opening
            at = _back(source, floor, opening)
            if at in scan.opened_by or _word_start(source, floor, at) < at:
                continue
            break
        if at in scan.strings:
            begin = scan.strings[at]
            break
        begin = _word_start(source, floor, at)
        if begin == at:
            begin = at
            break
        dot = _back(source, floor, begin, b" \t\r\n\\")
        if source[dot - 1 : dot] != b"." or dot <= floor:
            break
        begin = dot
        at = _back(source, floor, dot - 1, b" \t\r\n\\")
    text = source[begin:end].decode("utf-8", "replace").strip()
    return "" if text in _KEYWORDS or text.startswith(".") else text


def _back(source: bytes, floor: int, end: int, space: bytes = b" \t") -> int:
    """Offset behind the last character before `end` that is no space."""
    while end > floor and source[end - 1] in space:
        end -= 1
    return end


def _word_start(source: bytes, floor: int, end: int) -> int:
    """Where the word begins that ends at an offset; the offset itself if there is none."""
    while end > floor and source[end - 1] in _WORD_BYTES:
        end -= 1
    return end


_KEYWORDS = frozenset(
    {"in", "and", "or", "not", "if", "else", "return", "yield", "await", "lambda", "is", "print", "assert"}
)
