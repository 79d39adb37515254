"""Rules on references to parameters, execution variables and results of steps (J060 to J070, J076)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from stepbridge.definition.properties import Parts, Property, walk_property
from stepbridge.definition.references import JOIN, path_parts
from stepbridge.definition.values import JSON, UNKNOWN, shown

from .findings import Edit, Fix, Report, replace
from .model import FunctionSite, Pipeline, ReferenceSite, StepView
from .registry import rule

EXECUTION_VARIABLES = (
    "StartDateTime",
    "CurrentDateTime",
    "PipelineName",
    "PipelineArn",
    "PipelineExecutionId",
    "PipelineExecutionArn",
    "TrainingJobName",
    "ProcessingJobName",
)
_SCOPES = ("Parameters", "Execution", "Steps")
_STEP = "reference:step"
_FILE = "reference:property-file"
_ALL = ("reference:parameter", "reference:execution", _STEP, _FILE, "reference:malformed")


@rule(
    "J060",
    "error",
    "Malformed reference",
    on=("reference:malformed", _STEP),
    example='{"Get": "Parameter.InstanceType"}',
    source="S: GetFunction",
)
def malformed(pipeline: Pipeline, site: ReferenceSite) -> Iterator[Report]:
    """`Get` reads Parameters.NAME, Execution.NAME or Steps.NAME.PROPERTY."""
    pointer = (*site.pointer, "Get")
    if site.reference is not None:
        if not site.reference.path:
            yield Report(f"{shown(site.text)} names a step, but none of its properties.", pointer)
        return
    if not isinstance(site.text, str):
        yield Report("Get must be a string: Parameters.NAME, Execution.NAME or Steps.NAME.PROPERTY.", pointer)
        return
    scope, dot, rest = site.text.partition(".")
    close = pipeline.near(scope, _SCOPES) if scope not in _SCOPES else ()
    meant = f"{close[0]}.{rest}" if close and dot else None
    yield Report(
        f"{shown(site.text)} is no reference: Parameters.NAME, Execution.NAME or Steps.NAME.PROPERTY.",
        pointer,
        suggestions=(meant,) if meant else (),
        fix=replace(pointer, meant, f"Replace by {shown(meant)}") if meant else None,
    )


@rule(
    "J061",
    "error",
    "Undeclared parameter",
    on="reference:parameter",
    example='{"Get": "Parameters.InstnceType"}',
    source='D "All parameters used in step definitions must be defined"; V: the SDK writes it',
)
def undeclared_parameter(pipeline: Pipeline, site: ReferenceSite) -> Iterator[Report]:
    """A parameter that is referred to must be declared in `Parameters`."""
    assert site.reference is not None
    name = site.reference.name
    if name in pipeline.parameters_by_name or pipeline.parameters_open:
        return
    close = pipeline.near(name, pipeline.parameters_by_name)
    pointer = (*site.pointer, "Get")
    yield Report(
        f"Parameter {shown(name)} is not declared.",
        pointer,
        suggestions=close,
        fix=replace(pointer, f"Parameters.{close[0]}", f'Replace by "{close[0]}"')
        if close
        else _declare(pipeline, name, site.expected),
    )


def _declare(pipeline: Pipeline, name: str, expected: str | None) -> Fix | None:
    type_ = expected if expected in ("Integer", "Float", "Boolean") else "String"
    declaration = {"Name": name, "Type": type_}
    declared = pipeline.document.get("Parameters")
    if isinstance(declared, list):
        edit = Edit("insert", ("Parameters", len(declared)), declaration)
    elif declared is None:
        edit = Edit(
            "replace" if "Parameters" in pipeline.document else "insert", ("Parameters",), [declaration]
        )
    else:
        return None
    return Fix(f"Declare parameter {shown(name)}", (edit,))


@rule(
    "J062",
    "error",
    "Unknown execution variable",
    on="reference:execution",
    example='{"Get": "Execution.Id"}',
    source="K: execution_variables.py",
)
def unknown_execution_variable(pipeline: Pipeline, site: ReferenceSite) -> Iterator[Report]:
    """`Execution.` has the start and current time, and the pipeline's and the execution's names and ARNs."""
    assert site.reference is not None
    name = site.reference.name
    if name not in EXECUTION_VARIABLES:
        close = pipeline.near(name, EXECUTION_VARIABLES)
        pointer = (*site.pointer, "Get")
        yield Report(
            f"There is no execution variable {shown(name)}.",
            pointer,
            suggestions=close,
            fix=replace(pointer, f"Execution.{close[0]}", f'Replace by "{close[0]}"') if close else None,
        )


@rule(
    "J063",
    "error",
    "Reference to an unknown step",
    on=(_STEP, _FILE),
    example='{"Get": "Steps.Trian.ModelArtifacts.S3ModelArtifacts"}',
    source="K: steps.py",
)
def unknown_step(pipeline: Pipeline, site: ReferenceSite) -> Iterator[Report]:
    """A step that is referred to must be in the pipeline."""
    assert site.reference is not None
    name = site.reference.name
    if name in pipeline.steps_by_name or pipeline.steps_open:
        return
    close = pipeline.near(name, pipeline.steps_by_name)
    pointer = (*site.pointer, "Get")
    meant = str(site.text).replace(f"Steps.{name}", f"Steps.{close[0]}", 1) if close else None
    yield Report(
        f"There is no step {shown(name)}.",
        pointer,
        suggestions=close,
        fix=replace(pointer, meant, f'Replace by "{close[0]}"') if meant else None,
    )


@rule(
    "J064",
    "error",
    "Unknown property of a step",
    on=(_STEP, _FILE),
    example='{"Get": "Steps.Train.ModelArtifact.S3ModelArtifacts"}',
    source="D build-and-manage-steps; K: shape_name of the step classes; B: Describe* results",
)
def unknown_property(pipeline: Pipeline, site: ReferenceSite) -> Iterator[Report]:
    """A property path follows the result of the step's Describe call."""
    assert site.reference is not None
    if site.reference.kind == "property-file":
        if not site.in_property_file:
            yield Report(
                "A property file is read by Std:JsonGet, not referred to by itself.",
                (*site.pointer, "Get"),
                severity="warning",
            )
        return
    found, parts = _property(pipeline, site)
    if found is None or found.fault not in ("unknown", "end"):
        return
    part = parts[found.at][0]
    close = pipeline.near(part, found.names) if isinstance(part, str) else ()
    where = _path_text(parts[: found.at])
    target = pipeline.steps_by_name[site.reference.name]
    what = f'"{where}" of a {target.type} step' if where else f"A {target.type} step"
    yield Report(
        f"{what} is a single value: nothing can follow it."
        if found.fault == "end"
        else f"{what} has no property {shown(part)}.",
        (*site.pointer, "Get"),
        suggestions=close,
        fix=_respell(site, parts, found.at, close[0]) if close else None,
        severity=None if close or found.fault == "end" else "warning",  # results grow new members
    )


