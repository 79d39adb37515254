"""Between the values of `features/` and the types of the protocol: places become ranges in the encoding that
the client chose, findings become diagnostics, edits become workspace edits.

Pure. It asks a `Session` only for the documents that spans speak of.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lsprotocol import types as t

from .documents import AnyDocument
from .features.tokens import MODIFIERS, TYPES
from .positions import LineIndex, Position, Span
from .rules import Finding, TextEdit
from .session import Session, View

if TYPE_CHECKING:
    from .features.actions import Action
    from .features.completion import Completion
    from .features.hover import Hover
    from .features.lenses import Lens
    from .features.outline import Entry
    from .features.pipelines import ParameterView, PipelineView, StepView
    from .features.signature import Signature
    from .features.tokens import Token

SOURCE = "StepBridge"
_SEVERITIES = {
    "error": t.DiagnosticSeverity.Error,
    "warning": t.DiagnosticSeverity.Warning,
    "information": t.DiagnosticSeverity.Information,
    "hint": t.DiagnosticSeverity.Hint,
}
_COMPLETIONS = {
    "value": t.CompletionItemKind.Value,
    "name": t.CompletionItemKind.Reference,
    "variable": t.CompletionItemKind.Variable,
    "keyword": t.CompletionItemKind.Field,
    "member": t.CompletionItemKind.Property,
    "key": t.CompletionItemKind.Property,
}
_SYMBOLS = {
    "pipeline": t.SymbolKind.Module,
    "parameter": t.SymbolKind.Variable,
    "step": t.SymbolKind.Function,
    "condition": t.SymbolKind.Operator,
    "input": t.SymbolKind.Field,
    "output": t.SymbolKind.Field,
    "property file": t.SymbolKind.File,
}
RETRIGGER = t.Command(title="Suggest", command="editor.action.triggerSuggest")


class Wire:
    """Conversions for one client."""

    def __init__(
        self, session: Session, encoding: str = "utf-16", capabilities: t.ClientCapabilities | None = None
    ) -> None:
        self.session = session
        self.encoding = encoding
        workspace = capabilities.workspace if capabilities is not None else None
        edit = workspace.workspace_edit if workspace is not None else None
        self.versioned_edits = bool(edit is not None and edit.document_changes)
        self._hovers, self._items, self._signatures = _markup_kinds(capabilities)

    # -- places ------------------------------------------------------------------------------------

    def offset(self, document: AnyDocument, position: t.Position, cell: str | None = None) -> int:
        """The byte offset of a client's position."""
        if self.encoding == "utf-16":
            return document.offset(Position(position.line, position.character), cell)
        start = document.offset(Position(position.line, 0), cell)
        return self._column(document.lines, start, position.character)

    def position_in(self, lines: LineIndex, position: t.Position) -> Position:
        """A client's position as our documents count, in UTF-16."""
        if self.encoding == "utf-16" or not 0 <= position.line < len(lines.starts):
            return Position(position.line, position.character)
        return lines.position(self._column(lines, lines.starts[position.line], position.character))

    def _column(self, lines: LineIndex, start: int, character: int) -> int:
        content = lines.source[start : lines.starts[lines.line_of(start)] + _length(lines, start)]
        if self.encoding == "utf-8":
            cut = content[:character]
            return start + len(cut.decode("utf-8", "ignore").encode())
        return start + len(content.decode("utf-8", "replace")[:character].encode())

    def place(self, document: AnyDocument, span: Span) -> tuple[str, t.Range]:
        """The URI and the range of a span of a document."""
        location = document.locate(span)
        start, end = location.range
        if self.encoding == "utf-16":
            return location.uri, t.Range(t.Position(*start), t.Position(*end))
        lines = document.lines
        first = t.Position(start.line, self._character(lines, span.start))
        return location.uri, t.Range(first, t.Position(end.line, self._character(lines, span.end)))

    def _character(self, lines: LineIndex, offset: int) -> int:
        before = lines.source[lines.starts[lines.line_of(offset)] : offset]
        return len(before) if self.encoding == "utf-8" else len(before.decode("utf-8", "replace"))

    def range(self, view: View, span: Span) -> t.Range:
        return self.place(view.host, view.outer(span))[1]

    def location(self, view: View, span: Span) -> t.Location | None:
        """The location of a span, which may lie in another file; None for one that cannot be read."""
        if span.document == view.host.key:
            uri, found = self.place(view.host, view.outer(span))
            return t.Location(uri, found)
        if span.start == span.end == 0 and span.document.startswith("/"):
            top = t.Range(t.Position(0, 0), t.Position(0, 0))
            return t.Location(Path(span.document).as_uri(), top)
        document = self.session.document_of_key(span.document)
        if document is None:
            return None
        uri, found = self.place(document, span)
        return t.Location(uri, found)

    # -- diagnostics -------------------------------------------------------------------------------

    def diagnostics(
        self, document: AnyDocument, findings: Iterable[Finding]
    ) -> dict[str, list[t.Diagnostic]]:
        """The diagnostics of a document by URI: one, or each cell of a notebook that has some."""
        found: dict[str, list[t.Diagnostic]] = {}
        for finding in findings:
            uri, diagnostic = self.diagnostic(document, finding)
            found.setdefault(uri, []).append(diagnostic)
        return found

    def diagnostic(self, document: AnyDocument, finding: Finding) -> tuple[str, t.Diagnostic]:
        uri, place = self.place(document, finding.span)
        tags = []
        if finding.unnecessary:
            tags.append(t.DiagnosticTag.Unnecessary)
        if finding.deprecated:
            tags.append(t.DiagnosticTag.Deprecated)
        related = []
        for span, note in finding.related:
            location = self.location(View(document, document), span)
            if location is not None:
                related.append(t.DiagnosticRelatedInformation(location, note))
        return uri, t.Diagnostic(
            range=place,
            message=finding.message,
            severity=_SEVERITIES[finding.severity],
            code=finding.code,
            source=SOURCE,
            tags=tags or None,
            related_information=related or None,
        )

    # -- edits -------------------------------------------------------------------------------------

    def workspace_edit(self, view: View, edits: Iterable[TextEdit]) -> t.WorkspaceEdit:
        by_uri: dict[str, list[t.TextEdit]] = {}
        for edit in edits:
            location = self.location(view, edit.span)
            if location is not None:
                by_uri.setdefault(location.uri, []).append(t.TextEdit(location.range, edit.text))
        if not self.versioned_edits:
            return t.WorkspaceEdit(changes=by_uri)
        changes = [
            t.TextDocumentEdit(t.OptionalVersionedTextDocumentIdentifier(uri, self._version(uri)), list(made))
            for uri, made in by_uri.items()
        ]
        return t.WorkspaceEdit(document_changes=changes)

    def _version(self, uri: str) -> int | None:
        notebook = self.session.notebooks.get(self.session.owner(uri))
        if notebook is not None:
            return notebook.versions.get(uri)
        opened = self.session.open.get(uri)
        return opened.version if opened is not None else None

    def action(self, view: View, action: Action) -> t.CodeAction:
        kind = "source.fixAll.stepbridge" if action.kind == "source.fixAll" else action.kind
        diagnostics = None
        if action.finding is not None:
            diagnostics = [self.diagnostic(view.host, action.finding)[1]]
        return t.CodeAction(
            title=action.title,
            kind=kind,
            diagnostics=diagnostics,
            is_preferred=action.preferred or None,
            edit=self.workspace_edit(view, action.edits),
        )

    # -- features ----------------------------------------------------------------------------------

    def hover(self, view: View, hover: Hover) -> t.Hover:
        content = t.MarkupContent(self._hovers, hover.text)
        return t.Hover(content, self.range(view, hover.span))

    def completions(self, view: View, found: Sequence[Completion], again: bool) -> t.CompletionList:
        place = cache(partial(self.range, view))  # nearly all replace the same word
        items = [self._completion(item, place(item.span), number, again) for number, item in enumerate(found)]
        return t.CompletionList(is_incomplete=False, items=items)

    def _completion(self, item: Completion, place: t.Range, number: int, again: bool) -> t.CompletionItem:
        documentation = self.documentation(item.documentation) if item.documentation else None
        return t.CompletionItem(
            label=item.label,
            kind=_COMPLETIONS[item.kind],
            detail=item.detail or None,
            documentation=documentation,
            sort_text=f"{number:04d}",
            filter_text=item.text if item.text != item.label else None,
            text_edit=t.TextEdit(place, item.text),
            command=RETRIGGER if item.again and again else None,
            data=list(item.lookup) if item.lookup is not None else None,
        )

    def documentation(self, text: str) -> t.MarkupContent:
        """The documentation of a proposal, in the form that the client reads."""
        return t.MarkupContent(self._items, text)

    def signature(self, found: Signature) -> t.SignatureHelp:
        parameters = [
            t.ParameterInformation(
                # offsets count in the client's units; signatures are ASCII but for odd defaults
                label=found.label[argument.start : argument.end],
                documentation=t.MarkupContent(self._signatures, argument.documentation)
                if argument.documentation
                else None,
            )
            for argument in found.arguments
        ]
        information = t.SignatureInformation(
            label=found.label,
            documentation=t.MarkupContent(self._signatures, found.documentation)
            if found.documentation
            else None,
            parameters=parameters,
        )
        return t.SignatureHelp([information], active_signature=0, active_parameter=found.active)

    def symbol(self, view: View, entry: Entry) -> t.DocumentSymbol:
        return t.DocumentSymbol(
            name=entry.name or "?",
            kind=_SYMBOLS[entry.kind],
            range=self.range(view, entry.span),
            selection_range=self.range(view, entry.selection),
            detail=entry.detail or None,
            children=[self.symbol(view, child) for child in entry.children],
        )

    def workspace_symbol(self, document: AnyDocument, entry: Entry, container: str) -> t.WorkspaceSymbol:
        uri, found = self.place(document, entry.selection)
        return t.WorkspaceSymbol(
            location=t.Location(uri, found),
            name=entry.name,
            kind=_SYMBOLS[entry.kind],
            container_name=container or None,
        )

    def lens(self, view: View, lens: Lens) -> t.CodeLens:
        uri, found = self.place(view.host, view.outer(lens.span))
        arguments: list[Any] = [uri, lens.pipeline]
        if lens.step is not None:
            arguments.append(lens.step)
        return t.CodeLens(
            range=found,
            command=t.Command(
                title=lens.title, command=lens.command, arguments=arguments if lens.command else None
            ),
        )

    def tokens(self, document: AnyDocument, uri: str, found: Iterable[Token]) -> t.SemanticTokens:
        """Tokens as the protocol packs them: five numbers each, places relative to the token before."""
        data: list[int] = []
        line = character = 0
        for token in found:
            where, place = self.place(document, token.span)
            if where != uri or place.start.line != place.end.line:
                continue
            delta = place.start.line - line
            data += [
                delta,
                place.start.character - (0 if delta else character),
                place.end.character - place.start.character,
                TYPES.index(token.type),
                (1 << len(MODIFIERS)) - 1,
            ]
            line, character = place.start.line, place.start.character
        return t.SemanticTokens(data)

    # -- stepbridge/pipelines ----------------------------------------------------------------------

    def pipeline(self, view: View, found: PipelineView) -> dict[str, Any]:
        return {
            "name": found.name,
            **({"variable": found.variable} if found.variable else {}),
            **({"function": found.function} if found.function else {}),
            "range": self._json_range(view, found.span),
            "steps": [self._step(view, step, found.span) for step in found.steps],
            "edges": [
                {"source": edge.source, "target": edge.target, "kind": edge.kind} for edge in found.edges
            ],
            "parameters": [self._parameter(view, item, found.span) for item in found.parameters],
        }

    def _step(self, view: View, step: StepView, fallback: Span) -> dict[str, Any]:
        own = view.document.model.document
        span = step.span if step.span.document == own else fallback
        name = step.name_span if step.name_span.document == own else span
        return {
            "name": step.name,
            "kind": step.kind,
            "range": self._json_range(view, span),
            "nameRange": self._json_range(view, name),
            "dependsOn": list(step.depends_on),
            **({"branch": list(step.branch)} if step.branch is not None else {}),
            **({"script": step.script.as_uri()} if step.script is not None else {}),
            "inputs": list(step.inputs),
            "outputs": list(step.outputs),
        }

    def _parameter(self, view: View, item: ParameterView, fallback: Span) -> dict[str, Any]:
        span = item.span if item.span.document == view.document.model.document else fallback
        return {
            "name": item.name,
            "type": item.type,
            **({"default": item.default} if item.default is not None else {}),
            **({"enum": list(item.enum)} if item.enum else {}),
            "range": self._json_range(view, span),
        }

    def _json_range(self, view: View, span: Span) -> dict[str, dict[str, int]]:
        found = self.range(view, span)
        return {
            "start": {"line": found.start.line, "character": found.start.character},
            "end": {"line": found.end.line, "character": found.end.character},
        }


