"""Rules on Std:Join, Std:JsonGet and property files (J071 to J075, J080, J081)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stepbridge.definition.references import JOIN, JSON_GET, parse_get, parse_path
from stepbridge.definition.values import JSON, UNKNOWN, is_open, kind, shown

from .findings import Report, remove, replace
from .model import FunctionSite, Pipeline, StepView
from .references import output_names
from .registry import rule

FUNCTIONS = (JOIN, JSON_GET)
_JSON_GET = "function:" + JSON_GET


@rule(
    "J071",
    "error",
    "Std:Join",
    on="function:" + JOIN,
    example='{"Std:Join": {"On": "/", "Values": "a"}}',
    source="K: functions.py",
)
def join(pipeline: Pipeline, site: FunctionSite) -> Iterator[Report]:
    """`Std:Join` has a string `On` and an array `Values` of strings, numbers, booleans and references."""
    argument, place = site.argument, (*site.pointer, JOIN)
    if argument is UNKNOWN:
        return
    if not isinstance(argument, dict):
        yield Report(f'{JOIN} needs an object with "On" and "Values", not {kind(argument)}.', place)
        return
    on = argument.get("On", "")
    if not isinstance(on, str) and on is not UNKNOWN:
        yield Report(f'"On" must be a string, and is {kind(on)}.', (*place, "On"))
    if "Values" not in argument and UNKNOWN not in argument:
        yield Report(f'{JOIN} has no "Values".', place)
        return
    values = argument.get("Values", UNKNOWN)
    if not isinstance(values, list):
        if values is not UNKNOWN:
            fix = replace((*place, "Values"), [values], "Wrap in an array") if values is not None else None
            yield Report(f'"Values" must be an array, and is {kind(values)}.', (*place, "Values"), fix=fix)
        return
    for index, value in enumerate(values):
        joinable = isinstance(value, str | int | float) or value is UNKNOWN or _is_function(value)
        if not joinable:
            yield Report(f"{JOIN} cannot join {kind(value)}.", (*place, "Values", index))


def _is_function(value: JSON) -> bool:
    return isinstance(value, dict) and any(
        key is UNKNOWN or key == "Get" or key.startswith("Std:") for key in value
    )


@rule(
    "J072",
    "error",
    "Std:JsonGet",
    on=_JSON_GET,
    example='{"Std:JsonGet": {"Path": "metrics.mse"}}',
    source="K: functions.py 100-110",
)
def json_get(pipeline: Pipeline, site: FunctionSite) -> Iterator[Report]:
    """`Std:JsonGet` has a `Path`, and either a `PropertyFile` or an `S3Uri`."""
    argument, place = site.argument, (*site.pointer, JSON_GET)
    if not isinstance(argument, dict):
        if argument is not UNKNOWN:
            yield Report(f"{JSON_GET} needs an object, not {kind(argument)}.", place)
        return
    file, uri = argument.get("PropertyFile"), argument.get("S3Uri")
    if file is not None and uri is not None:
        yield Report(f"{JSON_GET} reads a PropertyFile or an S3Uri, not both.", place)
    if UNKNOWN in argument:
        return
    if file is None and uri is None:
        yield Report(f"{JSON_GET} needs a PropertyFile or an S3Uri.", place)
    if argument.get("Path") is None:
        yield Report(f"{JSON_GET} needs a Path.", place)


@rule(
    "J073",
    "error",
    "Path of Std:JsonGet",
    on=_JSON_GET,
    example='{"Std:JsonGet": {"PropertyFile": FILE, "Path": {"Get": "Parameters.Path"}}}',
    source="E 4418, 3463",
)
def json_path(pipeline: Pipeline, site: FunctionSite) -> Iterator[Report]:
    """The `Path` of `Std:JsonGet` is a literal string, as in `a.b[0]['c d']`."""
    path = site.argument.get("Path") if isinstance(site.argument, dict) else None
    pointer = (*site.pointer, JSON_GET, "Path")
    if path is None or path is UNKNOWN:
        return
    if not isinstance(path, str):
        yield Report(f"Path must be a literal string, and is {kind(path)}.", pointer)
        return
    try:
        parse_path(path)
    except ValueError:
        yield Report(f"{shown(path)} is no path; paths read like a.b[0]['c d'].", pointer, severity="warning")


@rule(
    "J074",
    "error",
    "Unknown property file",
    on=_JSON_GET,
    example='{"Std:JsonGet": {"PropertyFile": {"Get": "Steps.Eval.PropertyFiles.nope"}, "Path": "x"}}',
    source="V: definition() does not see it in a condition; K: steps.py 249-272",
)
def unknown_property_file(pipeline: Pipeline, site: FunctionSite) -> Iterator[Report]:
    """`PropertyFile` is a Get of a property file that a processing step declares."""
    file = site.argument.get("PropertyFile") if isinstance(site.argument, dict) else None
    pointer = (*site.pointer, JSON_GET, "PropertyFile")
    if file is None or is_open(file) or (isinstance(file, dict) and file.get("Get") is UNKNOWN):
        return
    text = file.get("Get") if isinstance(file, dict) else None
    reference = parse_get(text) if isinstance(text, str) else None
    if reference is None or reference.kind != "property-file":
        if not (isinstance(text, str) and reference is None):  # else J060 speaks
            message = 'PropertyFile must be {"Get": "Steps.STEP.PropertyFiles.NAME"}.'
            yield Report(message, pointer)
        return
    target = pipeline.steps_by_name.get(reference.name)
    if target is None:
        return  # J063
    place = (*pointer, "Get")
    if target.type not in ("Processing", None):
        yield Report(
            f'"{target.name}" is a {target.type} step; only Processing steps have property files.', place
        )
        return
    declared = _property_files(target)
    name = str(reference.path[0])
    if declared is None or name in declared:
        return
    close = pipeline.near(name, declared)
    meant = f"Steps.{reference.name}.PropertyFiles.{close[0]}" if close else None
    yield Report(
        f'Step "{target.name}" declares no property file {shown(name)}.',
        place,
        suggestions=close,
        fix=replace(place, meant, f'Replace by "{close[0]}"') if meant else None,
    )


def _property_files(step: StepView) -> tuple[str, ...] | None:
    files = step.raw.get("PropertyFiles", UNKNOWN if UNKNOWN in step.raw else [])
    if files is None:
        return ()
    if not isinstance(files, list) or UNKNOWN in files:
        return None
    names = [
        item.get("PropertyFileName", UNKNOWN if UNKNOWN in item else None) if isinstance(item, dict) else None
        for item in files
    ]
    return tuple(name for name in names if isinstance(name, str)) if UNKNOWN not in names else None


@rule(
    "J075",
    "error",
    "Unknown function",
    on="function:",
    example='{"Std:Concat": ["a", "b"]}',
    source="K: functions.py",
)
def unknown_function(pipeline: Pipeline, site: FunctionSite) -> Iterator[Report]:
    """The functions are `Std:Join` and `Std:JsonGet`."""
    if site.name in FUNCTIONS:
        return
    close = pipeline.near(site.name, FUNCTIONS)
    yield Report(
        f"{shown(site.name)} is no function: {', '.join(FUNCTIONS)}.",
        (*site.pointer, site.name),
        at_key=True,
        suggestions=close,
    )


@rule(
    "J080",
    "error",
    "Property files of a step",
    on="key:PropertyFiles",
    example='"PropertyFiles": [{"PropertyFileName": "F", "OutputName": "evalution", "FilePath": "e.json"}]',
    source="K: steps.py 272",
)
def property_files(pipeline: Pipeline, step: StepView, value: JSON, key: str) -> Iterator[Report]:
    """A property file has a unique name, an OutputName of its processing step, and a path."""
    place = (*step.pointer, key)
    if not isinstance(value, list):
        if value is not None:
            yield Report(f"PropertyFiles must be an array, and is {kind(value)}.", place)
        return
    if value and step.type not in ("Processing", None):
        yield Report(
            f"Only Processing steps have PropertyFiles; this is a {step.type} step.", place, at_key=True
        )
        return
    outputs = output_names(step)
    seen: set[str] = set()
    for index, file in enumerate(value):
        if file is UNKNOWN:
            continue
        if not isinstance(file, dict):
            yield Report(f"A property file is an object, and this is {kind(file)}.", (*place, index))
            continue
        yield from _property_file(pipeline, file, (*place, index), outputs, seen)


def _property_file(
    pipeline: Pipeline,
    file: dict[Any, JSON],
    place: tuple[str | int, ...],
    outputs: tuple[str, ...] | None,
    seen: set[str],
) -> Iterator[Report]:
    for key in ("PropertyFileName", "OutputName", "FilePath"):
        value = file.get(key)
        if value is None and UNKNOWN not in file:
            yield Report(f"The property file has no {key}.", place)
        elif value is not None and value is not UNKNOWN and not isinstance(value, str):
            yield Report(f"{key} must be a string, and is {kind(value)}.", (*place, key))
    name, output = file.get("PropertyFileName"), file.get("OutputName")
    if isinstance(name, str):
        if name in seen:
            fix = remove(place, "Remove this property file")
            yield Report(
                f"There are two property files {shown(name)}.", (*place, "PropertyFileName"), fix=fix
            )
        seen.add(name)
    if isinstance(output, str) and outputs is not None and output not in outputs:
        close = pipeline.near(output, outputs)
        pointer = (*place, "OutputName")
        yield Report(
            f"The step has no output {shown(output)}.",
            pointer,
            suggestions=close,
            fix=replace(pointer, close[0], f'Replace by "{close[0]}"') if close else None,
        )


@rule(
    "J081",
    "warning",
    "Path of a property file",
    on="key:PropertyFiles",
    example='{"PropertyFileName": "F", "OutputName": "o", "FilePath": "/opt/ml/e.json"}',
    source="D build-and-manage-propertyfile",
)
def property_file_path(pipeline: Pipeline, step: StepView, value: JSON, key: str) -> Iterator[Report]:
    """`FilePath` is relative to the output's folder, and names a JSON file."""
    for index, file in enumerate(value if isinstance(value, list) else ()):
        path = file.get("FilePath") if isinstance(file, dict) else None
        if not isinstance(path, str) or not path:
            continue
        pointer = (*step.pointer, key, index, "FilePath")
        if path.startswith("/"):
            relative = path.rsplit("/", 1)[-1]
            yield Report(
                "FilePath is relative to the output's folder; this one is absolute.",
                pointer,
                fix=replace(pointer, relative, f"Replace by {shown(relative)}") if relative else None,
            )
        elif not path.lower().endswith(".json") and "." in path.rsplit("/", 1)[-1]:
            yield Report(f"A property file is JSON; {shown(path)} does not look like it.", pointer)
