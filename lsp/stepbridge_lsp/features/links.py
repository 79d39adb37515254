"""Links from arguments to the local files that they name: scripts, source folders, dependencies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stepbridge_lsp.documents import AnyDocument, PythonDocument
from stepbridge_lsp.positions import Span
from stepbridge_lsp.rules.context import Context
from stepbridge_lsp.rules.paths import local_paths, resolve


@dataclass(frozen=True)
class Link:
    """`span` leads to the file or folder `target` (absolute)."""

    span: Span
    target: Path


def links(document: AnyDocument) -> list[Link]:
    """The links of a program; a source folder leads to its requirements.txt if it has one."""
    return list(_links(document)) if isinstance(document, PythonDocument) else []


def _links(document: PythonDocument) -> Iterator[Link]:
    context = Context(document)
    seen: set[Span] = set()
    for call in document.model.calls:
        for path in local_paths(call):
            if not context.own(path.span) or path.span in seen:
                continue
            found = resolve(context, path)
            if found is None:
                continue
            seen.add(path.span)
            target = Path(found)
            requirements = target / "requirements.txt"
            if path.name == "source_dir" and context.workspace.is_file(requirements):
                target = requirements
            if context.workspace.is_file(target):
                yield Link(_inner(document, path.span), target)


def _inner(document: PythonDocument, span: Span) -> Span:
    """Without the quotes of a plain literal."""
    text = document.source[span.start : span.end]
    if len(text) > 2 and text[:1] in (b'"', b"'") and text[-1:] == text[:1]:
        return Span(span.document, span.start + 1, span.end - 1)
    return span
