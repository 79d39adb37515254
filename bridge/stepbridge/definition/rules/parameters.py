"""Rules on Parameters (J020 to J032)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from stepbridge.definition.document import PARAMETER_TYPES
from stepbridge.definition.values import JSON, UNKNOWN, kind, shown, templated

from .findings import Report, remove, replace
from .model import ParameterView, Pipeline
from .registry import rule

MAX_PARAMETERS = 200
MAX_ENUM = 16
MAX_NAME, LONG_NAME = 256, 64
MAX_DEFAULT, MAX_OVERRIDE = 4096, 1024

_NAME = re.compile(r"[A-Za-z0-9\-_]+")
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_ACCESS_KEY = re.compile(r"(AKIA|ASIA)[0-9A-Z]{16}")
_SECRET_WORDS = frozenset(
    {"password", "passwd", "pwd", "passphrase", "secret", "token", "apikey", "credentials"}
)
_SECRET_PAIRS = frozenset({("api", "key"), ("access", "key"), ("private", "key"), ("secret", "key")})
# SecretName and TokenArn name a secret, MaxTokenCount counts words
_HARMLESS = frozenset({"name", "arn", "id", "path", "prefix", "count", "limit", "length", "size", "type"})


@rule(
    "J020",
    "error",
    "Parameter name",
    on="parameter",
    example='{"Name": "my param", "Type": "String"}',
    source="S, B: PipelineParameterName; V: the SDK writes it",
)
def parameter_name(pipeline: Pipeline, parameter: ParameterView) -> Iterator[Report]:
    """A parameter has a name of letters, digits, `-` and `_`: at most 256, and better not above 64."""
    raw, pointer = parameter.raw, parameter.pointer
    name = raw.get("Name", UNKNOWN if UNKNOWN in raw else None)
    if name is UNKNOWN:
        return
    if name is None:
        yield Report("The parameter has no Name.", pointer)
    elif not isinstance(name, str):
        yield Report(f"A parameter's Name must be a string, and is {kind(name)}.", (*pointer, "Name"))
    elif not _NAME.fullmatch(name) and not templated(name):
        yield Report(
            f"The parameter name {shown(name)} may hold letters, digits, - and _ only.", (*pointer, "Name")
        )
    elif len(name) > MAX_NAME:
        yield Report(
            f"The parameter name has {len(name)} characters; the service takes {MAX_NAME}.",
            (*pointer, "Name"),
        )
    elif len(name) > LONG_NAME:
        message = f"The parameter name has {len(name)} characters; the published schema allows {LONG_NAME}."
        yield Report(message, (*pointer, "Name"), severity="warning")


@rule(
    "J021",
    "error",
    "Parameter type",
    on="parameter",
    example='{"Name": "Count", "Type": "Int"}',
    source="S",
)
def parameter_type(pipeline: Pipeline, parameter: ParameterView) -> Iterator[Report]:
    """A parameter's `Type` is String, Integer, Float or Boolean; without one it is a String."""
    found = parameter.raw.get("Type", UNKNOWN)
    if found is UNKNOWN or found in PARAMETER_TYPES:
        return
    pointer = (*parameter.pointer, "Type")
    meant = _SHORT_TYPES.get(found.lower()) if isinstance(found, str) else None
    close = (meant,) if meant else pipeline.near(found, PARAMETER_TYPES) if isinstance(found, str) else ()
    yield Report(
        f"{shown(found)} is no parameter type: {', '.join(PARAMETER_TYPES)}.",
        pointer,
        suggestions=close,
        fix=replace(pointer, close[0], f'Replace by "{close[0]}"') if close else None,
    )


_SHORT_TYPES = {
    "int": "Integer",
    "long": "Integer",
    "number": "Float",
    "double": "Float",
    "str": "String",
    "bool": "Boolean",
}


@rule(
    "J022",
    "error",
    "Duplicate parameter",
    on="document",
    example='[{"Name": "A", "Type": "String"}, {"Name": "A", "Type": "String"}]',
    source="V: the SDK writes both",
)
def duplicate_parameter(pipeline: Pipeline) -> Iterator[Report]:
    """Names of parameters are unique."""
    for parameter in pipeline.parameters:
        if parameter.name is None:
            continue
        first = pipeline.parameters_by_name[parameter.name]
        if first is not parameter:
            yield Report(
                f"Parameter {shown(parameter.name)} is declared twice.",
                (*parameter.pointer, "Name"),
                related=(((*first.pointer, "Name"), "The first declaration."),),
                fix=remove(parameter.pointer, "Remove this declaration"),
            )


