"""Hover and completion in definition documents."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from stepbridge.definition.references import parse_get
from stepbridge.definition.rules.references import EXECUTION_VARIABLES
from stepbridge.definition.values import JSON, UNKNOWN, Pointer

from stepbridge_lsp.documents import DefinitionDocument
from stepbridge_lsp.model import Model, Parameter, Step
from stepbridge_lsp.positions import Span
from stepbridge_lsp.rules.properties import kind_of

from . import schema, words
from .choices import described
from .completion import Completion
from .hover import Hover
from .json_cursor import JsonCursor, json_cursor
from .shapes import last_member, members

_SCOPES = ("Parameters", "Steps", "Execution")

# -- hover -----------------------------------------------------------------------------------------


def hover_definition(document: DefinitionDocument, offset: int) -> Hover | None:
    """What there is to say of a byte offset: of a key, a reference, or the name of a part."""
    pointer = document.json.pointer_at(offset)
    key = document.json.locate(pointer, at_key=True)
    root = document.json.value
    if key is not None and key[0] <= offset <= key[1] and pointer and isinstance(pointer[-1], str):
        node = schema.node_at(root, pointer[:-1])
        listed = node.keys(_value(root, pointer[:-1])) if node is not None and node.keys else []
        found = next((entry for entry in listed if entry.name == pointer[-1]), None)
        return Hover(schema.key_words(found), Span(document.key, *key)) if found is not None else None
    place = document.json.locate(pointer)
    if place is None or not place[0] <= offset <= place[1]:
        return None
    text = _value_words(document, pointer, _value(root, pointer))
    return Hover(text, Span(document.key, *place)) if text else None


def _value_words(document: DefinitionDocument, pointer: Pointer, value: JSON) -> str:
    model = document.model
    if not isinstance(value, str):
        return ""
    if pointer and pointer[-1] == "Get":
        return _reference(document, value)
    symbol = model.symbol_at((document.json.locate(pointer) or (0, 0))[0] + 1)
    if symbol is not None:
        if symbol[0].kind == "parameter":
            return next((_parameter_words(document, p) for p in _parameters(model, value)), "")
        if symbol[0].kind == "step":
            return next((step_words(step) for step in model.steps_named(value)), "")
    return ""


def _reference(document: DefinitionDocument, text: str) -> str:
    found, model = parse_get(text), document.model
    if found is None:
        return ""
    if found.kind == "parameter":
        return next((_parameter_words(document, p) for p in _parameters(model, found.name)), "")
    if found.kind == "execution":
        return f"Execution variable `{found.name}`: known when the pipeline executes."
    steps = model.steps_named(found.name)
    if not steps:
        return ""
    if found.kind == "property-file":
        files = [file for file in steps[0].property_files if file.name.text == found.path[-1]]
        return f"**{files[0].name.shown}**: property file of step `{found.name}`" if files else ""
    parts = tuple((part, isinstance(part, int)) for part in found.path)
    member = last_member(kind_of(steps[0]) or "", parts)
    if member is not None and member.owner:
        return f"{words.member(member.owner, member.name, member.shape)}\n\nOf step `{found.name}`"
    return step_words(steps[0])


def _parameters(model: Model, name: str) -> Iterator[Parameter]:
    return (parameter for parameter in model.parameters if parameter.name.text == name)


def _parameter_words(document: DefinitionDocument, parameter: Parameter) -> str:
    """A definition's parameter in a few lines."""
    lines = [f"**{parameter.name.shown}**: pipeline parameter, {described(parameter)}"]
    values = parameter.raw.get("EnumValues") if isinstance(parameter.raw, dict) else None
    if isinstance(values, list):
        lines.append(f"One of {', '.join(f'`{value}`' for value in values if isinstance(value, str))}.")
    if parameter.required:
        lines.append("Without default: it must be given when the pipeline starts.")
    uses = sum(text == f"Parameters.{parameter.name.text}" for text in document.reference_texts())
    lines.append(f"Used {uses} time{'' if uses == 1 else 's'}.")
    return "\n\n".join(lines)


