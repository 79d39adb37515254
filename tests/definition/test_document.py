from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stepbridge.definition.document import MISSING, CacheConfig, RetryPolicy, parse
from stepbridge.definition.durations import parse_duration
from stepbridge.definition.graph import graph
from stepbridge.definition.references import references
from stepbridge.errors import DefinitionError


def step(name: str, type_: str = "Training", **more: Any) -> dict[str, Any]:
    return {"Name": name, "Type": type_, "Arguments": {}, **more}


def condition(name: str, then: list[Any], otherwise: list[Any], **more: Any) -> dict[str, Any]:
    arguments = {"Conditions": [], "IfSteps": then, "ElseSteps": otherwise}
    return {"Name": name, "Type": "Condition", "Arguments": arguments, **more}


def document(*steps: Any, **more: Any) -> str:
    return json.dumps({"Version": "2020-12-01", "Steps": list(steps), **more})


def test_reads_every_part_of_a_step() -> None:
    definition = parse(
        document(
            step(
                "P",
                "Processing",
                DependsOn=["A", "B"],
                DisplayName="Prepare",
                PropertyFiles=[{"PropertyFileName": "F", "OutputName": "o", "FilePath": "e.json"}],
                CacheConfig={"Enabled": True, "ExpireAfter": "T1H"},
                RetryPolicies=[
                    {"ExceptionType": ["Step.THROTTLING"], "MaxAttempts": 3, "BackoffRate": 1.5},
                    {"ExceptionType": "SageMaker.CAPACITY_ERROR", "ExpireAfterMin": 5, "IntervalSeconds": 9},
                ],
            ),
            Metadata={"k": "v"},
            PipelineExperimentConfig={"ExperimentName": "e"},
        )
    )
    (found,) = definition.steps
    assert found.depends_on == ("A", "B")
    assert found.display_name == "Prepare"
    assert [(f.name, f.output_name, f.file_path) for f in found.property_files] == [("F", "o", "e.json")]
    assert found.cache == CacheConfig(True, "T1H")
    assert found.cache.max_age == timedelta(hours=1)
    assert found.retry_policies == (
        RetryPolicy(("Step.THROTTLING",), 1, 1.5, 3, None),
        RetryPolicy(("SageMaker.CAPACITY_ERROR",), 9, 2.0, None, 5),
    )
    assert definition.metadata == {"k": "v"}
    assert definition.experiment == {"ExperimentName": "e"}


def test_walks_nested_conditions_in_document_order() -> None:
    inner = condition("Inner", [step("C")], [step("D")])
    definition = parse(document(step("A"), condition("Outer", [step("B"), inner], [step("E")]), step("F")))
    assert [s.name for s in definition.walk()] == ["A", "Outer", "B", "Inner", "C", "D", "E", "F"]
    assert {s.name: s.branch for s in definition.walk()} == {
        "A": None,
        "Outer": None,
        "B": ("Outer", True),
        "Inner": ("Outer", True),
        "C": ("Inner", True),
        "D": ("Inner", False),
        "E": ("Outer", False),
        "F": None,
    }
    assert [s.name for s in definition.steps] == ["A", "Outer", "F"]
    assert definition.step("D").pointer == (
        "Steps",
        1,
        "Arguments",
        "IfSteps",
        1,
        "Arguments",
        "ElseSteps",
        0,
    )


