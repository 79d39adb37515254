"""Where statements of a Python text begin, found by looking at its lines alone, and what can be done for one
that does not parse: its blocks by their indentation, its gaps filled, its brackets closed.

No syntax tree is made here; offsets are bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from msgspec import Struct

# A line that may begin a statement, by indentation. `else` and its kind continue one.
_CONTINUES = rb"(?:else|elif|except|finally)\b"
_STARTS: dict[int, tuple[re.Pattern[bytes], re.Pattern[bytes]]] = {}


class Clause(Struct, frozen=True):
    body: int  # where its first line begins
    end: int
    indent: int


# Strings and comments are skipped, so that a line inside of a string begins no statement.
_SKIPS = (
    rb"\"\"\"[^\"\\]*(?:(?:\\.|\"(?!\"\"))[^\"\\]*)*\"\"\""
    rb"|\'\'\'[^\'\\]*(?:(?:\\.|\'(?!\'\'))[^\'\\]*)*\'\'\'"
    rb"|\"[^\"\\\n]*(?:\\.[^\"\\\n]*)*\"|\'[^\'\\\n]*(?:\\.[^\'\\\n]*)*\'|#[^\n]*"
)


_TRIPLE = re.compile(rb"\"\"\"|\'\'\'")


def _starts(indent: int) -> tuple[re.Pattern[bytes], re.Pattern[bytes]]:
    """Where statements begin: one pattern that skips strings and comments, and a fast one that does not."""
    if indent not in _STARTS:
        start = rb"^[ \t]{%d}(?!%b)(?=([^\s#)\]},:.+*/%%|&<>=!^-]))" % (indent, _CONTINUES)
        careful = re.compile(start + b"|" + _SKIPS, re.M | re.S)
        _STARTS[indent] = careful, re.compile(start, re.M)
    return _STARTS[indent]


def _string_regions(source: bytes, start: int, end: int) -> list[tuple[int, int]] | None:
    """Where triple-quoted strings stand; None where a look at their marks alone cannot tell."""
    regions: list[tuple[int, int]] = []
    at = start
    while (mark := _TRIPLE.search(source, at, end)) is not None:
        line = source[max(source.rfind(b"\n", start, mark.start()) + 1, at) : mark.start()]
        if b"#" in line or b'"' in line or b"'" in line or _continued_string(source, at, mark.start()):
            return None
        close = source.find(mark[0], mark.end(), end)
        if close < 0 or source[close - 1 : close] == b"\\":
            return None
        at = close + 3
        regions.append((mark.start(), at))
    return None if _continued_string(source, at, end) else regions


def _continued_string(source: bytes, start: int, end: int) -> bool:
    """Whether some line of code may hold a string that goes on in the next line, behind a backslash."""
    at = start
    while (at := source.find(b"\\", at, end)) >= 0:
        at += 1
        if source[at : at + 1] in (b"\n", b"\r"):
            line = source[max(source.rfind(b"\n", start, at) + 1, start) : at]
            if b'"' in line or b"'" in line:
                return True
    return False


class Cuts(Struct):
    """Offsets of lines that seem to begin a statement; the first is always the start of the region.

    `plain`: triple-quoted strings begin and end within the region, as a look at their marks alone tells.
    `pending`: it ends with a decorator, which takes the next line with it.
    """

    offsets: list[int]
    plain: bool
    pending: bool


def cuts_of(source: bytes, start: int, end: int, indent: int) -> Cuts:
    """Where statements seem to begin whose lines start at `indent` columns."""
    careful, fast = _starts(indent)
    regions = _string_regions(source, start, end)
    offsets = [start]
    decorated = False
    index = 0
    for match in (fast if regions is not None else careful).finditer(source, start, end):
        first = match[1]
        if first is None:
            continue
        at = match.start()
        if regions:
            while index < len(regions) and regions[index][1] <= at:
                index += 1
            if index < len(regions) and regions[index][0] < at:
                continue
        if at > start and not decorated:
            offsets.append(at)
        decorated = first == b"@"
    return Cuts(offsets, regions is not None, decorated)


HEADER = re.compile(
    rb"[ \t]*(?:async[ \t]+)?(?:def|class|if|elif|else|for|while|with|try|except|finally|match)\b|[ \t]*@"
)


def clauses_of(text: bytes, indent: int) -> list[Clause]:
    """The blocks of a compound statement, found by indentation alone; none for a simple statement."""
    return _clauses(text, indent, _string_regions(text, 0, len(text)) or []) if HEADER.match(text) else []


def _clauses(text: bytes, indent: int, strings: list[tuple[int, int]]) -> list[Clause]:
    within = 0  # the string that ends behind the present line, or the next one
    clauses: list[Clause] = []
    body: tuple[int, int] | None = None  # offset and indentation of the present block
    opened = False  # the header's colon has been seen
    for offset, line in _lines(text):
        while within < len(strings) and strings[within][1] <= offset:
            within += 1
        if within < len(strings) and strings[within][0] < offset:
            continue
        stripped = line.strip()
        if not stripped or stripped.startswith(b"#"):
            continue
        width = len(line) - len(line.lstrip())
        if width <= indent:
            if body is not None:
                clauses.append(Clause(body[0], offset, body[1]))
                body = None
            opened = _ends_header(line)
        elif opened and body is None:
            body = (offset, width)
        elif body is None:
            opened = opened or _ends_header(line)
    if body is not None:
        clauses.append(Clause(body[0], len(text), body[1]))
    return clauses


def sole_body(text: bytes, indent: int) -> Clause | None:
    """The block of a compound statement that has just one; None for others, and where lines cannot tell."""
    strings = _string_regions(text, 0, len(text)) if HEADER.match(text) else None
    clauses = _clauses(text, indent, strings) if strings is not None else []
    return clauses[0] if len(clauses) == 1 and clauses[0].end == len(text) else None


def stays_inside(source: bytes, start: int, end: int, indent: int) -> bool:
    """Whether all lines between two offsets that hold code are indented by so many columns at least."""
    return indent == 0 or _outside(indent).search(source, start, end) is None


@cache
def _outside(indent: int) -> re.Pattern[bytes]:
    return re.compile(rb"^[ \t]{0,%d}[^\s#]" % (indent - 1), re.M)


def _ends_header(line: bytes) -> bool:
    return line.split(b"#")[0].rstrip().endswith(b":")


def _lines(text: bytes) -> Iterator[tuple[int, bytes]]:
    offset = 0
    for line in text.splitlines(keepends=True):
        yield offset, line
        offset += len(line)


_GAP = re.compile(rb"([.=])(\s*)([,)\]}\n]|$)")
_PAIRS = {ord("("): b")", ord("["): b"]", ord("{"): b"}"}


def mended(text: bytes) -> Iterator[bytes]:
    """The text with names put into obvious gaps (`x.`, `name=`) and open brackets closed at its end.

    A name takes the place of white space, so that what follows keeps its offset.
    """
    filled = _GAP.sub(_fill, text)
    for candidate in (filled, text):
        closers = _open_brackets(candidate)
        body = candidate.rstrip()
        if body.endswith((b".", b"=")):
            body += b"_"
        yield body + closers
        yield body.rstrip(b",") + closers


def _fill(match: re.Match[bytes]) -> bytes:
    mark, space, after = match.groups()
    if space:
        return mark + b"_" + space[1:].replace(b"\n", b" ") + after
    return mark + b"_" if after == b"\n" else match.group()


def _open_brackets(text: bytes) -> bytes:
    """The brackets that close what `text` leaves open; strings and comments are skipped roughly."""
    stack: list[bytes] = []
    plain = re.sub(rb"\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|#[^\n]*", b"", text)
    for letter in plain:
        if letter in _PAIRS:
            stack.append(_PAIRS[letter])
        elif stack and bytes((letter,)) == stack[-1]:
            stack.pop()
    return b"".join(reversed(stack))


_FAR = re.compile(rb"^[ \t]{80}", re.M)
_DEEPEST = 80


def too_deep(text: bytes) -> bool:
    """Blocks nested beyond what recursion over them stands."""
    if not _FAR.search(text):
        return False
    levels: list[int] = []
    for _, line in _lines(text):
        if not line.strip():
            continue
        width = len(line) - len(line.lstrip())
        while levels and levels[-1] >= width:
            levels.pop()
        levels.append(width)
        if len(levels) > _DEEPEST:
            return True
    return False


_TARGETS = re.compile(rb"^[ \t]*([A-Za-z_][\w, \t]*)(?::[^=\n]+)?=(?!=)", re.M)


def assigned_names(text: bytes) -> list[str]:
    return [
        name.decode("ascii", "replace")
        for match in _TARGETS.finditer(text)
        for name in re.findall(rb"\w+", match[1])
    ]
