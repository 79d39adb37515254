"""The parts of a document as a tree (document symbols), as a flat list (workspace symbols), and as stretches
that fold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from stepbridge_lsp.documents import AnyDocument
from stepbridge_lsp.model import JobInput, JobOutput, Parameter, Pipeline, PropertyFile, Step
from stepbridge_lsp.positions import Span

from .choices import described

Kind = Literal["pipeline", "parameter", "step", "condition", "input", "output", "property file"]


@dataclass(frozen=True)
class Entry:
    """One part: `span` is all of it, `selection` its name, which lies within."""

    name: str
    kind: Kind
    span: Span
    selection: Span
    detail: str = ""
    children: tuple[Entry, ...] = field(default=())


def outline(document: AnyDocument) -> list[Entry]:
    """The pipelines with their parameters and steps; then steps and parameters that no pipeline lists."""
    model = document.model
    key = model.document
    entries: list[Entry] = []
    shown: set[int] = set()
    for pipeline in model.pipelines:
        if pipeline.span.document == key:
            entries.append(_pipeline(pipeline, key, shown))
    for parameter in model.parameters:
        if id(parameter) not in shown and parameter.span.document == key:
            entries.append(_parameter(parameter))
    for step in model.steps:
        if id(step) not in shown and step.branch is None and step.span.document == key:
            entries.append(_step(step, key, shown))
    return entries


def _pipeline(pipeline: Pipeline, key: str, shown: set[int]) -> Entry:
    children: list[Entry] = []
    for parameter in pipeline.parameters:
        shown.add(id(parameter))
        if parameter.span.document == key:
            children.append(_parameter(parameter))
    for step in pipeline.steps:
        for inner in step.walk():
            shown.add(id(inner))
        if step.span.document == key:
            children.append(_step(step, key, shown))
    return Entry(
        pipeline.name.text or pipeline.name.likely or "pipeline",
        "pipeline",
        pipeline.span,
        _inside(pipeline.name.span, pipeline.span),
        children=tuple(children),
    )


def _parameter(parameter: Parameter) -> Entry:
    selection = _inside(parameter.name.span, parameter.span)
    return Entry(parameter.name.shown, "parameter", parameter.span, selection, described(parameter))


def _step(step: Step, key: str, shown: set[int]) -> Entry:
    shown.add(id(step))
    nested = [
        _step(inner, key, shown)
        for inner in (*step.if_steps, *step.else_steps)
        if inner.span.document == key and inner is not step
    ]
    parts = [
        Entry(part.name.shown, kind, part.span, _inside(part.name.span, part.span))
        for kind, listed in _channels(step)
        for part in listed
        if part.name is not None and part.span.document == key
    ]
    files = [
        Entry(file.name.shown, "property file", file.span, _inside(file.name.span, file.span))
        for file in step.property_files
        if file.span.document == key
    ]
    kind: Kind = "condition" if step.type == "Condition" else "step"
    selection = _inside(step.name.span, step.span)
    detail = step.type or ""
    return Entry(step.name.shown, kind, step.span, selection, detail, (*nested, *parts, *files))


def _channels(step: Step) -> Iterator[tuple[Kind, Iterable[JobInput | JobOutput]]]:
    yield "input", step.inputs
    yield "output", step.outputs


def _inside(selection: Span, span: Span) -> Span:
    """The protocol wants the name within the whole; a name that is given elsewhere is shown at the start."""
    if selection.document == span.document and span.start <= selection.start and selection.end <= span.end:
        return selection
    return Span(span.document, span.start, span.start)


def flat(entries: Iterable[Entry], container: str = "") -> Iterator[tuple[Entry, str]]:
    """All entries with the name of the one that holds each."""
    for entry in entries:
        yield entry, container
        yield from flat(entry.children, entry.name)


_SEARCHED = frozenset({"pipeline", "parameter", "step", "condition"})


def search(document: AnyDocument, query: str) -> Iterator[tuple[Entry, str]]:
    """Pipelines, steps and parameters whose name has the query's letters in this order."""
    letters = query.lower()
    for entry, container in flat(outline(document)):
        if entry.kind in _SEARCHED and _has_letters(entry.name.lower(), letters):
            yield entry, container


def _has_letters(name: str, letters: str) -> bool:
    rest = iter(name)
    return all(letter in rest for letter in letters)


def folds(document: AnyDocument) -> list[Span]:
    """Stretches that fold: pipelines, steps, their lists of parameters and steps."""
    model = document.model
    spans: dict[Span, None] = {}
    for pipeline in model.pipelines:
        for span in (pipeline.span, pipeline.parameters_span, pipeline.steps_span):
            if span is not None:
                spans[span] = None
    parts: tuple[Step | Parameter | PropertyFile, ...] = (
        *model.steps,
        *model.parameters,
        *model.property_files,
    )
    for part in parts:
        spans[part.span] = None
    for step in model.steps:
        if step.job_call is not None:
            spans[step.job_call.span] = None
        if step.job is not None:
            spans[step.job.call.span] = None
    return [span for span in spans if span.document == model.document and span.end > span.start]
