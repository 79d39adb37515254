"""Where the parts of a pipeline are defined and used: definition, references, highlight; within a document
and across those that belong together.

Two documents belong together when one imports the other, when both make a pipeline of the same name, or when
one is the definition that the other's pipeline compiles to.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from stepbridge_lsp.documents import AnyDocument, DefinitionDocument, PythonDocument
from stepbridge_lsp.model import Model, Site, Symbol
from stepbridge_lsp.positions import Span
from stepbridge_lsp.rules.context import Context
from stepbridge_lsp.rules.paths import local_paths, resolve

_ALIKE = 0.5  # of a definition's steps that a program must have to be taken as its source


@dataclass(frozen=True)
class Mark:
    """A use of a symbol in a document: an editor paints definitions and uses apart."""

    span: Span
    role: Literal["definition", "use"]


def symbol_at(document: AnyDocument, offset: int) -> tuple[Symbol, Site] | None:
    """The part of the pipeline that a place speaks of."""
    return document.model.symbol_at(offset)


def definitions(document: AnyDocument, offset: int) -> list[Span]:
    """Where the thing at an offset is defined: a part of the pipeline, or the beginning of a script."""
    found = symbol_at(document, offset)
    if found is not None:
        symbol, _ = found
        places = [site.span for site in symbol.sites if site.role == "definition"]
        if places:
            return places
    if isinstance(document, PythonDocument):
        return [span for link, span in file_links(document) if link.holds(offset)]
    return []


def file_links(document: PythonDocument) -> Iterator[tuple[Span, Span]]:
    """Places that name local files that exist, and the beginning of each file."""
    context = Context(document)
    seen: set[Span] = set()
    for call in document.model.calls:
        for path in local_paths(call):
            if not context.own(path.span) or path.span in seen:
                continue
            found = resolve(context, path)
            if found is not None and document.workspace.is_file(found):
                seen.add(path.span)
                yield path.span, Span(str(found), 0, 0)


def highlights(document: AnyDocument, offset: int) -> list[Mark]:
    """All places of this document that speak of the part at an offset."""
    found = symbol_at(document, offset)
    if found is None:
        return []
    return [
        Mark(site.span, site.role) for site in found[0].sites if site.span.document == document.model.document
    ]


def references(
    document: AnyDocument, offset: int, others: Iterable[AnyDocument] = (), *, declaration: bool = True
) -> list[Span]:
    """All places that speak of the part at an offset, here and in `others` that belong to this document."""
    found = symbol_at(document, offset)
    if found is None:
        return []
    spans = {
        site.span for site in sites(document, found[0], others) if declaration or site.role != "definition"
    }
    own = document.model.document
    return sorted(spans, key=lambda span: (span.document != own, span))


def sites(document: AnyDocument, symbol: Symbol, others: Iterable[AnyDocument]) -> Iterator[Site]:
    """The sites of a symbol in a document and in others that belong to it."""
    yield from symbol.sites
    for other in others:
        if other.key == document.key or not belong_together(document, other):
            continue
        twin = matching(other.model, symbol)
        if twin is not None:
            yield from twin.sites


def matching(model: Model, symbol: Symbol) -> Symbol | None:
    """The same part in another model; a step may be known there by what the service calls it."""
    return model.symbol(symbol.kind, symbol.name, symbol.owner)


def belong_together(first: AnyDocument, second: AnyDocument) -> bool:
    """Whether two documents speak of the same pipeline."""
    if first.key in second.dependencies or second.key in first.dependencies:
        return True
    names = _pipeline_names(first.model) & _pipeline_names(second.model)
    if names:
        return True
    if isinstance(first, DefinitionDocument) == isinstance(second, DefinitionDocument):
        return False
    program, definition = (second, first) if isinstance(first, DefinitionDocument) else (first, second)
    known = _step_names(program.model)
    compiled = _step_names(definition.model)
    return bool(compiled) and len(known & compiled) > _ALIKE * len(compiled)


def _pipeline_names(model: Model) -> set[str]:
    return {pipeline.name.text for pipeline in model.pipelines if pipeline.name.text is not None}


def _step_names(model: Model) -> set[str]:
    return {name for step in model.steps for name in (step.name.text, *step.service_names) if name}


__all__ = [
    "Mark",
    "belong_together",
    "definitions",
    "file_links",
    "highlights",
    "matching",
    "references",
    "sites",
    "symbol_at",
]
