"""What the first request of a client would have to wait for, done ahead: catalogs are read, rules imported
and run once, and the protocol's types taken apart and put together once.

In slices of a few milliseconds each, so that a document that is opened meanwhile waits for none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from typing import Any

from lsprotocol import types as t

from .documents import DefinitionDocument, PythonDocument, Workspace
from .rules import diagnose

_PROGRAM = b"""\
from sagemaker.workflow.parameters import ParameterString
from sagemaker.workflow.pipeline import Pipeline
p = ParameterString(name="A", default_value="b")
Pipeline(name="p", parameters=[p], steps=[], )
"""
_DEFINITION = b'{"Version": "2020-12-01", "Parameters": [{"Name": "a", "Type": "String"}], "Steps": []}'
# what answers requests, in small pieces
_MODULES = (
    *(f"features.{name}" for name in ("words", "cursor", "places", "target", "choices", "shapes")),
    *(f"features.{name}" for name in ("hover", "completion", "signature", "schema", "json_cursor")),
    *(f"features.{name}" for name in ("definitions", "actions", "navigation", "rename", "outline")),
    *(f"features.{name}" for name in ("history", "pipelines", "lenses", "hints", "links")),
    "requests",
)
_ZERO = {"line": 0, "character": 0}
_RANGE = {"start": _ZERO, "end": _ZERO}
_DOCUMENT = {"uri": "file:///a", "version": 1}
_PLACE = {"textDocument": {"uri": "file:///a"}, "position": _ZERO}
# one message of each kind that follows a client's first moments
_MESSAGES: tuple[tuple[str, Any, dict[str, Any]], ...] = (
    (
        t.TEXT_DOCUMENT_DID_OPEN,
        t.DidOpenTextDocumentNotification,
        {"textDocument": {**_DOCUMENT, "languageId": "python", "text": ""}},
    ),
    (
        t.TEXT_DOCUMENT_DID_CHANGE,
        t.DidChangeTextDocumentNotification,
        {"textDocument": _DOCUMENT, "contentChanges": [{"range": _RANGE, "text": ""}, {"text": ""}]},
    ),
    (t.TEXT_DOCUMENT_HOVER, t.HoverRequest, _PLACE),
    (t.TEXT_DOCUMENT_COMPLETION, t.CompletionRequest, {**_PLACE, "context": {"triggerKind": 1}}),
    (t.TEXT_DOCUMENT_DIAGNOSTIC, t.DocumentDiagnosticRequest, {"textDocument": {"uri": "file:///a"}}),
    (
        t.TEXT_DOCUMENT_CODE_ACTION,
        t.CodeActionRequest,
        {
            "textDocument": {"uri": "file:///a"},
            "range": _RANGE,
            "context": {"diagnostics": [{"range": _RANGE, "message": "", "code": "P001", "severity": 1}]},
        },
    ),
)


def slices(converter: Any) -> Iterator[Callable[[], object]]:
    """The things to do, in the order in which a client will need them."""
    yield lambda: diagnose(_program())
    for name in _MODULES:
        yield partial(import_module, f"stepbridge_lsp.{name}")
    yield lambda: diagnose(DefinitionDocument("untitled:a.json", _DEFINITION))
    for message in _MESSAGES:
        yield partial(_receive, converter, *message)
    for value in _answers():
        yield partial(converter.unstructure, value)
    yield _hover
    yield _complete


def _hover() -> object:
    from .features.hover import hover

    return hover(_program(), _PROGRAM.index(b"A"))


def _complete() -> object:
    from .features.completion import complete

    return complete(_program(), len(_PROGRAM) - 3)


def _program() -> PythonDocument:
    return PythonDocument("untitled:a.py", _PROGRAM, Workspace())


def _receive(converter: Any, method: str, kind: Any, params: dict[str, Any]) -> None:
    converter.structure({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}, kind)


def _answers() -> Iterator[Any]:
    place = t.Range(t.Position(0, 0), t.Position(0, 1))
    diagnostic = t.Diagnostic(
        place,
        "",
        t.DiagnosticSeverity.Error,
        "P001",
        source="s",
        tags=[t.DiagnosticTag.Unnecessary],
        related_information=[t.DiagnosticRelatedInformation(t.Location("file:///a", place), "")],
    )
    yield t.PublishDiagnosticsNotification(t.PublishDiagnosticsParams("file:///a", [diagnostic], 1))
    yield t.RelatedFullDocumentDiagnosticReport([diagnostic], result_id="1")
    yield t.Hover(t.MarkupContent(t.MarkupKind.Markdown, ""), place)
    item = t.CompletionItem("a", kind=t.CompletionItemKind.Value, text_edit=t.TextEdit(place, ""))
    yield t.CompletionList(False, [item])