def step_words(step: Step) -> str:
    """A definition's step in a few lines."""
    lines = [f"**{step.name.shown}**: {step.type or 'step'}"]
    if step.branch is not None:
        holds = "holds" if step.branch[1] else "does not hold"
        lines.append(f"Runs when `{step.branch[0].name.shown}` {holds}.")
    waits = dict.fromkeys(
        [
            *(source.name.shown for source in step.data_dependencies),
            *(d.name or "?" for d in step.dependencies),
        ]
    )
    if waits:
        lines.append(f"After {', '.join(f'`{name}`' for name in waits)}.")
    for word, parts in (("Inputs", step.inputs), ("Outputs", step.outputs)):
        names = [part.name.shown for part in parts if part.name is not None]
        if names:
            lines.append(f"{word}: {', '.join(f'`{name}`' for name in names)}")
    return "\n\n".join(lines)


def _value(root: Any, pointer: Pointer) -> Any:
    try:
        for part in pointer:
            root = root[part]
    except (KeyError, IndexError, TypeError):
        return None
    return root


# -- completion ------------------------------------------------------------------------------------


def complete_definition(document: DefinitionDocument, offset: int) -> list[Completion]:
    """Proposals at a byte offset: keys that are not there yet, or values."""
    cursor = _cursor(document, offset)
    if cursor is None:
        return []
    node = schema.node_at(document.json.value, cursor.pointer)
    if cursor.role == "key":
        return list(_keys(document, cursor, node))
    return list(_values(document, cursor, node))


def _cursor(document: DefinitionDocument, offset: int) -> JsonCursor | None:
    """The cursor, found from the nearest step or parameter on where the text is whole."""
    if document.json.valid:
        pointer = document.json.pointer_at(offset)
        for length in range(min(len(pointer), 2), 0, -1):
            place = document.json.locate(pointer[:length])
            if place is not None and place[0] < offset < place[1] and isinstance(pointer[length - 1], int):
                return json_cursor(document.source, offset, place[0], pointer[:length])
    return json_cursor(document.source, offset)


def _keys(document: DefinitionDocument, cursor: JsonCursor, node: schema.Node | None) -> Iterator[Completion]:
    value = _value(document.json.value, cursor.pointer)
    taken = set(cursor.keys)
    if isinstance(value, dict):
        taken |= {key for key in value if key is not UNKNOWN}
    taken.discard(document.source[slice(*cursor.word)].decode("utf-8", "replace").strip('"'))
    listed = node.keys(value) if node is not None and node.keys is not None else []
    span = Span(document.key, *cursor.word)
    for position, key in enumerate(listed):
        if key.name in taken:
            continue
        rank = position + (0 if key.required else 100)
        yield _key(cursor, span, key, rank)
    if not listed and node is not None and not taken:
        for name in ("Get", "Std:Join", "Std:JsonGet"):
            yield _key(cursor, span, schema.Key(name, "reference" if name == "Get" else "function"), 0)


def _key(cursor: JsonCursor, span: Span, key: schema.Key, rank: int) -> Completion:
    text = json.dumps(key.name)
    if not cursor.colon:
        text += f": {key.opening}{_CLOSERS.get(key.opening, '')}"
    detail = f"{key.type} (required)" if key.required and key.type else key.type
    return Completion(key.name, "key", span, text, detail, key.text, rank, key.lookup)


_CLOSERS = {'"': '"', "{": "}", "[": "]"}


