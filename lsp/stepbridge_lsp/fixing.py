"""Fixes applied to texts: one after the other, none where it would overlap another.

Pure: text in, text out. Writing files is the caller's.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from stepbridge_lsp.documents import AnyDocument, NotebookDocument
from stepbridge_lsp.rules import Finding, Fix, TextEdit


def chosen_fixes(findings: Iterable[Finding], *, unsafe: bool) -> list[Fix]:
    """The first fix of each finding, as far as they do not overlap; safe ones only unless `unsafe`."""
    chosen: list[Fix] = []
    taken: list[TextEdit] = []
    for finding in findings:
        fix = next((fix for fix in finding.fixes if fix.safe or unsafe), None)
        if fix is None or any(_overlap(edit, other) for edit in fix.edits for other in taken):
            continue
        chosen.append(fix)
        taken += [edit for edit in fix.edits if edit not in taken]
    return chosen


def _overlap(edit: TextEdit, other: TextEdit) -> bool:
    if edit == other and edit.span.start == edit.span.end:
        return False  # the same insertion, an import that two fixes need
    first, second = edit.span, other.span
    if first.document != second.document:
        return False
    if first.start == first.end or second.start == second.end:
        return first.start <= second.end and second.start <= first.end and first != second
    return first.start < second.end and second.start < first.end


def edits_of(fixes: Iterable[Fix]) -> list[TextEdit]:
    """The edits of several fixes, each once, from the last place to the first."""
    unique = {edit for fix in fixes for edit in fix.edits}
    return sorted(unique, key=lambda edit: (edit.span.start, edit.span.end), reverse=True)


def apply_edits(source: bytes, edits: Iterable[TextEdit]) -> bytes:
    """The text after edits that come from the last place to the first."""
    for edit in edits:
        source = source[: edit.span.start] + edit.text.encode() + source[edit.span.end :]
    return source


def fixed_text(document: AnyDocument, content: bytes, fixes: list[Fix]) -> bytes:
    """The bytes of a document's file after fixes."""
    edits = [edit for edit in edits_of(fixes) if edit.span.document == document.key]
    if isinstance(document, NotebookDocument):
        return _fixed_notebook(document, content, edits)
    return apply_edits(document.source, edits)


def _fixed_notebook(document: NotebookDocument, content: bytes, edits: list[TextEdit]) -> bytes:
    """An .ipynb file with its cells edited. It is written as Jupyter writes it: indented by one."""
    notebook: Any = json.loads(content)
    code_cells = [cell for cell in notebook["cells"] if cell.get("cell_type") == "code"]
    sources = [cell.source for cell in document.cells]
    for edit in edits:
        index = document.cell_at(edit.span.start)
        base = document.starts[index]
        local = edit.span._replace(start=edit.span.start - base, end=edit.span.end - base)
        sources[index] = apply_edits(sources[index], [TextEdit(local, edit.text)])
    for cell, before, after in zip(code_cells, document.cells, sources, strict=False):
        if before.source != after:
            text = after.decode("utf-8")
            cell["source"] = text.splitlines(keepends=True) if isinstance(cell["source"], list) else text
    return (json.dumps(notebook, indent=1, ensure_ascii=False) + "\n").encode()
