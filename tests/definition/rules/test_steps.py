from __future__ import annotations

from typing import Any

import pytest


def step(name: str, *depends_on: str, uses: str = "", **more: Any) -> dict[str, Any]:
    arguments = {"in": {"Get": f"Steps.{uses}.OutputParameters['x']"}} if uses else {}
    return {"Name": name, "Type": "Lambda", "Arguments": arguments, "DependsOn": list(depends_on), **more}


def condition(name: str, *then: Any, otherwise: tuple[Any, ...] = (), **more: Any) -> dict[str, Any]:
    arguments = {"Conditions": [], "IfSteps": list(then), "ElseSteps": list(otherwise)}
    return {"Name": name, "Type": "Condition", "Arguments": arguments, **more}


def steps(*all_steps: Any) -> dict[str, Any]:
    return {"Steps": list(all_steps)}


ROWS: list[tuple[str, str, Any, str, Any]] = [
    ("J040", "step", {"Name": "bad name!"}, "/Steps/0/Name", {"Name": "good-name_1"}),
    ("J040", "step", {"Name": "n" * 65}, "/Steps/0/Name", {"Name": "n" * 64}),
    ("J040", "step", {"Name": ""}, "/Steps/0/Name", {"Name": "${env}-train"}),
    ("J040", "step", {"Name": 3}, "/Steps/0/Name", {"Name": "3"}),
    ("J041", "document", steps(step("A"), step("A")), "/Steps/1/Name", steps(step("A"), step("a"))),
    (
        "J041",
        "document",
        steps(condition("C", step("A"), otherwise=(step("A"),))),
        "/Steps/0/Arguments/ElseSteps/0/Name",
        steps(condition("C", step("A"), otherwise=(step("B"),))),
    ),
    ("J042", "step", {"Type": "Train"}, "/Steps/0/Type", {"Type": "Training"}),
    ("J042", "step", {"Type": "training"}, "/Steps/0/Type", {"Type": "EMRServerless"}),
    ("J042", "step", {"Type": 7}, "/Steps/0/Type", {"Type": "ForEach"}),
    ("J043", "Lambda", {}, "/Steps/0", {"FunctionArn": "x"}),
    ("J043", "Callback", {"SqsQueueUrl": None}, "/Steps/0/SqsQueueUrl", {"SqsQueueUrl": "x"}),
    ("J043", "document", steps({"Type": "Fail", "Arguments": {}}), "/Steps/0", steps(condition("C"))),
    ("J043", "step", {"Arguments": None}, "/Steps/0/Arguments", {"Arguments": {}}),
    (
        "J043",
        "step",
        {"Type": "QualityCheck"},
        "/Steps/0",
        {"Type": "QualityCheck", "CheckType": "DATA_QUALITY"},
    ),
    ("J044", "step", {"DisplayName": "x" * 257}, "/Steps/0/DisplayName", {"DisplayName": "x" * 256}),
    ("J044", "step", {"Description": "x" * 3073}, "/Steps/0/Description", {"Description": "x" * 3072}),
    ("J045", "step", {"DependsOn": ["Prepp"]}, "/Steps/0/DependsOn/0", {"DependsOn": ["Prep"]}),
    ("J045", "step", {"DependsOn": "Prep"}, "/Steps/0/DependsOn", {"DependsOn": None}),
    ("J045", "step", {"DependsOn": [{"Get": "Steps.Prep"}]}, "/Steps/0/DependsOn/0", {"DependsOn": []}),
    ("J046", "step", {"DependsOn": ["A"]}, "/Steps/0/DependsOn/0", {"DependsOn": ["Prep"]}),
    (
        "J047",
        "document",
        steps(step("A", "B"), step("B", "A")),
        "/Steps/0/DependsOn/0",
        steps(step("A", "B"), step("B")),
    ),
    (
        "J047",
        "document",
        steps(step("A", uses="B"), step("B", "C"), step("C", "A")),
        "/Steps/0/Arguments/in",
        steps(step("A", uses="B"), step("B", "C"), step("C")),
    ),
    (
        "J047",
        "document",
        steps({**condition("C", step("A")), "DependsOn": ["A"]}),
        "/Steps/0/DependsOn/0",
        steps(condition("C", step("A", "C"))),
    ),
    ("J047", "document", steps(step("A", uses="A")), "/Steps/0/Arguments/in", steps(step("A", "A"))),
    (
        "J048",
        "document",
        steps(step("A", "B", uses="B"), step("B")),
        "/Steps/0/DependsOn/0",
        steps(step("A", "B"), step("B")),
    ),
    (
        "J049",
        "document",
        steps(condition("C", step("A")), step("B", "A")),
        "/Steps/1/DependsOn/0",
        steps(condition("C", step("A"), step("B", "A"))),
    ),
    (
        "J049",
        "document",
        steps(condition("C", step("A"), otherwise=(step("B", uses="A"),))),
        "/Steps/0/Arguments/ElseSteps/0/Arguments/in",
        steps(condition("C", step("A"), condition("D", step("B", uses="A")))),
    ),
    (
        "J050",
        "document",
        steps(*(step(f"S{i}") for i in range(51))),
        "/Steps/50",
        steps(*(step(f"S{i}") for i in range(50))),
    ),
    (
        "J051",
        "step",
        {"DependsOn": ["Prep", "Prep"]},
        "/Steps/0/DependsOn/1",
        {"DependsOn": ["Prep", "Train"]},
    ),
    (
        "J096",
        "document",
        steps(step("A"), condition("C", step("A"))),
        "/Steps/0/Name",
        steps(step("A"), condition("C", step("B"))),
    ),
    (
        "J096",
        "document",
        steps(condition("C", step("A")), step("A")),
        "/Steps/1/Name",
        steps(condition("C", step("A"), otherwise=(step("A"),))),
    ),
]


@pytest.mark.parametrize(("code", "kind", "bad", "place", "good"), ROWS)
def test_rule(judge: Any, code: str, kind: str, bad: Any, place: str, good: Any) -> None:
    judge(code, kind, bad, place, good)


@pytest.mark.parametrize(
    ("type_", "severity"), [("Trainnig", "error"), ("widget", "error"), ("Widget", "warning")]
)
def test_an_unknown_capitalised_type_may_be_a_new_one(found: Any, type_: str, severity: str) -> None:
    assert [f.severity for f in found("J042", "step", {"Type": type_})] == [severity]


def test_the_message_of_a_cycle_names_all_its_steps(found: Any) -> None:
    (finding,) = found(
        "J047", "document", steps(step("A", "C"), step("B", "A"), step("C", "B"), step("D", "A"))
    )
    assert "A -> B -> C -> A" in finding.message


def test_steps_of_a_for_each_body_are_steps(found: Any) -> None:
    body = step("Body", uses="Prep")
    body["Arguments"]["item"] = {"Get": "ForEach.CurrentItem.name"}
    loop = {"Name": "Loop", "Type": "ForEach", "Arguments": {"MaxConcurrency": 2, "ForEachBody": [body]}}
    every = [step("Prep"), loop, step("After", "Loop")]
    for code in ("J041", "J042", "J045", "J049", "J060", "J063"):
        assert found(code, "document", steps(*every)) == []