@rule(
    "J023",
    "error",
    "Default of the wrong type",
    on="parameter",
    example='{"Name": "Count", "Type": "Integer", "DefaultValue": "3"}',
    source="S; D build-and-manage-parameters",
)
def default_type(pipeline: Pipeline, parameter: ParameterView) -> Iterator[Report]:
    """`DefaultValue` is a value of the parameter's type; a whole number will do for a Float."""
    default, type_ = parameter.raw.get("DefaultValue"), parameter.type
    if default is None or default is UNKNOWN or type_ is None or _fits(default, type_):
        return
    pointer = (*parameter.pointer, "DefaultValue")
    meant = _converted(default, type_)
    whole = type_ == "Integer" and isinstance(default, float) and default.is_integer()
    yield Report(
        f"The default {shown(default)} is {kind(default)}, but the parameter's type is {type_}.",
        pointer,
        fix=None if meant is None else replace(pointer, meant, f"Replace by {shown(meant)}"),
        severity="warning" if whole else None,
    )


def _fits(value: JSON, type_: str) -> bool:
    if type_ == "String":
        return isinstance(value, str)
    if type_ == "Boolean":
        return isinstance(value, bool)
    if isinstance(value, bool):
        return False
    return isinstance(value, int) or (type_ == "Float" and isinstance(value, float))


def _converted(value: JSON, type_: str) -> JSON:
    """The value of that type that was likely meant, or None."""
    if type_ == "String":
        if isinstance(value, bool):
            return "true" if value else "false"
        return str(value) if isinstance(value, int | float) else None
    if type_ == "Boolean":
        return {"true": True, "false": False}.get(value.lower()) if isinstance(value, str) else None
    if isinstance(value, bool) or not isinstance(value, str | float) or len(str(value)) > 30:
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    if type_ == "Float":
        return number if abs(number) < 1e300 else None
    return int(number) if abs(number) < 1e15 and number.is_integer() else None


@rule(
    "J024",
    "error",
    "EnumValues",
    on="parameter",
    example='{"Name": "Count", "Type": "Integer", "EnumValues": [1, 2]}',
    source="K: parameters.py; E 3647",
)
def enum_values(pipeline: Pipeline, parameter: ParameterView) -> Iterator[Report]:
    """Only String parameters have `EnumValues`, an array of different strings."""
    values, pointer = parameter.raw.get("EnumValues"), (*parameter.pointer, "EnumValues")
    if values is None or values is UNKNOWN:
        return
    if parameter.type not in ("String", None):
        yield Report(
            f"A parameter of type {parameter.type} has no EnumValues.",
            pointer,
            at_key=True,
            fix=remove(pointer, "Remove EnumValues"),
        )
        return
    if not isinstance(values, list):
        yield Report(f"EnumValues must be an array, and is {kind(values)}.", pointer)
        return
    seen: set[str] = set()
    for index, value in enumerate(values):
        if value is UNKNOWN:
            continue
        if not isinstance(value, str):
            yield Report(f"EnumValues are strings; this one is {kind(value)}.", (*pointer, index))
        elif value in seen:
            fix = remove((*pointer, index), "Remove the duplicate")
            yield Report(f"{shown(value)} stands twice in EnumValues.", (*pointer, index), fix=fix)
        else:
            seen.add(value)


@rule(
    "J025",
    "error",
    "Default not in EnumValues",
    on="parameter",
    example='{"Name": "Mode", "Type": "String", "EnumValues": ["a"], "DefaultValue": "z"}',
    source="V: the SDK does not check",
)
def default_in_enum(pipeline: Pipeline, parameter: ParameterView) -> Iterator[Report]:
    """The default is one of the `EnumValues`."""
    values, default = parameter.raw.get("EnumValues"), parameter.raw.get("DefaultValue")
    if not isinstance(values, list) or not isinstance(default, str) or UNKNOWN in values:
        return
    if values and default not in values and parameter.type in ("String", None):
        close = pipeline.near(default, (value for value in values if isinstance(value, str)))
        pointer = (*parameter.pointer, "DefaultValue")
        yield Report(
            f"The default {shown(default)} is not one of the EnumValues.",
            pointer,
            suggestions=close,
            fix=replace(pointer, close[0], f"Replace by {shown(close[0])}") if close else None,
        )


@rule(
    "J026",
    "warning",
    "Many EnumValues",
    on="parameter",
    example="(17 EnumValues)",
    source='E 2314: "maximum of 16 elements", one report',
)
def many_enum_values(pipeline: Pipeline, parameter: ParameterView) -> Iterator[Report]:
    """The service was seen to refuse more than 16 `EnumValues`."""
    values = parameter.raw.get("EnumValues")
    if isinstance(values, list) and len(values) > MAX_ENUM:
        message = f"There are {len(values)} EnumValues; the service was seen to take {MAX_ENUM} at most."
        yield Report(message, (*parameter.pointer, "EnumValues"))


