"""Code actions: the remedies of findings, all safe ones at once, silencing a rule on a line, and making a
literal a pipeline parameter."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from stepbridge.definition.values import Pointer

from stepbridge_lsp.documents import AnyDocument, DefinitionDocument, PythonDocument
from stepbridge_lsp.documents import syntax as s
from stepbridge_lsp.fixing import apply_edits, chosen_fixes, edits_of
from stepbridge_lsp.model import Pipeline
from stepbridge_lsp.positions import Span
from stepbridge_lsp.rules.context import Context
from stepbridge_lsp.rules.findings import Finding, TextEdit
from stepbridge_lsp.values import Argument, Call, Const, DictValue, Entry, ListValue, Value

from . import words
from .cursor import strings_in

Kind = Literal["quickfix", "refactor.extract", "source.fixAll"]


@dataclass(frozen=True)
class Action:
    """One action. `edits` do not overlap; `finding` is what a quick fix remedies; `preferred`: it does what
    the author surely meant."""

    title: str
    kind: Kind
    edits: tuple[TextEdit, ...]
    finding: Finding | None = None
    preferred: bool = False


def quick_fixes(document: AnyDocument, findings: Iterable[Finding], span: Span) -> list[Action]:
    """The remedies of the findings that touch a stretch of the document, then ways to silence them."""
    touched = [f for f in findings if f.span.start <= span.end and span.start <= f.span.end]
    actions: list[Action] = []
    for finding in touched:
        for index, fix in enumerate(finding.fixes):
            preferred = fix.safe and index == 0
            actions.append(Action(fix.title, "quickfix", fix.edits, finding, preferred))
    if isinstance(document, PythonDocument):
        actions += [action for finding in touched if (action := silence(document, finding)) is not None]
    return actions


Check = Callable[[AnyDocument], list[Finding]]
_PASSES = 5


def fix_all(document: AnyDocument, findings: Iterable[Finding], check: Check) -> Action | None:
    """The safe fixes of all findings at once; None where there is none.

    Fixes that touch each other are made one after the other on a copy, which `check` looks at in between.
    """
    fixes = chosen_fixes(findings, unsafe=False)
    if not fixes:
        return None
    edits = tuple(reversed(edits_of(fixes)))
    count = len(fixes)
    if type(document) is PythonDocument:
        source = apply_edits(document.source, reversed(edits))
        for _ in range(_PASSES - 1):
            copy = PythonDocument(document.uri, source, document.workspace, document.key, document.reader)
            more = chosen_fixes(check(copy), unsafe=False)
            if not more:
                break
            count += len(more)
            source = apply_edits(source, edits_of(more))
        if count > len(fixes):
            edits = (_difference(document, source),)
    return Action(f"Fix all StepBridge problems that can be fixed ({count})", "source.fixAll", edits)


def _difference(document: PythonDocument, source: bytes) -> TextEdit:
    """The one edit that makes a document's text another, whole lines at a time."""
    before, after = document.source.splitlines(keepends=True), source.splitlines(keepends=True)
    same = 0
    while same < min(len(before), len(after)) and before[same] == after[same]:
        same += 1
    tail = 0
    while tail < min(len(before), len(after)) - same and before[-1 - tail] == after[-1 - tail]:
        tail += 1
    start = sum(map(len, before[:same]))
    end = len(document.source) - sum(map(len, before[len(before) - tail :]))
    text = b"".join(after[same : len(after) - tail]).decode("utf-8", "replace")
    return TextEdit(Span(document.key, start, end), text)


# -- silencing -------------------------------------------------------------------------------------

_COMMENT = re.compile(rb"#\s*stepbridge:\s*ignore\[([^\]\r\n]*)\]")


def silence(document: PythonDocument, finding: Finding) -> Action | None:
    """A comment on the line where a finding ends; None where that line cannot take one."""
    source = document.source
    at = source.find(b"\n", finding.span.end)
    at = len(source) if at < 0 else at
    at -= 1 if source[at - 1 : at] == b"\r" else 0
    line_start = source.rfind(b"\n", 0, at) + 1
    title = f"Ignore {finding.code} on this line"
    known = _COMMENT.search(source, line_start, at)
    if known is not None:
        place = Span(document.key, known.end(1), known.end(1))
        comma = ", " if known[1].strip() else ""
        return Action(title, "quickfix", (TextEdit(place, f"{comma}{finding.code}"),), finding)
    if source[line_start:at].rstrip().endswith(b"\\") or _within_string(document, at):
        return None
    has_code = bool(source[line_start:at].strip())
    if not has_code:
        return None
    edit = TextEdit(Span(document.key, at, at), f"  # stepbridge: ignore[{finding.code}]")
    return Action(title, "quickfix", (edit,), finding)


def _within_string(document: PythonDocument, offset: int) -> bool:
    start = 0
    for at, _ in document.analysis.lowered.block.items:
        if at > offset:
            break
        start = at
    return any(
        token.start < offset < token.end
        for token in strings_in(document.source, start, min(len(document.source), offset + 1))
    )


