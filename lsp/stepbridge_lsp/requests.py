"""What a client asks: each request is a look into the session, a function of `features/`, and a conversion.

Requests that look at the whole workspace wait between its documents; all others answer at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from lsprotocol import types as t
from pygls.exceptions import JsonRpcException

from .documents import AnyDocument, DefinitionDocument, PythonDocument
from .features import completion, hints, hover, lenses, links, navigation, outline, tokens
from .features import pipelines as pipeline_views
from .features.actions import Action, extract_parameter, fix_all, quick_fixes
from .features.definitions import complete_definition, hover_definition
from .features.rename import RenameError, rename, rename_range
from .features.signature import signature
from .positions import Span
from .session import View, relevant, views
from .wire import plain, text_of

if TYPE_CHECKING:
    from .connection import Server

_REQUEST_FAILED = -32803


# -- requests on a place ---------------------------------------------------------------------------


def on_hover(server: Server, params: t.HoverParams) -> t.Hover | None:
    found = server.looks(params.text_document.uri, params.position)
    if found is None:
        return None
    view, offset = found
    shown = _hover(view.document, offset)
    return server.wire.hover(view, shown) if shown is not None else None


def _hover(document: AnyDocument, offset: int) -> hover.Hover | None:
    if isinstance(document, PythonDocument):
        return hover.hover(document, offset)
    if isinstance(document, DefinitionDocument):
        return hover_definition(document, offset)
    return None


def on_completion(server: Server, params: t.CompletionParams) -> t.CompletionList | None:
    found = server.looks(params.text_document.uri, params.position)
    if found is None:
        return None
    view, offset = found
    if isinstance(view.document, PythonDocument):
        items = completion.complete(view.document, offset)
    elif isinstance(view.document, DefinitionDocument) and view.editable:
        items = complete_definition(view.document, offset)
    else:
        return None
    return server.wire.completions(view, items, server.retriggers) if items else None


def on_completion_resolve(server: Server, item: t.CompletionItem) -> t.CompletionItem:
    data = plain(item.data)
    if isinstance(data, list) and len(data) == 2:
        text = completion.documentation_of((str(data[0]), str(data[1])))
        if text:
            item.documentation = server.wire.documentation(text)
    return item


def on_signature(server: Server, params: t.SignatureHelpParams) -> t.SignatureHelp | None:
    found = server.looks(params.text_document.uri, params.position)
    if found is None or not isinstance(found[0].document, PythonDocument):
        return None
    shown = signature(found[0].document, found[1])
    return server.wire.signature(shown) if shown is not None else None


def on_definition(server: Server, params: t.DefinitionParams) -> list[t.Location] | None:
    found = server.looks(params.text_document.uri, params.position)
    if found is None:
        return None
    view, offset = found
    return _locations(server, view, navigation.definitions(view.document, offset))


def _locations(server: Server, view: View, spans: Iterable[Span]) -> list[t.Location] | None:
    found = [location for span in spans if (location := server.wire.location(view, span)) is not None]
    return found or None


async def on_references(server: Server, params: t.ReferenceParams) -> list[t.Location] | None:
    found = server.looks(params.text_document.uri, params.position)
    if found is None:
        return None
    view, offset = found
    if navigation.symbol_at(view.document, offset) is None:
        return None
    others = [document async for document in server.others()]
    declaration = params.context.include_declaration
    spans = navigation.references(view.document, offset, others, declaration=declaration)
    return _locations(server, view, spans)


def on_highlight(server: Server, params: t.DocumentHighlightParams) -> list[t.DocumentHighlight] | None:
    uri = params.text_document.uri
    found = server.looks(uri, params.position)
    if found is None:
        return None
    view, offset = found
    kinds = {"definition": t.DocumentHighlightKind.Write, "use": t.DocumentHighlightKind.Read}
    marks = []
    for mark in navigation.highlights(view.document, offset):
        where, place = server.wire.place(view.host, view.outer(mark.span))
        if where == uri:
            marks.append(t.DocumentHighlight(place, kinds[mark.role]))
    return marks or None


def on_prepare_rename(server: Server, params: t.PrepareRenameParams) -> t.PrepareRenamePlaceholder | None:
    found = server.looks(params.text_document.uri, params.position)
    name = rename_range(found[0].document, found[1]) if found is not None else None
    if found is None or name is None or not found[0].editable:
        return None
    return t.PrepareRenamePlaceholder(server.wire.range(found[0], name[0]), name[1])


async def on_rename(server: Server, params: t.RenameParams) -> t.WorkspaceEdit | None:
    found = server.looks(params.text_document.uri, params.position)
    if found is None or not found[0].editable:
        return None
    view, offset = found
    others = [document async for document in server.others()]
    try:
        edits = rename(view.document, offset, params.new_name, others)
    except RenameError as error:
        raise JsonRpcException(str(error), _REQUEST_FAILED) from None
    return server.wire.workspace_edit(view, edits)


def on_code_action(server: Server, params: t.CodeActionParams) -> list[t.CodeAction] | None:
    uri = params.text_document.uri
    document = server.session.document(uri)
    if document is None or not relevant(document):
        return None
    only = [text_of(kind) for kind in params.context.only or []]
    actions: list[Action] = []
    findings = server.session.findings(uri)
    view = View(document, document)
    span = server.span(view, uri, params.range)
    if _wanted("quickfix", only):
        actions += quick_fixes(document, findings, span)
    if _wanted("refactor.extract", only):
        extracted = extract_parameter(document, span)
        actions += [extracted] if extracted is not None else []
    if _wanted("source.fixAll.stepbridge", only, unasked=False):
        all_of_them = fix_all(document, findings, server.session.check)
        actions += [all_of_them] if all_of_them is not None else []
    return [server.wire.action(view, action) for action in actions] or None


def _wanted(kind: str, only: Sequence[str], *, unasked: bool = True) -> bool:
    """Whether a client wants actions of a kind; sources of change are only given to those who ask."""
    if not only:
        return unasked
    return any(kind == asked or kind.startswith(f"{asked}.") for asked in only)


# -- requests on a document ------------------------------------------------------------------------


def on_document_symbols(server: Server, params: t.DocumentSymbolParams) -> list[t.DocumentSymbol] | None:
    uri = params.text_document.uri
    found = []
    for view in server.views(uri):
        for entry in outline.outline(view.document):
            if server.wire.place(view.host, view.outer(entry.span))[0] == uri:
                found.append(server.wire.symbol(view, entry))
    return found or None


async def on_workspace_symbols(
    server: Server, params: t.WorkspaceSymbolParams
) -> list[t.WorkspaceSymbol] | None:
    found = []
    async for document in server.others():
        for view in views(document):
            for entry, container in outline.search(view.document, params.query):
                outer = outline.Entry(entry.name, entry.kind, entry.span, view.outer(entry.selection))
                found.append(server.wire.workspace_symbol(view.host, outer, container))
    return found or None


def on_folding(server: Server, params: t.FoldingRangeParams) -> list[t.FoldingRange] | None:
    uri = params.text_document.uri
    lines: dict[tuple[int, int], None] = {}
    for view in server.views(uri):
        for span in outline.folds(view.document):
            where, place = server.wire.place(view.host, view.outer(span))
            if where == uri and place.end.line > place.start.line:
                lines[place.start.line, place.end.line] = None
    return [t.FoldingRange(start_line=start, end_line=end) for start, end in sorted(lines)] or None


def on_inlay_hints(server: Server, params: t.InlayHintParams) -> list[t.InlayHint] | None:
    if not server.session.options.inlay_hints:
        return None
    uri = params.text_document.uri
    found = []
    for view in server.views(uri):
        span = server.span(view, uri, params.range)
        runs = _runs(server, view)
        for hint in hints.hints(view.document, span.start, span.end, runs):
            at = view.outer(Span(view.document.model.document, hint.offset, hint.offset))
            where, place = server.wire.place(view.host, at)
            if where == uri:
                found.append(
                    t.InlayHint(place.start, hint.text, padding_left=True, tooltip=hint.tooltip or None)
                )
    return found or None


def _runs(server: Server, view: View) -> lenses.Runs:
    return lambda name: server.session.last_run(view.host, name)


def on_code_lens(server: Server, params: t.CodeLensParams) -> list[t.CodeLens] | None:
    options = server.session.options
    if not (options.code_lens and options.trusted):
        return None
    uri = params.text_document.uri
    found = []
    for view in server.views(uri):
        if view.part is not None:
            continue  # what is run is the program or the definition file
        for lens in lenses.lenses(view.document, _runs(server, view) if options.run_status else None):
            if server.wire.place(view.host, lens.span)[0] == uri:
                found.append(server.wire.lens(view, lens))
    return found or None


def on_links(server: Server, params: t.DocumentLinkParams) -> list[t.DocumentLink] | None:
    uri = params.text_document.uri
    found = []
    for view in server.views(uri):
        for link in links.links(view.document):
            where, place = server.wire.place(view.host, view.outer(link.span))
            if where == uri:
                found.append(t.DocumentLink(place, link.target.as_uri()))
    return found or None


def on_tokens(server: Server, params: t.SemanticTokensParams) -> t.SemanticTokens | None:
    return _tokens(server, params.text_document.uri, None)


def on_tokens_range(server: Server, params: t.SemanticTokensRangeParams) -> t.SemanticTokens | None:
    return _tokens(server, params.text_document.uri, params.range)


def _tokens(server: Server, uri: str, asked: t.Range | None) -> t.SemanticTokens | None:
    document = server.session.document(uri)
    if not server.session.options.semantic_tokens or document is None or not relevant(document):
        return None
    if len(views(document)) != 1 or views(document)[0].part is not None:
        return None
    span = server.span(View(document, document), uri, asked) if asked is not None else None
    start, end = (span.start, span.end) if span is not None else (0, None)
    return server.wire.tokens(document, uri, tokens.tokens(document, start, end))


def on_pipelines(server: Server, params: Any) -> dict[str, Any]:
    """`stepbridge/pipelines`: the pipelines of a document for views, lenses and run configurations."""
    asked = plain(params)
    item = asked.get("textDocument") if isinstance(asked, dict) else None
    uri = item.get("uri") if isinstance(item, dict) else None
    found: list[dict[str, Any]] = []
    if isinstance(uri, str):
        for view in server.views(uri):
            found += [server.wire.pipeline(view, p) for p in pipeline_views.pipelines(view.document)]
    return {"pipelines": found}
