"""From the text of a Python program to its statements.

The text is cut into top-level statements first; each is parsed by itself and remembered by its text, so that
an edit costs the cutting and parsing of the statements around it. A statement that does not parse is cut
again at its own block's indentation, down to the one line that is broken: the rest of the program stays known
while a person types. The result depends on the text alone, never on the edits that led to it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from copy import copy
from dataclasses import dataclass, field
from typing import Any

import tree_sitter
import tree_sitter_python
from msgspec import Struct

from . import syntax as s
from .cutting import HEADER, Clause, Cuts, assigned_names, clauses_of, cuts_of, mended, too_deep
from .lowering import TsNode, lower

_LANGUAGE = tree_sitter.Language(tree_sitter_python.language())
_CACHE = 20_000
_LONG = 2_000  # a block of so many bytes that does not parse is cut, not tried with what follows
_RECENT = 3
_MERGES = 5  # a statement that does not parse is tried together with the next 1, 2, 4, 8, 16
_REACH = 2**_MERGES  # so many cuts behind its own a statement that does not parse was looked at with


class Piece(Struct):
    """What stands between two cuts: a statement, or several where one alone does not parse.

    `cuts` and the offsets of `items` count from its start. `broken`: it does not parse.
    """

    length: int
    cuts: tuple[int, ...]
    items: list[tuple[int, s.Statement]]
    broken: bool


class Lowered(Struct):
    """The statements of a text. `broken`: some of it does not parse.

    `pieces` are its parts with their offsets, and `plain` what `Cuts.plain` says of it, for the next reading.
    """

    block: s.Block
    broken: bool
    source: bytes = b""
    pieces: tuple[tuple[int, Piece], ...] = ()
    plain: bool = False


@dataclass
class Reader:
    """Reads texts, and remembers statements by their text."""

    _parser: tree_sitter.Parser = field(default_factory=lambda: tree_sitter.Parser(_LANGUAGE))
    _chunks: dict[bytes, Lowered | None] = field(default_factory=dict)
    _statements: dict[bytes, s.Statement] = field(default_factory=dict)
    _recent: list[tuple[bytes, Any]] = field(default_factory=list)  # long texts that parsed, and their trees

    def read(self, source: bytes, before: Lowered | None = None) -> Lowered:
        """All statements of a program. Never raises, whatever the text.

        Args:
            source: the text in UTF-8.
            before: what this reader read of a text that may be much like it; saves time, changes nothing.
        """
        if len(self._chunks) > _CACHE or len(self._statements) > _CACHE:
            self._chunks.clear()
            self._statements.clear()
        pieces = self._read_again(source, before) if before is not None else None
        plain = pieces is not None
        if pieces is None:
            cuts = cuts_of(source, 0, len(source), 0)
            pieces = list(self._read_pieces(source, [*cuts.offsets, len(source)], 0, 0))
            plain = cuts.plain
        broken = any(piece.broken for _, piece in pieces)
        return Lowered(s.Block(_statements_of(pieces)), broken, source, tuple(pieces), plain)

    def read_expression(self, text: str) -> s.Node | None:
        """A single expression, for an editor that asks what one is; None if it is none."""
        lowered = self._parse(text.encode("utf-8", "replace"))
        if lowered is None or len(lowered.block.items) != 1:
            return None
        offset, statement = lowered.block.items[0]
        return statement.value if isinstance(statement, s.Expression) and offset == 0 else None

    # -- cutting -----------------------------------------------------------------------------------

    def _read_again(self, source: bytes, before: Lowered) -> list[tuple[int, Piece]] | None:
        """The pieces of a text of which most was read before; None where only a whole reading can tell."""
        around = _Surroundings.of(before, source) if before.plain and before.pieces else None
        cuts = around.cuts(source) if around is not None else None
        if around is None or cuts is None:
            return None
        pieces = list(around.ahead)
        behind = around.behind
        offsets = [*cuts.offsets, *(at + cut for at, piece in behind for cut in piece.cuts), len(source)]
        next_one = 0
        for at, piece in self._read_pieces(source, offsets, 0, 0):
            while next_one < len(behind) and behind[next_one][0] < at:
                next_one += 1  # read together with the edited statement
            if at >= around.end and next_one < len(behind) and behind[next_one][0] == at:
                return [*pieces, *behind[next_one:]]
            pieces.append((at, piece))
        return pieces

    def _read_pieces(
        self, source: bytes, cuts: list[int], indent: int, depth: int
    ) -> Iterator[tuple[int, Piece]]:
        """What stands between cuts, the last of which is the end."""
        index = 0
        while index < len(cuts) - 1:
            at = cuts[index]
            text = source[at : cuts[index + 1]]
            known = self._chunks.get(text) if len(text) < _LONG else None
            found, width = (known, 1) if known is not None else self._widest(source, cuts, index)
            inner = tuple(cut - at for cut in cuts[index : index + width])
            items = found.block.items if found is not None else list(self._recover(text, indent, depth))
            yield at, Piece(cuts[index + width] - at, inner, items, found is None)
            index += width

    def _widest(self, source: bytes, cuts: list[int], index: int) -> tuple[Lowered | None, int]:
        """The statement at a cut, with as many of the next pieces as it takes to parse."""
        first = source[cuts[index] : cuts[index + 1]]
        long_block = len(first) > _LONG and HEADER.match(first) is not None
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
        if too_deep(text):
            return Lowered(s.Block([(0, s.Broken(len(text), [], assigned_names(text), []))]), True)
        root = self._tree(text)
        if root.has_error:
            return None
        return Lowered(lower(text, root, self._statements), False)

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

    def _recover(self, text: bytes, indent: int, depth: int) -> Iterator[tuple[int, s.Statement]]:
        """What can be saved of a statement that does not parse."""
        clauses = clauses_of(text, indent) if depth < 20 else []
        if clauses:
            yield 0, self._recover_compound(text, clauses, depth)
            return
        found = self._mend(text)
        if found is not None:
            yield from found.block.items
        else:
            yield 0, s.Broken(len(text), [], assigned_names(text), [])

    def _recover_compound(self, text: bytes, clauses: list[Clause], depth: int) -> s.Statement:
        """A compound statement: its header by itself, its blocks cut at their own indentation."""
        blocks = []
        for clause in clauses:
            cuts = [*cuts_of(text, clause.body, clause.end, clause.indent).offsets, clause.end]
            blocks.append(s.Block(_statements_of(self._read_pieces(text, cuts, clause.indent, depth + 1))))
        header = self._parse(text[: clauses[0].body]) or self._mend(text[: clauses[0].body])
        first = header.block.items[0][1] if header and len(header.block.items) == 1 else None
        match first:
            case s.FunctionDef() | s.ClassDef() | s.With() | s.Loop() if len(clauses) == 1:
                whole = copy(first)  # the header alone is remembered by its text
                whole.body = blocks[0]
                whole.length = len(text)
                whole.mentions = None
                return whole
            case s.If(branches=[(test, _), *_], binds=binds):
                rest: list[tuple[s.Node | None, s.Block]] = [
                    (s.Other(0, 0, []), block) for block in blocks[1:]
                ]
                return s.If(len(text), [(test, blocks[0]), *rest], binds)
        return s.Broken(len(text), [], [], blocks)

    def _mend(self, text: bytes) -> Lowered | None:
        """The text with its gaps filled, if that makes it parse. Offsets stay where they are."""
        for candidate in mended(text):
            root = self._parser.parse(candidate).root_node
            if not root.has_error:
                return Lowered(lower(candidate, root, {}), True)
        return None


class _Surroundings(Struct, frozen=True):
    """What an edit of a text leaves as it was: the pieces ahead of it and behind it, where they are now.

    Between `start` and `end` the text has to be cut again.
    """

    ahead: tuple[tuple[int, Piece], ...]
    behind: list[tuple[int, Piece]]
    start: int
    end: int

    @classmethod
    def of(cls, before: Lowered, source: bytes) -> _Surroundings:
        same_start, same_end = _same_ends(before.source, source)
        pieces = before.pieces
        first = max(0, bisect_left(pieces, same_start, key=_offset) - 1)
        for index in range(max(0, first - _REACH), first):
            if pieces[index][1].broken:  # it may parse now, together with what follows
                first = index
                break
        last = bisect_right(pieces, len(before.source) - same_end, key=_offset)
        shift = len(source) - len(before.source)
        behind = [(at + shift, piece) for at, piece in pieces[last:]]
        end = behind[0][0] if behind else len(source)
        return cls(pieces[:first], behind, pieces[first][0], end)

    def cuts(self, source: bytes) -> Cuts | None:
        """Where statements begin in the part that was edited; None where that depends on the rest."""
        found = cuts_of(source, self.start, self.end, 0)
        return found if found.plain and not found.pending else None


def _offset(piece: tuple[int, Piece]) -> int:
    return piece[0]


def _statements_of(pieces: Iterable[tuple[int, Piece]]) -> list[tuple[int, s.Statement]]:
    return [(at + offset, statement) for at, piece in pieces for offset, statement in piece.items]


def _same_ends(before: bytes, after: bytes) -> tuple[int, int]:
    """How many bytes two texts share at their start, and behind those at their end."""
    shorter = min(len(before), len(after))
    start = _common(lambda size: before[:size] == after[:size], shorter)
    rest = shorter - start
    return start, _common(lambda size: before[len(before) - size :] == after[len(after) - size :], rest)


def _difference(before: bytes, after: bytes) -> tuple[Any, ...] | None:
    """The one edit between two texts as tree-sitter wants it; None where they have too little in common."""
    start, tail = _same_ends(before, after)
    if start + tail < 0.9 * min(len(before), len(after)):
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
