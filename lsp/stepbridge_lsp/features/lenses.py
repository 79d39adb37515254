"""Code lenses: what can be done with a pipeline or a step, and how its last run ended.

The commands are the editor's (`stepbridge.run`, `stepbridge.debug`, `stepbridge.attach`); their arguments are
the document's URI, the pipeline's name and, for a step, its name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from stepbridge_lsp.documents import AnyDocument
from stepbridge_lsp.positions import Span

from .history import LastRun, status_words
from .pipelines import PipelineView, pipelines

Runs = Callable[[str], LastRun | None]


@dataclass(frozen=True)
class Lens:
    """`command` is "" for one that only tells something."""

    span: Span
    title: str
    command: str = ""
    pipeline: str = ""
    step: str | None = None


def lenses(document: AnyDocument, last_run: Runs | None = None) -> list[Lens]:
    """The lenses of a document; with `last_run`, also what became of the last run."""
    found: list[Lens] = []
    for pipeline in pipelines(document):
        if pipeline.name == "?":
            continue
        run = last_run(pipeline.name) if last_run is not None else None
        found += _of_pipeline(pipeline, run)
        for step in pipeline.steps:
            if step.span.document == document.model.document and step.name != "?":
                found += _of_step(pipeline.name, step.name, step.span, run)
    return found


def _of_pipeline(pipeline: PipelineView, run: LastRun | None) -> Iterator[Lens]:
    yield Lens(pipeline.span, "Run", "stepbridge.run", pipeline.name)
    yield Lens(pipeline.span, "Debug", "stepbridge.debug", pipeline.name)
    if run is not None:
        yield Lens(pipeline.span, status_words(run.status, run.seconds))


def _of_step(pipeline: str, step: str, span: Span, run: LastRun | None) -> Iterator[Lens]:
    yield Lens(span, "Run", "stepbridge.run", pipeline, step)
    yield Lens(span, "Debug", "stepbridge.debug", pipeline, step)
    yield Lens(span, "Attach", "stepbridge.attach", pipeline, step)
    known = run.steps.get(step) if run is not None else None
    if known is not None and known.status not in ("", "Waiting"):
        yield Lens(span, status_words(known.status, known.seconds))
