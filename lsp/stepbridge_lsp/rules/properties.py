"""Rules on property paths: `step.properties.A.B['x'].C` (P070 to P074)."""

from __future__ import annotations

from collections.abc import Iterator

from stepbridge.definition.kinds import KINDS
from stepbridge.definition.properties import Property, walk_property

from stepbridge_lsp.model import PropertyUse, Step
from stepbridge_lsp.positions import Span
from stepbridge_lsp.values import Index

from .context import Context, label, meant, suggest
from .findings import Report
from .registry import rule

# What ends a path in the SDK besides members of the shapes.
_MODEL_STEPS = {"create": "Model", "build": "Model", "register": "RegisterModel"}


def kind_of(step: Step) -> str | None:
    """The definition's type whose results a step's `properties` show; None where that is not known."""
    if step.type in ("ModelStep",):
        method = step.job_call.target.name.rpartition(".")[2] if step.job_call is not None else ""
        return _MODEL_STEPS.get(method)
    if step.type == "RegisterModel":
        return "RegisterModel"
    if step.object is not None and step.object.cls.name in ("FunctionStep", "NotebookJobStep"):
        return None
    return step.type if step.type in KINDS else None


def walk(use: PropertyUse, length: int | None = None) -> Property | None:
    """Where a property path (or its first segments) leads; None where its step's results are not known."""
    kind = kind_of(use.step) if use.step is not None else None
    if kind is None or kind in ("Lambda", "Callback", "Condition", "Fail"):
        return None
    parts: list[tuple[str | int, bool]] = []
    for segment in use.variable.path[:length]:
        if isinstance(segment, Index):
            parts.append((segment.key if segment.key is not None else 0, True))
        else:
            parts.append((segment, False))
    return walk_property(KINDS[kind], tuple(parts))


@rule(
    "P070",
    "error",
    "Property path",
    example="train.properties.ModelArtifact.S3ModelArtifacts",
    source="V: AttributeError: 'Properties' object has no attribute; shapes of the service (B)",
    moment="build",
)
def property_path(context: Context) -> Iterator[Report]:
    """A property path follows the response of the step's Describe call: members by name, items of lists and
    maps in brackets."""
    for use in context.model.property_uses:
        found = walk(use)
        if found is None:
            continue
        at = _subscripted_structure(use)
        if at is not None:
            before = use.variable.path[at - 1] if at else "properties"
            member = use.variable.path[at]
            key = member.key if isinstance(member, Index) else None
            yield Report(f'"{before}" cannot be subscripted: write .{key}.', use.variable.spans[at])
        elif found.fault is not None and found.at < len(use.variable.spans):
            yield _fault(context, use, found, use.variable.spans[found.at])


def _subscripted_structure(use: PropertyUse) -> int | None:
    """Where a member is taken by brackets, which the SDK's objects do not know."""
    for at, segment in enumerate(use.variable.path):
        if not isinstance(segment, Index) or not isinstance(segment.key, str):
            continue
        before = walk(use, at)
        if at == 0 or (before is not None and before.shape is not None and before.shape.type == "structure"):
            return at
    return None


def _fault(context: Context, use: PropertyUse, found: Property, span: Span) -> Report:
    segment = use.variable.path[found.at]
    before = use.variable.path[found.at - 1] if found.at else "properties"
    if found.fault == "end":
        return Report(f'"{before}" is a single value: nothing follows it.', span)
    if found.fault == "index":
        return Report(f'"{before}" is a list: write an index or a name in brackets before .{segment}.', span)
    if isinstance(segment, Index):
        return Report(f'"{before}" is no list: it has members, and no {segment}.', span)
    close = suggest(segment, found.names)
    fixes = context.rename(span, close[0], safe=True) if close else ()
    owner = f"The results of {label(use.step)} have" if not found.at and use.step else f'"{before}" has'
    return Report(
        f'{owner} no "{segment}".{meant(close)}',
        span,
        fixes,
        close,
        severity=None if close else "warning",  # the service's model may be newer than ours
    )


