"""Conditions of a Condition step: is the branch taken?

Wire shapes: Equals, NotEquals, GreaterThan(OrEqualTo), LessThan(OrEqualTo) with LeftValue and RightValue; In,
NotIn with QueryValue and Values; Not with Condition (older SDKs wrote Expression); Or with Conditions.
"""

from __future__ import annotations

import operator
from collections.abc import Callable

from stepbridge.errors import DefinitionError

from .references import Scope, resolve
from .values import JSON, did_you_mean, kind, shown

COMPARISONS: dict[str, Callable[[JSON, JSON], bool]] = {
    "Equals": operator.eq,
    "NotEquals": operator.ne,
    "GreaterThan": operator.gt,
    "GreaterThanOrEqualTo": operator.ge,
    "LessThan": operator.lt,
    "LessThanOrEqualTo": operator.le,
}
TYPES = (*COMPARISONS, "In", "NotIn", "Not", "Or")


def evaluate(conditions: list[JSON], scope: Scope) -> bool:
    """Whether all conditions hold. References are resolved first, so a broken one fails in any case.

    Raises:
        DefinitionError: an unknown condition, a reference without value, operands that cannot be compared.
    """
    if not isinstance(conditions, list):
        raise DefinitionError(f"Conditions must be an array, and is {kind(conditions)}.")
    resolved = resolve(conditions, scope)
    try:
        return all(_holds(condition) for condition in resolved)
    except RecursionError:
        raise DefinitionError("Conditions are nested too deeply.") from None


def _holds(condition: JSON) -> bool:
    if not isinstance(condition, dict):
        raise DefinitionError(f"A condition must be an object, and is {kind(condition)}.")
    type_ = condition.get("Type")
    if not isinstance(type_, str) or type_ not in TYPES:
        raise DefinitionError(f"{shown(type_)} is no type of condition.", did_you_mean(str(type_), TYPES))
    if type_ == "Not":
        inner = condition.get("Condition", condition.get("Expression"))
        return not _holds(inner)
    if type_ == "Or":
        return any(_holds(inner) for inner in _list(condition, "Conditions"))
    if type_ in ("In", "NotIn"):
        return _contains(condition) == (type_ == "In")
    left, right = _operand(condition, "LeftValue"), _operand(condition, "RightValue")
    if not _comparable(left, right):
        raise DefinitionError(
            f"{type_} cannot compare {shown(left)}, {kind(left)}, with {shown(right)}, {kind(right)}.",
            "Make both operands the same type.",
        )
    return COMPARISONS[type_](left, right)


def _contains(condition: dict[str, JSON]) -> bool:
    values = _list(condition, "Values" if "Values" in condition else "In")
    value = _operand(condition, "QueryValue" if "QueryValue" in condition else "Value")
    return any(_comparable(value, candidate) and value == candidate for candidate in values)


def _comparable(left: JSON, right: JSON) -> bool:
    if isinstance(left, bool) or isinstance(right, bool):
        return isinstance(left, bool) and isinstance(right, bool)
    if isinstance(left, str):
        return isinstance(right, str)
    return isinstance(left, int | float) and isinstance(right, int | float)


def _operand(condition: dict[str, JSON], key: str) -> JSON:
    value = condition.get(key)
    if value is None:
        raise DefinitionError(f"A condition of type {condition['Type']} has no {key}.")
    return value


def _list(condition: dict[str, JSON], key: str) -> list[JSON]:
    value = condition.get(key)
    if not isinstance(value, list):
        raise DefinitionError(f"{key} of a condition of type {condition['Type']} must be an array.")
    return value
