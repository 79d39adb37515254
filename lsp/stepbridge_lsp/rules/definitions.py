"""The rules on definitions, `stepbridge.definition.rules`, on the text of a definition document.

They report pointers and fixes of JSON values; here these become places and edits of the text.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator

from stepbridge.definition.rules import Edit, check, check_document
from stepbridge.definition.rules import Finding as DefinitionFinding
from stepbridge.definition.rules import Fix as DefinitionFix
from stepbridge.definition.values import JSON, UNKNOWN, Pointer

from stepbridge_lsp.documents.cloudformation import Embedded, TemplateDocument
from stepbridge_lsp.documents.definition import DefinitionDocument
from stepbridge_lsp.positions import Span

from .findings import Finding, Fix, TextEdit


def definition_findings(document: DefinitionDocument, codes: Collection[str]) -> Iterator[Finding]:
    """What the rules say of a definition; of broken text the first error, and what can be told of the
    rest.
    """
    for found in check(document.text, codes, document.memory):
        yield _finding(document, found)
    if not document.json.valid and document.json.value is not UNKNOWN:
        for found in check_document(document.json.value, codes):
            yield _finding(document, found)


def _finding(document: DefinitionDocument, found: DefinitionFinding) -> Finding:
    if found.offset is not None:
        start = len(document.text[: found.offset].encode("utf-8", "replace"))
        span = Span(document.key, start, min(start + 1, len(document.source)))
    else:
        span = document.span(found.pointer, at_key=found.at_key)
    fixes = _fixes(document, found.fix) if found.fix is not None and document.json.valid else ()
    related = tuple((document.span(pointer), note) for pointer, note in found.related)
    return Finding(
        found.code,
        found.severity,
        found.message,
        span,
        fixes,
        found.suggestions,
        related,
        found.unnecessary,
    )


# -- fixes ------------------------------------------------------------------------------------------


def _fixes(document: DefinitionDocument, fix: DefinitionFix) -> tuple[Fix, ...]:
    edits: list[TextEdit] = []
    for edit in fix.edits:
        made = _text_edit(document, edit)
        if made is None:
            return ()
        edits.append(made)
    return (Fix(fix.title, tuple(edits), safe=False),)


def _text_edit(document: DefinitionDocument, edit: Edit) -> TextEdit | None:
    if edit.kind == "insert":
        return _insertion(document, edit.pointer, edit.value)
    if edit.kind == "remove":
        return _removal(document, edit.pointer)
    found = document.json.locate(edit.pointer, at_key=edit.kind == "rename")
    if found is None:
        return None
    span = Span(document.key, *found)
    if edit.kind == "rename":
        return TextEdit(span, json.dumps(edit.value, ensure_ascii=False))
    return TextEdit(span, _written(document, edit.value, span.start))


def _written(document: DefinitionDocument, value: JSON, at: int) -> str:
    """A value as JSON, indented as the line it goes to."""
    if not isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    line = document.lines.line_bytes(document.lines.line_of(at))
    if b"\n" not in document.source.strip():
        return json.dumps(value, ensure_ascii=False)
    margin = line[: len(line) - len(line.lstrip())].decode()
    return json.dumps(value, ensure_ascii=False, indent=2).replace("\n", f"\n{margin}")


def _removal(document: DefinitionDocument, pointer: Pointer) -> TextEdit | None:
    """Take out a member or item with the comma after it, or else before it."""
    value = document.json.locate(pointer)
    if value is None:
        return None
    key = document.json.locate(pointer, at_key=True)
    start, end = min(value[0], key[0] if key else value[0]), value[1]
    source = document.source
    after = end
    while source[after : after + 1].isspace():
        after += 1
    if source[after : after + 1] == b",":
        end = after + 1
        while source[end : end + 1].isspace():
            end += 1
        return TextEdit(Span(document.key, start, end), "")
    before = len(source[:start].rstrip())
    if source[before - 1 : before] == b",":
        start = before - 1
    return TextEdit(Span(document.key, start, end), "")


def _insertion(document: DefinitionDocument, pointer: Pointer, value: JSON) -> TextEdit | None:
    """Put a member or item behind the last one of its object or array."""
    place = document.json.locate(pointer[:-1])
    if place is None:
        return None
    start, end = place
    inside = document.source[start + 1 : end - 1]
    kept = inside.rstrip()
    at = start + 1 + len(kept)
    key = pointer[-1]
    name = f"{json.dumps(key)}: " if isinstance(key, str) else ""
    comma = "," if kept else ""
    if b"\n" not in inside:
        space = " " if kept else ""
        return TextEdit(
            Span(document.key, at, at), f"{comma}{space}{name}{json.dumps(value, ensure_ascii=False)}"
        )
    last = kept.rsplit(b"\n", 1)[-1]
    margin = last[: len(last) - len(last.lstrip())].decode()
    text = json.dumps(value, ensure_ascii=False, indent=2).replace("\n", f"\n{margin}")
    return TextEdit(Span(document.key, at, at), f"{comma}\n{margin}{name}{text}")


# -- templates --------------------------------------------------------------------------------------


def template_findings(document: TemplateDocument, codes: Collection[str]) -> Iterator[Finding]:
    """Findings on the definitions within a template, at their places in the template."""
    for part in document.parts:
        for found in definition_findings(part.document, codes):
            yield _moved(document, part, found)


def _moved(document: TemplateDocument, part: Embedded, found: Finding) -> Finding:
    """A finding with its places, and the fixes whose text stands alike in the template."""
    fixes: list[Fix] = []
    for fix in found.fixes:
        edits = [TextEdit(document.outer_span(part, edit.span), edit.text) for edit in fix.edits]
        if all(_alike(document, part, *pair) for pair in zip(fix.edits, edits, strict=True)):
            fixes.append(Fix(fix.title, tuple(edits), fix.safe))
    related = tuple((document.outer_span(part, span), note) for span, note in found.related)
    span = document.outer_span(part, found.span)
    return Finding(
        found.code,
        found.severity,
        found.message,
        span,
        tuple(fixes),
        found.suggestions,
        related,
        found.unnecessary,
    )


def _alike(document: TemplateDocument, part: Embedded, inner: TextEdit, outer: TextEdit) -> bool:
    within = part.document.source[inner.span.start : inner.span.end]
    around = document.source[outer.span.start : outer.span.end]
    return within == around and (not part.pointer or '"' not in inner.text)
