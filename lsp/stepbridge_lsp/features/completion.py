"""Completion in Python programs: what may stand where the cursor is."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from stepbridge_lsp.documents.python import PythonDocument
from stepbridge_lsp.positions import Span
from stepbridge_lsp.values import ParameterVariable, PropertyVariable, SdkObject, StepArguments, Value

from . import choices, words
from .choices import Choice
from .cursor import Cursor, cursor_at
from .shapes import members_of, takes_names
from .target import Slot, slot_at, target_of

Kind = Literal["value", "name", "variable", "keyword", "member", "key"]


@dataclass(frozen=True)
class Completion:
    """One proposal: `text` replaces `span`. `rank` sorts, small numbers first.

    `lookup` names what `documentation_of` can explain later: (shape, member) of the service.
    """

    label: str
    kind: Kind
    span: Span
    text: str
    detail: str = ""
    documentation: str = ""
    rank: int = 5
    lookup: tuple[str, str] | None = None
    again: bool = False  # accepting it should ask for completion again


def complete(document: PythonDocument, offset: int) -> list[Completion]:
    """Proposals at a byte offset, best first."""
    cursor = cursor_at(document, offset)
    if cursor.comment:
        return []
    if cursor.string is not None:
        plain = cursor.string.plain and cursor.alone
        found: Iterable[Completion] = _in_string(document, cursor) if plain else ()
    elif cursor.base is not None:
        found = _members(document, cursor)
    else:
        found = _bare(document, cursor)
    unique: dict[tuple[str, Kind], Completion] = {}
    for item in found:
        unique.setdefault((item.label, item.kind), item)
    return sorted(unique.values(), key=lambda item: item.rank)


def documentation_of(lookup: tuple[str, str]) -> str:
    """The words on a member of the service, as Markdown."""
    owner, name = lookup
    from stepbridge.definition.service import shape

    try:
        found = shape(owner).members.get(name)
    except KeyError:
        return ""
    return words.member(owner, name, found)


# -- strings ---------------------------------------------------------------------------------------


def _in_string(document: PythonDocument, cursor: Cursor) -> Iterator[Completion]:
    span = Span(document.key, *cursor.word)
    for choice in _strings(document, cursor):
        yield _of_choice(choice, span, choice.text)


def _strings(document: PythonDocument, cursor: Cursor) -> Iterator[Choice]:
    """The strings that may stand at the cursor, with or without their quotes there."""
    frame = cursor.frame
    if frame is not None and frame.kind == "[" and frame.base:
        yield from _outputs(document, document.evaluate(frame.base, cursor.offset))
        return
    slot = slot_at(document, cursor)
    if slot is None:
        return
    if not slot.inner or slot.inside("["):
        yield from choices.enumeration(slot)
        yield from choices.versions(slot)
    yield from choices.names(document, slot)
    yield from choices.hyperparameters(document, slot)


def _outputs(document: PythonDocument, value: Value) -> Iterator[Choice]:
    if isinstance(value, PropertyVariable) and takes_names(value):
        step = document.model.step_of(value.step)
        if step is not None:
            yield from choices.output_names(step)


def _of_choice(choice: Choice, span: Span, text: str) -> Completion:
    return Completion(choice.text, "value", span, text, choice.detail, choice.documentation, choice.rank)


# -- attributes ------------------------------------------------------------------------------------


def _members(document: PythonDocument, cursor: Cursor) -> Iterator[Completion]:
    value = document.evaluate(cursor.base or "", cursor.offset)
    span = Span(document.key, *cursor.word)
    if isinstance(value, SdkObject) and value.kind == "step":
        if value.cls.name != "FailStep":
            detail = f"results of {value.cls.name}"
            yield Completion("properties", "member", span, "properties", detail, rank=0, again=True)
        return
    if not isinstance(value, PropertyVariable) or value.root != "properties":
        return
    step = document.model.step_of(value.step)
    if step is None:
        return
    for position, member in enumerate(members_of(step, value.path)):
        lookup = (member.owner, member.name) if member.owner else None
        detail = words.type_of(member.shape) if member.shape is not None else ""
        yield Completion(
            member.name, "member", span, member.name, detail, rank=position, lookup=lookup, again=True
        )


# -- bare words ------------------------------------------------------------------------------------


def _bare(document: PythonDocument, cursor: Cursor) -> Iterator[Completion]:
    frame = cursor.frame
    if frame is None or not cursor.alone:
        return
    span = Span(document.key, *cursor.word)
    for choice in _strings(document, cursor):
        yield _of_choice(choice, span, json.dumps(choice.text, ensure_ascii=False))
    slot = slot_at(document, cursor)
    if slot is not None:
        yield from _variables(document, slot, span, cursor)
    if frame.kind == "(" and frame.keyword is None:
        yield from _keywords(document, cursor, span)


def _keywords(document: PythonDocument, cursor: Cursor, span: Span) -> Iterator[Completion]:
    """Arguments of the call that are not given yet, required ones first."""
    frame = cursor.frame
    target = target_of(document, cursor.frames[-1:]) if frame is not None else None
    if frame is None or target is None:
        return
    given = set(target.call.bound) if target.call is not None else set()
    if target.call is not None:  # what stands at the cursor is being written
        given -= {n for n, a in target.call.bound.items() if a.span.holds(cursor.offset)}
    given |= {formal.name for formal in target.callable.positional[: frame.index]}
    for position, formal in enumerate(target.callable.formals):
        if formal.kind not in ("positional", "keyword") or formal.name in given or formal.name[0] == "_":
            continue
        annotation, text = words.argument(target.callable, formal)
        detail = "required" if formal.required else f"= {formal.default}"
        documentation = "\n\n".join(part for part in (annotation and f"`{annotation}`", text) if part)
        rank = 20 + position + (0 if formal.required else 100)
        label = f"{formal.name}="
        yield Completion(label, "keyword", span, label, detail, documentation, rank, again=True)


# Arguments that list objects of the program, and the kind of object that they take.
_LISTS = {"parameters": "parameter", "steps": "step", "if_steps": "step", "else_steps": "step"}
_LISTS |= {"depends_on": "step", "property_files": "property-file"}


def _variables(document: PythonDocument, slot: Slot, span: Span, cursor: Cursor) -> Iterator[Completion]:
    """Names of the program that hold what the argument takes."""
    listed = _LISTS.get(slot.name)
    if listed is not None:
        if slot.inside("["):
            yield from _listed(document, slot, span, listed, cursor.offset)
        return
    if slot.name == "step_args":
        wanted: tuple[str, ...] = ("step-arguments",)
    elif slot.name == "property_file":
        wanted = ("property-file",)
    elif slot.name in ("left", "right") or words.takes_variables(slot.target.callable, slot.name):
        wanted = ("parameter",)
    else:
        return
    for name, value in _visible(document, cursor.offset):
        if _kind(value) in wanted:
            yield _variable(document, name, value, span)


def _listed(document: PythonDocument, slot: Slot, span: Span, kind: str, offset: int) -> Iterator[Completion]:
    """Objects of a kind that the list does not hold yet."""
    value = slot.target.value(slot.name)
    taken = {id(_object(element.value)) for element in getattr(value, "items", ())}
    own = slot.target.call
    for name, found in _visible(document, offset):
        made = _object(found)
        if made is None or _kind(found) != kind or made.call is own:
            continue
        if id(made) not in taken:
            yield _variable(document, name, found, span)


def _visible(document: PythonDocument, offset: int) -> Iterable[tuple[str, Value]]:
    seen: dict[str, Value] = {}
    for name, value in document.scope_at(offset).visible():
        seen.setdefault(name, value)
    return seen.items()


def _object(value: Value) -> SdkObject | None:
    if isinstance(value, ParameterVariable):
        return value.object
    return value if isinstance(value, SdkObject) else None


def _kind(value: Value) -> str:
    if isinstance(value, StepArguments):
        return "step-arguments"
    made = _object(value)
    return made.kind if made is not None else ""


def _variable(document: PythonDocument, name: str, value: Value, span: Span) -> Completion:
    detail = ""
    made = _object(value)
    if made is not None:
        parameter = document.model.parameter_of(made)
        detail = choices.described(parameter) if parameter is not None else made.cls.name
    return Completion(name, "variable", span, name, detail, rank=3)