@rule(
    "J065",
    "error",
    "List without an index",
    on=_STEP,
    example='{"Get": "Steps.Prep.ProcessingOutputConfig.Outputs.S3Output.S3Uri"}',
    source="V: AttributeError in the SDK",
)
def missing_index(pipeline: Pipeline, site: ReferenceSite) -> Iterator[Report]:
    """A list in a property path needs an index, `[0]`, or the name of an item, `['train']`."""
    assert site.reference is not None
    found, parts = _property(pipeline, site)
    if found is not None and found.fault == "index":
        where = _path_text(parts[: found.at])
        yield Report(
            f"\"{where}\" is a list: it needs an index, or a name as in ['train'].", (*site.pointer, "Get")
        )


@rule(
    "J066",
    "error",
    "Unknown output of a processing step",
    on=_STEP,
    example='{"Get": "Steps.Prep.ProcessingOutputConfig.Outputs[\'trian\'].S3Output.S3Uri"}',
    source="V: the SDK accepts any name",
)
def unknown_output(pipeline: Pipeline, site: ReferenceSite) -> Iterator[Report]:
    """`Outputs['x']` names an OutputName that the step declares."""
    assert site.reference is not None
    path = site.reference.path
    if len(path) < 3 or path[:2] != ("ProcessingOutputConfig", "Outputs") or not isinstance(path[2], str):
        return
    target = pipeline.steps_by_name.get(site.reference.name)
    names = output_names(target) if target is not None and target.type == "Processing" else None
    if names is None or path[2] in names:
        return
    close = pipeline.near(path[2], names)
    yield Report(
        f'Step "{site.reference.name}" has no output {shown(path[2])}.',
        (*site.pointer, "Get"),
        suggestions=close,
        fix=_respell(site, path_parts(_tail(site)), 2, close[0]) if close else None,
    )


