"""References inside a definition (`Get`, `Std:Join`, `Std:JsonGet`): finding them, putting in their values.

Where values come from (parameters, execution variables, results of steps, files) is for the `Scope` that the
executor supplies. This module reads no file and knows no job.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal, Protocol, TypeAlias

from msgspec import Struct

from stepbridge.errors import DefinitionError

from .values import JSON, Pointer, Value, did_you_mean, kind, pointer_text, printable, shown

JOIN = "Std:Join"
JSON_GET = "Std:JsonGet"

ReferenceKind = Literal["parameter", "execution", "step", "property-file"]

# lists that are addressed by the name of an item: Outputs['train'], FinalMetricDataList['accuracy'] ...
NAME_KEYS = ("OutputName", "InputName", "ChannelName", "MetricName", "Name")

_PART = re.compile(r"""(?:^|\.)([^.\[\]]+)|\[\s*(-?\d{1,9})\s*\]|\['([^']*)'\]|\["([^"]*)"\]""", re.ASCII)


class Reference(Struct, frozen=True):
    """One `Get`.

    Shapes: parameter "N" -> name "N"; execution "PipelineName" -> name "PipelineName"; step
    "Steps.P.A.Outputs['x'].B" -> name "P", path ("A", "Outputs", "x", "B"); property-file
    "Steps.P.PropertyFiles.F" -> name "P", path ("F",). `text` is the string as written, `pointer` leads from
    the searched value to the object that holds the `Get`.
    """

    kind: ReferenceKind
    name: str
    path: tuple[str | int, ...] = ()
    pointer: Pointer = ()
    text: str = ""


class Scope(Protocol):
    """Where the values of references come from, for one step at one moment."""

    def parameter(self, name: str) -> Value:
        """The value of a pipeline parameter; KeyError when there is none."""
        ...

    def execution(self, name: str) -> Value:
        """The value of an execution variable such as PipelineName; KeyError when there is none."""
        ...

    def step(self, step_name: str) -> Mapping[str, Any] | None:
        """A step's properties in the shape of its Describe call; None when it did not run."""
        ...

    def property_file(self, step: str, property_file: str) -> JSON:
        """The decoded JSON of a step's property file."""
        ...

    def s3_json(self, uri: str) -> JSON:
        """The decoded JSON of an object."""
        ...


def path_parts(text: str) -> tuple[tuple[str | int, bool], ...]:
    """A property or JSON path part by part, each with whether it stood in brackets.

    `a.b[0]['c d']` -> (("a", False), ("b", False), (0, True), ("c d", True)).

    Raises:
        ValueError: it is no path.
    """
    parts: list[tuple[str | int, bool]] = []
    position = 0
    while position < len(text):
        match = _PART.match(text, position)
        if match is None:
            raise ValueError(text)
        key, index, single, double = match.groups()
        if index is not None:
            parts.append((int(index), True))
        elif key is not None:
            parts.append((key, False))
        else:
            parts.append((single if single is not None else double, True))
        position = match.end()
    if not parts:
        raise ValueError(text)
    return tuple(parts)


def parse_path(text: str) -> tuple[str | int, ...]:
    """A property or JSON path as keys and indexes: `a.b[0]['c d']` -> ("a", "b", 0, "c d").

    Raises:
        ValueError: it is no path.
    """
    return tuple(part for part, _ in path_parts(text))


def parse_get(text: str, pointer: Pointer = ()) -> Reference | None:
    """The reference that a `Get` string makes, or None when it makes none."""
    kind_, name, path = _parse(text)
    return None if kind_ is None else Reference(kind_, name, path, pointer, text)


@lru_cache(maxsize=8192)
def _parse(text: str) -> tuple[ReferenceKind | None, str, tuple[str | int, ...]]:
    scope, _, rest = text.partition(".")
    if scope == "Parameters" and rest:
        return "parameter", rest, ()
    if scope == "Execution" and rest:
        return "execution", rest, ()
    name, _, tail = rest.partition(".")
    if scope != "Steps" or not name:
        return None, "", ()
    if not tail:
        return "step", name, ()
    try:
        path = parse_path(tail)
    except ValueError:
        return None, "", ()
    if path[0] == "PropertyFiles" and len(path) == 2:
        return "property-file", name, path[1:]
    return "step", name, path


