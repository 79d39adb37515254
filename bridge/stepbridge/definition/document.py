"""The pipeline definition document (version 2020-12-01): JSON text becomes a typed, frozen model.

It checks what the model needs in order to exist: that things are objects, lists and strings, that steps and
parameters have names, and that the names are unique. Whether a definition is a good one is for `rules/`.
Where the service is lenient (DefaultValue null, an odd cache expiry, a missing DependsOn), so is this module.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from functools import cached_property
from typing import Any, Literal, cast

from msgspec import Struct

from stepbridge.errors import DefinitionError

from .durations import parse_duration
from .values import JSON, MISSING, Missing, Pointer, Value, did_you_mean, kind, pointer_text, printable, shown

VERSION = "2020-12-01"
ParameterType = Literal["String", "Integer", "Float", "Boolean"]
PARAMETER_TYPES: tuple[ParameterType, ...] = ("String", "Integer", "Float", "Boolean")
BRANCHES: tuple[tuple[str, bool], ...] = (("IfSteps", True), ("ElseSteps", False))


class Parameter(Struct, frozen=True):
    """A pipeline parameter. `default` is as written: `parameters.bind` converts and checks it."""

    name: str
    type: ParameterType
    default: Value | Missing = MISSING
    enum: tuple[str, ...] = ()


class PropertyFile(Struct, frozen=True):
    """A JSON file that a processing step leaves in one of its outputs, for `Std:JsonGet` to read."""

    name: str
    output_name: str
    file_path: str


class CacheConfig(Struct, frozen=True):
    """A step's CacheConfig; `expire_after` is as written, for instance "30d" or "T1H"."""

    enabled: bool
    expire_after: str | None = None

    @property
    def max_age(self) -> timedelta | None:
        """How old an execution may be to be used again; None where nothing readable was given."""
        return None if self.expire_after is None else parse_duration(self.expire_after)


class RetryPolicy(Struct, frozen=True):
    """One entry of RetryPolicies, with the service's defaults filled in.

    Intervals are in seconds, the expiry in minutes. A policy without any limit has both limits None.
    """

    exception_types: tuple[str, ...]
    interval_seconds: float = 1
    backoff_rate: float = 2.0
    max_attempts: int | None = None
    expire_after_minutes: float | None = None


class Step(Struct, frozen=True):
    """A step, at the top level or inside a Condition step's branch.

    `arguments` and `raw` are JSON as parsed (do not change them). `branch` is the name of the enclosing
    Condition step and whether this step is in its IfSteps. `if_steps` and `else_steps` are set on Condition
    steps only.
    """

    name: str
    type: str
    arguments: JSON
    depends_on: tuple[str, ...]
    property_files: tuple[PropertyFile, ...]
    cache: CacheConfig | None
    retry_policies: tuple[RetryPolicy, ...]
    raw: dict[str, Any]
    branch: tuple[str, bool] | None = None
    if_steps: tuple[Step, ...] = ()
    else_steps: tuple[Step, ...] = ()
    pointer: Pointer = ()

    @property
    def display_name(self) -> str:
        """DisplayName, or the name."""
        shown_as = self.raw.get("DisplayName")
        return shown_as if isinstance(shown_as, str) and shown_as else self.name

    @property
    def conditions(self) -> list[JSON]:
        """A Condition step's Conditions as parsed; empty for every other step."""
        found = self.arguments.get("Conditions") if isinstance(self.arguments, dict) else None
        return found if isinstance(found, list) else []

    @property
    def own(self) -> JSON:
        """The step's JSON without the steps of its branches: what its own references stand in."""
        if not (self.if_steps or self.else_steps):
            return self.raw
        return {**self.raw, "Arguments": {"Conditions": self.conditions}}


class PipelineDefinition(Struct, frozen=True, dict=True):
    """A whole definition. `steps` are those of the top level; `walk` also visits the nested ones."""

    version: str
    metadata: dict[str, Any]
    parameters: tuple[Parameter, ...]
    experiment: dict[str, Any] | None
    steps: tuple[Step, ...]

    def walk(self) -> Iterator[Step]:
        """All steps in document order; a Condition step comes before the steps of its branches."""
        return iter(self._steps_by_name.values())

    def step(self, name: str) -> Step:
        """The step of that name, nested or not.

        Raises:
            DefinitionError: there is none.
        """
        found = self._steps_by_name.get(name)
        if found is None:
            raise DefinitionError(
                f"The pipeline has no step {shown(name)}.", did_you_mean(name, self._steps_by_name)
            )
        return found

    def parameter(self, name: str) -> Parameter | None:
        """The parameter of that name, or None."""
        return self._parameters_by_name.get(name)

    @cached_property
    def _steps_by_name(self) -> dict[str, Step]:
        found: dict[str, Step] = {}
        pending = list(reversed(self.steps))
        while pending:
            step = pending.pop()
            found[step.name] = step
            pending.extend(reversed(step.else_steps))
            pending.extend(reversed(step.if_steps))
        return found

    @cached_property
    def _parameters_by_name(self) -> dict[str, Parameter]:
        return {parameter.name: parameter for parameter in self.parameters}


