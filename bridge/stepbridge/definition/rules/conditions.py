"""Rules on Condition steps and their conditions (J090 to J095)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stepbridge.definition.conditions import COMPARISONS, TYPES
from stepbridge.definition.references import JOIN, parse_get
from stepbridge.definition.values import JSON, UNKNOWN, kind, shown, templated

from .findings import Report, rename, replace
from .model import ConditionSite, Pipeline, ReferenceSite, StepView
from .references import reference_type
from .registry import rule

_KEYS: dict[str, tuple[tuple[str, ...], ...]] = {
    **dict.fromkeys(COMPARISONS, (("LeftValue",), ("RightValue",))),
    # QueryValue and Values are what the SDKs write; Value and In stand in the published schema
    "In": (("QueryValue", "Value"), ("Values", "In")),
    "NotIn": (("QueryValue", "Value"), ("Values", "In")),
    "Not": (("Condition",),),
    "Or": (("Conditions",),),
}
_SYNONYMS = {
    "Gt": "GreaterThan",
    "Gte": "GreaterThanOrEqualTo",
    "Lt": "LessThan",
    "Lte": "LessThanOrEqualTo",
    "Eq": "Equals",
    "Ne": "NotEquals",
    "GreaterThanOrEquals": "GreaterThanOrEqualTo",
    "LessThanOrEquals": "LessThanOrEqualTo",
}


@rule(
    "J090",
    "error",
    "Arguments of a Condition step",
    on="step",
    types=("Condition",),
    example='{"Name": "C", "Type": "Condition", "Arguments": {"IfSteps": []}}',
    source="S",
)
def condition_arguments(pipeline: Pipeline, step: StepView) -> Iterator[Report]:
    """A Condition step has `Conditions`, all of which must hold, and the arrays `IfSteps` and `ElseSteps`."""
    arguments = step.raw.get("Arguments")
    if not isinstance(arguments, dict):
        return
    place = (*step.pointer, "Arguments")
    if arguments.get("Conditions") is None and UNKNOWN not in arguments:
        yield Report(f"{step.label} has no Conditions.", place)
    known = ("Conditions", "IfSteps", "ElseSteps")
    for key in arguments:
        if key is UNKNOWN or key in known:
            continue
        close = pipeline.near(key, known)
        fix = rename((*place, key), close[0]) if close and close[0] not in arguments else None
        yield Report(
            f"{shown(key)} is no argument of a Condition step.",
            (*place, key),
            at_key=True,
            suggestions=close,
            fix=fix,
        )


@rule(
    "J091",
    "error",
    "Condition",
    on="condition",
    example='{"Type": "Gt", "LeftValue": 1, "RightValue": 2}',
    source="S; K: conditions.py; E 2746: unknown property 'Expression'",
)
def condition(pipeline: Pipeline, site: ConditionSite) -> Iterator[Report]:
    """A condition has one of the known types, and the keys of that type."""
    raw = site.raw
    if not isinstance(raw, dict):
        yield Report(f"A condition is an object, and this is {kind(raw)}.", site.pointer)
        return
    type_ = raw.get("Type", UNKNOWN if UNKNOWN in raw else None)
    if type_ is UNKNOWN:
        return
    if not isinstance(type_, str) or type_ not in TYPES:
        yield _unknown_type(pipeline, site, type_, "Type" in raw)
        return
    yield from _keys_of(pipeline, site, raw, type_)


def _unknown_type(pipeline: Pipeline, site: ConditionSite, type_: JSON, given: bool) -> Report:
    if not given:
        return Report("The condition has no Type.", site.pointer)
    close: tuple[str, ...] = ()
    if isinstance(type_, str):
        plain = type_.removeprefix("Condition")
        exact = plain if plain in TYPES else _SYNONYMS.get(plain.capitalize(), _SYNONYMS.get(plain))
        close = (exact,) if exact else pipeline.near(type_, TYPES)
    pointer = (*site.pointer, "Type")
    return Report(
        f"{shown(type_)} is no type of condition.",
        pointer,
        suggestions=close,
        fix=replace(pointer, close[0], f'Replace by "{close[0]}"') if close else None,
    )


def _keys_of(pipeline: Pipeline, site: ConditionSite, raw: dict[Any, JSON], type_: str) -> Iterator[Report]:
    groups = _KEYS[type_]
    known = {"Type", *(name for group in groups for name in group)}
    for key in raw:
        if key is UNKNOWN or key in known:
            continue
        close = ("Condition",) if type_ == "Not" and key == "Expression" else pipeline.near(key, known)
        pointer = (*site.pointer, key)
        fix = rename(pointer, close[0]) if close and close[0] not in raw else None
        yield Report(
            f"{shown(key)} is no key of a condition of type {type_}.",
            pointer,
            at_key=True,
            suggestions=close,
            fix=fix,
        )
    for group in groups:
        value = next((raw[name] for name in group if name in raw), None)
        if value is None and UNKNOWN not in raw and not ("Expression" in raw and type_ == "Not"):
            yield Report(f"The condition of type {type_} has no {group[0]}.", site.pointer)
        elif group[0] in ("Values", "Conditions") and not isinstance(value, list) and _given(value):
            name = next(name for name in group if name in raw)
            yield Report(f"{name} must be an array, and is {kind(value)}.", (*site.pointer, name))


def _given(value: JSON) -> bool:
    return value is not None and value is not UNKNOWN


@rule(
    "J092",
    "warning",
    "Operands of different types",
    on="condition",
    example='{"Type": "GreaterThan", "LeftValue": "5", "RightValue": {"Get": "Parameters.Threshold"}}',
    source="K: local/pipeline.py 433",
)
def comparable(pipeline: Pipeline, site: ConditionSite) -> Iterator[Report]:
    """The operands of a comparison are of the same type."""
    raw = _comparison(site)
    if raw is None:
        return
    left, right = (_type(pipeline, raw.get(key)) for key in ("LeftValue", "RightValue"))
    if left is None or right is None or left == right or {left, right} == {"Integer", "Float"}:
        return
    message = f"{raw['Type']} compares a value of type {left} with one of type {right}."
    yield Report(message, (*site.pointer, "RightValue"))


def _comparison(site: ConditionSite) -> dict[Any, JSON] | None:
    raw = site.raw
    type_ = raw.get("Type") if isinstance(raw, dict) else None
    return raw if isinstance(type_, str) and type_ in COMPARISONS else None


def _type(pipeline: Pipeline, value: JSON) -> str | None:
    """The parameter type of an operand, where it is known."""
    if isinstance(value, bool):
        return "Boolean"
    if isinstance(value, int | float):
        return "Integer" if isinstance(value, int) else "Float"
    if isinstance(value, str):
        return "String"
    if not isinstance(value, dict) or len(value) != 1:
        return None
    if JOIN in value:
        return "String"
    text = value.get("Get")
    reference = parse_get(text) if isinstance(text, str) else None
    return reference_type(pipeline, ReferenceSite((), text, reference, None, None, value))


@rule(
    "J093",
    "warning",
    "Constant condition",
    on="condition",
    example='{"Type": "Equals", "LeftValue": 1, "RightValue": 1}',
    source="that its outcome is always the same",
)
def constant_condition(pipeline: Pipeline, site: ConditionSite) -> Iterator[Report]:
    """A comparison of two constants always takes the same branch."""
    raw = _comparison(site)
    if raw is None:
        return
    operands = [raw.get(key) for key in ("LeftValue", "RightValue")]
    if all(isinstance(operand, str | int | float) and not templated(operand) for operand in operands):
        yield Report("Both sides are constants: the outcome is always the same.", site.pointer)


@rule(
    "J094",
    "warning",
    "Empty branches",
    on="step",
    types=("Condition",),
    example='{"Conditions": [C], "IfSteps": [], "ElseSteps": []}',
    source="that the condition decides nothing",
)
def empty_branches(pipeline: Pipeline, step: StepView) -> Iterator[Report]:
    """A Condition step with two empty branches decides nothing."""
    arguments = step.arguments
    if "Arguments" not in step.raw or step.raw["Arguments"] is UNKNOWN or UNKNOWN in arguments:
        return
    used = step.name in pipeline.referred_steps
    if not arguments.get("IfSteps") and not arguments.get("ElseSteps") and arguments and not used:
        yield Report(f"{step.label} has no steps in either branch.", (*step.pointer, "Arguments"))


@rule(
    "J095",
    "warning",
    "No conditions",
    on="step",
    types=("Condition",),
    example='{"Conditions": [], "IfSteps": [A]}',
    source="I",
)
def no_conditions(pipeline: Pipeline, step: StepView) -> Iterator[Report]:
    """A Condition step without conditions always takes its IfSteps; the service is likely to refuse it."""
    if step.arguments.get("Conditions") == []:
        yield Report(f"{step.label} has no conditions.", (*step.pointer, "Arguments", "Conditions"))