# -- making a literal a parameter ------------------------------------------------------------------

_CLASSES = {
    str: "ParameterString",
    int: "ParameterInteger",
    float: "ParameterFloat",
    bool: "ParameterBoolean",
}
_TYPES = {str: "String", int: "Integer", float: "Float", bool: "Boolean"}
# Containers whose values become variables too, however their argument is annotated.
_CONTAINERS = frozenset({"hyperparameters", "env", "environment", "arguments"})


def extract_parameter(document: AnyDocument, span: Span) -> Action | None:
    """Make the literal that holds a place a pipeline parameter; None where none stands, or none may."""
    if isinstance(document, DefinitionDocument):
        return _extract_in_definition(document, span)
    if isinstance(document, PythonDocument):
        return _extract_in_program(document, span)
    return None


@dataclass(frozen=True)
class _Literal:
    """A literal in an argument that may be a variable. `as_text`: it must be handed on as a string."""

    name: str
    value: str | int | float | bool
    span: Span
    as_text: bool


def _extract_in_program(document: PythonDocument, span: Span) -> Action | None:
    literal = _literal_at(document, span)
    if literal is None or document.model.broken:
        return None
    taken = {p.name.text for p in document.model.parameters}
    name = _free(_camel(literal.name), taken)
    scope = {bound for bound, _ in document.scope_at(literal.span.start).visible()}
    variable = _free(_snake(literal.name), scope, "_parameter")
    cls, edits = _importing(document, _CLASSES[type(literal.value)])
    at, indent = _statement_at(document, literal.span.start)
    value = _source(literal.value)
    statement = f'{variable} = {cls}(name="{name}", default_value={value})\n{indent}'
    edits += [TextEdit(Span(document.key, at, at), statement)]
    suffix = ".to_string()" if literal.as_text and not isinstance(literal.value, str) else ""
    edits.append(TextEdit(literal.span, f"{variable}{suffix}"))
    edits += _listing(document, literal.span, variable)
    return Action(f"Make this the pipeline parameter {name}", "refactor.extract", tuple(edits))


def _literal_at(document: PythonDocument, span: Span) -> _Literal | None:
    best: _Literal | None = None
    for call in document.model.calls:
        if call.span.document != document.key or not call.arguments_span.holds(span.start):
            continue
        for name, argument in call.bound.items():
            if argument.span.start <= span.start and span.end <= argument.span.end:
                found = _literal_in(call, name, argument, span)
                best = found or best
    return best


def _literal_in(call: Call, name: str, argument: Argument, span: Span) -> _Literal | None:
    inside = name in _CONTAINERS
    if not (inside or words.takes_variables(call.target, name)):
        return None
    if inside or isinstance(argument.value, ListValue | DictValue):
        for key, value, place in _items(argument.value):
            if place.start <= span.start and span.end <= place.end:
                as_text = name in ("arguments", "env", "environment")
                return _as_literal(key or name, value, place, as_text)
        return None
    return _as_literal(name, argument.value, argument.span, False)


def _items(value: Value) -> Iterator[tuple[str | None, Value, Span]]:
    if isinstance(value, ListValue):
        for element in value:
            yield None, element.value, element.span
    elif isinstance(value, DictValue):
        entry: Entry
        for entry in value.entries:
            yield entry.name, entry.value, entry.span


def _as_literal(name: str, value: Value, span: Span, as_text: bool) -> _Literal | None:
    if not isinstance(value, Const) or not isinstance(value.value, str | int | float | bool):
        return None
    if isinstance(value.value, str):
        origin = value.origin
        written = origin is not None and span.start <= origin.start and origin.end <= span.end
        if not written or not value.value:
            return None
    return _Literal(name, value.value, span, as_text)


def _listing(document: PythonDocument, place: Span, variable: str) -> list[TextEdit]:
    """The edit that lists the new parameter in the pipeline, where its list is written out."""
    context = Context(document)
    pipelines = [p for p in document.model.pipelines if p.span.document == document.key]
    if len(pipelines) != 1 or (listed := pipelines[0].parameters_span) is None:
        return _new_list(document, pipelines, variable)
    made = pipelines[0].object
    value = made.get("parameters") if made is not None else None
    edit = context.append_to(value, listed, variable)
    return [edit] if edit is not None and not listed.holds(place.start) else []


def _new_list(document: PythonDocument, pipelines: Sequence[Pipeline], variable: str) -> list[TextEdit]:
    from stepbridge_lsp.rules.jobs import add_keyword

    if len(pipelines) != 1 or pipelines[0].object is None or pipelines[0].object.call.open:
        return []
    if pipelines[0].parameters_span is not None:
        return []
    return [add_keyword(Context(document), pipelines[0].object.call, f"parameters=[{variable}]")]


