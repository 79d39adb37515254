"""From the text of a Python program to its statements.

The text is cut into top-level statements first; each is parsed by itself and remembered by its text. A long
function or class, and any statement that does not parse, is cut again at its own block's indentation, down to
the one line that is broken: the rest of the program stays known while a person types, and an edit costs the
cutting and parsing of the statements around it. The result depends on the text alone, never on the edits that
led to it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass, field

import tree_sitter
import tree_sitter_python
from msgspec import Struct

from . import syntax as s
from .cutting import (
    Clause,
    assigned_names,
    clauses_of,
    cuts_of,
    mended,
    sole_body,
    stays_inside,
    too_deep,
)
from .lowering import lower

_LANGUAGE = tree_sitter.Language(tree_sitter_python.language())
_CACHE = 20_000
_LONG = 2_000  # a block of so many bytes is cut at its own indentation, not parsed as a whole
_MERGES = 5  # a statement that does not parse is tried together with the next 1, 2, 4, 8, 16
_REACH = 2**_MERGES  # so many cuts behind its own a statement that does not parse was looked at with
_MERGED = 16_000  # bytes that are tried together
_MENDED = 8_000  # bytes that are tried with their gaps filled
_DEEPEST = 20

Statements = list[tuple[int, s.Statement]]


class Piece(Struct):
    """What stands between two cuts: a statement, or several where one alone does not parse.

    `cuts` and the offsets of `items` count from its start. `broken`: it does not parse. `compound`: the parts
    of a statement that was cut at its own block's indentation.
    """

    length: int
    cuts: tuple[int, ...]
    items: Statements
    broken: bool
    compound: Compound | None = None


class Region(Struct):
    """The statements between two offsets of a text whose lines begin at `indent` columns.

    `pieces` are given with their offsets in that text; `plain` is what `Cuts` says of it.
    """

    indent: int
    pieces: tuple[tuple[int, Piece], ...]
    plain: bool

    @property
    def broken(self) -> bool:
        return any(piece.broken for _, piece in self.pieces)

    @property
    def statements(self) -> Statements:
        return [(at + offset, statement) for at, piece in self.pieces for offset, statement in piece.items]


class Compound(Struct):
    """A function, class, loop ... whose header and block were read apart.

    `header` is its statement without the block, at an offset; `first_line` the end of the block's first line.
    """

    header: tuple[int, s.Statement]
    broken_header: bool
    first_line: int
    region: Region

    def piece(self, length: int, cuts: tuple[int, ...]) -> Piece:
        """The whole statement."""
        at, header = self.header
        statements = [(offset - at, statement) for offset, statement in self.region.statements]
        whole = copy(header)  # the header alone is remembered by its text
        block = s.Block(statements)
        if isinstance(whole, s.If):
            whole.branches = [(whole.branches[0][0], block)]
        else:
            whole.body = block  # type: ignore[attr-defined]
        if statements:
            whole.length = statements[-1][0] + statements[-1][1].length
        mentions = [header.mentions, *(statement.mentions for _, statement in statements)]
        known = [names for names in mentions if names is not None]
        whole.mentions = frozenset().union(*known) if len(known) == len(mentions) else None
        return Piece(length, cuts, [(at, whole)], self.broken_header or self.region.broken, self)


class Lowered(Struct):
    """The statements of a text. `broken`: some of it does not parse. `source` and `region` are for the next
    reading.
    """

    block: s.Block
    broken: bool
    source: bytes = b""
    region: Region | None = None


class _Edit(Struct, frozen=True):
    """Where two texts differ: from `start` to `old_end` in the old one, which is `shift` bytes shorter."""

    start: int
    old_end: int
    shift: int

    @classmethod
    def between(cls, before: bytes, after: bytes) -> _Edit:
        shorter = min(len(before), len(after))
        start = _common(lambda size: before[:size] == after[:size], shorter)
        rest = shorter - start
        end = _common(lambda size: before[len(before) - size :] == after[len(after) - size :], rest)
        return cls(start, len(before) - end, len(after) - len(before))

    def within(self, at: int) -> _Edit:
        """The same in a part of the text that begins at an offset."""
        return _Edit(self.start - at, self.old_end - at, self.shift)


@dataclass
class Reader:
    """Reads texts, and remembers statements by their text."""

    _parser: tree_sitter.Parser = field(default_factory=lambda: tree_sitter.Parser(_LANGUAGE))
    _chunks: dict[bytes, Lowered | None] = field(default_factory=dict)
    _statements: dict[bytes, s.Statement] = field(default_factory=dict)

    def read(self, source: bytes, before: Lowered | None = None) -> Lowered:
        """All statements of a program. Never raises, whatever the text.

        Args:
            source: the text in UTF-8.
            before: what this reader read of a text that may be much like it; saves time, changes nothing.
        """
        if len(self._chunks) > _CACHE or len(self._statements) > _CACHE:
            self._chunks.clear()
            self._statements.clear()
        region = None
        if before is not None and before.region is not None:
            region = self._edited(source, before.region, _Edit.between(before.source, source), 0)
        if region is None:
            region = self._region(source, 0, len(source), 0, 0)
        return Lowered(s.Block(region.statements), region.broken, source, region)

    def read_expression(self, text: str) -> s.Node | None:
        """A single expression, for an editor that asks what one is; None if it is none."""
        lowered = self._parse(text.encode("utf-8", "replace"))
        if lowered is None or len(lowered.block.items) != 1:
            return None
        offset, statement = lowered.block.items[0]
        return statement.value if isinstance(statement, s.Expression) and offset == 0 else None

    # -- after an edit -----------------------------------------------------------------------------

    def _edited(self, source: bytes, before: Region, edit: _Edit, depth: int) -> Region | None:
        """A region of which most was read before; None where only reading the whole can tell.

        Args:
            source: the new text, which `before` counts in, up to the edit.
            before: the region in the old text; it reaches to the end of it.
            edit: where they differ, within the region.
            depth: how many blocks are around it.
        """
        pieces = before.pieces
        if not before.plain or not pieces:
            return None
        first = max(0, bisect_left(pieces, edit.start, key=_offset) - 1)
        last = bisect_right(pieces, edit.old_end, key=_offset)
        behind = [(at + edit.shift, piece) for at, piece in pieces[last:]]
        if last - first == 1:
            at, piece = pieces[first]
            same = self._edited_piece(source, at, piece, edit, depth)
            if same is not None:
                return Region(before.indent, (*pieces[:first], (at, same), *behind), True)
        if first > 0 and b"\n" not in source[pieces[first][0] : edit.start]:
            first -= 1  # its first line, which makes it begin there, is another one
        for index in range(max(0, first - _REACH), first):
            if pieces[index][1].broken:  # it may parse now, together with what follows
                first = index
                break
        start = pieces[first][0]
        end = behind[0][0] if behind else len(source)
        cuts = cuts_of(source, start, end, before.indent)
        if not cuts.plain or cuts.pending or not stays_inside(source, start, end, before.indent):
            return None
        offsets = [*cuts.offsets, *(at + cut for at, piece in behind for cut in piece.cuts), len(source)]
        found = list(pieces[:first])
        following = 0
        for at, piece in self._pieces(source, offsets, before.indent, depth):
            while following < len(behind) and behind[following][0] < at:
                following += 1  # read together with the edited statement
            if at >= end and following < len(behind) and behind[following][0] == at:
                found += behind[following:]
                break
            found.append((at, piece))
        return Region(before.indent, tuple(found), True)

    def _edited_piece(self, source: bytes, at: int, piece: Piece, edit: _Edit, depth: int) -> Piece | None:
        """A compound statement, edited within its block behind the first line."""
        compound = piece.compound
        if compound is None or edit.start - at < compound.first_line:
            return None
        length = piece.length + edit.shift
        if length <= _LONG:
            return None
        region = self._edited(source[at : at + length], compound.region, edit.within(at), depth + 1)
        if region is None:
            return None
        return Compound(compound.header, compound.broken_header, compound.first_line, region).piece(
            length, piece.cuts
        )

    # -- cutting -----------------------------------------------------------------------------------

    def _region(self, source: bytes, start: int, end: int, indent: int, depth: int) -> Region:
        cuts = cuts_of(source, start, end, indent)
        pieces = self._pieces(source, [*cuts.offsets, end], indent, depth)
        return Region(indent, tuple(pieces), cuts.plain)

    def _pieces(self, source: bytes, cuts: list[int], indent: int, depth: int) -> Iterator[tuple[int, Piece]]:
        """What stands between cuts, the last of which is the end."""
        index = 0
        while index < len(cuts) - 1:
            at = cuts[index]
            text = source[at : cuts[index + 1]]
            compound = self._compound(text, indent, depth) if len(text) > _LONG else None
            if compound is not None:
                yield at, compound.piece(len(text), (0,))
                index += 1
                continue
            known = self._chunks.get(text) if len(text) < _LONG else None
            found, width = (known, 1) if known is not None else self._widest(source, cuts, index)
            inner = tuple(cut - at for cut in cuts[index : index + width])
            items = found.block.items if found is not None else list(self._recover(text, indent, depth))
            yield at, Piece(cuts[index + width] - at, inner, items, found is None)
            index += width

    def _widest(self, source: bytes, cuts: list[int], index: int) -> tuple[Lowered | None, int]:
        """The statement at a cut, with as many of the next pieces as it takes to parse."""
        width = 1
        for _ in range(_MERGES + 1):
            if index + width >= len(cuts):
                break
            text = source[cuts[index] : cuts[index + width]]
            if width > 1 and len(text) > _MERGED:
                break
            found = self._chunk(text)
            if found is not None:
                return found, width
            width *= 2
        return None, 1

    def _compound(self, text: bytes, indent: int, depth: int) -> Compound | None:
        """A statement of a header and one block, which are read apart; None for others."""
        body = sole_body(text, indent) if depth < _DEEPEST else None
        if body is None:
            return None
        found = self._parse(text[: body.body]) or self._mend(text[: body.body])
        header = found.block.items[0] if found is not None and len(found.block.items) == 1 else None
        if found is None or header is None or not _has_one_block(header[1]):
            return None
        first_line = text.find(b"\n", body.body) + 1 or len(text)
        region = self._region(text, body.body, len(text), body.indent, depth + 1)
        return Compound(header, found.broken, first_line, region)

    def _chunk(self, text: bytes) -> Lowered | None:
        """A piece of text as statements; None if it does not parse."""
        if text not in self._chunks:
            self._chunks[text] = self._parse(text)
        return self._chunks[text]

    def _parse(self, text: bytes) -> Lowered | None:
        if text.rstrip(b"\r\n").endswith(b"\\"):
            return None  # the statement goes on
        if too_deep(text):
            return Lowered(s.Block([(0, s.Broken(len(text), [], assigned_names(text), []))]), True)
        root = self._parser.parse(text).root_node
        if root.has_error:
            return None
        return Lowered(lower(text, root, self._statements), False)

    # -- mending -----------------------------------------------------------------------------------

    def _recover(self, text: bytes, indent: int, depth: int) -> Iterator[tuple[int, s.Statement]]:
        """What can be saved of a statement that does not parse."""
        clauses = clauses_of(text, indent) if depth < _DEEPEST else []
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
            region = self._region(text, clause.body, clause.end, clause.indent, depth + 1)
            blocks.append(s.Block(region.statements))
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
        for candidate in mended(text) if len(text) <= _MENDED else ():
            root = self._parser.parse(candidate).root_node
            if not root.has_error:
                return Lowered(lower(candidate, root, {}), True)
        return None


def _has_one_block(statement: s.Statement) -> bool:
    match statement:
        case s.FunctionDef() | s.ClassDef() | s.With():
            return True
        case s.Loop(otherwise=otherwise):
            return otherwise is s.EMPTY
        case s.If(branches=[(test, _)]):
            return test is not None
    return False


def _offset(piece: tuple[int, Piece]) -> int:
    return piece[0]


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