def references(value: JSON) -> Iterator[Reference]:
    """Every reference within a JSON value, in document order; a Get that makes none is passed over."""
    pending: list[tuple[JSON, _Trail]] = [(value, None)]
    while pending:
        node, trail = pending.pop()
        if isinstance(node, dict):
            text = node.get("Get")
            if isinstance(text, str) and len(node) == 1:
                found = parse_get(text, _pointer(trail))
                if found is not None:
                    yield found
                continue
            pending.extend((node[key], (trail, key)) for key in reversed(node))
        elif isinstance(node, list):
            pending.extend((node[i], (trail, i)) for i in range(len(node) - 1, -1, -1))


# the way back to the root, so that only a value that is reported pays for its pointer
_Trail: TypeAlias = tuple["_Trail", str | int] | None


def _pointer(trail: _Trail) -> Pointer:
    parts: list[str | int] = []
    while trail is not None:
        trail, part = trail
        parts.append(part)
    return tuple(reversed(parts))


def resolve(value: JSON, scope: Scope) -> JSON:
    """A deep copy of `value` in which every Get, Std:Join and Std:JsonGet is replaced by what it stands for.

    Raises:
        DefinitionError: naming the reference and where it stands within `value`.
    """
    try:
        return _resolve(value, scope, ())
    except RecursionError:
        raise DefinitionError("A value of the pipeline definition is nested too deeply.") from None


def _resolve(value: JSON, scope: Scope, pointer: Pointer) -> JSON:
    if isinstance(value, dict):
        if len(value) == 1:
            ((key, argument),) = value.items()
            if key == "Get" and isinstance(argument, str):
                return _get(argument, scope, pointer)
            if key == JOIN:
                return _join(argument, scope, (*pointer, key))
            if key == JSON_GET:
                return _json_get(argument, scope, (*pointer, key))
            if isinstance(key, str) and key.startswith("Std:"):
                raise _error(
                    f'"{key}" is no function of pipeline definitions', pointer, f"Known: {JOIN}, {JSON_GET}."
                )
        return {key: _resolve(item, scope, (*pointer, key)) for key, item in value.items()}
    if isinstance(value, list):
        return [_resolve(item, scope, (*pointer, index)) for index, item in enumerate(value)]
    return value


def _get(text: str, scope: Scope, pointer: Pointer) -> JSON:
    reference = parse_get(text, pointer)
    if reference is None:
        raise _error(
            f"{shown(text)} is no reference",
            pointer,
            "References read Parameters.NAME, Execution.NAME or Steps.NAME.PROPERTY.",
        )
    if reference.kind == "property-file":
        return scope.property_file(reference.name, str(reference.path[0]))
    if reference.kind == "step":
        return _step_property(reference, scope)
    lookup = scope.parameter if reference.kind == "parameter" else scope.execution
    try:
        return lookup(reference.name)
    except KeyError:
        raise _error(f"{text} refers to nothing: no {reference.kind} of that name", pointer) from None


def _step_property(reference: Reference, scope: Scope) -> JSON:
    properties = scope.step(reference.name)
    if properties is None:
        raise _error(
            f'{reference.text} has no value: step "{reference.name}" did not run in this execution',
            reference.pointer,
            "It is in the branch that its Condition step did not take; only steps of that branch can use it.",
        )
    return follow(properties, reference.path, reference.text, reference.pointer, named_items=True)


def follow(
    value: JSON,
    path: Sequence[str | int],
    text: str,
    pointer: Pointer = (),
    *,
    named_items: bool = False,
) -> JSON:
    """The value at `path`.

    Args:
        text: the path as written, for messages.
        named_items: a key applied to a list selects the item of that OutputName, InputName, MetricName ...

    Raises:
        DefinitionError: there is no such value, or it is null.
    """
    for depth, part in enumerate(path):
        found = _enter(value, part, named_items)
        if found is None:
            raise _absent(value, part, path[:depth], text, pointer)
        value = found
    return value


