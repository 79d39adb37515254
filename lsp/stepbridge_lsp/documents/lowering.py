"""From tree-sitter's tree of Python to `syntax`, and from a text to statements.

The text is cut into top-level statements first; each is parsed by itself and remembered by its text, so that
an edit costs the parse of one statement. A statement that does not parse is cut again at its own block's
indentation, down to the one line that is broken: the rest of the program stays known while a person types.
The result depends on the text alone, never on the edits that led to it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from copy import copy
from dataclasses import dataclass, field
from typing import Any

import tree_sitter
import tree_sitter_python
from msgspec import Struct

from . import syntax as s

TsNode = Any  # tree_sitter.Node; its stubs make every attribute optional

_LANGUAGE = tree_sitter.Language(tree_sitter_python.language())
_DEPTH = 120  # nesting beyond this is unknown; it keeps recursion far from Python's limit
_CACHE = 20_000
_LONG = 2_000  # a block of so many bytes that does not parse is cut, not tried with what follows
_RECENT = 3
_MERGES = 5  # a statement that does not parse is tried together with the next 1, 2, 4, 8, 16

# A line that may begin a statement, by indentation. `else` and its kind continue one.
_CONTINUES = rb"(?:else|elif|except|finally)\b"
_STARTS: dict[int, tuple[re.Pattern[bytes], re.Pattern[bytes]]] = {}


class Lowered(Struct):
    """The statements of a text. `broken`: some of it does not parse."""

    block: s.Block
    broken: bool


@dataclass
class Reader:
    """Reads texts, and remembers statements by their text."""

    _parser: tree_sitter.Parser = field(default_factory=lambda: tree_sitter.Parser(_LANGUAGE))
    _chunks: dict[bytes, Lowered | None] = field(default_factory=dict)
    _statements: dict[bytes, s.Statement] = field(default_factory=dict)
    _recent: list[tuple[bytes, Any]] = field(default_factory=list)  # long texts that parsed, and their trees

    def read(self, source: bytes) -> Lowered:
        """All statements of a program. Never raises, whatever the text."""
        if len(self._chunks) > _CACHE or len(self._statements) > _CACHE:
            self._chunks.clear()
            self._statements.clear()
        items, broken = self._read_region(source, 0, len(source), 0, 0)
        return Lowered(s.Block(items), broken)

    def read_expression(self, text: str) -> s.Node | None:
        """A single expression, for an editor that asks what one is; None if it is none."""
        lowered = self._parse(text.encode("utf-8", "replace"))
        if lowered is None or len(lowered.block.items) != 1:
            return None
        offset, statement = lowered.block.items[0]
        return statement.value if isinstance(statement, s.Expression) and offset == 0 else None

    # -- cutting -----------------------------------------------------------------------------------

    def _read_region(
        self, source: bytes, start: int, end: int, indent: int, depth: int
    ) -> tuple[list[tuple[int, s.Statement]], bool]:
        """Statements between two offsets whose lines begin at `indent` columns; offsets count from 0."""
        cuts = [*_cuts(source, start, end, indent), end]
        items: list[tuple[int, s.Statement]] = []
        broken = False
        index = 0
        while index < len(cuts) - 1:
            at = cuts[index]
            piece = source[at : cuts[index + 1]]
            known = self._chunks.get(piece) if len(piece) < _LONG else None
            found, width = (known, 1) if known is not None else self._widest(source, cuts, index)
            if found is None:
                broken = True
                items += self._recover(source, at, cuts[index + 1], indent, depth)
            else:
                items += [(at + offset, statement) for offset, statement in found.block.items]
            index += width
        return items, broken

    def _widest(self, source: bytes, cuts: list[int], index: int) -> tuple[Lowered | None, int]:
        """The statement at a cut, with as many of the next pieces as it takes to parse."""
        first = source[cuts[index] : cuts[index + 1]]
        long_block = len(first) > _LONG and _HEADER.match(first) is not None
        width = 1
        for _ in range(1 if long_block else _MERGES + 1):
            if index + width >= len(cuts):
                break
            found = self._chunk(source[cuts[index] : cuts[index + width]])
            if found is not None:
                return found, width
            width *= 2
        return None, 1

    def _chunk(self, text: bytes) -> Lowered | None:
        """A piece of text as statements; None if it does not parse."""
        if text not in self._chunks:
            self._chunks[text] = self._parse(text)
        elif len(text) >= _LONG:  # back to where it was: keep that tree
            self._recent.sort(key=lambda known: known[0] is not text and known[0] != text)
        return self._chunks[text]

    def _parse(self, text: bytes) -> Lowered | None:
        if text.rstrip(b"\r\n").endswith(b"\\"):
            return None  # the statement goes on
        if _too_deep(text):
            return Lowered(s.Block([(0, s.Broken(len(text), [], _assigned_names(text), []))]), True)
        root = self._tree(text)
        if root.has_error:
            return None
        return Lowered(s.Block(_Lowering(text, 0, self._statements).block_items(root)), False)

    def _tree(self, text: bytes) -> TsNode:
        """The tree of a text. A long one that is much like a recent one is parsed from where they differ."""
        if len(text) < _LONG:
            return self._parser.parse(text).root_node
        for before, old in self._recent:
            edit = _difference(before, text)
            if edit is not None:
                edited = old.copy()
                edited.edit(*edit)
                tree = self._parser.parse(text, edited)
                if not tree.root_node.has_error:
                    self._recent = [(text, tree), *self._recent[: _RECENT - 1]]
                    return tree.root_node
        tree = self._parser.parse(text)
        if not tree.root_node.has_error:
            self._recent = [(text, tree), *self._recent[: _RECENT - 1]]
        return tree.root_node

    # -- mending -----------------------------------------------------------------------------------

    def _recover(
        self, source: bytes, start: int, end: int, indent: int, depth: int
    ) -> Iterator[tuple[int, s.Statement]]:
        """What can be saved of a statement that does not parse."""
        text = source[start:end]
        clauses = _clauses(text, indent) if depth < 20 else []
        if clauses:
            yield start, self._recover_compound(text, clauses, depth)
            return
        mended = self._mend(text)
        if mended is None:
            yield start, s.Broken(len(text), [], _assigned_names(text), [])
            return
        for offset, statement in mended.block.items:
            yield start + offset, statement

    def _recover_compound(self, text: bytes, clauses: list[_Clause], depth: int) -> s.Statement:
        """A compound statement: its header by itself, its blocks cut at their own indentation."""
        blocks = []
        for clause in clauses:
            items, _ = self._read_region(text, clause.body, clause.end, clause.indent, depth + 1)
            blocks.append(s.Block(items))
        header = self._parse(text[: clauses[0].body]) or self._mend(text[: clauses[0].body])
        first = header.block.items[0][1] if header and len(header.block.items) == 1 else None
        match first:
            case s.FunctionDef() | s.ClassDef() | s.With() | s.Loop() if len(clauses) == 1:
                mended = copy(first)  # the header alone is remembered by its text
                mended.body = blocks[0]
                mended.length = len(text)
                mended.mentions = None
                return mended
            case s.If(branches=[(test, _), *_], binds=binds):
                rest: list[tuple[s.Node | None, s.Block]] = [
                    (s.Other(0, 0, []), block) for block in blocks[1:]
                ]
                return s.If(len(text), [(test, blocks[0]), *rest], binds)
        return s.Broken(len(text), [], [], blocks)

    def _mend(self, text: bytes) -> Lowered | None:
        """The text with its gaps filled, if that makes it parse. Offsets stay where they are."""
        for candidate in _mended(text):
            root = self._parser.parse(candidate).root_node
            if not root.has_error:
                return Lowered(s.Block(_Lowering(candidate, 0, {}).block_items(root)), True)
        return None


def _difference(before: bytes, after: bytes) -> tuple[Any, ...] | None:
    """The one edit between two texts as tree-sitter wants it; None where they have too little in common."""
    shorter = min(len(before), len(after))
    start = _common(lambda size: before[:size] == after[:size], shorter)
    rest = shorter - start
    tail = _common(lambda size: before[len(before) - size :] == after[len(after) - size :], rest)
    if start + tail < 0.9 * shorter:
        return None
    old_end, new_end = len(before) - tail, len(after) - tail
    return (
        start,
        old_end,
        new_end,
        _row_and_column(before, start),
        _row_and_column(before, old_end),
        _row_and_column(after, new_end),
    )


def _common(same: Callable[[int], bool], longest: int) -> int:
    """The greatest size for which two slices are the same."""
    low, high = 0, longest
    while low < high:
        middle = (low + high + 1) // 2
        if same(middle):
            low = middle
        else:
            high = middle - 1
    return low


def _row_and_column(text: bytes, offset: int) -> tuple[int, int]:
    return text.count(b"\n", 0, offset), offset - text.rfind(b"\n", 0, offset) - 1


class _Clause(Struct, frozen=True):
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
    if b"\\\n" in source or b"\\\r" in source:
        return None  # a string may go on in the next line
    regions: list[tuple[int, int]] = []
    at = start
    while (mark := _TRIPLE.search(source, at, end)) is not None:
        line = source[max(start, source.rfind(b"\n", start, mark.start()) + 1, at) : mark.start()]
        if b"#" in line or b'"' in line or b"'" in line:
            return None
        close = source.find(mark[0], mark.end(), end)
        if close < 0 or source.find(b"\\", mark.end(), close) >= 0:
            return None
        at = close + 3
        regions.append((mark.start(), at))
    return regions


def _cuts(source: bytes, start: int, end: int, indent: int) -> Iterator[int]:
    """Offsets of lines that seem to begin a statement; the first is always `start`."""
    yield start
    careful, fast = _starts(indent)
    regions = _string_regions(source, start, end)
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
            yield at
        decorated = first == b"@"


_HEADER = re.compile(
    rb"[ \t]*(?:async[ \t]+)?(?:def|class|if|elif|else|for|while|with|try|except|finally|match)\b|[ \t]*@"
)


def _clauses(text: bytes, indent: int) -> list[_Clause]:
    """The blocks of a compound statement, found by indentation alone; none for a simple statement."""
    if not _HEADER.match(text):
        return []
    lines = list(_lines(text))
    clauses: list[_Clause] = []
    body: tuple[int, int] | None = None  # offset and indentation of the present block
    opened = False  # the header's colon has been seen
    for offset, line in lines:
        stripped = line.strip()
        if not stripped or stripped.startswith(b"#"):
            continue
        width = len(line) - len(line.lstrip())
        if width <= indent:
            if body is not None:
                clauses.append(_Clause(body[0], offset, body[1]))
                body = None
            opened = _ends_header(line)
        elif opened and body is None:
            body = (offset, width)
        elif body is None:
            opened = opened or _ends_header(line)
    if body is not None:
        clauses.append(_Clause(body[0], len(text), body[1]))
    return clauses


def _ends_header(line: bytes) -> bool:
    return line.split(b"#")[0].rstrip().endswith(b":")


def _lines(text: bytes) -> Iterator[tuple[int, bytes]]:
    offset = 0
    for line in text.splitlines(keepends=True):
        yield offset, line
        offset += len(line)


_GAP = re.compile(rb"([.=])(\s*)([,)\]}\n]|$)")
_PAIRS = {ord("("): b")", ord("["): b"]", ord("{"): b"}"}


def _mended(text: bytes) -> Iterator[bytes]:
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


def _too_deep(text: bytes) -> bool:
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


def _assigned_names(text: bytes) -> list[str]:
    return [
        name.decode("ascii", "replace")
        for match in _TARGETS.finditer(text)
        for name in re.findall(rb"\w+", match[1])
    ]


# -- from tree to syntax ---------------------------------------------------------------------------


class _Lowering:
    """Lowers the nodes of one statement; `base` is the statement's offset in the text."""

    __slots__ = ("base", "depth", "known", "mentions", "text")

    def __init__(self, text: bytes, base: int, known: dict[bytes, s.Statement]) -> None:
        self.text = text
        self.base = base
        self.known = known
        self.depth = 0
        self.mentions: set[str] = set()

    def block_items(self, node: TsNode) -> list[tuple[int, s.Statement]]:
        """Statements of a module or block, with offsets from this lowering's base."""
        items: list[tuple[int, s.Statement]] = []
        for child in node.named_children:
            if child.type in ("comment", "line_continuation"):
                continue
            items.append((child.start_byte - self.base, self.statement(child)))
        return items

    def block(self, node: TsNode | None) -> s.Block:
        return s.Block(self.block_items(node)) if node is not None else s.EMPTY

    def statement(self, node: TsNode) -> s.Statement:
        start, end = node.start_byte, node.end_byte
        text = self.text[start:end]
        found = self.known.get(text)
        if found is None:
            inner = _Lowering(self.text, start, self.known)
            found = inner.lower_statement(node)
            found.mentions = frozenset(inner.mentions)
            self.known[text] = found
        self.mentions.update(found.mentions or ())
        return found

    def lower_statement(self, node: TsNode) -> s.Statement:
        handler = _STATEMENTS.get(node.type)
        if handler is not None:
            return handler(self, node)
        return s.Evaluate(_length(node), [self.expression(child) for child in node.named_children], [])

    def expression(self, node: TsNode) -> s.Node:
        handler = _EXPRESSIONS.get(node.type)
        start, end = node.start_byte - self.base, node.end_byte - self.base
        if self.depth > _DEPTH:
            return s.Other(start, end, [])
        if handler is None:
            return self.other(node, start, end)
        self.depth += 1
        try:
            return handler(self, node, start, end)
        finally:
            self.depth -= 1

    def other(self, node: TsNode, start: int, end: int) -> s.Node:
        return s.Other(start, end, [self.expression(child) for child in node.named_children])

    def string_of(self, node: TsNode) -> str:
        return self.text[node.start_byte : node.end_byte].decode("utf-8", "replace")

    # -- expressions -------------------------------------------------------------------------------

    def name(self, node: TsNode, start: int, end: int) -> s.Node:
        name = self.string_of(node)
        self.mentions.add(name)
        return s.Name(start, end, name)

    def number(self, node: TsNode, start: int, end: int) -> s.Node:
        try:
            value = ast.literal_eval(self.string_of(node))
        except (ValueError, SyntaxError):
            return s.Other(start, end, [])
        return s.Literal(start, end, value) if isinstance(value, int | float) else s.Other(start, end, [])

    def constant(self, node: TsNode, start: int, end: int) -> s.Node:
        return s.Literal(start, end, {"true": True, "false": False, "none": None}[node.type])

    def string(self, node: TsNode, start: int, end: int) -> s.Node:
        parts = self.string_parts(node)
        if parts is None:
            return s.Other(start, end, [])
        if isinstance(parts, bytes):
            return s.Literal(start, end, parts)
        if all(isinstance(part, str) for part in parts):
            text = "".join(part for part in parts if isinstance(part, str))
            return s.Literal(start, end, text, self.inner_of(node, text))
        return s.Formatted(start, end, parts)

    def inner_of(self, node: TsNode, value: str) -> tuple[int, int] | None:
        """Where a plain string's characters stand, if they are the value itself (no escapes)."""
        first, last = node.children[0], node.children[-1]
        if first.type != "string_start" or last.type != "string_end":
            return None
        start, end = first.end_byte, last.start_byte
        if self.text[start:end] != value.encode("utf-8", "replace"):
            return None
        return start - self.base, end - self.base

    def string_parts(self, node: TsNode) -> list[str | s.Interpolation] | bytes | None:
        prefix = self.string_of(node.children[0]).rstrip("\"'").lower()
        if "f" not in prefix:
            return self.plain_string(node, prefix)
        parts: list[str | s.Interpolation] = []
        for child in node.children[1:-1]:
            if child.type == "interpolation":
                parts.append(self.interpolation(child))
            else:
                parts.append(self.string_of(child).replace("{{", "{").replace("}}", "}"))
        return parts

    def plain_string(self, node: TsNode, prefix: str) -> list[str | s.Interpolation] | bytes | None:
        text = self.string_of(node)
        if "\\" not in text and prefix in ("", "u", "r") and "\r" not in text:
            first, last = node.children[0], node.children[-1]
            return [self.text[first.end_byte : last.start_byte].decode("utf-8", "replace")]
        try:
            value = ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return None
        return value if isinstance(value, bytes) else [str(value)]

    def interpolation(self, node: TsNode) -> s.Interpolation:
        value = node.child_by_field_name("expression")
        conversion = node.child_by_field_name("type_conversion")
        return s.Interpolation(
            node.start_byte - self.base,
            node.end_byte - self.base,
            self.expression(value) if value is not None else s.Other(0, 0, []),
            self.string_of(conversion)[1:] if conversion is not None else "",
            any(child.type == "=" for child in node.children),
            node.child_by_field_name("format_specifier") is not None,
        )

    def concatenated(self, node: TsNode, start: int, end: int) -> s.Node:
        parts: list[str | s.Interpolation] = []
        for child in node.named_children:
            if child.type != "string":
                continue
            piece = self.string_parts(child)
            if piece is None or isinstance(piece, bytes):
                return s.Other(start, end, [])
            parts += piece
        if all(isinstance(part, str) for part in parts):
            return s.Literal(start, end, "".join(part for part in parts if isinstance(part, str)))
        return s.Formatted(start, end, parts)

    def parenthesized(self, node: TsNode, start: int, end: int) -> s.Node:
        inner = [child for child in node.named_children if child.type != "comment"]
        if len(inner) != 1:
            return self.other(node, start, end)
        return self.expression(inner[0])

    def items(self, node: TsNode) -> list[s.Node]:
        return [self.expression(child) for child in node.named_children if child.type != "comment"]

    def list_(self, node: TsNode, start: int, end: int) -> s.Node:
        return s.Sequence(start, end, "list", self.items(node))

    def tuple_(self, node: TsNode, start: int, end: int) -> s.Node:
        return s.Sequence(start, end, "tuple", self.items(node))

    def set_(self, node: TsNode, start: int, end: int) -> s.Node:
        return s.Sequence(start, end, "set", self.items(node))

    def starred(self, node: TsNode, start: int, end: int) -> s.Node:
        return s.Starred(start, end, self.expression(node.named_children[0]))

    def dictionary(self, node: TsNode, start: int, end: int) -> s.Node:
        entries: list[tuple[s.Node | None, s.Node]] = []
        for child in node.named_children:
            if child.type == "pair":
                key, value = child.child_by_field_name("key"), child.child_by_field_name("value")
                entries.append((self.expression(key), self.expression(value)))
            elif child.type == "dictionary_splat":
                entries.append((None, self.expression(child.named_children[0])))
        return s.Mapping(start, end, entries)

    def call(self, node: TsNode, start: int, end: int) -> s.Node:
        arguments = node.child_by_field_name("arguments")
        function = self.expression(node.child_by_field_name("function"))
        if arguments.type != "argument_list":  # f(x for x in y)
            only = self.expression(arguments)
            args = [s.Arg(only.start, only.end, only)]
        else:
            args = [self.argument(child) for child in arguments.named_children if child.type != "comment"]
        inside = arguments.start_byte - self.base, arguments.end_byte - self.base
        return s.CallNode(start, end, function, args, *inside)

    def argument(self, node: TsNode) -> s.Arg:
        start, end = node.start_byte - self.base, node.end_byte - self.base
        if node.type == "keyword_argument":
            name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
            lowered = self.expression(value)
            name_place = name.start_byte - self.base, name.end_byte - self.base
            return s.Arg(lowered.start, lowered.end, lowered, self.string_of(name), *name_place)
        stars = {"list_splat": 1, "dictionary_splat": 2}.get(node.type, 0)
        value = node.named_children[0] if stars else node
        return s.Arg(start, end, self.expression(value), stars=stars)

    def attribute(self, node: TsNode, start: int, end: int) -> s.Node:
        name = node.child_by_field_name("attribute")
        value = self.expression(node.child_by_field_name("object"))
        place = name.start_byte - self.base, name.end_byte - self.base
        return s.Attribute(start, end, value, self.string_of(name), *place)

    def subscript(self, node: TsNode, start: int, end: int) -> s.Node:
        value = self.expression(node.child_by_field_name("value"))
        indexes = node.children_by_field_name("subscript")
        inner = [self.expression(index) for index in indexes]
        single = len(inner) == 1 and indexes[0].type not in ("slice", "list_splat")
        return s.Subscript(start, end, value, inner[0] if single else None, inner)

    def binary(self, node: TsNode, start: int, end: int) -> s.Node:
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        operator = self.string_of(node.child_by_field_name("operator"))
        return s.Binary(start, end, operator, self.expression(left), self.expression(right))

    def unary(self, node: TsNode, start: int, end: int) -> s.Node:
        operand = self.expression(node.child_by_field_name("argument"))
        operator = "not" if node.type == "not_operator" else self.string_of(node.children[0])
        return s.Unary(start, end, operator, operand)

    def compare(self, node: TsNode, start: int, end: int) -> s.Node:
        operators = [child.type for child in node.children_by_field_name("operators")]
        operands = [self.expression(child) for child in node.named_children if child.type not in operators]
        return s.Compare(start, end, operands, operators)

    def conditional(self, node: TsNode, start: int, end: int) -> s.Node:
        parts = [child for child in node.named_children if child.type != "comment"]
        if len(parts) != 3:
            return self.other(node, start, end)
        body, test, otherwise = (self.expression(part) for part in parts)
        return s.Conditional(start, end, test, body, otherwise)

    def comprehension(self, node: TsNode, start: int, end: int) -> s.Node:
        body = node.child_by_field_name("body")
        clauses: list[tuple[s.Node, s.Node]] = []
        conditions: list[s.Node] = []
        for child in node.named_children:
            if child.type == "for_in_clause":
                left, right = child.child_by_field_name("left"), child.child_by_field_name("right")
                if left is not None and right is not None:
                    clauses.append((self.expression(left), self.expression(right)))
            elif child.type == "if_clause":
                conditions += [self.expression(part) for part in child.named_children]
        parts = body.named_children if body is not None and body.type == "pair" else [body]
        elements = [self.expression(part) for part in parts if part is not None]
        kind = node.type.split("_")[0]
        return s.Comprehension(
            start, end, "dict" if kind == "dictionary" else kind, elements, clauses, conditions
        )

    def lambda_(self, node: TsNode, start: int, end: int) -> s.Node:
        parameters = self.parameters(node.child_by_field_name("parameters"))
        return s.LambdaNode(start, end, parameters, self.expression(node.child_by_field_name("body")))

    def walrus(self, node: TsNode, start: int, end: int) -> s.Node:
        name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
        return s.Walrus(start, end, self.string_of(name), self.expression(value))

    def as_pattern(self, node: TsNode, start: int, end: int) -> s.Node:
        return self.expression(node.named_children[0])

    def parameters(self, node: TsNode | None) -> s.Parameters:
        formals: list[s.Formal] = []
        kind: Any = "positional"
        for child in node.named_children if node is not None else ():
            match child.type:
                case "identifier":
                    formals.append(s.Formal(self.string_of(child), kind, None))
                case "default_parameter" | "typed_default_parameter":
                    name, value = child.child_by_field_name("name"), child.child_by_field_name("value")
                    formals.append(s.Formal(self.string_of(name), kind, self.expression(value)))
                case "list_splat_pattern" | "keyword_separator":
                    if child.named_children:
                        formals.append(s.Formal(self.string_of(child.named_children[0]), "many", None))
                    kind = "keyword"
                case "dictionary_splat_pattern":
                    formals.append(s.Formal(self.string_of(child.named_children[0]), "keywords", None))
                case "typed_parameter":
                    kind = self.typed_parameter(child, formals, kind)
        return s.Parameters(formals)

    def typed_parameter(self, node: TsNode, formals: list[s.Formal], kind: Any) -> Any:
        inner = node.named_children[0]
        if inner.type == "identifier":
            formals.append(s.Formal(self.string_of(inner), kind, None))
            return kind
        splat = "many" if inner.type == "list_splat_pattern" else "keywords"
        formals.append(s.Formal(self.string_of(inner.named_children[0]), splat, None))  # type: ignore[arg-type]
        return "keyword" if splat == "many" else kind

    # -- statements --------------------------------------------------------------------------------

    def expression_statement(self, node: TsNode) -> s.Statement:
        children = [child for child in node.named_children if child.type != "comment"]
        if len(children) != 1:
            parts = [self.expression(child) for child in children]
            return s.Expression(_length(node), s.Other(0, _length(node), parts))
        child = children[0]
        if child.type == "assignment":
            return self.assignment(child)
        if child.type == "augmented_assignment":
            left, right = child.child_by_field_name("left"), child.child_by_field_name("right")
            operator = self.string_of(child.child_by_field_name("operator"))[:-1]
            target = self.expression(left)
            return s.AugmentedAssign(_length(node), target, operator, self.expression(right))
        return s.Expression(_length(node), self.expression(child))

    def assignment(self, node: TsNode) -> s.Statement:
        targets: list[s.Node] = []
        annotated = node.child_by_field_name("type") is not None
        length = _length(node)
        while node is not None and node.type == "assignment":
            targets.append(self.expression(node.child_by_field_name("left")))
            node = node.child_by_field_name("right")
        return s.Assign(length, targets, self.expression(node) if node is not None else None, annotated)

    def import_(self, node: TsNode) -> s.Statement:
        names = [self.imported(child) for child in node.named_children]
        self.mentions.update(f"import {item.name}" for item in names)
        return s.ImportModules(_length(node), names)

    def import_from(self, node: TsNode) -> s.Statement:
        module = node.child_by_field_name("module_name")
        star = any(child.type == "wildcard_import" for child in node.named_children)
        names = [self.imported(child) for child in node.children_by_field_name("name")]
        if module is None:
            return s.ImportFrom(_length(node), "__future__", 0, 0, names, star)
        start, end = module.start_byte - self.base, module.end_byte - self.base
        text = "".join(self.string_of(module).split())
        self.mentions.add(f"import {text}")
        return s.ImportFrom(_length(node), text, start, end, names, star)

    def imported(self, node: TsNode) -> s.ImportedName:
        start, end = node.start_byte - self.base, node.end_byte - self.base
        if node.type == "aliased_import":
            name, alias = node.child_by_field_name("name"), node.child_by_field_name("alias")
            return s.ImportedName(start, end, self.string_of(name), self.string_of(alias))
        return s.ImportedName(start, end, "".join(self.string_of(node).split()), None)

    def decorated(self, node: TsNode) -> s.Statement:
        definition = node.child_by_field_name("definition")
        lowered = self.lower_statement(definition)
        if isinstance(lowered, s.FunctionDef | s.ClassDef):
            lowered.decorators = [
                self.expression(child.named_children[0])
                for child in node.named_children
                if child.type == "decorator" and child.named_children
            ]
            lowered.length = _length(node)
        return lowered

    def function(self, node: TsNode) -> s.Statement:
        name = node.child_by_field_name("name")
        place = name.start_byte - self.base, name.end_byte - self.base
        parameters = self.parameters(node.child_by_field_name("parameters"))
        body = self.block(node.child_by_field_name("body"))
        return s.FunctionDef(_length(node), self.string_of(name), *place, parameters, body, [])

    def class_(self, node: TsNode) -> s.Statement:
        name = node.child_by_field_name("name")
        place = name.start_byte - self.base, name.end_byte - self.base
        parents = node.child_by_field_name("superclasses")
        bases = [self.argument(c) for c in parents.named_children if c.type != "comment"] if parents else []
        body = self.block(node.child_by_field_name("body"))
        return s.ClassDef(_length(node), self.string_of(name), *place, bases, body, [])

    def if_(self, node: TsNode) -> s.Statement:
        branches: list[tuple[s.Node | None, s.Block]] = [
            (
                self.expression(node.child_by_field_name("condition")),
                self.block(node.child_by_field_name("consequence")),
            )
        ]
        for clause in node.children_by_field_name("alternative"):
            test = clause.child_by_field_name("condition")
            body = clause.child_by_field_name("consequence") or clause.child_by_field_name("body")
            branches.append((self.expression(test) if test is not None else None, self.block(body)))
        return s.If(_length(node), branches, [])

    def match(self, node: TsNode) -> s.Statement:
        subjects = [self.expression(child) for child in node.children_by_field_name("subject")]
        subject = s.Other(0, 0, subjects)
        branches: list[tuple[s.Node | None, s.Block]] = []
        binds: list[str] = []
        body = node.child_by_field_name("body")
        for clause in body.named_children if body is not None else ():
            if clause.type != "case_clause":
                continue
            for pattern in clause.named_children:
                if pattern.type == "case_pattern":
                    binds += [self.string_of(part) for part in _identifiers(pattern)]
            branches.append((subject, self.block(clause.child_by_field_name("consequence"))))
        return s.If(_length(node), branches or [(subject, s.EMPTY)], binds)

    def for_(self, node: TsNode) -> s.Statement:
        target = self.expression(node.child_by_field_name("left"))
        source = self.expression(node.child_by_field_name("right"))
        return self.loop(node, target, source)

    def while_(self, node: TsNode) -> s.Statement:
        return self.loop(node, None, self.expression(node.child_by_field_name("condition")))

    def loop(self, node: TsNode, target: s.Node | None, source: s.Node) -> s.Statement:
        otherwise = node.child_by_field_name("alternative")
        after = self.block(otherwise.child_by_field_name("body")) if otherwise is not None else s.EMPTY
        return s.Loop(_length(node), target, source, self.block(node.child_by_field_name("body")), after)

    def with_(self, node: TsNode) -> s.Statement:
        items: list[tuple[s.Node, s.Node | None]] = []
        clauses = [child for child in node.named_children if child.type == "with_clause"]
        for item in clauses[0].named_children if clauses else ():
            value = item.child_by_field_name("value") if item.type == "with_item" else None
            if value is None:
                continue
            if value.type == "as_pattern":
                alias = value.child_by_field_name("alias")
                target = self.expression(alias.named_children[0]) if alias and alias.named_children else None
                items.append((self.expression(value.named_children[0]), target))
            else:
                items.append((self.expression(value), None))
        return s.With(_length(node), items, self.block(node.child_by_field_name("body")))

    def try_(self, node: TsNode) -> s.Statement:
        handlers: list[tuple[str | None, s.Block]] = []
        otherwise = final = s.EMPTY
        for clause in node.named_children:
            block = next((child for child in clause.named_children if child.type == "block"), None)
            if clause.type.startswith("except"):
                alias = clause.child_by_field_name("alias") or _find(clause, "as_pattern_target")
                handlers.append((self.string_of(alias) if alias is not None else None, self.block(block)))
            elif clause.type == "else_clause":
                otherwise = self.block(block)
            elif clause.type == "finally_clause":
                final = self.block(block)
        return s.Try(_length(node), self.block(node.child_by_field_name("body")), handlers, otherwise, final)

    def return_(self, node: TsNode) -> s.Statement:
        values = [child for child in node.named_children if child.type != "comment"]
        return s.Return(_length(node), self.expression(values[0]) if values else None)

    def leave(self, node: TsNode) -> s.Statement:
        return s.Leave(_length(node), [self.expression(child) for child in node.named_children])

    def delete(self, node: TsNode) -> s.Statement:
        names = [self.string_of(part) for part in _identifiers(node)]
        return s.Evaluate(_length(node), [], names)

    def scope(self, node: TsNode) -> s.Statement:
        names = [self.string_of(child) for child in node.named_children if child.type == "identifier"]
        return s.Evaluate(_length(node), [], names)


