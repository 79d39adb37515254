"""CloudFormation templates that hold pipeline definitions: each embedded definition is a document of its
own, whose places lead back into the template.

JSON templates: `PipelineDefinition` of an `AWS::SageMaker::Pipeline`, as `{"PipelineDefinitionBody":
"<text>"}` or as an object written out. YAML templates: the texts of block scalars and quoted strings under
`PipelineDefinitionBody`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from msgspec import Struct
from stepbridge.definition.values import JSON, Pointer

from stepbridge_lsp.model import Location, Model
from stepbridge_lsp.positions import LineIndex, Position, Range, Span

from .definition import DefinitionDocument
from .json_text import JsonText
from .python import encode, key_of

_RESOURCE = "AWS::SageMaker::Pipeline"
_BLOCK = re.compile(
    rb"^([ \t]*)(?:- )?PipelineDefinitionBody[ \t]*:[ \t]*(?:!Sub[ \t]+)?[|>][+-]?\d?[ \t]*(?:#.*)?\n", re.M
)
_QUOTED = re.compile(rb"^[ \t]*PipelineDefinitionBody[ \t]*:[ \t]*(?:!Sub[ \t]+)?'((?:[^']|'')*)'", re.M)
_ESCAPES = {ord("n"): b"\n", ord("t"): b"\t", ord("r"): b"\r", ord("b"): b"\b", ord("f"): b"\f"}


class Embedded(Struct, frozen=True):
    """A definition within a template. `pieces` are (offset within, offset in the template), in order: text
    between two of them stands in both alike."""

    document: DefinitionDocument
    pieces: tuple[tuple[int, int], ...]
    pointer: Pointer = ()  # of an object that is written out in the template itself

    def outer(self, offset: int) -> int:
        """The place in the template of an offset within."""
        low, high = 0, len(self.pieces)
        while high - low > 1:
            middle = (low + high) // 2
            if self.pieces[middle][0] <= offset:
                low = middle
            else:
                high = middle
        inner, outer = self.pieces[low] if self.pieces else (0, 0)
        return outer + offset - inner

    def inner(self, offset: int) -> int | None:
        """The offset within of a place in the template; None outside."""
        found = None
        for index, (inner, outer) in enumerate(self.pieces):
            following = (
                self.pieces[index + 1][0] if index + 1 < len(self.pieces) else len(self.document.source)
            )
            if outer <= offset <= outer + following - inner:
                found = inner + offset - outer
        return found


@dataclass
class TemplateDocument:
    """An open template."""

    uri: str
    source: bytes
    key: str = ""
    language: Literal["cloudformation"] = "cloudformation"
    _lines: LineIndex | None = None
    _parts: list[Embedded] | None = None
    _empty: Model | None = field(default=None)

    def __post_init__(self) -> None:
        self.key = self.key or key_of(self.uri)

    @property
    def text(self) -> str:
        return self.source.decode("utf-8", "replace")

    @property
    def lines(self) -> LineIndex:
        if self._lines is None:
            self._lines = LineIndex.of(self.source)
        return self._lines

    def replace(self, text: str) -> None:
        self._set(encode(text))

    def edit(self, start: Position, end: Position, text: str) -> None:
        first, last = sorted((self.lines.offset(start), self.lines.offset(end)))
        self._set(self.source[:first] + encode(text) + self.source[last:])

    def _set(self, source: bytes) -> None:
        self.source = source
        self._lines = self._parts = None

    def invalidate(self) -> None:
        self._parts = None

    @property
    def dependencies(self) -> frozenset[str]:
        return frozenset()

    @property
    def parts(self) -> list[Embedded]:
        """The definitions that the template holds."""
        if self._parts is None:
            is_json = self.source.lstrip().startswith(b"{")
            self._parts = list(_of_json(self) if is_json else _of_yaml(self))
        return self._parts

    @property
    def model(self) -> Model:
        """The model of the first definition; its spans count within that text (see `parts`)."""
        if self.parts:
            return self.parts[0].document.model
        return Model(document=self.key)

    def outer_span(self, part: Embedded, span: Span) -> Span:
        return Span(self.key, part.outer(span.start), part.outer(span.end))

    def locate(self, span: Span) -> Location:
        first, last = self.lines.range(span.start, span.end)
        return Location(self.uri, Range(first, last))

    def offset(self, position: Position, cell: str | None = None) -> int:
        return self.lines.offset(position)


def looks_like_template(source: bytes) -> bool:
    """Whether a text is a template with a pipeline in it."""
    return _RESOURCE.encode() in source


def _of_json(template: TemplateDocument) -> Iterator[Embedded]:
    text = JsonText(template.source)
    root = text.value
    resources = root.get("Resources") if isinstance(root, dict) else None
    for name, resource in resources.items() if isinstance(resources, dict) else ():
        if not isinstance(resource, dict) or resource.get("Type") != _RESOURCE:
            continue
        place: Pointer = ("Resources", name, "Properties", "PipelineDefinition")
        properties = resource.get("Properties")
        value = properties.get("PipelineDefinition") if isinstance(properties, dict) else None
        if isinstance(value, dict) and "PipelineDefinitionBody" in value:
            place, value = (*place, "PipelineDefinitionBody"), value["PipelineDefinitionBody"]
        if isinstance(value, dict) and isinstance(value.get("Fn::Sub"), str):
            place, value = (*place, "Fn::Sub"), value["Fn::Sub"]
        found = text.locate(place)
        if found is not None:
            yield from _embedded_json(template, value, found, place)


def _embedded_json(
    template: TemplateDocument, value: JSON, found: tuple[int, int], pointer: Pointer
) -> Iterator[Embedded]:
    start, end = found
    raw = template.source[start:end]
    if isinstance(value, dict) and "Steps" in value:
        document = DefinitionDocument(template.uri, raw, template.key)
        yield Embedded(document, ((0, start),), pointer)
    elif isinstance(value, str):
        inner, pieces = _unescaped(raw[1:-1], start + 1)
        yield Embedded(DefinitionDocument(template.uri, inner, template.key), pieces, pointer)


def _unescaped(raw: bytes, base: int) -> tuple[bytes, tuple[tuple[int, int], ...]]:
    """The text of a JSON string, and where its pieces stand."""
    result = bytearray()
    pieces: list[tuple[int, int]] = [(0, base)]
    at = 0
    while True:
        found = raw.find(b"\\", at)
        if found < 0 or found + 1 >= len(raw):
            result += raw[at:]
            return bytes(result), tuple(pieces)
        result += raw[at:found]
        pieces.append((len(result), base + found))
        mark = raw[found + 1]
        if mark == ord("u"):
            code = raw[found + 2 : found + 6]
            try:
                result += chr(int(code, 16)).encode("utf-8", "replace")
            except ValueError:
                result += b"?"
            at = found + 6
        else:
            result += _ESCAPES.get(mark, bytes((mark,)))
            at = found + 2
        pieces.append((len(result), base + at))


def _of_yaml(template: TemplateDocument) -> Iterator[Embedded]:
    source = template.source
    for match in _BLOCK.finditer(source):
        inner, pieces = _block(source, match.end(), len(match[1]))
        if inner.strip().startswith(b"{"):
            yield Embedded(DefinitionDocument(template.uri, inner, template.key), pieces)
    for match in _QUOTED.finditer(source):
        if match[1].strip().startswith(b"{") and b"''" not in match[1]:
            document = DefinitionDocument(template.uri, match[1], template.key)
            yield Embedded(document, ((0, match.start(1)),))


def _block(source: bytes, start: int, indent: int) -> tuple[bytes, tuple[tuple[int, int], ...]]:
    """The lines of a block scalar without their indentation."""
    result = bytearray()
    pieces: list[tuple[int, int]] = []
    margin: int | None = None
    at = start
    for line in source[start:].splitlines(keepends=True):
        stripped = line.strip()
        width = len(line) - len(line.lstrip(b" "))
        if stripped and width <= indent:
            break
        if stripped and margin is None:
            margin = width
        cut = min(margin or 0, len(line) - len(line.lstrip(b" ")))
        pieces.append((len(result), at + cut))
        result += line[cut:]
        at += len(line)
    return bytes(result), tuple(pieces) or ((0, start),)


__all__ = ["Any", "Embedded", "TemplateDocument", "looks_like_template"]
