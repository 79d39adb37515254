"""What one client has open, and what surrounds it: documents, settings, files of the workspace, runs.

It knows no protocol: texts come in as bytes and edits as positions, findings go out with spans. `server.py`
speaks with the editor and calls this; nothing here waits for anything.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field
from msgspec.structs import replace
from stepbridge.errors import ConfigurationError

from .documents import (
    AnyDocument,
    NotebookDocument,
    PythonDocument,
    TemplateDocument,
    Workspace,
    is_relevant,
    open_document,
)
from .documents.cloudformation import Embedded
from .documents.notebook import Cell
from .documents.python import encode, key_of
from .documents.reading import Reader
from .positions import LineIndex, Position, Span
from .rules import SEVERITIES, Finding, Selection, diagnose, load_selection

if TYPE_CHECKING:
    from .features.history import LastRun

_CLOSED = 64  # documents of files that are not open, kept for the next question
_LARGEST = 2_000_000


class Options(Struct, frozen=True):
    """What an editor's settings say, beside those of the workspace's files.

    `trusted`: the workspace may run things; without trust there are no lenses. `run_status`: whether lenses
    tell how the last run ended (an editor extension may show that itself).
    """

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    severity: Mapping[str, str] = field(default_factory=dict)
    code_lens: bool = True
    inlay_hints: bool = True
    semantic_tokens: bool = True
    trusted: bool = True
    run_status: bool = True

    def updated(self, settings: Any) -> Options:
        """The same with the `stepbridge` section of an editor's settings; what makes no sense is passed
        over.
        """
        if not isinstance(settings, Mapping):
            return self
        severity = settings.get("severity")
        levels = (*SEVERITIES, "off")
        return replace(
            self,
            select=_codes(settings.get("select")),
            ignore=_codes(settings.get("ignore")),
            severity={str(k).upper(): v for k, v in severity.items() if v in levels}
            if isinstance(severity, Mapping)
            else {},
            code_lens=settings.get("codeLens") is not False,
            inlay_hints=settings.get("inlayHints") is not False,
            semantic_tokens=settings.get("semanticTokens") is not False,
        )


def _codes(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        return ()
    return tuple(item.upper() for item in value if isinstance(item, str))


class Plain(Struct, eq=False):
    """An open text that holds nothing of ours, or not yet: it is kept, so that edits find it."""

    uri: str
    source: bytes

    def replace(self, text: str) -> None:
        self.source = encode(text)

    def edit(self, start: Position, end: Position, text: str) -> None:
        lines = LineIndex.of(self.source)
        first, last = sorted((lines.offset(start), lines.offset(end)))
        self.source = self.source[:first] + encode(text) + self.source[last:]


class Opened(Struct, eq=False):
    """An open text. `document` is None while it holds nothing of ours."""

    uri: str
    language: str
    version: int | None
    text: AnyDocument | Plain
    findings: list[Finding] | None = None

    @property
    def document(self) -> AnyDocument | None:
        return None if isinstance(self.text, Plain) else self.text


class OpenNotebook(Struct, eq=False):
    """An open notebook: the order of its cells, and the texts and versions of the code cells of Python."""

    uri: str
    version: int | None
    order: list[str]
    texts: dict[str, bytes]
    versions: dict[str, int | None]

    def cells(self) -> list[Cell]:
        return [Cell(uri, self.texts[uri]) for uri in self.order if uri in self.texts]


class View(Struct, frozen=True):
    """A document that features look into. In a template it is one of the embedded definitions, whose spans
    `outer` brings back to the template.
    """

    document: AnyDocument
    host: AnyDocument
    part: Embedded | None = None

    def outer(self, span: Span) -> Span:
        if self.part is None or span.document != self.host.key:
            return span
        return Span(self.host.key, self.part.outer(span.start), self.part.outer(span.end))

    def inner(self, offset: int) -> int | None:
        """The offset within; None where the place lies outside of the part."""
        return offset if self.part is None else self.part.inner(offset)

    @property
    def editable(self) -> bool:
        """Whether an edit within can be made in the host as it is: not in a JSON string, which escapes."""
        return self.part is None or not self.host.source.lstrip().startswith(b"{") or not self.part.pointer


def views(document: AnyDocument) -> list[View]:
    """The documents that features look into: itself, or the definitions of a template."""
    if isinstance(document, TemplateDocument):
        return [View(part.document, document, part) for part in document.parts]
    return [View(document, document)]


class Session:
    """Everything of one client.

    Args:
        roots: folders of the workspace, absolute.
    """

    def __init__(self, roots: Iterable[Path] = (), options: Options | None = None) -> None:
        self.files = Workspace(tuple(roots))
        self.options = options or Options()
        self.reader = Reader()
        self.open: dict[str, Opened] = {}
        self.notebooks: dict[str, OpenNotebook] = {}
        self.problems: list[str] = []  # settings that cannot be read, to be told once
        self._cells: dict[str, str] = {}  # URI of a cell -> of its notebook
        self._closed: OrderedDict[str, tuple[tuple[int, int], AnyDocument | None]] = OrderedDict()
        self._selections: dict[Path, Selection] = {}
        self._runs: dict[tuple[Path, str], tuple[tuple[int, ...], LastRun | None]] = {}

    # -- texts that are open -----------------------------------------------------------------------

    def did_open(self, uri: str, language: str, version: int | None, text: str) -> None:
        self.open[uri] = Opened(uri, language, version, self._read(uri, encode(text), language))
        self._overlay(uri)
        self._selections.clear()

    def did_change(
        self, uri: str, version: int | None, changes: Iterable[tuple[tuple[Position, Position] | None, str]]
    ) -> None:
        """Edits in order; a change without positions is the whole text anew."""
        opened = self.open.get(uri)
        if opened is None:
            return
        for positions, text in changes:
            if positions is None:
                opened.text.replace(text)
            else:
                opened.text.edit(*positions, text)
        opened.version = version
        opened.findings = None
        self._settle(opened)
        self._overlay(uri)

    def did_close(self, uri: str) -> None:
        if self.open.pop(uri, None) is not None:
            self.files.overlays.pop(key_of(uri), None)

    def _read(self, uri: str, source: bytes, language: str) -> AnyDocument | Plain:
        if key_of(uri).endswith(".ipynb"):
            return Plain(uri, source)  # a notebook as JSON: its cells have no places in that text
        document = open_document(uri, source, self.files, language=language)
        if isinstance(document, PythonDocument):
            document.reader = self.reader
        return document if document is not None else Plain(uri, source)

    def _settle(self, opened: Opened) -> None:
        """After an edit, a text may have become a definition or template, or ceased to be one."""
        if isinstance(opened.text, PythonDocument):
            return
        fresh = self._read(opened.uri, opened.text.source, opened.language)
        if type(fresh) is not type(opened.text):
            opened.text = fresh

    def _overlay(self, uri: str) -> None:
        key = key_of(uri)
        if key.startswith("/"):
            self.files.overlays[key] = self.open[uri].text.source

    # -- notebooks ---------------------------------------------------------------------------------

    def notebook_opened(self, notebook: OpenNotebook) -> None:
        self.notebooks[notebook.uri] = notebook
        document = NotebookDocument.of_cells(notebook.uri, notebook.cells(), self.files)
        document.reader = self.reader
        self.open[notebook.uri] = Opened(notebook.uri, "python", notebook.version, document)
        self._own_cells(notebook)

    def notebook_changed(self, notebook: OpenNotebook) -> None:
        """The cells of a notebook are others, or in another order."""
        opened = self.open.get(notebook.uri)
        if opened is not None and isinstance(opened.text, NotebookDocument):
            opened.text.set_cells(notebook.cells())
            opened.version = notebook.version
            opened.findings = None
            self._own_cells(notebook)

    def cell_changed(
        self,
        notebook: OpenNotebook,
        cell: str,
        changes: Iterable[tuple[tuple[Position, Position] | None, str]],
    ) -> None:
        text = Plain(cell, notebook.texts.get(cell, b""))
        for positions, new in changes:
            if positions is None:
                text.replace(new)
            else:
                text.edit(*positions, new)
        if cell in notebook.texts:
            notebook.texts[cell] = text.source

    def notebook_closed(self, uri: str) -> None:
        notebook = self.notebooks.pop(uri, None)
        self.open.pop(uri, None)
        for cell in notebook.order if notebook is not None else ():
            self._cells.pop(cell, None)

    def _own_cells(self, notebook: OpenNotebook) -> None:
        for cell, owner in list(self._cells.items()):
            if owner == notebook.uri:
                del self._cells[cell]
        for cell in notebook.texts:
            self._cells[cell] = notebook.uri

    def owner(self, uri: str) -> str:
        """The notebook of a cell; any other URI as it is."""
        return self._cells.get(uri, uri)

    # -- documents ---------------------------------------------------------------------------------

    def opened(self, uri: str) -> Opened | None:
        """The open text of a URI, be it a file's or a cell's."""
        return self.open.get(self.owner(uri))

    def document(self, uri: str) -> AnyDocument | None:
        """The document of a URI, open or on the disk; None where there is nothing of ours."""
        opened = self.opened(uri)
        return opened.document if opened is not None else self.document_of_file(key_of(uri))

    def document_of_key(self, key: str) -> AnyDocument | None:
        """The document that spans of a key speak of."""
        for opened in self.open.values():
            if opened.document is not None and opened.document.key == key:
                return opened.document
        return self.document_of_file(key)

    def document_of_file(self, path: str) -> AnyDocument | None:
        """The document of a file that is not open."""
        if not path.startswith("/"):
            return None
        try:
            status = Path(path).stat()
            stamp = (status.st_mtime_ns, status.st_size)
            known = self._closed.get(path)
            if known is not None and known[0] == stamp:
                self._closed.move_to_end(path)
                return known[1]
            if status.st_size > _LARGEST or not Path(path).is_file():
                return None
            source = encode(Path(path).read_bytes().removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace"))
        except (OSError, ValueError):
            return None
        document = open_document(Path(path).as_uri(), source, self.files)
        self._closed[path] = (stamp, document)
        while len(self._closed) > _CLOSED:
            self._closed.popitem(last=False)
        return document

    def others(self, paths: Iterable[Path]) -> Iterator[AnyDocument]:
        """The documents of files, those that are open as the editor has them."""
        by_key = {o.document.key: o.document for o in self.open.values() if o.document is not None}
        yield from by_key.values()
        for path in paths:
            if str(path) not in by_key and path.suffix != ".ipynb":
                document = self.document_of_file(str(path))
                if document is not None and relevant(document):
                    yield document

    # -- what depends on what ----------------------------------------------------------------------

    def dependents(self, uri: str) -> list[str]:
        """URIs of open documents whose model reads the text of this one; they forget what they knew."""
        return self.forget([key_of(self.owner(uri))])

    def forget(self, paths: Iterable[str], *, everything: bool = False) -> list[str]:
        """Files have changed: open documents that depend on them forget what they knew. `everything`: files
        came or went, which any document may care about.
        """
        changed = set(paths)
        touched: list[str] = []
        for uri, opened in self.open.items():
            document = opened.document
            if document is None or not relevant(document):
                continue
            if document.key in changed and not everything:
                continue
            if everything or not changed.isdisjoint(document.dependencies):
                document.invalidate()
                opened.findings = None
                touched.append(uri)
        for path, (_, document) in list(self._closed.items()):
            if everything or path in changed or (document and not changed.isdisjoint(document.dependencies)):
                del self._closed[path]
        return touched

    # -- findings ----------------------------------------------------------------------------------

    def findings(self, uri: str) -> list[Finding]:
        """What the rules say of a document; known findings are not computed again."""
        opened = self.opened(uri)
        if opened is None:
            document = self.document_of_file(key_of(uri))
            return self.check(document) if document is not None else []
        if opened.findings is None:
            opened.findings = self.check(opened.document) if opened.document is not None else []
        return opened.findings

    def check(self, document: AnyDocument) -> list[Finding]:
        if not relevant(document):
            return []
        return diagnose(document, self.selection(document))

    def selection(self, document: AnyDocument) -> Selection:
        """The settings of the nearest folder that has some, with the editor's on top."""
        folder = Path(document.key).parent if document.key.startswith("/") else None
        if folder is None:
            folder = self.files.roots[0] if self.files.roots else Path("/")
        if folder not in self._selections:
            self._selections[folder] = self._load(folder)
        return self._selections[folder]

    def _load(self, folder: Path) -> Selection:
        try:
            found = load_selection(folder)
        except ConfigurationError as error:
            if str(error) not in self.problems:
                self.problems.append(str(error))
            found = Selection()
        options = self.options
        severity = {**found.severity, **options.severity}
        return replace(found.with_options(options.select, options.ignore), severity=severity)

    def settings_changed(self, options: Options | None = None) -> None:
        """Settings are read again, and all findings made anew."""
        if options is not None:
            self.options = options
        self._selections.clear()
        self.problems.clear()
        for opened in self.open.values():
            opened.findings = None

    # -- runs --------------------------------------------------------------------------------------

    def last_run(self, document: AnyDocument, pipeline: str) -> LastRun | None:
        """The last run of a document's pipeline, read again only when the history has changed."""
        from .features.history import history_of, last_run, stamp_of  # loads sqlite3

        history = history_of(Path(document.key)) if document.key.startswith("/") else None
        if history is None:
            return None
        stamp = stamp_of(history)
        known = self._runs.get((history, pipeline))
        if known is None or known[0] != stamp:
            known = self._runs[history, pipeline] = (stamp, last_run(history, pipeline))
        return known[1]


def relevant(document: AnyDocument) -> bool:
    """Whether a document may have findings at all; reading a model of other programs would be a waste."""
    return not isinstance(document, PythonDocument) or is_relevant(document.source)


def fingerprint(findings: Iterable[Finding], places: Iterable[object] = ()) -> str:
    """Tells one state of a document's diagnostics from another: same findings at same places, same text."""
    import hashlib  # only for clients that pull

    digest = hashlib.blake2b(digest_size=12)
    for item in (*findings, *places):
        digest.update(repr(item).encode("utf-8", "replace"))
    return digest.hexdigest()