def parse(text: str) -> PipelineDefinition:
    """Read the text of a pipeline definition.

    Raises:
        DefinitionError: naming line and column where the text is no JSON, and the JSON pointer otherwise.
    """
    try:
        return parse_value(json.loads(text, parse_constant=_no_constant))
    except json.JSONDecodeError as error:
        raise DefinitionError(
            f"The pipeline definition is not JSON: {error.msg} at line {error.lineno}, column {error.colno}."
        ) from None
    except RecursionError:
        raise DefinitionError("The pipeline definition is nested too deeply to be read.") from None
    except ValueError as error:  # NaN, or a number of more than 4300 digits
        raise DefinitionError(f"The pipeline definition is not JSON: {error}.") from None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON value")


def parse_value(value: JSON) -> PipelineDefinition:
    """Like `parse`, for JSON that is already decoded."""
    root = _object(value, (), "The pipeline definition")
    steps = root.get("Steps")
    if steps is None:
        raise DefinitionError(
            "The pipeline definition has no Steps.", "Is this the text of pipeline.definition()?"
        )
    metadata = root.get("Metadata")
    experiment = root.get("PipelineExperimentConfig")
    version = root.get("Version")
    seen: dict[str, Pointer] = {}
    return PipelineDefinition(
        version=version if isinstance(version, str) else VERSION,
        metadata=metadata if isinstance(metadata, dict) else {},
        parameters=_parameters(root.get("Parameters")),
        experiment=experiment if isinstance(experiment, dict) else None,
        steps=_steps(steps, ("Steps",), None, seen),
    )


def _parameters(value: JSON) -> tuple[Parameter, ...]:
    if value is None:
        return ()
    found: dict[str, Parameter] = {}
    for index, item in enumerate(_list(value, ("Parameters",), "Parameters")):
        parameter = _parameter(item, ("Parameters", index))
        if parameter.name in found:
            raise _error(f"Parameter {shown(parameter.name)} is declared twice", ("Parameters", index))
        found[parameter.name] = parameter
    return tuple(found.values())


def _parameter(value: JSON, pointer: Pointer) -> Parameter:
    item = _object(value, pointer, "A parameter")
    name = _name(item, pointer, "A parameter")
    type_ = item.get("Type", "String")
    if type_ not in PARAMETER_TYPES:
        raise _error(
            f"Parameter {shown(name)} has the type {shown(type_)}, not one of {', '.join(PARAMETER_TYPES)}",
            (*pointer, "Type"),
        )
    default = item.get("DefaultValue")
    if isinstance(default, dict | list):
        raise _error(f"The default of parameter {shown(name)} is {kind(default)}", (*pointer, "DefaultValue"))
    enum = item.get("EnumValues")
    values = () if enum is None else _list(enum, (*pointer, "EnumValues"), "EnumValues")
    return Parameter(
        name=name,
        type=cast(ParameterType, type_),
        default=MISSING if default is None else default,
        enum=tuple(value for value in values if isinstance(value, str)),
    )


def _steps(
    value: JSON, pointer: Pointer, branch: tuple[str, bool] | None, seen: dict[str, Pointer]
) -> tuple[Step, ...]:
    items = _list(value, pointer, str(pointer[-1]))
    return tuple(_step(item, (*pointer, index), branch, seen) for index, item in enumerate(items))


