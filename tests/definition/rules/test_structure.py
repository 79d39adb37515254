from __future__ import annotations

from typing import Any

import pytest

ROWS: list[tuple[str, str, Any, str, Any]] = [
    ("J001", "text", '{"Steps": [],}', "/", '{"Steps": []}'),
    ("J001", "text", '{"Steps": NaN}', "/", '{"Steps": null}'),
    ("J002", "document", {"Version": "2020-12-02"}, "/Version", {"Version": "2020-12-01"}),
    ("J002", "root", {"Steps": []}, "/", {"Version": "2020-12-01"}),
    ("J003", "root", {"Version": "2020-12-01"}, "/", {"Steps": []}),
    ("J003", "root", {"Steps": None}, "/Steps", {"Steps": [{}]}),
    ("J004", "root", {"Steps": []}, "/Steps", {"Steps": [{}]}),
    ("J005", "document", {"Step": []}, "/Step", {"PipelineExperimentConfig": {}, "Metadata": {}}),
    ("J005", "root", {"Parametres": []}, "/Parametres", {"MlflowConfig": {}}),
    (
        "J006",
        "text",
        '{"Steps": [{"Name": "a", "Name": "b"}]}',
        "/Steps/0/Name",
        '{"Steps": [{"Name": "a"}, {"Name": "b"}]}',
    ),
    (
        "J007",
        "text",
        '{"Metadata": "' + "x" * 1_048_576 + '"}',
        "/",
        '{"Metadata": "' + "x" * 1_000_000 + '"}',
    ),
    ("J008", "document", {"Metadata": {"a b": "x"}}, "/Metadata/a b", {"Metadata": {"a-b_1": "x"}}),
    ("J008", "document", {"Metadata": {"a": 1}}, "/Metadata/a", {"Metadata": {"a": "1"}}),
    ("J008", "document", {"Metadata": {"a": "x" * 1025}}, "/Metadata/a", {"Metadata": {"a": "x" * 1024}}),
    ("J008", "document", {"Metadata": []}, "/Metadata", {"Metadata": None}),
    ("J009", "root", [], "/", {}),
    ("J009", "root", {"Steps": {}}, "/Steps", {"Steps": None}),
    ("J009", "root", {"Steps": ["a"]}, "/Steps/0", {"Steps": [{}]}),
    ("J009", "document", {"Parameters": {"a": 1}}, "/Parameters", {"Parameters": []}),
    ("J009", "step", {"Arguments": []}, "/Steps/0/Arguments", {"Arguments": {}}),
    (
        "J009",
        "Training",
        {"VpcConfig": {"Subnets": ["s"], "SecurityGroupIds": {"Get": "Parameters.S"}}},
        "/Steps/0/Arguments/VpcConfig/SecurityGroupIds",
        {"VpcConfig": {"Subnets": ["s"], "SecurityGroupIds": [{"Get": "Parameters.S"}]}},
    ),
    (
        "J009",
        "Processing",
        {"AppSpecification": {"ContainerEntrypoint": "python3"}},
        "/Steps/0/Arguments/AppSpecification/ContainerEntrypoint",
        {"AppSpecification": {"ContainerEntrypoint": ["python3"]}},
    ),
    (
        "J009",
        "Processing",
        {"Environment": {"Std:Join": {"On": "", "Values": []}}},
        "/Steps/0/Arguments/Environment",
        {"Environment": {"Get": "Steps.Prep.Environment"}},
    ),
    (
        "J009",
        "Condition",
        {"Arguments": {"Conditions": {}}},
        "/Steps/0/Arguments/Conditions",
        {"Arguments": {}},
    ),
    (
        "J009",
        "Condition",
        {"Arguments": {"IfSteps": {}}},
        "/Steps/0/Arguments/IfSteps",
        {"Arguments": {"IfSteps": []}},
    ),
    ("J010", "step", {"DependOn": ["Prep"]}, "/Steps/0/DependOn", {"DependsOn": ["Prep"]}),
    (
        "J010",
        "Lambda",
        {"FunctonArn": "x"},
        "/Steps/0/FunctonArn",
        {"FunctionArn": "x", "OutputParameters": []},
    ),
    ("J010", "step", {"OutputParameters": []}, "/Steps/0/OutputParameters", {"CacheConfig": {}}),
]


@pytest.mark.parametrize(("code", "kind", "bad", "place", "good"), ROWS)
def test_rule(judge: Any, code: str, kind: str, bad: Any, place: str, good: Any) -> None:
    judge(code, kind, bad, place, good)


def test_syntax_error_has_its_offset(found: Any) -> None:
    (finding,) = found("J001", "text", '{"Steps":\n [1 2]}')
    assert finding.offset == 14
    assert "line 2, column 5" in finding.message


def test_a_key_like_none_may_be_newer_than_we_are(found: Any) -> None:
    assert [f.severity for f in found("J010", "step", {"Frobnicate": 1})] == ["warning"]
    assert [f.severity for f in found("J010", "step", {"DependOn": []})] == ["error"]
    assert [f.severity for f in found("J005", "document", {"Quux": 1})] == ["warning"]
