"""Semantic tokens of pipeline variables: what looks like a string in a program and has no value before the
pipeline executes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Literal

from msgspec import Struct

from stepbridge_lsp.documents import AnyDocument, PythonDocument
from stepbridge_lsp.model import SymbolKind
from stepbridge_lsp.positions import Span
from stepbridge_lsp.values import ExecutionVariable, FunctionVariable, ReturnVariable, TextVariable, Value

# Standard token types, so that every theme has colours for them; the modifier tells them from Python's own.
TYPES = ("parameter", "property", "variable")
MODIFIERS = ("pipeline",)
Type = Literal["parameter", "property", "variable"]


class Token(Struct, frozen=True):
    span: Span
    type: Type


def tokens(document: AnyDocument, start: int = 0, end: int | None = None) -> list[Token]:
    """The tokens between two offsets: in order, on one line each, none overlapping another."""
    source = document.source
    last = len(source) if end is None else end
    found = {
        (token.span.start, token.span.end): token
        for token in _all(document)
        if start <= token.span.start and token.span.end <= last
    }
    ordered = [found[key] for key in sorted(found)]
    plain = [token for token in ordered if b"\n" not in source[token.span.start : token.span.end]]
    overlapped = {b.span for a, b in pairwise(plain) if b.span.start < a.span.end}
    return [token for token in plain if token.span not in overlapped]


def _all(document: AnyDocument) -> Iterator[Token]:
    model = document.model
    key = model.document
    for parameter in model.parameters:
        for span in parameter.uses:
            if span.document == key:
                yield Token(span, "parameter")
    for use in model.property_uses:
        for segment in use.variable.spans:
            if segment.document == key:
                yield Token(segment, "property")
    if isinstance(document, PythonDocument):
        yield from _variables(document)
        return
    for symbol in model.symbols:
        if symbol.kind == SymbolKind.PARAMETER:
            yield from (Token(site.span, "parameter") for site in symbol.sites if site.role == "use")


def _variables(document: PythonDocument) -> Iterator[Token]:
    """Names that hold Join, JsonGet, execution variables and results of functions under @step."""
    for (key, start, end), value in document.values.items():
        if key == document.key and _is_variable(value):
            text = document.source[start:end]
            if text.replace(b".", b"").replace(b"_", b"").isalnum() and not text[:1].isdigit():
                yield Token(Span(key, start, end), "variable")


def _is_variable(value: Value) -> bool:
    return isinstance(value, FunctionVariable | ExecutionVariable | ReturnVariable | TextVariable)