def _markup_kinds(
    capabilities: t.ClientCapabilities | None,
) -> tuple[t.MarkupKind, t.MarkupKind, t.MarkupKind]:
    """What a client reads in hovers, in completions and in signatures: Markdown only where it says so."""
    document = capabilities.text_document if capabilities is not None else None
    hover = document.hover if document is not None else None
    completion = document.completion if document is not None else None
    item = completion.completion_item if completion is not None else None
    signature = document.signature_help if document is not None else None
    information = signature.signature_information if signature is not None else None
    return (
        _markup(hover.content_format if hover is not None else None),
        _markup(item.documentation_format if item is not None else None),
        _markup(information.documentation_format if information is not None else None),
    )


def _markup(kinds: Sequence[t.MarkupKind] | None) -> t.MarkupKind:
    return t.MarkupKind.Markdown if t.MarkupKind.Markdown in (kinds or ()) else t.MarkupKind.PlainText


def _length(lines: LineIndex, start: int) -> int:
    return len(lines.line_bytes(lines.line_of(start)))


def plain(value: Any) -> Any:
    """Settings as plain dictionaries, however pygls has read them."""
    if hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def text_of(member: Any) -> str:
    """A member of one of the protocol's enumerations, or the plain string that some clients send."""
    return str(getattr(member, "value", member) or "")
