"""The text of a JSON value, to find where in it a pointer leads, and what stands at a place.

`json` reads the value; tree-sitter, which keeps its tree through edits, finds the places that are asked for.
Text that is no JSON is read by a small forgiving parser of our own, so that a document stays known while a
person types. All offsets are bytes of UTF-8.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import tree_sitter
from stepbridge.definition.reading import Reader
from stepbridge.definition.values import JSON, UNKNOWN, Pointer

from .remembered import Remembered

_MOST_BROKEN = 400_000  # bytes; the forgiving parser is slow, and a huge broken text is only reported as such
_DEEPEST = 200

TsNode = Any
# Places within a step, of a value or of the key before it, counted from the step's start: where an edit left
# the step as it was, so are they.
_Places = dict[tuple[Pointer, bool], tuple[int, int] | None]


@cache
def _parser() -> tree_sitter.Parser:
    """The parser; its grammar is loaded when the first place in a JSON text is asked for."""
    import tree_sitter_json

    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_json.language()))


def _nothing_yet(part: JSON) -> _Places:
    return {}


@dataclass
class JsonText:
    """One state of a text. `edit` makes the next one, and hands on the tree and what is known of steps."""

    source: bytes
    reader: Reader = field(default_factory=Reader)
    _tree: Any = None
    _value: JSON = UNKNOWN
    _valid: bool | None = None
    _forgiven: _Forgiven | None = None
    _nodes: dict[Pointer, TsNode] = field(default_factory=dict)
    _members: dict[int, dict[str | int | None, TsNode]] = field(default_factory=dict)
    _steps: Remembered[_Places] = field(default_factory=lambda: Remembered(_nothing_yet))

    def edit(self, start: int, old_end: int, text: bytes) -> JsonText:
        """The text with the bytes between two offsets replaced."""
        source = self.source[:start] + text + self.source[old_end:]
        if self._tree is None:
            return JsonText(source, self.reader, _steps=self._steps)
        new_end = start + len(text)
        points = _point(self.source, start), _point(self.source, old_end), _point(source, new_end)
        self._tree.edit(start, old_end, new_end, *points)
        tree: Any = _parser().parse(source, self._tree)
        if tree.root_node.has_error:
            tree = None  # how a broken tree mends depends on its past
        return JsonText(source, self.reader, tree, _steps=self._steps)

    # -- the value ------------------------------------------------------------------------------

    @property
    def valid(self) -> bool:
        self._read()
        return bool(self._valid)

    @property
    def value(self) -> JSON:
        """The value; of broken text what can be told of it, with UNKNOWN for the rest."""
        self._read()
        return self._value

    def _read(self) -> None:
        if self._valid is not None:
            return
        try:
            self._value = self._read_again()
            self._valid = True
        except (ValueError, RecursionError):
            self._valid = False
            if len(self.source) <= _MOST_BROKEN:
                self._forgiven = _Forgiven(self.source)
                self._value = self._forgiven.value

    def _read_again(self) -> JSON:
        try:
            return self.reader.read(self.source.decode("utf-8", "replace")).value
        except (ValueError, RecursionError):
            return json.loads(self.source)  # not as strict: NaN is a value

    # -- places ---------------------------------------------------------------------------------

    def locate(self, pointer: Pointer, *, at_key: bool = False) -> tuple[int, int] | None:
        """Start and end of the value that a pointer leads to, or of the key before it (with its quotes)."""
        self._read()
        if self._forgiven is not None:
            places = self._forgiven.keys if at_key else self._forgiven.places
            return places.get(pointer)
        if not self._valid:
            return None
        step = self._step_of(pointer) if len(pointer) > 2 else None
        start = self._node(pointer[:2]) if step is not None else None
        if start is None:
            return self._looked_up(pointer, at_key)
        base = start.start_byte
        known = self._steps.of(step)
        key = pointer[2:], at_key
        if key not in known:
            found = self._looked_up(pointer, at_key)
            known[key] = (found[0] - base, found[1] - base) if found is not None else None
        relative = known[key]
        return (relative[0] + base, relative[1] + base) if relative is not None else None

    def _step_of(self, pointer: Pointer) -> JSON:
        """The step of a definition that a pointer leads into; None for other places."""
        steps = self._value.get("Steps") if isinstance(self._value, dict) and pointer[0] == "Steps" else None
        index = pointer[1]
        if not isinstance(steps, list) or not isinstance(index, int) or not 0 <= index < len(steps):
            return None
        return steps[index] if isinstance(steps[index], dict) else None

    def _looked_up(self, pointer: Pointer, at_key: bool) -> tuple[int, int] | None:
        node = self._pair(pointer) if at_key else self._node(pointer)
        return (node.start_byte, node.end_byte) if node is not None else None

    def pointer_at(self, offset: int) -> Pointer:
        """The pointer of the innermost value, or member, that a place lies in."""
        self._read()
        if self._forgiven is not None:
            return self._forgiven.pointer_at(offset)
        pointer: Pointer = ()
        node = self._root() if self._valid else None
        while node is not None:
            step = _child_at(node, offset)
            if step is None:
                break
            key, node = step
            pointer = (*pointer, key)
        return pointer

    def _root(self) -> TsNode | None:
        if self._tree is None:
            self._tree = _parser().parse(self.source)
        values = [child for child in self._tree.root_node.named_children if child.type != "comment"]
        return values[0] if values else None

    def _node(self, pointer: Pointer) -> TsNode | None:
        if pointer in self._nodes:
            return self._nodes[pointer]
        if not pointer:
            node = self._root()
        else:
            parent = self._node(pointer[:-1])
            pair = self._member(parent, pointer[-1]) if parent is not None else None
            node = pair.child_by_field_name("value") if pair is not None and pair.type == "pair" else pair
        self._nodes[pointer] = node
        return node

    def _pair(self, pointer: Pointer) -> TsNode | None:
        parent = self._node(pointer[:-1]) if pointer else None
        pair = self._member(parent, pointer[-1]) if parent is not None else None
        return pair.child_by_field_name("key") if pair is not None and pair.type == "pair" else pair

    def _member(self, parent: TsNode, key: str | int) -> TsNode | None:
        """A pair of an object (the last of that name counts) or an item of an array."""
        members = self._members.get(parent.id)
        if members is None:
            members = self._members[parent.id] = _members(parent)
        return members.get(key)


def _point(source: bytes, offset: int) -> tuple[int, int]:
    """Row and column of an offset, as tree-sitter counts: rows end at LF."""
    return source.count(b"\n", 0, offset), offset - source.rfind(b"\n", 0, offset) - 1


def _members(parent: TsNode) -> dict[str | int | None, TsNode]:
    children = [child for child in parent.named_children if child.type != "comment"]
    if parent.type == "array":
        return dict(enumerate(children))
    return {_key_text(child): child for child in children if child.type == "pair"}


def _key_text(pair: TsNode) -> str | None:
    key = pair.child_by_field_name("key")
    text = key.text.decode("utf-8", "replace") if key is not None and key.text is not None else ""
    if "\\" not in text:
        return text[1:-1]
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, str) else None


def _child_at(node: TsNode, offset: int) -> tuple[str | int, TsNode | None] | None:
    index = -1
    for child in node.named_children:
        if child.type == "comment":
            continue
        index += 1
        if not child.start_byte <= offset <= child.end_byte:
            continue
        if node.type == "array":
            return index, child
        if child.type == "pair":
            key, value = _key_text(child), child.child_by_field_name("value")
            inside = value is not None and value.start_byte <= offset <= value.end_byte
            return (key or "", value if inside else None)
    return None


_TOKEN = re.compile(
    rb'[\s,]*(?:(?P<open>[\[{])|(?P<close>[\]}])|(?P<string>"(?:[^"\\\n]|\\.)*"?)|(?P<colon>:)'
    rb"|(?P<word>[^\s,\[\]{}:\"]+))",
    re.DOTALL,
)


class _Forgiven:
    """A broken text, read as far as it makes sense: missing values are UNKNOWN, brackets close at the end."""

    def __init__(self, source: bytes) -> None:
        self.source = source
        self.places: dict[Pointer, tuple[int, int]] = {}
        self.keys: dict[Pointer, tuple[int, int]] = {}
        self._tokens = list(_TOKEN.finditer(source))
        self._at = 0
        self.value = self._read_value((), 0)

    def pointer_at(self, offset: int) -> Pointer:
        best: Pointer = ()
        for table in (self.keys, self.places):
            for pointer, (start, end) in table.items():
                if start <= offset <= end and len(pointer) > len(best):
                    best = pointer
        return best

    def _next(self) -> re.Match[bytes] | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _read_value(self, pointer: Pointer, depth: int) -> JSON:
        token = self._next()
        if token is None:
            return UNKNOWN
        kind = token.lastgroup
        start, end = token.span(kind) if kind else (0, 0)
        if kind == "open" and depth < _DEEPEST:
            self._at += 1
            inside = self._read_object if token["open"] == b"{" else self._read_array
            value = inside(pointer, depth)
            before = self._tokens[self._at - 1]
            self.places[pointer] = (start, before.end())
            return value
        if kind in ("close", "colon"):
            return UNKNOWN
        self._at += 1
        self.places[pointer] = (start, end)
        try:
            return json.loads(token[kind]) if kind is not None else UNKNOWN
        except ValueError:
            return UNKNOWN

    def _read_array(self, pointer: Pointer, depth: int) -> JSON:
        items: list[JSON] = []
        while (token := self._next()) is not None:
            if token.lastgroup == "close":
                self._at += 1
                return items
            if token.lastgroup == "colon":
                self._at += 1
                continue
            items.append(self._read_value((*pointer, len(items)), depth + 1))
        return [*items, UNKNOWN]

    def _read_object(self, pointer: Pointer, depth: int) -> JSON:
        members: dict[Any, JSON] = {UNKNOWN: UNKNOWN}  # a broken object may have more than we make out
        while (token := self._next()) is not None:
            if token.lastgroup == "close":
                self._at += 1
                return members
            if token.lastgroup != "string":
                if token.lastgroup == "open":
                    self._read_value((*pointer, "?"), depth + 1)
                else:
                    self._at += 1
                continue
            self._at += 1
            self._read_member(token, members, pointer, depth)
        return members

    def _read_member(
        self, token: re.Match[bytes], members: dict[Any, JSON], pointer: Pointer, depth: int
    ) -> None:
        try:
            key = json.loads(token["string"])
        except ValueError:
            key = token["string"].decode("utf-8", "replace").strip('"')
        place = (*pointer, key)
        self.keys[place] = token.span("string")
        colon = self._next()
        if colon is None or colon.lastgroup != "colon":
            return
        self._at += 1
        following = self._next()
        if (
            following is not None
            and b"," in self.source[colon.end() : following.start(following.lastgroup or 0)]
        ):
            members[key] = UNKNOWN
            return
        members[key] = self._read_value(place, depth + 1)
