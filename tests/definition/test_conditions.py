from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from stepbridge.definition.conditions import evaluate
from stepbridge.errors import DefinitionError


class Parameters:
    """A scope that knows parameters only."""

    def __init__(self, **values: Any) -> None:
        self.values = values

    def parameter(self, name: str) -> Any:
        return self.values[name]

    def execution(self, name: str) -> Any:
        raise KeyError(name)

    def step(self, step_name: str) -> Mapping[str, Any] | None:
        return None

    def property_file(self, step: str, property_file: str) -> Any:
        return {"metrics": {"mse": 4.5}}

    def s3_json(self, uri: str) -> Any:
        raise AssertionError


SCOPE = Parameters(n=3, f=3.0, s="b", t=True)


def get(name: str) -> dict[str, str]:
    return {"Get": f"Parameters.{name}"}


def compare(type_: str, left: Any, right: Any) -> dict[str, Any]:
    return {"Type": type_, "LeftValue": left, "RightValue": right}


def one_of(value: Any, *values: Any) -> dict[str, Any]:
    return {"Type": "In", "QueryValue": value, "Values": list(values)}


TRUE = compare("Equals", 1, 1)
FALSE = compare("Equals", 1, 2)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (compare("Equals", get("n"), 3), True),
        (compare("Equals", get("n"), get("f")), True),
        (compare("Equals", get("t"), True), True),
        (compare("NotEquals", get("s"), "b"), False),
        (compare("GreaterThan", get("n"), 3), False),
        (compare("GreaterThanOrEqualTo", get("n"), 3), True),
        (compare("LessThan", get("s"), "c"), True),
        (compare("LessThanOrEqualTo", 2.5, get("n")), True),
        (one_of(get("s"), "a", "b"), True),
        (one_of(get("s"), "a", get("s")), True),
        (one_of(get("t"), 1, "True"), False),
        ({**one_of(get("s"), "a"), "Type": "NotIn"}, True),
        ({"Type": "In", "Value": get("s"), "In": ["b"]}, True),
        ({"Type": "Not", "Condition": TRUE}, False),
        ({"Type": "Not", "Expression": FALSE}, True),
        ({"Type": "Or", "Conditions": [FALSE, TRUE]}, True),
        ({"Type": "Or", "Conditions": []}, False),
        ({"Type": "Not", "Condition": {"Type": "Or", "Conditions": [FALSE, one_of(1, 2)]}}, True),
    ],
)
def test_one_condition(condition: Any, expected: bool) -> None:
    assert evaluate([condition], SCOPE) is expected


def test_all_must_hold() -> None:
    assert evaluate([], SCOPE) is True
    assert evaluate([TRUE, TRUE], SCOPE) is True
    assert evaluate([TRUE, FALSE], SCOPE) is False


def test_metric_from_a_property_file() -> None:
    metric = {"Std:JsonGet": {"PropertyFile": {"Get": "Steps.P.PropertyFiles.F"}, "Path": "metrics.mse"}}
    assert evaluate([compare("LessThanOrEqualTo", metric, 6.0)], SCOPE) is True


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        ([compare("Gt", 1, 2)], '"Gt" is no type of condition'),
        ([{}], "is no type of condition"),
        ([3], "must be an object"),
        ({}, "must be an array"),
        ([compare("GreaterThan", "5", 4.0)], 'cannot compare "5", a string, with 4.0, a number'),
        ([compare("Equals", True, 1)], "cannot compare"),
        ([{"Type": "Equals", "LeftValue": 1}], "has no RightValue"),
        ([{"Type": "Not"}], "must be an object"),
        ([{"Type": "Or"}], "Conditions of a condition of type Or must be an array"),
        ([{"Type": "In", "QueryValue": 1, "Values": 1}], "Values of a condition of type In must be an array"),
        ([FALSE, compare("Equals", get("nope"), 1)], "Parameters.nope refers to nothing"),
        ([compare("Equals", {"Get": "Steps.X.Outcome"}, 1)], 'step "X" did not run'),
    ],
)
def test_broken_conditions(conditions: Any, message: str) -> None:
    with pytest.raises(DefinitionError) as error:
        evaluate(conditions, SCOPE)
    assert message in error.value.message
