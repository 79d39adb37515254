"""What a client says of its texts: opened, changed, closed, saved; notebooks and their cells; files and
settings that changed behind its back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lsprotocol import types as t

from .documents.python import encode, key_of
from .positions import LineIndex, Position
from .session import Opened, OpenNotebook, Plain
from .wire import plain

if TYPE_CHECKING:
    from .connection import Server

_SETTINGS_FILES = frozenset({"stepbridge.toml", "pyproject.toml"})


def _changes(
    server: Server, lines_of: Callable[[], LineIndex], changes: Iterable[Any]
) -> Iterator[tuple[tuple[Position, Position] | None, str]]:
    """Edits with our positions; each counts in the text that the one before it left."""
    for change in changes:
        if isinstance(change, t.TextDocumentContentChangeWholeDocument):
            yield None, change.text
            continue
        start, end = change.range.start, change.range.end
        if server.wire.encoding == "utf-16":  # as our documents count
            yield (Position(start.line, start.character), Position(end.line, end.character)), change.text
        else:
            lines = lines_of()
            yield (server.wire.position_in(lines, start), server.wire.position_in(lines, end)), change.text


def did_open(server: Server, params: t.DidOpenTextDocumentParams) -> None:
    item = params.text_document
    server.session.did_open(item.uri, str(item.language_id), item.version, item.text)
    server.changed(item.uri, 0)


def did_change(server: Server, params: t.DidChangeTextDocumentParams) -> None:
    uri = params.text_document.uri
    opened = server.session.open.get(uri)
    if opened is None:
        return
    changes = _changes(server, lambda: _lines(opened), params.content_changes)
    server.session.did_change(uri, params.text_document.version, changes)
    server.changed(uri)


def _lines(opened: Opened) -> LineIndex:
    text = opened.text
    return LineIndex.of(text.source) if isinstance(text, Plain) else text.lines


def did_close(server: Server, params: t.DidCloseTextDocumentParams) -> None:
    uri = params.text_document.uri
    server.session.did_close(uri)
    server.clear(uri)
    for other in server.session.forget([key_of(uri)]):
        server.soon(other)


def did_save(server: Server, params: t.DidSaveTextDocumentParams) -> None:
    if Path(key_of(params.text_document.uri)).name in _SETTINGS_FILES:
        server.session.settings_changed()
        server.refresh()


def notebook_opened(server: Server, params: t.DidOpenNotebookDocumentParams) -> None:
    notebook = params.notebook_document
    opened = OpenNotebook(notebook.uri, notebook.version, _order(notebook.cells), {}, {})
    _take_texts(opened, params.cell_text_documents)
    server.session.notebook_opened(opened)
    server.changed(notebook.uri, 0)


def notebook_changed(server: Server, params: t.DidChangeNotebookDocumentParams) -> None:
    notebook = server.session.notebooks.get(params.notebook_document.uri)
    if notebook is None:
        return
    notebook.version = params.notebook_document.version
    cells = params.change.cells
    if cells is not None and cells.structure is not None:
        array = cells.structure.array
        new = _order(array.cells or [])
        notebook.order[array.start : array.start + array.delete_count] = new
        _take_texts(notebook, cells.structure.did_open or [])
        for closed in cells.structure.did_close or []:
            notebook.texts.pop(closed.uri, None)
    for content in cells.text_content or [] if cells is not None else []:
        uri = content.document.uri
        changes = _changes(server, partial(_cell_lines, notebook, uri), content.changes)
        for change in changes:
            server.session.cell_changed(notebook, uri, [change])
        notebook.versions[uri] = content.document.version
    server.session.notebook_changed(notebook)
    server.changed(notebook.uri)


def notebook_closed(server: Server, params: t.DidCloseNotebookDocumentParams) -> None:
    uri = params.notebook_document.uri
    server.session.notebook_closed(uri)
    server.clear(uri)


def _order(cells: Iterable[t.NotebookCell]) -> list[str]:
    return [cell.document for cell in cells]


def _take_texts(notebook: OpenNotebook, items: Iterable[t.TextDocumentItem]) -> None:
    for item in items:
        if item.language_id == "python":
            notebook.texts[item.uri] = encode(item.text)
            notebook.versions[item.uri] = item.version


def files_changed(server: Server, params: t.DidChangeWatchedFilesParams) -> None:
    paths = [key_of(change.uri) for change in params.changes]
    if any(Path(path).name in _SETTINGS_FILES for path in paths):
        server.session.settings_changed()
        server.refresh()
    came_or_went = any(change.type != t.FileChangeType.Changed for change in params.changes)
    touched = server.session.forget(paths, everything=came_or_went)
    for uri in touched:
        server.soon(uri)
    workspace = server.client_capabilities.workspace
    diagnostics = workspace.diagnostics if workspace is not None else None
    if touched and server.pulls and diagnostics is not None and diagnostics.refresh_support:
        server.ask_again()


def folders_changed(server: Server, params: t.DidChangeWorkspaceFoldersParams) -> None:
    removed = {Path(key_of(folder.uri)) for folder in params.event.removed}
    added = [Path(key_of(folder.uri)) for folder in params.event.added]
    kept = [root for root in server.session.files.roots if root not in removed]
    server.session.files.roots = (*kept, *added)
    for uri in server.session.forget([], everything=True):
        server.soon(uri)


async def settings_changed(server: Server, params: t.DidChangeConfigurationParams) -> None:
    """Clients send the settings along, or nothing, and want to be asked."""
    settings = plain(params.settings)
    own = settings.get("stepbridge") if isinstance(settings, dict) else None
    if own is not None:
        server.apply_settings(own)
    else:
        await server.ask_settings()


def _cell_lines(notebook: OpenNotebook, uri: str) -> LineIndex:
    return LineIndex.of(notebook.texts.get(uri, b""))
