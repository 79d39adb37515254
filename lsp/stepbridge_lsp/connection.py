"""The server as pygls runs it: one client's connection, its features, diagnostics that are pushed, and what
costs time at its first use. Texts are kept once, in the session. Nothing of the user's is ever run.

Requests are answered by `requests.py`, which is loaded when the first one comes or when there is time.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Generator, Sequence
from importlib import import_module
from pathlib import Path
from threading import Event
from typing import Any

from lsprotocol import types as t
from msgspec.structs import replace
from pygls.exceptions import JsonRpcException
from pygls.io_ import run_async
from pygls.lsp.server import LanguageServer
from pygls.protocol import LanguageServerProtocol, default_converter, lsp_method
from stepbridge import __version__

from . import pulls, texts
from .collector import calm, sweep
from .documents import AnyDocument, PythonDocument
from .documents.python import key_of
from .features.tokens import MODIFIERS, TYPES
from .positions import Span
from .session import Opened, Options, Session, View, relevant, views
from .wire import Wire, plain, text_of

DEBOUNCE = 0.06  # seconds without a key press before diagnostics are pushed
_IDLE = 0.25  # seconds after them before models are made that only other requests read
_PATIENCE = 1.0  # seconds for a first document to be opened before warming up without
_BREATH = 0.005  # seconds between two slices of warming up
_WATCHED = ("**/*.py", "**/*.json", "**/*.{yaml,yml,template}", "**/stepbridge.toml", "**/pyproject.toml")
_TRIGGERS = [".", '"', "'", "[", "=", "{"]
_KINDS = ["quickfix", "refactor.extract", "source.fixAll.stepbridge"]


def _ours(method: str) -> Any:
    """A handler of pygls' protocol that only calls our feature."""

    @lsp_method(method)
    def handle(self: LanguageServerProtocol, params: Any) -> Generator[Any, Any, None]:
        yield self.fm.features[method], (params,), None

    return handle


class Protocol(LanguageServerProtocol):
    """pygls' protocol without its own copy of every open text: the session has them."""

    lsp_text_document__did_open = _ours(t.TEXT_DOCUMENT_DID_OPEN)
    lsp_text_document__did_change = _ours(t.TEXT_DOCUMENT_DID_CHANGE)
    lsp_text_document__did_close = _ours(t.TEXT_DOCUMENT_DID_CLOSE)
    lsp_notebook_document__did_open = _ours(t.NOTEBOOK_DOCUMENT_DID_OPEN)
    lsp_notebook_document__did_change = _ours(t.NOTEBOOK_DOCUMENT_DID_CHANGE)
    lsp_notebook_document__did_close = _ours(t.NOTEBOOK_DOCUMENT_DID_CLOSE)


