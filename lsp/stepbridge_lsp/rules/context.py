"""What a rule sees of a document: its model, sorted for quick looks, its text, and the means to write fixes.

A rule gets nothing else; it reads no files but through `paths` of the workspace, and never evaluates
anything.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from stepbridge.definition.values import near

from stepbridge_lsp.catalog import Callable_, SdkClass
from stepbridge_lsp.documents import syntax as s
from stepbridge_lsp.model import Model, Pipeline, Step
from stepbridge_lsp.positions import Span
from stepbridge_lsp.values import (
    Argument,
    Call,
    Const,
    ListValue,
    SdkObject,
    SymbolValue,
    Value,
    text_of,
)

from .findings import Fix, TextEdit

if TYPE_CHECKING:
    from stepbridge_lsp.documents.python import PythonDocument

    from .paths import LocalPath
    from .scripts import Script
    from .translation import Translated


class Context:
    """A document while its rules run."""

    def __init__(self, document: PythonDocument) -> None:
        self.document = document
        self.model: Model = document.model
        self.source = document.source
        self.workspace = document.workspace
        self.scripts: dict[int, Script | None] = {}  # by `id` of the step, see `scripts.script_of`

    # -- sorted views ------------------------------------------------------------------------------

    @cached_property
    def _by_kind(self) -> dict[str, list[SdkObject]]:
        found: dict[str, list[SdkObject]] = {}
        for made in self.model.objects:
            found.setdefault(made.cls.kind, []).append(made)
        return found

    @cached_property
    def _by_class(self) -> dict[str, list[SdkObject]]:
        found: dict[str, list[SdkObject]] = {}
        for made in self.model.objects:
            found.setdefault(made.cls.name, []).append(made)
        return found

    @cached_property
    def _by_method(self) -> dict[str, list[Call]]:
        found: dict[str, list[Call]] = {}
        for call in self.model.calls:
            found.setdefault(call.target.name.rpartition(".")[2], []).append(call)
        return found

    @cached_property
    def _by_target(self) -> dict[Callable_, list[Call]]:
        found: dict[Callable_, list[Call]] = {}
        for call in self.model.calls:
            found.setdefault(call.target, []).append(call)
        return found

    def calls_taking(self, *formals: str) -> Iterator[Call]:
        """Calls to whatever has one of these formal parameters, in order of their targets."""
        for target, calls in self._by_target.items():
            if any(formal in target.by_name for formal in formals):
                yield from calls

    @cached_property
    def local_paths(self) -> list[LocalPath]:
        """The local files that calls of this document name."""
        from .paths import local_paths_of

        return list(local_paths_of(self))

    @cached_property
    def folders(self) -> list[Path]:
        """The folders that relative paths of this document may count from."""
        return self.workspace.folders_for(self.model.document)

    @cached_property
    def all_steps_known(self) -> bool:
        """Every step that a name of the document can mean is seen, with its name."""
        if not self.model.sees_all or not self.pipelines:
            return False
        if any(not pipeline.complete for pipeline in self.pipelines):
            return False
        return all(step.name.text is not None for step in self.model.steps)

    @cached_property
    def steps_by_name(self) -> dict[str, list[Step]]:
        found: dict[str, list[Step]] = {}
        for step in self.model.steps:
            if step.name.text is not None:
                found.setdefault(step.name.text, []).append(step)
        return found

    def objects(self, *kinds: str) -> Iterator[SdkObject]:
        """SDK objects of these kinds."""
        for kind in kinds:
            yield from self._by_kind.get(kind, ())

    def made(self, *classes: str) -> Iterator[SdkObject]:
        """SDK objects of the classes of these names."""
        for name in classes:
            yield from self._by_class.get(name, ())

    def calls(self, *names: str) -> Iterator[Call]:
        """Calls to methods and functions of these names."""
        for name in names:
            yield from self._by_method.get(name, ())

    def own(self, span: Span) -> bool:
        """Whether a place lies in this document."""
        return span.document == self.model.document

    @cached_property
    def pipelines(self) -> tuple[Pipeline, ...]:
        """Pipelines that are made here, or in modules that this document imports."""
        return self.model.pipelines

    def steps(self, *types: str) -> Iterator[Step]:
        for step in self.model.steps:
            if step.type in types:
                yield step

    @cached_property
    def translated(self) -> list[Translated]:
        """What the rules on definitions say of the steps that this program makes."""
        from .translation import translated_findings

        return translated_findings(self.model, self.document.findings_cache)

    # -- text --------------------------------------------------------------------------------------

    def text(self, span: Span) -> str:
        """The source text of a place; empty for one in another document."""
        return self.source[span.start : span.end].decode("utf-8", "replace") if self.own(span) else ""

    def line_end(self, offset: int) -> int:
        """Offset of the line end at or after an offset."""
        found = self.source.find(b"\n", offset)
        return len(self.source) if found < 0 else found

    # -- fixes -------------------------------------------------------------------------------------

    def replace(self, span: Span, text: str, title: str, *, safe: bool = True) -> tuple[Fix, ...]:
        return (Fix(title, (TextEdit(span, text),), safe),) if self.own(span) else ()

    def rename(self, span: Span, name: str, *, safe: bool = False) -> tuple[Fix, ...]:
        return self.replace(span, name, f'Change to "{name}"', safe=safe)

    def quoted(self, argument: Argument, text: str, title: str, *, safe: bool = False) -> tuple[Fix, ...]:
        """Replace a string literal by another; none where the argument is no literal of this document."""
        literal = self.literal(argument.value)
        return self.replace(literal, text, title, safe=safe) if literal is not None else ()

    def literal(self, value: Value | None) -> Span | None:
        """The place of a string's characters, where they stand as such in this document."""
        if not isinstance(value, Const) or value.origin is None or not self.own(value.origin):
            return None
        return value.origin if self.text(value.origin) == value.value else None

    def symbol_name(self, name: str) -> str | None:
        """How the program calls a class of the SDK; None where it has not imported it."""
        for bound, value in self.document.analysis.run.scope.names.items():
            symbol = value.symbol if isinstance(value, SymbolValue) else None
            if isinstance(symbol, SdkClass) and symbol.name == name:
                return bound
        return None

    def importing(self, name: str) -> tuple[str, tuple[TextEdit, ...]]:
        """The name to use for a class of `workflow.functions`, and the edit that imports it where needed."""
        known = self.symbol_name(name)
        if known is not None:
            return known, ()
        root = "sagemaker.core.workflow" if self.model.sdk == "v3" else "sagemaker.workflow"
        at = self._after_imports
        lead = "\n" if at and self.source[at - 1 : at] != b"\n" else ""
        edit = TextEdit(Span(self.model.document, at, at), f"{lead}from {root}.functions import {name}\n")
        return name, (edit,)

    @cached_property
    def _after_imports(self) -> int:
        at = 0
        for offset, statement in self.document.analysis.lowered.block.items:
            if isinstance(statement, s.ImportFrom | s.ImportModules):
                end = self.line_end(offset + statement.length)
                at = min(end + 1, len(self.source))
        return at

    def join(self, whole: Span, values: Iterable[str], title: str) -> tuple[Fix, ...]:
        """Replace an expression by `Join(on="", values=[...])`."""
        if not self.own(whole):
            return ()
        name, edits = self.importing("Join")
        text = f'{name}(on="", values=[{", ".join(values)}])'
        return (Fix(title, (*edits, TextEdit(whole, text))),)

    def append_to(self, value: Value | None, span: Span, item: str) -> TextEdit | None:
        """The edit that appends an item to a list literal of this document."""
        text = self.text(span)
        if not isinstance(value, ListValue) or not text.startswith("[") or not text.endswith("]"):
            return None
        inner = text[1:-1].rstrip()
        end = span.start + 1 + len(text[1:-1][: len(inner)].encode())
        if not inner:
            return TextEdit(Span(span.document, span.start, span.end), f"[{item}]")
        if "\n" in text:
            last = inner.rsplit("\n", 1)[-1]
            indent = last[: len(last) - len(last.lstrip())]
            comma = "" if inner.endswith(",") else ","
            return TextEdit(Span(span.document, end, end), f"{comma}\n{indent}{item},")
        comma = " " if inner.endswith(",") else ", "
        return TextEdit(Span(span.document, end, end), f"{comma}{item}")


def python_string(text: str) -> str:
    """A string as a Python literal in double quotes."""
    return json.dumps(text, ensure_ascii=False)


def suggest(word: str, candidates: Iterable[str]) -> tuple[str, ...]:
    """Candidates that a typist of `word` may have meant, best first."""
    return near(word, candidates, 3)


def meant(suggestions: tuple[str, ...]) -> str:
    """The tail of a message: ` Did you mean "x"?`."""
    return f' Did you mean "{suggestions[0]}"?' if suggestions else ""


def label(step: Step) -> str:
    """A step as messages name it."""
    return f'Step "{step.name.text}"' if step.name.text is not None else "This step"


def known_texts(values: Iterable[Value | None]) -> list[str]:
    return [text for value in values if (text := text_of(value)) is not None]
