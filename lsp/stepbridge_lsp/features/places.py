"""What a place in a program means: which part of the model, which argument, which value stands there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stepbridge_lsp.catalog import Formal
from stepbridge_lsp.documents.python import PythonDocument
from stepbridge_lsp.model import PropertyUse
from stepbridge_lsp.positions import Span
from stepbridge_lsp.values import Argument, Call, SdkObject, Value


@dataclass(frozen=True)
class Written:
    """An expression and what it is known to be."""

    span: Span
    value: Value


def expressions_at(document: PythonDocument, offset: int) -> list[Written]:
    """The expressions around a byte offset with their values, innermost first."""
    key = document.key
    found = [
        Written(Span(key, start, end), value)
        for (name, start, end), value in document.values.items()
        if start <= offset <= end and name == key
    ]
    return sorted(found, key=lambda written: written.span.end - written.span.start)


def object_of(value: Value | None) -> SdkObject | None:
    """The SDK object that a value is, or that a parameter or function used as a value was made as."""
    found = value if isinstance(value, SdkObject) else getattr(value, "object", None)
    return found if isinstance(found, SdkObject) else None


def as_modelled(document: PythonDocument, made: SdkObject) -> SdkObject:
    """The object of the model that an object of `document.values` is.

    Those come of a second walk through the program, which makes the same calls in the same order.
    """
    calls = document.model.calls
    order = made.call.order
    if order < len(calls) and calls[order].span == made.call.span:
        return object_of(calls[order].result) or made
    return made


def argument_named_at(document: PythonDocument, offset: int) -> tuple[Call, Argument, Formal | None] | None:
    """The argument whose keyword stands at an offset."""
    for call in document.model.calls:
        if call.span.document != document.key or not call.arguments_span.holds(offset):
            continue
        for argument in call.arguments:
            name = argument.name_span
            if name is None or argument.name is None or argument.unpacked:
                continue
            if name.document == document.key and name.holds(offset):
                return call, argument, call.target.by_name.get(argument.name)
    return None


def call_named_at(document: PythonDocument, offset: int) -> Call | None:
    """The call whose callee's name stands at an offset."""
    for call in document.model.calls:
        if call.name_span.document == document.key and call.name_span.holds(offset):
            return call
    return None


def property_at(document: PythonDocument, offset: int) -> tuple[PropertyUse, int] | None:
    """The property path and the number of its segment that stand at an offset."""
    for use in document.model.property_uses:
        if not use.span.holds(offset):
            continue
        for index, span in enumerate(use.variable.spans):
            if span.document == document.key and span.holds(offset):
                return use, index
    return None


def bound_to(document: PythonDocument, offset: int) -> tuple[Call, str, Argument] | None:
    """The innermost call argument whose value holds an offset, with the formal parameter's name."""
    best: tuple[Call, str, Argument] | None = None
    for call, name, argument in _bound(document):
        if argument.span.holds(offset) and (best is None or _within(argument.span, best[2].span)):
            best = call, name, argument
    return best


def _bound(document: PythonDocument) -> Iterator[tuple[Call, str, Argument]]:
    for call in document.model.calls:
        if call.span.document == document.key:
            for name, argument in call.bound.items():
                if argument.span.document == document.key:
                    yield call, name, argument


def _within(inner: Span, outer: Span) -> bool:
    return inner.end - inner.start <= outer.end - outer.start
