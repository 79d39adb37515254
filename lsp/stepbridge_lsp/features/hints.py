"""Inlay hints: a parameter's default where it is used, and what a property was in the last run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from stepbridge_lsp.documents import AnyDocument
from stepbridge_lsp.model import Model, Parameter, PropertyUse
from stepbridge_lsp.positions import Span
from stepbridge_lsp.values import Const, Index

from .history import LastRun
from .pipelines import service_name

_LONGEST = 40
Runs = Callable[[str], LastRun | None]


@dataclass(frozen=True)
class Hint:
    """A few words behind an offset of the document; `tooltip` says more."""

    offset: int
    text: str
    tooltip: str = ""


def hints(
    document: AnyDocument, start: int = 0, end: int | None = None, last_run: Runs | None = None
) -> list[Hint]:
    """The hints between two offsets, in order."""
    model = document.model
    last = len(document.source) if end is None else end
    found = [*_defaults(model), *(_results(model, last_run) if last_run is not None else ())]
    return sorted((h for h in found if start <= h.offset <= last), key=lambda hint: hint.offset)


def _defaults(model: Model) -> Iterator[Hint]:
    for parameter in model.parameters:
        text = _default(parameter)
        if text is None:
            continue
        places = parameter.uses or _sites(model, parameter)
        for span in dict.fromkeys(places):
            if span.document == model.document:
                name = parameter.name.shown
                yield Hint(span.end, f"= {_short(text)}", f"Default of the parameter {name}: {text}")


def _default(parameter: Parameter) -> str | None:
    if isinstance(parameter.default, Const):
        return _json(parameter.default.value)
    return None


def _sites(model: Model, parameter: Parameter) -> list[Span]:
    """Uses by name, behind the quote that ends them: those of a definition document."""
    if parameter.raw is None or parameter.name.text is None:
        return []
    return [
        Span(site.span.document, site.span.start, site.span.end + 1)
        for symbol in model.symbols
        if symbol.kind == "parameter" and symbol.name == parameter.name.text
        for site in symbol.sites
        if site.role == "use"
    ]


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _results(model: Model, last_run: Runs) -> Iterator[Hint]:
    runs = [run for p in model.pipelines if p.name.text and (run := last_run(p.name.text)) is not None]
    for use in model.property_uses:
        value = next((v for run in runs if (v := _result(use, run)) is not None), None)
        if value is not None:
            yield Hint(use.span.end, f"= {_short(value)}", f"In the last run: {value}")


def _result(use: PropertyUse, run: LastRun) -> str | None:
    """The value of a property path in a run; None where it is no single value, or not there."""
    if use.step is None or not use.variable.path:
        return None
    step = run.steps.get(service_name(use.step))
    value: Any = step.properties if step is not None else None
    for segment in use.variable.path:
        value = _enter(value, segment)
    if isinstance(value, str | int | float | bool):
        return _json(value)
    return None


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _enter(value: Any, segment: str | Index) -> Any:
    key = segment.key if isinstance(segment, Index) else segment
    if isinstance(value, list) and isinstance(key, str):  # Outputs['train'] is looked up by name
        return next((i for i in value if isinstance(i, dict) and i.get("OutputName") == key), None)
    if isinstance(value, list) and isinstance(key, int):
        return value[key] if -len(value) <= key < len(value) else None
    return value.get(key) if isinstance(value, dict) else None