@rule(
    "J067",
    "error",
    "Unknown output parameter",
    on=_STEP,
    example='{"Get": "Steps.Call.OutputParameters[\'sttus\']"}',
    source="K: lambda_step.py, callback_step.py",
)
def unknown_output_parameter(pipeline: Pipeline, site: ReferenceSite) -> Iterator[Report]:
    """A Lambda or Callback step gives the OutputParameters that it declares, and nothing else."""
    assert site.reference is not None
    target = pipeline.steps_by_name.get(site.reference.name)
    step_kind = target.kind if target is not None else None
    if target is None or step_kind is None or not step_kind.has_outputs or not site.reference.path:
        return
    pointer, path = (*site.pointer, "Get"), site.reference.path
    if path[0] != "OutputParameters" or len(path) != 2:
        yield Report(f"A {target.type} step gives OutputParameters['NAME'], and nothing else.", pointer)
        return
    declared = output_parameters(target)
    if declared is not None and isinstance(path[1], str) and path[1] not in declared:
        close = pipeline.near(path[1], declared)
        yield Report(
            f'Step "{target.name}" declares no output parameter {shown(path[1])}.',
            pointer,
            suggestions=close,
            fix=_respell(site, path_parts(_tail(site)), 1, close[0]) if close else None,
        )


@rule(
    "J068",
    "error",
    "Reference of the wrong type in a string",
    on=("reference:parameter", _STEP),
    example='{"ContainerArguments": ["--rows", {"Get": "Parameters.Rows"}]}',
    source="E 4867, 2631, 2425: Cannot assign property reference [...] to argument of type [String]",
)
def number_in_string(pipeline: Pipeline, site: ReferenceSite) -> Iterator[Report]:
    """Where a string belongs, a reference to a number or a boolean must be wrapped in Std:Join."""
    if site.expected != "String":
        return
    found = reference_type(pipeline, site)
    if found in ("Integer", "Float", "Boolean"):
        wrapped = {JOIN: {"On": "", "Values": [site.raw]}}
        yield Report(
            f"{shown(site.text, 120)} is of type {found}, but a string is expected here.",
            site.pointer,
            fix=replace(site.pointer, wrapped, "Wrap in Std:Join"),
        )


@rule(
    "J069",
    "error",
    "Reference of the wrong type in a number or boolean",
    on=("reference:parameter", "reference:execution", _STEP, "function:" + JOIN),
    example='{"InstanceCount": {"Get": "Parameters.InstanceType"}}',
    source="E 4867, 2631, 2425, the same check the other way round",
)
def string_in_number(pipeline: Pipeline, site: ReferenceSite | FunctionSite) -> Iterator[Report]:
    """Where a number or a boolean belongs, a string cannot stand."""
    expected = site.expected
    if expected not in ("Integer", "Float", "Boolean"):
        return
    if isinstance(site, FunctionSite):
        message = f"{JOIN} gives a string, but this argument is of type {expected}."
        yield Report(message, site.pointer, severity="warning")
        return
    found = reference_type(pipeline, site)
    if found is None or found == expected or (found, expected) == ("Integer", "Float"):
        return
    message = f"{shown(site.text, 120)} is of type {found}, but this argument is of type {expected}."
    yield Report(message, site.pointer, severity=None if found == "String" else "warning")


@rule(
    "J070",
    "error",
    "Property of a Fail or Condition step",
    on=_STEP,
    example='{"Get": "Steps.Stop.ErrorMessage"}',
    source="K: fail_step.py 71, condition_step.py",
)
def no_properties(pipeline: Pipeline, site: ReferenceSite) -> Iterator[Report]:
    """A Fail step has no properties; a Condition step has `Outcome` only."""
    assert site.reference is not None
    target = pipeline.steps_by_name.get(site.reference.name)
    if target is None or not site.reference.path:
        return
    if target.type == "Fail":
        yield Report(f'"{target.name}" is a Fail step: it has no properties.', (*site.pointer, "Get"))
    elif target.type == "Condition" and site.reference.path != ("Outcome",):
        text = f"Steps.{target.name}.Outcome"
        yield Report(
            f'"{target.name}" is a Condition step: its only property is Outcome.',
            (*site.pointer, "Get"),
            fix=replace((*site.pointer, "Get"), text, "Replace by Outcome"),
        )