def _step(value: JSON, pointer: Pointer, branch: tuple[str, bool] | None, seen: dict[str, Pointer]) -> Step:
    raw = _object(value, pointer, "A step")
    name = _name(raw, pointer, "A step")
    if name in seen:
        raise _error(f"Step {shown(name)} stands at {pointer_text(seen[name])} already", pointer)
    seen[name] = pointer
    type_ = raw.get("Type")
    if not isinstance(type_, str):
        raise _error(f"Step {shown(name)} has no Type", pointer)
    arguments = raw.get("Arguments")
    nested: dict[str, tuple[Step, ...]] = {}
    if type_ == "Condition":
        arguments = _object(arguments, (*pointer, "Arguments"), f"Arguments of step {shown(name)}")
        for key, taken in BRANCHES:
            inner = arguments.get(key)
            nested[key] = (
                () if inner is None else _steps(inner, (*pointer, "Arguments", key), (name, taken), seen)
            )
    return Step(
        name=name,
        type=type_,
        arguments=arguments if arguments is not None else {},
        depends_on=_depends_on(raw, pointer),
        property_files=_property_files(raw, pointer),
        cache=_cache(raw, pointer),
        retry_policies=_retry_policies(raw, pointer),
        raw=raw,
        branch=branch,
        if_steps=nested.get("IfSteps", ()),
        else_steps=nested.get("ElseSteps", ()),
        pointer=pointer,
    )


def _depends_on(raw: Mapping[str, JSON], pointer: Pointer) -> tuple[str, ...]:
    names = _optional_list(raw, "DependsOn", pointer)
    for index, name in enumerate(names):
        if not isinstance(name, str):
            raise _error(
                f"DependsOn holds {kind(name)} where a step name belongs", (*pointer, "DependsOn", index)
            )
    return tuple(names)


def _property_files(raw: Mapping[str, JSON], pointer: Pointer) -> tuple[PropertyFile, ...]:
    found = []
    for index, item in enumerate(_optional_list(raw, "PropertyFiles", pointer)):
        place = (*pointer, "PropertyFiles", index)
        file = _object(item, place, "A property file")
        parts = [file.get(key) for key in ("PropertyFileName", "OutputName", "FilePath")]
        if not all(isinstance(part, str) for part in parts):
            raise _error("A property file needs PropertyFileName, OutputName and FilePath as strings", place)
        found.append(PropertyFile(*(str(part) for part in parts)))
    return tuple(found)


def _cache(raw: Mapping[str, JSON], pointer: Pointer) -> CacheConfig | None:
    value = raw.get("CacheConfig")
    if value is None:
        return None
    config = _object(value, (*pointer, "CacheConfig"), "CacheConfig")
    enabled = config.get("Enabled")
    expire_after = config.get("ExpireAfter")
    return CacheConfig(
        enabled=enabled is True or (isinstance(enabled, str) and enabled.lower() == "true"),
        expire_after=expire_after if isinstance(expire_after, str) else None,
    )


def _retry_policies(raw: Mapping[str, JSON], pointer: Pointer) -> tuple[RetryPolicy, ...]:
    found = []
    for index, item in enumerate(_optional_list(raw, "RetryPolicies", pointer)):
        policy = _object(item, (*pointer, "RetryPolicies", index), "A retry policy")
        types = policy.get("ExceptionType")
        if isinstance(types, str):  # the published schema says string, the service and its SDKs use arrays
            types = [types]
        attempts = _number(policy, "MaxAttempts")
        found.append(
            RetryPolicy(
                exception_types=tuple(t for t in types if isinstance(t, str))
                if isinstance(types, list)
                else (),
                interval_seconds=_number(policy, "IntervalSeconds", 1) or 0,
                backoff_rate=_number(policy, "BackoffRate", 2.0) or 0,
                max_attempts=None if attempts is None else int(attempts),
                expire_after_minutes=_number(policy, "ExpireAfterMin"),
            )
        )
    return tuple(found)


def _number(item: Mapping[str, JSON], key: str, default: float | None = None) -> float | None:
    value = item.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return default
    return value if abs(value) < 1e15 else default


def _name(item: Mapping[str, JSON], pointer: Pointer, what: str) -> str:
    name = item.get("Name")
    if not isinstance(name, str) or not name:
        raise _error(f"{what} has no Name", pointer)
    return name


def _object(value: JSON, pointer: Pointer, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _error(f"{what} must be an object, and is {kind(value)}", pointer)
    return value


def _list(value: JSON, pointer: Pointer, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise _error(f"{what} must be an array, and is {kind(value)}", pointer)
    return value


def _optional_list(item: Mapping[str, JSON], key: str, pointer: Pointer) -> list[Any]:
    value = item.get(key)
    return [] if value is None else _list(value, (*pointer, key), key)


def _error(message: str, pointer: Pointer) -> DefinitionError:
    return DefinitionError(printable(f"{message} (at {pointer_text(pointer)} of the pipeline definition)."))