def _importing(document: PythonDocument, cls: str) -> tuple[str, list[TextEdit]]:
    """How the program calls a parameter class, and the edit that imports it where it does not."""
    context = Context(document)
    known = context.symbol_name(cls)
    if known is not None:
        return known, []
    root = "sagemaker.core.workflow" if document.model.sdk == "v3" else "sagemaker.workflow"
    at = 0
    for offset, statement in document.analysis.lowered.block.items:
        if isinstance(statement, s.ImportFrom | s.ImportModules):
            at = min(context.line_end(offset + statement.length) + 1, len(document.source))
    lead = "\n" if at and document.source[at - 1 : at] != b"\n" else ""
    text = f"{lead}from {root}.parameters import {cls}\n"
    return cls, [TextEdit(Span(document.key, at, at), text)]


def _statement_at(document: PythonDocument, offset: int) -> tuple[int, str]:
    """Where the statement around an offset begins (functions and branches entered), and its indentation."""
    at = _innermost(document.analysis.lowered.block, offset, 0)
    line = document.source.rfind(b"\n", 0, at) + 1
    indent = document.source[line:at].decode("utf-8", "replace")
    return at, indent if not indent.strip() else ""


def _innermost(block: s.Block, offset: int, base: int) -> int:
    for start, statement in block.items:
        at = base + start
        if at <= offset < at + statement.length:
            for inner in _blocks(statement):
                found = _innermost(inner, offset, at)
                if found >= 0:
                    return found
            return at
    return 0 if base == 0 and not block.items else -1


def _blocks(statement: s.Statement) -> Iterator[s.Block]:
    match statement:
        case s.FunctionDef(body=body) | s.ClassDef(body=body) | s.With(body=body):
            yield body
        case s.If(branches=branches):
            yield from (body for _, body in branches)
        case s.Loop(body=body, otherwise=otherwise):
            yield from (body, otherwise)
        case s.Try(body=body, handlers=handlers, otherwise=otherwise, final=final):
            yield from (body, *(block for _, block in handlers), otherwise, final)


def _source(value: str | int | float | bool) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def _free(name: str, taken: Iterable[str | None], suffix: str = "") -> str:
    """The name, made different from those that are taken."""
    known = set(taken)
    if name not in known:
        return name
    number = 2
    candidate = f"{name}{suffix}" if suffix else f"{name}{number}"
    while candidate in known:
        candidate = f"{name}{suffix}{number}" if suffix else f"{name}{number}"
        number += 1
    return candidate


def _parts(name: str) -> list[str]:
    return re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", name) or ["value"]


def _camel(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in _parts(name))


def _snake(name: str) -> str:
    found = "_".join(part.lower() for part in _parts(name))
    return found if found[0].isalpha() else f"value_{found}"


# -- in definitions --------------------------------------------------------------------------------


def _extract_in_definition(document: DefinitionDocument, span: Span) -> Action | None:
    """A scalar of a step's arguments becomes `{"Get": "Parameters.X"}`, and a parameter of that default."""
    if not document.json.valid:
        return None
    pointer = document.json.pointer_at(span.start)
    value = _at(document.json.value, pointer)
    found = document.json.locate(pointer)
    inside = "Arguments" in pointer[:-1] and not {"Get", "Std:Join", "Std:JsonGet"} & set(pointer)
    if not inside or found is None or type(value) not in _TYPES or not found[0] <= span.start <= found[1]:
        return None
    label = next((part for part in reversed(pointer) if isinstance(part, str)), "Value")
    name = _free(_camel(label), {p.name.text for p in document.model.parameters})
    entry = {"Name": name, "Type": _TYPES[type(value)], "DefaultValue": value}
    declared = _declare(document, json.dumps(entry, ensure_ascii=False))
    if declared is None:
        return None
    use = TextEdit(Span(document.key, *found), f'{{"Get": "Parameters.{name}"}}')
    return Action(f"Make this the pipeline parameter {name}", "refactor.extract", (declared, use))


def _at(value: Any, pointer: Pointer) -> Any:
    try:
        for part in pointer:
            value = value[part]
    except (KeyError, IndexError, TypeError):
        return None
    return value


def _declare(document: DefinitionDocument, entry: str) -> TextEdit | None:
    """The edit that adds an item to "Parameters", or the key itself."""
    root = document.json.value
    if not isinstance(root, dict):
        return None
    listed = root.get("Parameters")
    found = document.json.locate(("Parameters",))
    if isinstance(listed, list) and found is not None:
        if not listed:
            return TextEdit(Span(document.key, *found), f"[{entry}]")
        last = document.json.locate(("Parameters", len(listed) - 1))
        if last is None:
            return None
        space = _space_before(document.source, last[0])
        return TextEdit(Span(document.key, last[1], last[1]), f",{space}{entry}")
    steps = document.json.locate(("Steps",), at_key=True)
    if listed is not None or steps is None:
        return None
    space = _space_before(document.source, steps[0])
    return TextEdit(Span(document.key, steps[0], steps[0]), f'"Parameters": [{entry}],{space}')


def _space_before(source: bytes, offset: int) -> str:
    start = len(source[:offset].rstrip())
    return source[start:offset].decode("utf-8", "replace") or " "