def _enter(value: JSON, part: str | int, named_items: bool) -> JSON:
    if isinstance(value, Mapping):
        return value.get(part) if isinstance(part, str) else None
    if not isinstance(value, list):
        return None
    if isinstance(part, int):
        return value[part] if -len(value) <= part < len(value) else None
    if not named_items:
        return None
    for item in value:
        if isinstance(item, Mapping) and any(item.get(key) == part for key in NAME_KEYS):
            # results of Lambda and Callback steps come as [{"Name": ..., "Value": ...}]
            return item["Value"] if set(item) == {"Name", "Value"} else item
    return None


def _absent(
    value: JSON, part: str | int, before: Sequence[str | int], text: str, pointer: Pointer
) -> DefinitionError:
    where = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in before).lstrip(".") or "the result"
    names: list[str] = []
    if isinstance(value, Mapping):
        names = [key for key in value if isinstance(key, str)]
    elif isinstance(value, list):
        names = [
            str(item[key]) for item in value if isinstance(item, Mapping) for key in NAME_KEYS if key in item
        ]
    what = f"has no {shown(part)}" if isinstance(value, Mapping | list) else f"is {kind(value)}"
    return _error(f"{shown(text, 200)} has no value: {where} {what}", pointer, did_you_mean(str(part), names))


def _join(argument: JSON, scope: Scope, pointer: Pointer) -> str:
    if not isinstance(argument, dict) or not isinstance(argument.get("Values"), list):
        raise _error(f'{JOIN} needs an object with "On" and a list of "Values"', pointer)
    on = argument.get("On", "")
    if not isinstance(on, str):
        raise _error(f'"On" of {JOIN} must be a string, and is {kind(on)}', pointer)
    texts = []
    for index, item in enumerate(argument["Values"]):
        place = (*pointer, "Values", index)
        texts.append(_as_text(_resolve(item, scope, place), place))
    return on.join(texts)


def _as_text(value: JSON, pointer: Pointer) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"  # as the definition itself writes it
    if isinstance(value, int | float):
        return str(value)
    raise _error(f"{JOIN} cannot join {kind(value)}", pointer)


def _json_get(argument: JSON, scope: Scope, pointer: Pointer) -> JSON:
    if not isinstance(argument, dict):
        raise _error(f"{JSON_GET} needs an object, and has {kind(argument)}", pointer)
    path = argument.get("Path")
    if not isinstance(path, str):
        # the service takes literals only, sagemaker-python-sdk 3463 and 4418
        raise _error(f'"Path" of {JSON_GET} must be a literal string, and is {kind(path)}', pointer)
    file, uri = argument.get("PropertyFile"), argument.get("S3Uri")
    if (file is None) == (uri is None):
        raise _error(f"{JSON_GET} needs exactly one of PropertyFile and S3Uri", pointer)
    try:
        parts = parse_path(path)
    except ValueError:
        raise _error(f"{shown(path)} is no JSON path", pointer, "Paths read like a.b[0]['c d'].") from None
    if uri is not None:
        address = _resolve(uri, scope, (*pointer, "S3Uri"))
        if not isinstance(address, str):
            raise _error(f"S3Uri of {JSON_GET} is {kind(address)}", (*pointer, "S3Uri"))
        return follow(scope.s3_json(address), parts, path, pointer)
    return follow(_property_file(file, scope, (*pointer, "PropertyFile")), parts, path, pointer)


def _property_file(value: JSON, scope: Scope, pointer: Pointer) -> JSON:
    text = value.get("Get") if isinstance(value, dict) and len(value) == 1 else None
    reference = parse_get(text) if isinstance(text, str) else None
    if reference is None or reference.kind != "property-file":
        raise _error(
            f"PropertyFile of {JSON_GET} is {shown(value)}",
            pointer,
            'It must be {"Get": "Steps.STEP.PropertyFiles.NAME"}.',
        )
    return scope.property_file(reference.name, str(reference.path[0]))


def _error(message: str, pointer: Pointer, hint: str = "") -> DefinitionError:
    place = f" (at {pointer_text(pointer)})" if pointer else ""
    return DefinitionError(printable(f"{message}{place}."), hint)
