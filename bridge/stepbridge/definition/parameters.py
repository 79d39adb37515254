"""Values of pipeline parameters for one execution: defaults, overrides, types.

Pure: it knows where overrides come from (strings from a command line or StartPipelineExecution, typed values
from Python) only by their type.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from stepbridge.errors import ParameterError

from .document import Parameter, PipelineDefinition
from .values import MISSING, Value, did_you_mean, printable, shown

MAX_OVERRIDE = 1024  # botocore: String1024 of PipelineParameters[].Value


def bind(
    definition: PipelineDefinition, overrides: Mapping[str, Value], *, strict: bool = True
) -> dict[str, Value]:
    """Typed values for every parameter, in the order of declaration.

    Args:
        overrides: strings are converted to the parameter's type ("3", "true"); typed values must fit it.
        strict: False ignores unknown names and leaves out parameters that have no value.

    Raises:
        ParameterError: an unknown name, a missing value, a value that cannot be converted or is not in the
        enum,
            an empty or over-long string.
    """
    declared = {parameter.name: parameter for parameter in definition.parameters}
    if strict:
        for name in overrides:
            if name not in declared:
                raise ParameterError(
                    f"The pipeline has no parameter {shown(name)}.", did_you_mean(str(name), declared)
                )
    values: dict[str, Value] = {}
    missing: list[str] = []
    for parameter in definition.parameters:
        if parameter.name in overrides:
            values[parameter.name] = _override(parameter, overrides[parameter.name])
        elif parameter.default is not MISSING:
            values[parameter.name] = _checked(parameter, parameter.default, "default")
        else:
            missing.append(parameter.name)
    if missing and strict:
        raise _missing(missing)
    return values


def convert(parameter: Parameter, value: Value) -> Value:
    """`value` as the parameter's type.

    Raises:
        ValueError: it cannot be converted.
    """
    if parameter.type == "String":
        return _string(value)
    if parameter.type == "Integer":
        return _integer(value)
    if parameter.type == "Float":
        return _float(value)
    return _boolean(value)


def _override(parameter: Parameter, value: Value) -> Value:
    if isinstance(value, str):
        if not value:
            # the service: 'string "" is too short (length: 0, required minimum: 1)', sagemaker-python-sdk
            # 4016
            raise ParameterError(
                f"Parameter {shown(parameter.name)} is given an empty string, which the service refuses.",
                "Leave it out to use its default, or pass a placeholder that your script understands.",
            )
        if len(value) > MAX_OVERRIDE:
            raise ParameterError(
                f"The value of parameter {shown(parameter.name)} has {len(value)} characters;"
                f" the service takes {MAX_OVERRIDE}.",
                "Put long values into a file on S3 and pass its address.",
            )
    return _checked(parameter, value, "value")


def _checked(parameter: Parameter, value: Value, what: str) -> Value:
    try:
        converted = convert(parameter, value)
    except (ValueError, OverflowError):
        raise ParameterError(
            f"The {what} {shown(value)} of parameter {shown(parameter.name)} is no {parameter.type}.",
            _EXAMPLES[parameter.type],
        ) from None
    if parameter.enum and converted not in parameter.enum:
        raise ParameterError(
            f"The {what} {shown(value)} of parameter {shown(parameter.name)} is not one of its EnumValues.",
            "Allowed: " + printable(", ".join(parameter.enum)) + ".",
        )
    return converted


_EXAMPLES = {
    "String": "Give a string.",
    "Integer": "Give a whole number, for instance 3.",
    "Float": "Give a number, for instance 0.5.",
    "Boolean": "Give true or false.",
}


def _missing(names: list[str]) -> ParameterError:
    listed = ", ".join(shown(name) for name in names)
    plural = "s have no value and no defaults" if len(names) > 1 else " has no value and no default"
    return ParameterError(
        f"Parameter{plural}: {listed}.", f"Give it at the start: {shown(names[0])[1:-1]}=VALUE."
    )


def _string(value: Value) -> str:
    if isinstance(value, str):
        return value
    return str(value)  # as the SDK does when it starts an execution (format_start_parameters)


def _integer(value: Value) -> int:
    if isinstance(value, str):
        digits = value.strip()
        if not (digits.isascii() and digits.lstrip("+-").isdigit() and len(digits) < 64):
            raise ValueError(value)
        return int(digits)
    if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
        raise ValueError(value)
    return int(value)


def _float(value: Value) -> float:
    if isinstance(value, bool) or (isinstance(value, str) and ("_" in value or not value.isascii())):
        raise ValueError(value)
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(value)
    return number


def _boolean(value: Value) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    raise ValueError(value)