def _values(
    document: DefinitionDocument, cursor: JsonCursor, node: schema.Node | None
) -> Iterator[Completion]:
    if node is None:
        return
    span = Span(document.key, *cursor.word)
    for rank, (name, detail) in enumerate(_names(document, cursor, node)):
        yield Completion(name, "value", span, json.dumps(name, ensure_ascii=False), detail, rank=rank)
    for rank, name in enumerate(node.values):
        text = name if name in ("true", "false") else json.dumps(name)
        yield Completion(name, "value", span, text, node.name, rank=rank)
    shape = node.shape
    if shape is not None and shape.type == "boolean":
        yield from (Completion(word, "value", span, word, "boolean") for word in ("true", "false"))
    if shape is not None and shape.scalar and not cursor.quoted:
        for parameter in document.model.parameters:
            if parameter.name.text is not None and parameter.type in (None, shape.parameter_type):
                reference = f"Parameters.{parameter.name.text}"
                text = json.dumps({"Get": reference})
                yield Completion(reference, "variable", span, text, described(parameter), rank=50)


def _names(document: DefinitionDocument, cursor: JsonCursor, node: schema.Node) -> Iterator[tuple[str, str]]:
    """Names of the document that may stand here, with a word on each."""
    model = document.model
    if node.names == "step":
        own = _step_at(model, cursor.pointer)
        for step in model.steps:
            if step.name.text is not None and step is not own:
                yield step.name.text, step.type or "step"
    elif node.names == "output":
        step_here = _step_at(model, cursor.pointer)
        for output in step_here.outputs if step_here is not None else ():
            if output.name is not None and output.name.text is not None:
                yield output.name.text, "output"
    elif node.names == "enum":
        values = _value(document.json.value, (*cursor.pointer[:-1], "EnumValues"))
        for value in values if isinstance(values, list) else ():
            if isinstance(value, str):
                yield value, "of EnumValues"
    elif node.names == "reference":
        yield from _references(model, cursor)


def _references(model: Model, cursor: JsonCursor) -> Iterator[tuple[str, str]]:
    """What a Get may name; paths into a step's results once its name stands there."""
    if cursor.pointer[-2:] == ("PropertyFile", "Get"):
        for step in model.steps:
            for file in step.property_files:
                if file.name.text is not None:
                    yield f"Steps.{step.name.shown}.PropertyFiles.{file.name.text}", "property file"
        return
    scope, dotted, rest = cursor.prefix.partition(".")
    name, dot, path = rest.partition(".")
    steps = model.steps_named(name) if scope == "Steps" and dot else []
    if steps:
        yield from _paths(steps[0], name, path)
        return
    scopes = (scope,) if dotted and scope in _SCOPES else _SCOPES  # others cannot match what stands there
    if "Parameters" in scopes:
        for parameter in model.parameters:
            if parameter.name.text is not None:
                yield f"Parameters.{parameter.name.text}", described(parameter)
    if "Steps" in scopes:
        own = _step_at(model, cursor.pointer)
        for step in model.steps:
            if step.name.text is not None and step is not own and step.type not in ("Fail", None):
                yield f"Steps.{step.name.text}", step.type or "step"
    if "Execution" in scopes:
        for variable in EXECUTION_VARIABLES:
            yield f"Execution.{variable}", "execution variable"


def _paths(step: Step, name: str, path: str) -> Iterator[tuple[str, str]]:
    from stepbridge.definition.references import path_parts

    head, dot, _ = path.rpartition(".")
    try:
        parts = path_parts(head) if dot else ()
    except ValueError:
        return
    before = f"Steps.{name}.{head}." if dot else f"Steps.{name}."
    if step.type in ("Lambda", "Callback"):
        for output in step.outputs:
            if output.name is not None and output.name.text is not None:
                yield f"Steps.{name}.OutputParameters['{output.name.text}']", "output"
        return
    for member in members(kind_of(step) or "", parts):
        yield f"{before}{member.name}", words.type_of(member.shape) if member.shape is not None else ""
        if member.name == "Outputs":
            for output in step.outputs:
                if output.name is not None and output.name.text is not None:
                    yield f"{before}Outputs['{output.name.text}']", "output"


def _step_at(model: Model, pointer: Pointer) -> Step | None:
    """The innermost step that a pointer leads into."""
    inside = [step for step in model.steps if step.pointer and pointer[: len(step.pointer)] == step.pointer]
    return max(inside, key=lambda step: len(step.pointer), default=None)
