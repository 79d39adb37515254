"""The pipelines of a document for other tools: steps with kinds, ranges and scripts, edges, parameters.

The request `stepbridge/pipelines` answers with this; views, lenses and run configurations of editors are
built on it. Names are those that the service will use.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from stepbridge.definition.references import references

from stepbridge_lsp.documents import AnyDocument, PythonDocument
from stepbridge_lsp.documents import syntax as s
from stepbridge_lsp.model import Parameter, Pipeline, Step, items_of
from stepbridge_lsp.positions import Span
from stepbridge_lsp.rules.context import Context
from stepbridge_lsp.rules.paths import local_paths, resolve
from stepbridge_lsp.rules.properties import kind_of
from stepbridge_lsp.values import (
    Const,
    FunctionVariable,
    PropertyVariable,
    ReturnVariable,
    SdkObject,
    text_of,
)

from .hover import calls_of

EdgeKind = Literal["data", "depends-on", "branch", "property-file"]


@dataclass(frozen=True)
class EdgeView:
    source: str
    target: str
    kind: EdgeKind


@dataclass(frozen=True)
class StepView:
    """A step; `span` is None where it is made in another document (its name is all there is to show)."""

    name: str
    kind: str
    span: Span
    name_span: Span
    depends_on: tuple[str, ...]
    branch: tuple[str, bool] | None
    script: Path | None
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class ParameterView:
    """`has_default` tells a default that is not known (None) from none."""

    name: str
    type: str
    default: str | int | float | bool | None
    has_default: bool
    enum: tuple[str, ...]
    span: Span


@dataclass(frozen=True)
class PipelineView:
    """`function` is the function that makes the pipeline, where it is not made at the top of the module."""

    name: str
    variable: str | None
    function: str | None
    span: Span
    steps: tuple[StepView, ...]
    edges: tuple[EdgeView, ...]
    parameters: tuple[ParameterView, ...]


def pipelines(document: AnyDocument) -> list[PipelineView]:
    """The pipelines that a document makes, in order; one that it only imports is not its own."""
    return [
        _pipeline(document, pipeline)
        for pipeline in document.model.pipelines
        if pipeline.span.document == document.model.document
    ]


def _pipeline(document: AnyDocument, pipeline: Pipeline) -> PipelineView:
    steps = list(pipeline.walk())
    return PipelineView(
        name=_pipeline_name(document, pipeline),
        variable=pipeline.object.variable if pipeline.object is not None else None,
        function=_function(document, pipeline),
        span=pipeline.span,
        steps=tuple(_step(document, step) for step in steps),
        edges=tuple(dict.fromkeys(edge for step in steps for edge in _edges(step, steps))),
        parameters=tuple(_parameter(parameter) for parameter in pipeline.parameters),
    )


def _pipeline_name(document: AnyDocument, pipeline: Pipeline) -> str:
    """A definition has no name of its own: that of its file stands in."""
    name = pipeline.name.text or pipeline.name.likely
    if name is None and not isinstance(document, PythonDocument):
        return Path(document.key).stem
    return name or "?"


def _function(document: AnyDocument, pipeline: Pipeline) -> str | None:
    if not isinstance(document, PythonDocument):
        return None
    return function_at(document.analysis.lowered.block, pipeline.span.start)


def function_at(block: s.Block, offset: int, base: int = 0) -> str | None:
    """The name of the top-level function (or Class.method) whose body holds an offset."""
    for start, statement in block.items:
        at = base + start
        if not at <= offset <= at + statement.length:
            continue
        match statement:
            case s.FunctionDef(name=name):
                return name
            case s.ClassDef(name=name, body=body):
                inner = function_at(body, offset, at)
                return f"{name}.{inner}" if inner else None
            case s.If(branches=branches):
                found = (function_at(body, offset, at) for _, body in branches)
                return next((name for name in found if name is not None), None)
            case s.With(body=body) | s.Try(body=body) | s.Loop(body=body):
                return function_at(body, offset, at)
    return None


# -- steps -----------------------------------------------------------------------------------------


def service_name(step: Step) -> str:
    """What the service calls a step (the last of several)."""
    return step.service_names[-1] if step.service_names else step.name.shown


def _step(document: AnyDocument, step: Step) -> StepView:
    waits = (service_name(d.step) if d.step is not None else d.name for d in step.dependencies)
    return StepView(
        name=service_name(step),
        kind=kind_of(step) or step.type or "",
        span=step.span,
        name_span=step.name.span,
        depends_on=tuple(dict.fromkeys(name for name in waits if name)),
        branch=(service_name(step.branch[0]), step.branch[1]) if step.branch is not None else None,
        script=_script(document, step),
        inputs=tuple(part.name.shown for part in step.inputs if part.name is not None),
        outputs=tuple(part.name.shown for part in step.outputs if part.name is not None),
    )


def _script(document: AnyDocument, step: Step) -> Path | None:
    """The local script that a step runs, absolute."""
    if not isinstance(document, PythonDocument):
        return None
    context = Context(document)
    for call in calls_of(step):
        for path in local_paths(call):
            if path.name in ("source_dir", "dependencies"):
                continue
            if (found := resolve(context, path)) is not None:
                return Path(found)
    return None


def _edges(step: Step, steps: list[Step]) -> Iterator[EdgeView]:
    target = service_name(step)
    by_name = {name: other for other in steps for name in (other.name.text, *other.service_names) if name}
    for dependency in step.dependencies:
        source = dependency.step or by_name.get(dependency.name or "")
        if source is not None:
            yield EdgeView(service_name(source), target, "depends-on")
    if step.branch is not None:
        yield EdgeView(service_name(step.branch[0]), target, "branch")
    for name, kind in _references(step, steps):
        source = by_name.get(name)
        if source is not None and source is not step:
            yield EdgeView(service_name(source), target, kind)


def _references(step: Step, steps: list[Step]) -> Iterator[tuple[str, EdgeKind]]:
    """Names of the steps that a step's arguments refer to."""
    if step.raw is not None:
        for reference in references(_own(step.raw)):
            if reference.kind in ("step", "property-file"):
                yield reference.name, "data" if reference.kind == "step" else "property-file"
        return
    names = {id(other.object): other.name.text or "" for other in steps if other.object is not None}
    for use in step.uses:
        variable = use.variable
        if isinstance(variable, PropertyVariable | ReturnVariable):
            yield names.get(id(variable.step), ""), "data"
        elif isinstance(variable, FunctionVariable) and variable.object.cls.name == "JsonGet":
            named = variable.object.call.value("step_name", "step")
            own = names.get(id(named), "") if isinstance(named, SdkObject) else ""
            yield text_of(named) or own, "property-file"


def _own(raw: Any) -> Any:
    """A step without the steps of its branches, whose references are theirs."""
    arguments = raw.get("Arguments") if isinstance(raw, dict) else None
    if not isinstance(arguments, dict) or raw.get("Type") != "Condition":
        return raw
    kept = {key: value for key, value in arguments.items() if key not in ("IfSteps", "ElseSteps")}
    return {**raw, "Arguments": kept}


def _parameter(parameter: Parameter) -> ParameterView:
    default = parameter.default
    value = default.value if isinstance(default, Const) and not isinstance(default.value, bytes) else None
    listed = parameter.raw.get("EnumValues") if isinstance(parameter.raw, dict) else None
    enum = [text for item, _ in items_of(parameter.enum)[0] if (text := text_of(item)) is not None]
    if isinstance(listed, list):
        enum = [item for item in listed if isinstance(item, str)]
    return ParameterView(
        name=parameter.name.shown,
        type=parameter.type or "String",
        default=value,
        has_default=default is not None,
        enum=tuple(enum),
        span=parameter.span,
    )