class Server(LanguageServer):
    """One client's server."""

    def __init__(self) -> None:
        super().__init__(
            "stepbridge",
            __version__,
            text_document_sync_kind=t.TextDocumentSyncKind.Incremental,
            notebook_document_sync=t.NotebookDocumentSyncOptions(
                notebook_selector=[
                    t.NotebookDocumentFilterWithNotebook(
                        notebook=t.NotebookDocumentFilterNotebookType(notebook_type="jupyter-notebook"),
                        cells=[t.NotebookCellLanguage(language="python")],
                    )
                ],
                save=True,
            ),
            protocol_cls=Protocol,
            converter_factory=default_converter,
        )
        self.session = Session()
        self.wire = Wire(self.session)
        self.pulls = False  # the client asks for diagnostics
        self.retriggers = False  # the client is VS Code, whose command asks for completion again
        self.looked = asyncio.Event()  # the first diagnostics have been given
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._published: dict[str, set[str]] = {}  # URI of a document -> URIs with diagnostics of it
        self._told: set[str] = set()

    # -- the client --------------------------------------------------------------------------------

    def greet(self, params: t.InitializeParams) -> None:
        """Take over what the client says of itself and of its workspace."""
        options = Options()
        given = params.initialization_options
        if given is not None:
            options = _initial(options, given)
        self.session = Session(_roots(params), options)
        self.wire = Wire(
            self.session, text_of(self.workspace.position_encoding) or "utf-16", params.capabilities
        )
        document = params.capabilities.text_document
        self.pulls = document is not None and document.diagnostic is not None
        name = params.client_info.name if params.client_info is not None else ""
        self.retriggers = "code" in name.lower()

    async def settle_in(self) -> None:
        """After the greeting: settings of the editor, files to watch, and whatever costs time at its first
        use.
        """
        await self.ask_settings()
        workspace = self.client_capabilities.workspace
        watched = workspace.did_change_watched_files if workspace is not None else None
        if watched is not None and watched.dynamic_registration:
            watchers = [t.FileSystemWatcher(glob_pattern=glob) for glob in _WATCHED]
            options = t.DidChangeWatchedFilesRegistrationOptions(watchers=watchers)
            registration = t.Registration("files", t.WORKSPACE_DID_CHANGE_WATCHED_FILES, options)
            await _quietly(self.client_register_capability_async(t.RegistrationParams([registration])))
        await self.warm_up()

    async def warm_up(self) -> None:
        """Load what the first request would have to wait for, once the first document has its diagnostics:
        in slices, with time between them for messages to come in."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.looked.wait(), _PATIENCE)
        from . import warmth

        for slice_ in warmth.slices(self.protocol.fm.converter):
            slice_()
            await asyncio.sleep(_BREATH)
        calm()

    async def ask_settings(self) -> None:
        """The `stepbridge` section of the editor's settings, if it can be asked."""
        workspace = self.client_capabilities.workspace
        if workspace is None or not workspace.configuration:
            return
        items = [t.ConfigurationItem(section="stepbridge")]
        found = await _quietly(self.workspace_configuration_async(t.ConfigurationParams(items)))
        if found:
            self.apply_settings(found[0])

    def apply_settings(self, settings: Any) -> None:
        options = self.session.options.updated(plain(settings))
        if options != self.session.options:
            self.session.settings_changed(options)
            self.refresh()

    # -- diagnostics -------------------------------------------------------------------------------

    def changed(self, uri: str, delay: float = DEBOUNCE) -> None:
        """A document is new or different: push its diagnostics soon, and those of its dependents."""
        self.soon(uri, delay)
        for other in self.session.dependents(uri):
            self.soon(other, delay)

    def soon(self, uri: str, delay: float = DEBOUNCE) -> None:
        if self.pulls:
            return
        timer = self._timers.pop(uri, None)
        if timer is not None:
            timer.cancel()
        opened = self.session.open.get(uri)
        if opened is None:
            return
        loop = asyncio.get_running_loop()
        self._timers[uri] = loop.call_later(delay, self._publish, uri, opened.version)

    def _publish(self, uri: str, version: int | None) -> None:
        self._timers.pop(uri, None)
        opened = self.session.open.get(uri)
        if opened is None or opened.version != version:
            return
        found: dict[str, list[t.Diagnostic]] = {}
        if opened.document is not None:
            found = self.wire.diagnostics(opened.document, self.session.findings(uri))
        self._push(uri, opened, found)
        self.looked.set()
        self.tell_problems()
        self.rest(uri, version)

    def rest(self, uri: str, version: int | None) -> None:
        """Diagnostics are out: use the time until the next key press."""
        asyncio.get_running_loop().call_later(_IDLE, self._look_ahead, uri, version)

    def _look_ahead(self, uri: str, version: int | None) -> None:
        """What the next hover or completion will read, if nobody has typed since."""
        opened = self.session.open.get(uri)
        if opened is None or opened.version != version or opened.document is None:
            return
        if relevant(opened.document):
            for view in views(opened.document):
                _ = view.document.model
                if isinstance(view.document, PythonDocument):
                    _ = view.document.values
        sweep()

    def _push(self, uri: str, opened: Opened, found: dict[str, list[t.Diagnostic]]) -> None:
        """Diagnostics of a document or of each cell; places that had some and have none are cleared."""
        notebook = self.session.notebooks.get(uri)
        targets = set(notebook.texts) if notebook is not None else {uri}
        for target in sorted(targets | self._published.get(uri, set())):
            version = notebook.versions.get(target) if notebook is not None else opened.version
            self.text_document_publish_diagnostics(
                t.PublishDiagnosticsParams(target, found.get(target, []), version)
            )
        self._published[uri] = targets

    def clear(self, uri: str) -> None:
        """A document was closed."""
        timer = self._timers.pop(uri, None)
        if timer is not None:
            timer.cancel()
        for target in self._published.pop(uri, ()):
            self.text_document_publish_diagnostics(t.PublishDiagnosticsParams(target, []))

    def refresh(self) -> None:
        """Everything may be different: push again, or have the client ask again."""
        for uri in list(self.session.open):
            self.soon(uri)
        self.ask_again()
        workspace = self.client_capabilities.workspace
        if workspace is None:
            return
        if workspace.code_lens is not None and workspace.code_lens.refresh_support:
            self.workspace_code_lens_refresh(None, _nothing)
        if workspace.inlay_hint is not None and workspace.inlay_hint.refresh_support:
            self.workspace_inlay_hint_refresh(None, _nothing)

    def ask_again(self) -> None:
        """Have a client that pulls diagnostics do so."""
        workspace = self.client_capabilities.workspace
        diagnostics = workspace.diagnostics if workspace is not None else None
        if self.pulls and diagnostics is not None and diagnostics.refresh_support:
            self.workspace_diagnostic_refresh(None, _nothing)

    def tell_problems(self) -> None:
        """Settings that cannot be read, once each."""
        for problem in self.session.problems:
            if problem not in self._told:
                self._told.add(problem)
                self.window_show_message(t.ShowMessageParams(t.MessageType.Warning, problem))

    # -- where a request looks ---------------------------------------------------------------------

    def views(self, uri: str) -> list[View]:
        """What a request on a document looks into; nothing for texts that are none of ours."""
        document = self.session.document(uri)
        return views(document) if document is not None and relevant(document) else []

    def looks(self, uri: str, position: t.Position) -> tuple[View, int] | None:
        """The view that holds a position, and the byte offset in its document."""
        for view in self.views(uri):
            inner = view.inner(self.wire.offset(view.host, position, uri))
            if inner is not None:
                return view, min(inner, len(view.document.source))
        return None

    def span(self, view: View, uri: str, asked: t.Range) -> Span:
        start = view.inner(self.wire.offset(view.host, asked.start, uri))
        end = view.inner(self.wire.offset(view.host, asked.end, uri))
        last = len(view.document.source)
        return Span(view.document.key, 0 if start is None else start, last if end is None else end)

    async def workspace_files(self) -> list[Path]:
        """The files of the workspace that may hold pipelines, found apart from the loop."""
        roots = self.session.files.roots
        return await asyncio.to_thread(_files, roots)

    async def others(self) -> AsyncIterator[AnyDocument]:
        """All documents of the workspace, open ones first, in slices."""
        files = await self.workspace_files()
        for document in self.session.others(files):
            yield document
            await asyncio.sleep(0)