def test_is_as_lenient_as_the_service() -> None:
    definition = parse(
        json.dumps(
            {
                "Version": "2020-12-01",
                "Metadata": None,
                "Parameters": [{"Name": "S", "DefaultValue": None}, {"Name": "I", "Type": "Integer"}],
                "PipelineExperimentConfig": None,
                "Steps": [{"Name": "L", "Type": "Lambda", "DependsOn": None, "CacheConfig": None}],
            }
        )
    )
    assert [(p.name, p.type, p.default) for p in definition.parameters] == [
        ("S", "String", MISSING),
        ("I", "Integer", MISSING),
    ]
    assert definition.steps[0].arguments == {}
    assert definition.steps[0].cache is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"Steps": [\n  {,}]}', "line 2, column 4"),
        ("", "line 1, column 1"),
        ('{"Steps": NaN}', "NaN"),
        ("[]", "must be an object, and is an array"),
        ("{}", "no Steps"),
        ('{"Steps": {}}', "Steps must be an array, and is an object (at /Steps"),
        ('{"Steps": [3]}', "at /Steps/0"),
        ('{"Steps": [{"Type": "Fail"}]}', "has no Name (at /Steps/0"),
        ('{"Steps": [{"Name": "A"}]}', 'Step "A" has no Type'),
        (document(step("A"), step("A")), 'Step "A" stands at /Steps/0 already (at /Steps/1'),
        (document(condition("C", [step("A")], [step("A")])), "/Steps/0/Arguments/IfSteps/0 already"),
        (document(condition("C", [7], [])), "at /Steps/0/Arguments/IfSteps/0"),
        (document(step("A", DependsOn="B")), "at /Steps/0/DependsOn"),
        (document(step("A", DependsOn=["B", 3])), "at /Steps/0/DependsOn/1"),
        (document(step("A", PropertyFiles=[{"OutputName": "x"}])), "at /Steps/0/PropertyFiles/0"),
        (document(step("A", RetryPolicies={})), "at /Steps/0/RetryPolicies"),
        (document(Parameters=[{"Name": "P", "Type": "Int"}]), 'has the type "Int"'),
        (document(Parameters=[{"Name": "P"}, {"Name": "P"}]), '"P" is declared twice (at /Parameters/1'),
        (document(Parameters=[{"Name": "P", "DefaultValue": []}]), "is an array (at /Parameters/0/Default"),
    ],
)
def test_names_the_place_of_an_error(text: str, message: str) -> None:
    with pytest.raises(DefinitionError) as error:
        parse(text)
    assert message in error.value.message


def test_unknown_step_is_named_with_its_neighbour() -> None:
    definition = parse(document(step("Preprocess"), step("Train")))
    with pytest.raises(DefinitionError) as error:
        definition.step("Preproces")
    assert error.value.hint == 'Did you mean "Preprocess"?'


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("P30d", 30 * 86400),
        ("30d", 30 * 86400),
        ("p30d", 30 * 86400),
        ("PT1H", 3600),
        ("T1H", 3600),
        ("T16m", 960),
        ("P4DT12H", 4 * 86400 + 12 * 3600),
        ("P2W", 14 * 86400),
        ("P1Y2M", 425 * 86400),
        ("PT0.5S", 0.5),
        ("P", None),
        ("PT", None),
        ("", None),
        ("T", None),
        ("30 days", None),
        ("1H", None),
        ("P1D2", None),
        ("99999999999999999999Y", timedelta.max.total_seconds()),
    ],
)
def test_durations(text: str, seconds: float | None) -> None:
    found = parse_duration(text)
    assert (None if found is None else found.total_seconds()) == seconds


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.sampled_from(["A", "Condition", "Steps.A.B", "Parameters.A", "Integer"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "Steps",
                    "Parameters",
                    "Name",
                    "Type",
                    "Arguments",
                    "Get",
                    "Std:Join",
                    "Conditions",
                    "IfSteps",
                ]
            )
            | st.text(max_size=3),
            inner,
            max_size=5,
        )
    ),
    max_leaves=30,
)


@given(json_values | st.fixed_dictionaries({"Steps": st.lists(json_values, max_size=4)}))
def test_no_json_raises_anything_but_definition_errors(value: Any) -> None:
    try:
        graph(parse(json.dumps(value)))
    except DefinitionError as error:
        str(error).encode()  # printable everywhere
    list(references(value))


@given(st.text(max_size=60) | st.text(alphabet='{}[]":,\\ue01nt.-N \n', max_size=60))
def test_no_text_raises_anything_but_definition_errors(text: str) -> None:
    try:
        parse(text)
    except DefinitionError as error:
        str(error).encode()


@pytest.mark.parametrize("text", ["[" * 100_000, '{"Steps":' * 100_000, "9" * 5000])
def test_monstrous_texts_are_refused(text: str) -> None:
    with pytest.raises(DefinitionError):
        parse(text)