@rule(
    "J076",
    "error",
    "Reference with other keys",
    on=(*_ALL, "function:" + JOIN, "function:Std:JsonGet"),
    example='{"Get": "Parameters.Mode", "Default": "x"}',
    source="S (additionalProperties)",
)
def mixed_object(pipeline: Pipeline, site: ReferenceSite | FunctionSite) -> Iterator[Report]:
    """`Get` and the `Std:` functions are the only key of their object."""
    if len(site.raw) == 1:
        return
    own = site.name if isinstance(site, FunctionSite) else "Get"
    for key in site.raw:
        if key is not UNKNOWN and key != own:
            yield Report(
                f"{shown(key)} cannot stand beside {own}.",
                (*site.pointer, key),
                at_key=True,
                fix=Fix(f"Remove {shown(key)}", (Edit("remove", (*site.pointer, key)),)),
            )
            return


def reference_type(pipeline: Pipeline, site: ReferenceSite) -> str | None:
    """The parameter type of what a reference gives, where it is known."""
    reference = site.reference
    if reference is None:
        return None
    if reference.kind == "parameter":
        parameter = pipeline.parameters_by_name.get(reference.name)
        return parameter.type if parameter is not None else None
    if reference.kind == "execution":
        return "String" if reference.name in EXECUTION_VARIABLES else None
    target = pipeline.steps_by_name.get(reference.name)
    if reference.kind != "step" or target is None:
        return None
    step_kind = target.kind
    if step_kind is not None and step_kind.has_outputs:
        declared = output_parameters(target) or {}
        return declared.get(str(reference.path[-1])) if len(reference.path) == 2 else None
    if target.type == "Condition":
        return None
    found, _ = _property(pipeline, site)
    return found.type if found is not None and found.fault is None else None


def output_names(step: StepView) -> tuple[str, ...] | None:
    """The output names of a processing step; None where some are not known."""
    config = step.arguments.get("ProcessingOutputConfig", UNKNOWN if UNKNOWN in step.arguments else {})
    if config is UNKNOWN or "Arguments" not in step.raw or step.raw["Arguments"] is UNKNOWN:
        return None
    outputs = config.get("Outputs", UNKNOWN if UNKNOWN in config else []) if isinstance(config, dict) else []
    return _names(outputs, "OutputName")


def output_parameters(step: StepView) -> dict[str, str | None] | None:
    """The output parameters of a Lambda or Callback step with their types; None where some are not known."""
    outputs = step.raw.get("OutputParameters", UNKNOWN if UNKNOWN in step.raw else [])
    names = _names(outputs, "OutputName")
    if names is None:
        return None
    types = [item.get("OutputType") for item in outputs or ()]  # names are known: each is an object with one
    return {n: t if isinstance(t, str) else None for n, t in zip(names, types, strict=True)}


def _names(items: JSON, key: str) -> tuple[str, ...] | None:
    if not isinstance(items, list):
        return None if items is UNKNOWN or items is not None else ()
    names = [item.get(key) if isinstance(item, dict) else UNKNOWN for item in items]
    known = tuple(name for name in names if isinstance(name, str))
    return known if len(known) == len(names) else None


def _tail(site: ReferenceSite) -> str:
    """The path behind the step's name."""
    return str(site.text).split(".", 2)[2]


@lru_cache(maxsize=4096)
def _parts(tail: str) -> Parts:
    return path_parts(tail)


def _property(pipeline: Pipeline, site: ReferenceSite) -> tuple[Property | None, Parts]:
    """Where a reference to a step leads, if its step is known and has results of known shapes."""
    assert site.reference is not None
    target = pipeline.steps_by_name.get(site.reference.name)
    step_kind = target.kind if target is not None else None
    if step_kind is None or not site.reference.path or step_kind.type in ("Condition", "Fail"):
        return None, ()
    parts = _parts(_tail(site))
    return (None if step_kind.has_outputs else walk_property(step_kind, parts)), parts


def _path_text(parts: Parts) -> str:
    text = ""
    for part, bracketed in parts:
        text += (f"[{part}]" if isinstance(part, int) else f"['{part}']") if bracketed else f".{part}"
    return text.removeprefix(".")


def _respell(site: ReferenceSite, parts: Parts, at: int, name: str) -> Fix:
    """The fix that gives part `at` of a property path another name."""
    assert site.reference is not None
    path = _path_text((*parts[:at], (name, parts[at][1]), *parts[at + 1 :]))
    return replace((*site.pointer, "Get"), f"Steps.{site.reference.name}.{path}", f'Replace by "{name}"')
