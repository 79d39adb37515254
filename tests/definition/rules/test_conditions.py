from __future__ import annotations

from typing import Any

import pytest

PLACE = "/Steps/0/Arguments/Conditions/0"


def compare(type_: str, left: Any, right: Any, **more: Any) -> list[Any]:
    return [{"Type": type_, "LeftValue": left, "RightValue": right, **more}]


def get(name: str) -> dict[str, str]:
    return {"Get": f"Parameters.{name}"}


def arguments(**more: Any) -> dict[str, Any]:
    return {"Arguments": {"Conditions": [], "IfSteps": [], "ElseSteps": [], **more}}


TRUE = compare("Equals", get("S"), "s")[0]
INNER = {"Name": "I", "Type": "Fail", "Arguments": {"ErrorMessage": "x"}}

ROWS: list[tuple[str, str, Any, str, Any]] = [
    (
        "J090",
        "Condition",
        {"Arguments": {"IfSteps": []}},
        "/Steps/0/Arguments",
        {"Arguments": {"Conditions": []}},
    ),
    ("J090", "Condition", arguments(ThenSteps=[]), "/Steps/0/Arguments/ThenSteps", arguments()),
    ("J091", "conditions", compare("Gt", get("N"), 1), PLACE + "/Type", compare("GreaterThan", get("N"), 1)),
    (
        "J091",
        "conditions",
        compare("ConditionEquals", get("N"), 1),
        PLACE + "/Type",
        compare("NotEquals", get("N"), 1),
    ),
    ("J091", "conditions", [{"LeftValue": 1}], PLACE, compare("LessThan", get("N"), 1)),
    (
        "J091",
        "conditions",
        [{"Type": "Equals", "LeftValue": get("N")}],
        PLACE,
        compare("Equals", get("N"), 0),
    ),
    (
        "J091",
        "conditions",
        compare("Equals", get("N"), 1, Right=2),
        PLACE + "/Right",
        compare("Equals", get("N"), 1),
    ),
    (
        "J091",
        "conditions",
        [{"Type": "Not", "Expression": TRUE}],
        PLACE + "/Expression",
        [{"Type": "Not", "Condition": TRUE}],
    ),
    (
        "J091",
        "conditions",
        [{"Type": "Or", "Conditions": TRUE}],
        PLACE + "/Conditions",
        [{"Type": "Or", "Conditions": [TRUE]}],
    ),
    (
        "J091",
        "conditions",
        [{"Type": "Or", "Conditions": [TRUE, {"Type": "X"}]}],
        PLACE + "/Conditions/1/Type",
        [{"Type": "Or", "Conditions": [TRUE, TRUE]}],
    ),
    (
        "J091",
        "conditions",
        [{"Type": "In", "QueryValue": get("S")}],
        PLACE,
        [{"Type": "In", "QueryValue": get("S"), "Values": ["a"]}],
    ),
    (
        "J091",
        "conditions",
        [{"Type": "In", "QueryValue": get("S"), "Values": "a"}],
        PLACE + "/Values",
        [{"Type": "NotIn", "Value": get("S"), "In": ["a"]}],
    ),
    ("J091", "conditions", ["a"], PLACE, [TRUE]),
    (
        "J092",
        "conditions",
        compare("GreaterThan", "5", get("F")),
        PLACE + "/RightValue",
        compare("GreaterThan", 5, get("F")),
    ),
    (
        "J092",
        "conditions",
        compare("Equals", get("S"), True),
        PLACE + "/RightValue",
        compare("Equals", get("B"), True),
    ),
    (
        "J092",
        "conditions",
        compare("Equals", {"Get": "Steps.Call.OutputParameters['status']"}, "200"),
        PLACE + "/RightValue",
        compare("Equals", {"Get": "Steps.Call.OutputParameters['status']"}, 200),
    ),
    (
        "J092",
        "conditions",
        compare("Equals", {"Std:Join": {"Values": []}}, 1),
        PLACE + "/RightValue",
        compare("Equals", {"Std:JsonGet": {}}, 1),
    ),
    ("J093", "conditions", compare("Equals", 1, 1), PLACE, compare("Equals", get("N"), 1)),
    ("J093", "conditions", compare("Equals", "a", "b"), PLACE, compare("Equals", "${env}", "prod")),
    ("J094", "Condition", arguments(), "/Steps/0/Arguments", arguments(IfSteps=[INNER])),
    ("J095", "Condition", arguments(), "/Steps/0/Arguments/Conditions", arguments(Conditions=[TRUE])),
]


@pytest.mark.parametrize(("code", "kind", "bad", "place", "good"), ROWS)
def test_rule(judge: Any, code: str, kind: str, bad: Any, place: str, good: Any) -> None:
    judge(code, kind, bad, place, good)


def test_a_condition_whose_outcome_is_read_may_have_empty_branches(found: Any) -> None:
    condition = {"Name": "If", "Type": "Condition", **arguments()}
    reader = {"Name": "L", "Type": "Lambda", "Arguments": {"o": {"Get": "Steps.If.Outcome"}}}
    assert found("J094", "document", {"Steps": [condition, reader]}) == []
