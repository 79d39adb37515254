from __future__ import annotations

from typing import Any

import pytest


def one(**more: Any) -> list[dict[str, Any]]:
    return [{"Name": "P", "Type": "String", **more}]


def use(*names: str) -> dict[str, Any]:
    return {
        "Parameters": [{"Name": "P", "Type": "String"}],
        "Steps": [
            {"Name": "L", "Type": "Lambda", "Arguments": {n: {"Get": f"Parameters.{n}"} for n in names}}
        ],
    }


ROWS: list[tuple[str, str, Any, str, Any]] = [
    ("J020", "parameters", one(Name="my param"), "/Parameters/0/Name", one(Name="my-param_1")),
    ("J020", "parameters", [{"Type": "String"}], "/Parameters/0", one()),
    ("J020", "parameters", one(Name=3), "/Parameters/0/Name", one(Name="3")),
    ("J020", "parameters", one(Name="n" * 65), "/Parameters/0/Name", one(Name="n" * 64)),
    ("J020", "parameters", one(Name="n" * 257), "/Parameters/0/Name", one(Name="${prefix}-name")),
    ("J021", "parameters", one(Type="Int"), "/Parameters/0/Type", one(Type="Integer")),
    ("J021", "parameters", one(Type="string"), "/Parameters/0/Type", [{"Name": "P"}]),
    ("J022", "parameters", [*one(), *one(Type="Float")], "/Parameters/1/Name", [*one(), *one(Name="p")]),
    (
        "J023",
        "parameters",
        one(Type="Integer", DefaultValue="3"),
        "/Parameters/0/DefaultValue",
        one(DefaultValue="3"),
    ),
    (
        "J023",
        "parameters",
        one(Type="Integer", DefaultValue=True),
        "/Parameters/0/DefaultValue",
        one(Type="Boolean", DefaultValue=True),
    ),
    (
        "J023",
        "parameters",
        one(Type="Integer", DefaultValue=1.5),
        "/Parameters/0/DefaultValue",
        one(Type="Float", DefaultValue=1),
    ),
    (
        "J023",
        "parameters",
        one(Type="Boolean", DefaultValue="True"),
        "/Parameters/0/DefaultValue",
        one(Type="Boolean", DefaultValue=None),
    ),
    (
        "J023",
        "parameters",
        one(DefaultValue=3),
        "/Parameters/0/DefaultValue",
        one(Type="Integer", DefaultValue=3),
    ),
    ("J023", "parameters", one(DefaultValue={"Get": "Parameters.Q"}), "/Parameters/0/DefaultValue", one()),
    (
        "J024",
        "parameters",
        one(Type="Integer", EnumValues=["1"]),
        "/Parameters/0/EnumValues",
        one(EnumValues=["1"]),
    ),
    (
        "J024",
        "parameters",
        one(EnumValues=["a", 2]),
        "/Parameters/0/EnumValues/1",
        one(EnumValues=["a", "2"]),
    ),
    (
        "J024",
        "parameters",
        one(EnumValues=["a", "a"]),
        "/Parameters/0/EnumValues/1",
        one(EnumValues=["a", "A"]),
    ),
    ("J024", "parameters", one(EnumValues="a"), "/Parameters/0/EnumValues", one(EnumValues=None)),
    (
        "J025",
        "parameters",
        one(DefaultValue="blu", EnumValues=["blue"]),
        "/Parameters/0/DefaultValue",
        one(DefaultValue="blue", EnumValues=["blue"]),
    ),
    (
        "J026",
        "parameters",
        one(EnumValues=[str(i) for i in range(17)]),
        "/Parameters/0/EnumValues",
        one(EnumValues=[str(i) for i in range(16)]),
    ),
    (
        "J027",
        "parameters",
        one(DefaultValue="x" * 1025),
        "/Parameters/0/DefaultValue",
        one(DefaultValue="x" * 1024),
    ),
    ("J028", "parameters", one(DefaultValue=""), "/Parameters/0/DefaultValue", one(DefaultValue=" ")),
    (
        "J029",
        "parameters",
        [p for i in range(201) for p in one(Name=f"P{i}")],
        "/Parameters/200",
        [p for i in range(200) for p in one(Name=f"P{i}")],
    ),
    ("J030", "document", use(), "/Parameters/0/Name", use("P")),
    ("J031", "parameters", one(), "/Parameters/0/Name", one(DefaultValue="x")),
    ("J032", "parameters", one(Name="DbPassword"), "/Parameters/0/Name", one(Name="PasswordSecretArn")),
    ("J032", "parameters", one(Name="api_key"), "/Parameters/0/Name", one(Name="KmsKey")),
    ("J032", "parameters", one(Name="HubToken"), "/Parameters/0/Name", one(Name="MaxTokens")),
    ("J032", "parameters", one(Name="Secret"), "/Parameters/0/Name", one(Name="Secretary")),
    (
        "J032",
        "parameters",
        one(DefaultValue="AKIA" + "A" * 16),
        "/Parameters/0/DefaultValue",
        one(DefaultValue="AKIA"),
    ),
]


@pytest.mark.parametrize(("code", "kind", "bad", "place", "good"), ROWS)
def test_rule(judge: Any, code: str, kind: str, bad: Any, place: str, good: Any) -> None:
    judge(code, kind, bad, place, good)


@pytest.mark.parametrize(
    ("length", "severity"), [(64, None), (65, "warning"), (256, "warning"), (257, "error")]
)
def test_long_names(found: Any, length: int, severity: str | None) -> None:
    severities = [f.severity for f in found("J020", "parameters", one(Name="n" * length))]
    assert severities == ([severity] if severity else [])


def test_a_whole_float_for_an_integer_is_less_sure(found: Any) -> None:
    (finding,) = found("J023", "parameters", one(Type="Integer", DefaultValue=2.0))
    assert finding.severity == "warning"