def _length(node: TsNode) -> int:
    length: int = node.end_byte - node.start_byte
    return length


def _find(node: TsNode, kind: str) -> TsNode | None:
    for child in node.named_children:
        if child.type == kind:
            return child
        if child.type == "as_pattern":
            return _find(child, kind)
    return None


def _identifiers(node: TsNode) -> Iterable[TsNode]:
    queue = [node]
    while queue:
        current = queue.pop()
        if current.type == "identifier":
            yield current
        queue += current.named_children


_EXPRESSIONS: dict[str, Callable[[_Lowering, TsNode, int, int], s.Node]] = {
    "identifier": _Lowering.name,
    "integer": _Lowering.number,
    "float": _Lowering.number,
    "true": _Lowering.constant,
    "false": _Lowering.constant,
    "none": _Lowering.constant,
    "string": _Lowering.string,
    "concatenated_string": _Lowering.concatenated,
    "parenthesized_expression": _Lowering.parenthesized,
    "list": _Lowering.list_,
    "list_pattern": _Lowering.list_,
    "tuple": _Lowering.tuple_,
    "tuple_pattern": _Lowering.tuple_,
    "pattern_list": _Lowering.tuple_,
    "expression_list": _Lowering.tuple_,
    "set": _Lowering.set_,
    "list_splat": _Lowering.starred,
    "list_splat_pattern": _Lowering.starred,
    "dictionary": _Lowering.dictionary,
    "call": _Lowering.call,
    "attribute": _Lowering.attribute,
    "subscript": _Lowering.subscript,
    "binary_operator": _Lowering.binary,
    "boolean_operator": _Lowering.binary,
    "unary_operator": _Lowering.unary,
    "not_operator": _Lowering.unary,
    "comparison_operator": _Lowering.compare,
    "conditional_expression": _Lowering.conditional,
    "list_comprehension": _Lowering.comprehension,
    "set_comprehension": _Lowering.comprehension,
    "dictionary_comprehension": _Lowering.comprehension,
    "generator_expression": _Lowering.comprehension,
    "lambda": _Lowering.lambda_,
    "named_expression": _Lowering.walrus,
    "as_pattern": _Lowering.as_pattern,
}

_STATEMENTS: dict[str, Callable[[_Lowering, TsNode], s.Statement]] = {
    "expression_statement": _Lowering.expression_statement,
    "import_statement": _Lowering.import_,
    "import_from_statement": _Lowering.import_from,
    "future_import_statement": _Lowering.import_from,
    "decorated_definition": _Lowering.decorated,
    "function_definition": _Lowering.function,
    "class_definition": _Lowering.class_,
    "if_statement": _Lowering.if_,
    "match_statement": _Lowering.match,
    "for_statement": _Lowering.for_,
    "while_statement": _Lowering.while_,
    "with_statement": _Lowering.with_,
    "try_statement": _Lowering.try_,
    "return_statement": _Lowering.return_,
    "raise_statement": _Lowering.leave,
    "break_statement": _Lowering.leave,
    "continue_statement": _Lowering.leave,
    "delete_statement": _Lowering.delete,
    "global_statement": _Lowering.scope,
    "nonlocal_statement": _Lowering.scope,
}