# -- what a client says of itself ------------------------------------------------------------------


def _roots(params: t.InitializeParams) -> list[Path]:
    folders = [folder.uri for folder in params.workspace_folders or []]
    if not folders and params.root_uri is not None:
        folders = [params.root_uri]
    if not folders and params.root_path:
        folders = [params.root_path]
    return [Path(key) for folder in folders if (key := key_of(folder)).startswith("/")]


def _initial(options: Options, given: Any) -> Options:
    settings = plain(given)
    if not isinstance(settings, dict):
        return options
    # an editor extension that says whether the workspace is trusted shows the state of runs by itself
    own = "trusted" in settings
    return replace(
        options.updated(settings), trusted=settings.get("trusted") is not False, run_status=not own
    )


def _files(roots: Sequence[Path]) -> list[Path]:
    from .check import find_files

    return [path for path, _ in find_files(root for root in roots if root.is_dir())]


async def _quietly(request: Any) -> Any:
    """A request to the client that it may refuse."""
    try:
        return await request
    except (JsonRpcException, asyncio.CancelledError):
        return None


def _nothing(*_: Any) -> None:
    """The client has nothing to answer to a refresh."""


# -- the server ------------------------------------------------------------------------------------


def make_server() -> Server:
    """A server with all its features, not yet serving."""
    server = Server()
    legend = t.SemanticTokensLegend(list(TYPES), list(MODIFIERS))
    handlers: list[tuple[str, Any, Any]] = [
        (t.TEXT_DOCUMENT_DID_OPEN, texts.did_open, None),
        (t.TEXT_DOCUMENT_DID_CHANGE, texts.did_change, None),
        (t.TEXT_DOCUMENT_DID_CLOSE, texts.did_close, None),
        (t.TEXT_DOCUMENT_DID_SAVE, texts.did_save, None),
        (t.NOTEBOOK_DOCUMENT_DID_OPEN, texts.notebook_opened, None),
        (t.NOTEBOOK_DOCUMENT_DID_CHANGE, texts.notebook_changed, None),
        (t.NOTEBOOK_DOCUMENT_DID_CLOSE, texts.notebook_closed, None),
        (t.WORKSPACE_DID_CHANGE_WATCHED_FILES, texts.files_changed, None),
        (t.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS, texts.folders_changed, None),
        (t.WORKSPACE_DID_CHANGE_CONFIGURATION, texts.settings_changed, None),
        (t.TEXT_DOCUMENT_DIAGNOSTIC, pulls.pull, t.DiagnosticOptions(True, True, identifier="stepbridge")),
        (t.WORKSPACE_DIAGNOSTIC, pulls.pull_workspace, None),
        (t.TEXT_DOCUMENT_HOVER, "on_hover", None),
        (
            t.TEXT_DOCUMENT_COMPLETION,
            "on_completion",
            t.CompletionOptions(trigger_characters=_TRIGGERS),
        ),
        (t.COMPLETION_ITEM_RESOLVE, "on_completion_resolve", None),
        (t.TEXT_DOCUMENT_SIGNATURE_HELP, "on_signature", t.SignatureHelpOptions(["(", ","], ["="])),
        (t.TEXT_DOCUMENT_DEFINITION, "on_definition", None),
        (t.TEXT_DOCUMENT_REFERENCES, "on_references", None),
        (t.TEXT_DOCUMENT_DOCUMENT_HIGHLIGHT, "on_highlight", None),
        (t.TEXT_DOCUMENT_PREPARE_RENAME, "on_prepare_rename", None),
        (t.TEXT_DOCUMENT_RENAME, "on_rename", None),
        (t.TEXT_DOCUMENT_CODE_ACTION, "on_code_action", t.CodeActionOptions(code_action_kinds=_KINDS)),
        (t.TEXT_DOCUMENT_DOCUMENT_SYMBOL, "on_document_symbols", None),
        (t.WORKSPACE_SYMBOL, "on_workspace_symbols", None),
        (t.TEXT_DOCUMENT_FOLDING_RANGE, "on_folding", None),
        (t.TEXT_DOCUMENT_INLAY_HINT, "on_inlay_hints", None),
        (t.TEXT_DOCUMENT_CODE_LENS, "on_code_lens", None),
        (t.TEXT_DOCUMENT_DOCUMENT_LINK, "on_links", None),
        (t.TEXT_DOCUMENT_SEMANTIC_TOKENS_FULL, "on_tokens", legend),
        (t.TEXT_DOCUMENT_SEMANTIC_TOKENS_RANGE, "on_tokens_range", None),
        ("stepbridge/pipelines", "on_pipelines", None),
    ]
    server.feature(t.INITIALIZE)(_bound(server, Server.greet))
    server.feature(t.INITIALIZED)(_bound(server, _initialized))
    for name, handler, options in handlers:
        server.feature(name, options)(_bound(server, handler))
    return server