def _output_uses(context: Context, *types: str) -> Iterator[tuple[PropertyUse, Step, str, Span]]:
    """Property paths that take an output by name: `...Outputs['x']`."""
    for use in context.model.property_uses:
        step = use.step
        if step is None or step.type not in types:
            continue
        path = use.variable.path
        for at in range(1, len(path)):
            segment = path[at]
            if path[at - 1] == "Outputs" and isinstance(segment, Index) and isinstance(segment.key, str):
                yield use, step, segment.key, use.variable.spans[at]


def _undeclared(context: Context, *types: str) -> Iterator[Report]:
    for _, step, name, span in _output_uses(context, *types):
        if step.open_outputs or any(
            output.name is None or output.name.text is None for output in step.outputs
        ):
            continue
        names = [output.name.text for output in step.outputs if output.name and output.name.text]
        if name in names:
            continue
        close = suggest(name, names)
        text = context.text(span)
        literal = Span(span.document, span.start + 1, span.end - 1)
        fixes = context.rename(literal, close[0]) if close and text[1:-1] == name else ()
        known = f" It has {', '.join(names)}." if names and not close else ""
        yield Report(f'{label(step)} has no output "{name}".{meant(close)}{known}', span, fixes, close)


@rule(
    "P071",
    "error",
    "Unknown output",
    example='preprocess.properties.ProcessingOutputConfig.Outputs["trian"].S3Output.S3Uri',
    source="V: accepted in silence",
    moment="run",
)
def unknown_output(context: Context) -> Iterator[Report]:
    """`Outputs["x"]` names an output that the processing step declares."""
    yield from _undeclared(context, "Processing")


@rule(
    "P072",
    "error",
    "Properties of a FailStep",
    example="fail.properties.ErrorMessage",
    source="K fail_step.py: RuntimeError",
    moment="build",
)
def fail_properties(context: Context) -> Iterator[Report]:
    """A FailStep has no properties. A ConditionStep has only `Outcome`."""
    for use in context.model.property_uses:
        if use.step is None:
            continue
        if use.step.type == "Fail":
            yield Report("A FailStep has no properties: nothing runs after it.", use.span)
        elif use.step.type == "Condition" and use.variable.path and use.variable.path[0] != "Outcome":
            message = "The only property of a ConditionStep is Outcome."
            yield Report(message, use.variable.spans[0])


_MISSPELT = {"Properties": "properties", "property": "properties", "propertis": "properties"}


@rule(
    "P073",
    "error",
    "Unknown attribute of a step",
    example='lambda_step.OutputParameters["x"]',
    source="E 3499: the documentation shows it",
    moment="build",
)
def step_attribute(context: Context) -> Iterator[Report]:
    """A step's results are `step.properties`; those of a Lambda or Callback step
    `step.properties.Outputs["x"]`.
    """
    for missing in context.model.missing_attributes:
        made = missing.object
        if made.kind != "step" or made.cls.foreign or missing.name == "add_depends_on":
            continue
        if missing.name == "OutputParameters":
            fixes = context.replace(missing.span, "properties.Outputs", "Write properties.Outputs")
            yield Report("A step's outputs are step.properties.Outputs[...].", missing.span, fixes)
            continue
        name = _MISSPELT.get(missing.name)
        close = (name,) if name else suggest(missing.name, ("properties", "arguments", "depends_on"))
        if close:
            fixes = context.replace(missing.span, close[0], f"Write {close[0]}")
            message = f'{made.cls.name} has no "{missing.name}".{meant(close)}'
            yield Report(message, missing.span, fixes, close)


@rule(
    "P074",
    "error",
    "Unknown output of a Lambda or Callback step",
    example='lambda_step.properties.Outputs["state"]  # outputs=[LambdaOutput("status", ...)]',
    source="K lambda_step.py: KeyError",
    moment="build",
)
def unknown_step_output(context: Context) -> Iterator[Report]:
    """`properties.Outputs["x"]` of a Lambda or Callback step names one of its `outputs`."""
    yield from _undeclared(context, "Lambda", "Callback")