@rule(
    "J027",
    "warning",
    "Long default",
    on="parameter",
    example="(a default of 2,000 characters)",
    source="S: 4096; B: an override is limited to 1024",
)
def long_default(pipeline: Pipeline, parameter: ParameterView) -> Iterator[Report]:
    """A default above 1024 characters cannot be given again at the start; above 4096 it is refused."""
    default = parameter.raw.get("DefaultValue")
    if isinstance(default, str) and len(default) > MAX_OVERRIDE:
        limit = MAX_DEFAULT if len(default) > MAX_DEFAULT else MAX_OVERRIDE
        what = "defaults have" if limit == MAX_DEFAULT else "a value given at the start has"
        yield Report(
            f"The default has {len(default)} characters; {what} {limit} at most.",
            (*parameter.pointer, "DefaultValue"),
        )


@rule(
    "J028",
    "warning",
    "Empty default",
    on="parameter",
    example='{"Name": "Prefix", "Type": "String", "DefaultValue": ""}',
    source='E 4016: string "" is too short (length: 0, required minimum: 1); E 3564',
)
def empty_default(pipeline: Pipeline, parameter: ParameterView) -> Iterator[Report]:
    """The service refuses an empty string as the value of a parameter."""
    if parameter.raw.get("DefaultValue") == "" and parameter.type in ("String", None):
        yield Report(
            "The default is an empty string, which the service refuses as a value at the start.",
            (*parameter.pointer, "DefaultValue"),
        )


@rule(
    "J029",
    "error",
    "Many parameters",
    on="document",
    example="(201 parameters)",
    source="B: ParameterList",
)
def many_parameters(pipeline: Pipeline) -> Iterator[Report]:
    """A pipeline has 200 parameters at most."""
    if len(pipeline.parameters) > MAX_PARAMETERS:
        message = f"There are {len(pipeline.parameters)} parameters; the service takes {MAX_PARAMETERS}."
        yield Report(message, pipeline.parameters[MAX_PARAMETERS].pointer)


@rule(
    "J030",
    "information",
    "Unused parameter",
    on="document",
    example='{"Parameters": [{"Name": "Unused", "Type": "String"}], "Steps": []}',
    source="that nothing refers to it",
)
def unused_parameter(pipeline: Pipeline) -> Iterator[Report]:
    """A parameter that nothing refers to has no effect."""
    unused = [p for p in pipeline.parameters if p.name is not None and p.name not in pipeline.used_parameters]
    if unused and pipeline.steps and not pipeline.has_unknowns:
        for parameter in unused:
            yield Report(
                f"Parameter {shown(parameter.name)} is not used.",
                (*parameter.pointer, "Name"),
                fix=remove(parameter.pointer, "Remove the parameter"),
                unnecessary=True,
            )


@rule(
    "J031",
    "information",
    "Parameter without a default",
    on="parameter",
    example='{"Name": "InputData", "Type": "String"}',
    source="K: triggers.py 150-160 (a schedule needs defaults)",
    default=False,
)
def parameter_without_default(pipeline: Pipeline, parameter: ParameterView) -> Iterator[Report]:
    """A parameter without a default must be given at every start; a scheduled pipeline needs defaults."""
    if (
        parameter.name is not None
        and parameter.raw.get("DefaultValue") is None
        and UNKNOWN not in parameter.raw
    ):
        yield Report("This parameter must be given at every start.", (*parameter.pointer, "Name"))


@rule(
    "J032",
    "warning",
    "Secret in a parameter",
    on="parameter",
    example='{"Name": "DbPassword", "Type": "String"}',
    source="D build-and-manage-pipeline: values are visible in DescribePipeline",
)
def secret_parameter(pipeline: Pipeline, parameter: ParameterView) -> Iterator[Report]:
    """Whoever may describe the pipeline can read its parameters and their values: no place for secrets."""
    default = parameter.raw.get("DefaultValue")
    if isinstance(default, str) and _ACCESS_KEY.search(default):
        yield Report("The default looks like an access key.", (*parameter.pointer, "DefaultValue"))
    elif parameter.name is not None and parameter.type in ("String", None) and is_secret(parameter.name):
        yield Report(
            f"{shown(parameter.name)} sounds like a secret; whoever may describe the pipeline can read it.",
            (*parameter.pointer, "Name"),
        )


def is_secret(name: str) -> bool:
    """Whether a name speaks of a secret itself, not of where it is kept or how many words it has."""
    words = [word.lower() for word in _WORDS.findall(name)]
    if not words or words[-1] in _HARMLESS:
        return False
    return any(word in _SECRET_WORDS for word in words) or any(
        pair in _SECRET_PAIRS for pair in pairwise(words)
    )