async def _initialized(server: Server, params: t.InitializedParams) -> None:
    await server.settle_in()


# Requests that look at the whole workspace.
_WAITING = frozenset({"on_references", "on_rename", "on_workspace_symbols"})


def _bound(server: Server, handler: Any) -> Any:
    """A handler with its server, as pygls calls it; one that is given by name is loaded at its first call."""
    if handler in _WAITING or asyncio.iscoroutinefunction(handler):

        async def waits(params: Any) -> Any:
            return await _loaded(handler)(server, params)

        return waits
    return lambda params: _loaded(handler)(server, params)


def _loaded(handler: Any) -> Any:
    if isinstance(handler, str):
        return getattr(import_module("stepbridge_lsp.requests"), handler)
    return handler


async def listen(server: Server, port: int) -> None:
    ended = asyncio.Event()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        listener.close()  # one client, once
        server.protocol.set_writer(writer)
        try:
            await run_async(
                stop_event=Event(),
                reader=reader,
                protocol=server.protocol,
                error_handler=server.report_server_error,
            )
        finally:
            ended.set()

    listener = await asyncio.start_server(converse, "127.0.0.1", port)
    number = listener.sockets[0].getsockname()[1]
    print(f"stepbridge lsp listening on 127.0.0.1:{number}", flush=True)
    await ended.wait()
