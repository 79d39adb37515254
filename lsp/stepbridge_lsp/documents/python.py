"""A Python program as a document: text, edits, and the model, computed when first asked for.

An edit costs the parse of the statement it touches; the model is made anew from remembered statements, so
that what is known never depends on the edits that led here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct

from stepbridge_lsp.model import Location, Model
from stepbridge_lsp.positions import LineIndex, Position, Range, Span
from stepbridge_lsp.values import UNKNOWN, Value

from .building import build
from .evaluation import Evaluation, Findings
from .reading import Lowered, Reader
from .scopes import Scope
from .workspace import Workspace


class Analysis(Struct):
    """What was made of one state of a text."""

    lowered: Lowered
    model: Model
    run: Evaluation
    found: Findings


@dataclass
class PythonDocument:
    """An open Python program.

    Args:
        uri: how the editor calls it.
        source: its text in UTF-8.
        workspace: files around it, for imports and paths.
        key: absolute path, or the URI where there is no file.
    """

    uri: str
    source: bytes
    workspace: Workspace
    key: str = ""
    reader: Reader = field(default_factory=Reader)
    language: Literal["python"] = "python"
    findings_cache: dict[str, Any] = field(default_factory=dict)  # of rules, by what they looked at
    _lines: LineIndex | None = None
    _analysis: Analysis | None = None
    _recorded: Evaluation | None = None
    _lowered: Lowered | None = None  # of this text, or of one before it

    def __post_init__(self) -> None:
        self.key = self.key or key_of(self.uri)

    @property
    def text(self) -> str:
        return self.source.decode("utf-8", "replace")

    @property
    def lines(self) -> LineIndex:
        if self._lines is None:
            self._lines = LineIndex.of(self.source)
        return self._lines

    @property
    def written_files(self) -> frozenset[str]:
        """Names of files that the document itself writes (cells of a notebook do)."""
        return frozenset()

    @property
    def folder(self) -> Path | None:
        """The folder of the file, if it is one."""
        return Path(self.key).parent if self.key.startswith("/") else None

    # -- edits -------------------------------------------------------------------------------------

    def replace(self, text: str) -> None:
        """The whole text anew."""
        self._set(encode(text))

    def edit(self, start: Position, end: Position, text: str) -> None:
        """Replace what stands between two positions, as `textDocument/didChange` says it."""
        first, last = self.lines.offset(start), self.lines.offset(end)
        first, last = min(first, last), max(first, last)
        lines = self.lines.edited(first, last, encode(text))
        self._set(lines.source)
        self._lines = lines

    def _set(self, source: bytes) -> None:
        self.source = source
        self._lines = None
        self.invalidate()

    def invalidate(self) -> None:
        """Forget the model: the text, or a file that it depends on, has changed."""
        self._analysis = None
        self._recorded = None

    # -- what is known -----------------------------------------------------------------------------

    @property
    def analysis(self) -> Analysis:
        if self._analysis is None:
            lowered = self._lowered = self.reader.read(self.source, self._lowered)
            run = Evaluation(self.key, lowered.block, self.workspace, self.reader)
            found = run.run()
            self._analysis = Analysis(lowered, build(run, found, broken=lowered.broken), run, found)
        return self._analysis

    @property
    def model(self) -> Model:
        return self.analysis.model

    @property
    def dependencies(self) -> frozenset[str]:
        return self.model.dependencies

    def value_at(self, start: int, end: int) -> Value | None:
        """The value of the expression that stands exactly between two byte offsets; None if there is none."""
        return self.values.get((self.key, start, end))

    @property
    def values(self) -> Mapping[tuple[str, int, int], Value]:
        """Values of all expressions, by document and byte offsets (a second walk, made when first asked
        for).
        """
        if self._recorded is None:
            lowered = self.analysis.lowered
            self._recorded = Evaluation(self.key, lowered.block, self.workspace, self.reader, record=True)
            self._recorded.run()
        return self._recorded.values or {}

    def scope_at(self, offset: int) -> Scope:
        """The names that code at a byte offset sees, as they are at the end of its function."""
        found = self.analysis.found
        best = found.scopes[0]
        for scope in found.scopes[1:]:
            inside = scope.document == self.key and scope.start <= offset <= scope.end
            if inside and (best is found.scopes[0] or scope.end - scope.start <= best.end - best.start):
                best = scope
        return best

    def evaluate(self, expression: str, offset: int) -> Value:
        """What an expression would be at a byte offset: for completion of text that does not parse yet."""
        node = self.reader.read_expression(expression)
        if node is None:
            return UNKNOWN
        run = Evaluation(self.key, self.analysis.lowered.block, self.workspace, self.reader)
        run.scope = self.scope_at(offset)
        run.modules = self.analysis.run.modules
        return run.evaluate(node)

    # -- places ------------------------------------------------------------------------------------

    def locate(self, span: Span) -> Location:
        first, last = self.lines.range(span.start, span.end)
        return Location(self.uri, Range(first, last))

    def offset(self, position: Position, cell: str | None = None) -> int:
        return self.lines.offset(position)


def encode(text: str) -> bytes:
    """UTF-8; half surrogate pairs, which JSON can carry, become question marks."""
    return text.encode("utf-8", "replace")


def key_of(uri: str) -> str:
    """The absolute path of a file URI; other URIs and plain paths as they are."""
    if uri.startswith("file://"):
        from urllib.parse import unquote, urlparse
        from urllib.request import url2pathname

        return url2pathname(unquote(urlparse(uri).path))
    return uri
