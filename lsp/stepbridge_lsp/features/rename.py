"""Renaming the parts of a pipeline: parameters, steps, outputs, inputs, property files and pipelines, in all
documents that belong together.

Only the names' own characters are replaced, never a Python variable: those are any Python server's affair.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from stepbridge.errors import StepBridgeError

from stepbridge_lsp.documents import AnyDocument
from stepbridge_lsp.model import Symbol, SymbolKind
from stepbridge_lsp.positions import Span
from stepbridge_lsp.rules.findings import TextEdit

from .navigation import matching, sites, symbol_at

# What the service takes as a name (PipelineParameterName, StepName, PipelineName of its model).
_NAMES = {
    SymbolKind.PARAMETER: (re.compile(r"[A-Za-z0-9\-_]{1,256}"), "1 to 256 letters, digits, - or _"),
    SymbolKind.STEP: (re.compile(r"[A-Za-z0-9\-_]{1,64}"), "1 to 64 letters, digits, - or _"),
    SymbolKind.PIPELINE: (
        re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,255}"),
        "letters and digits with - between them",
    ),
}
_ANY = (re.compile(r"[^\"'\\\n\r]{1,64}"), "1 to 64 characters without quotes")


class RenameError(StepBridgeError):
    """The new name cannot be given."""


def rename_range(document: AnyDocument, offset: int) -> tuple[Span, str] | None:
    """The place and the text of the name that a rename at an offset would replace; None for no name."""
    found = symbol_at(document, offset)
    if found is None or not found[1].literal or not _renamable(found[0]):
        return None
    return found[1].span, found[0].name


def _renamable(symbol: Symbol) -> bool:
    return any(site.literal for site in symbol.sites)


def rename(
    document: AnyDocument, offset: int, name: str, others: Iterable[AnyDocument] = ()
) -> list[TextEdit]:
    """The edits that give the part at an offset another name, in this document and in `others`.

    Raises:
        RenameError: there is nothing to rename, the name is not allowed, or it is taken.
    """
    found = symbol_at(document, offset)
    if found is None or not found[1].literal:
        raise RenameError("There is no name of a pipeline's part here.")
    symbol = found[0]
    others = list(others)
    _check(symbol, name, [document, *others])
    spans = {site.span for site in sites(document, symbol, others) if site.literal}
    return [TextEdit(span, name) for span in sorted(spans)]


def _check(symbol: Symbol, name: str, documents: list[AnyDocument]) -> None:
    pattern, words = _NAMES.get(symbol.kind, _ANY)
    if pattern.fullmatch(name) is None:
        raise RenameError(f'"{name}" is no name for a {symbol.kind}: {words}.')
    if name == symbol.name:
        return
    taken = Symbol(symbol.kind, name, symbol.owner)
    for document in documents[:1]:
        if (other := matching(document.model, taken)) is not None and any(
            site.role == "definition" for site in other.sites
        ):
            raise RenameError(f'There is a {symbol.kind} "{name}" already.', "Choose another name.")
