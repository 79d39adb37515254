"""The signature of the call that is being written, and which of its arguments comes next."""

from __future__ import annotations

from dataclasses import dataclass

from stepbridge_lsp.documents.python import PythonDocument

from . import words
from .cursor import cursor_at
from .target import formal_of, target_of


@dataclass(frozen=True)
class Argument:
    """One argument of a signature: where its label stands in the signature's, and what is said of it."""

    start: int
    end: int
    documentation: str


@dataclass(frozen=True)
class Signature:
    label: str
    documentation: str
    arguments: tuple[Argument, ...]
    active: int | None


def signature(document: PythonDocument, offset: int) -> Signature | None:
    """The innermost call of the SDK whose parentheses hold an offset."""
    cursor = cursor_at(document, offset)
    if cursor.comment:
        return None
    for index in range(len(cursor.frames) - 1, -1, -1):
        frame = cursor.frames[index]
        if frame.kind != "(" or not frame.base:
            continue
        target = target_of(document, cursor.frames[index:])
        if target is None:
            return None
        formal = formal_of(target, frame)
        shown = [f for f in target.callable.formals if not f.name.startswith("_")]
        label = f"{target.callable.name}("
        arguments: list[Argument] = []
        for position, argument in enumerate(shown):
            label += ", " if position else ""
            start = len(label)
            label += str(argument)
            annotation, text = words.argument(target.callable, argument)
            parts = [f"`{annotation}`" if annotation else "", text]
            arguments.append(Argument(start, len(label), "\n\n".join(part for part in parts if part)))
        active = shown.index(formal) if formal is not None and formal in shown else None
        return Signature(f"{label})", words.summary(target.callable), tuple(arguments), active)
    return None
