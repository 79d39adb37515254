from __future__ import annotations

import json
from typing import Any

import pytest
from stepbridge.definition.document import PipelineDefinition, parse
from stepbridge.definition.parameters import bind
from stepbridge.errors import ParameterError


def definition(*parameters: dict[str, Any]) -> PipelineDefinition:
    return parse(json.dumps({"Version": "2020-12-01", "Parameters": parameters, "Steps": []}))


def one(type_: str, **more: Any) -> PipelineDefinition:
    return definition({"Name": "P", "Type": type_, **more})


def test_defaults_and_overrides_in_order_of_declaration() -> None:
    found = bind(
        definition(
            {"Name": "S", "Type": "String", "DefaultValue": "x"},
            {"Name": "I", "Type": "Integer", "DefaultValue": 1},
            {"Name": "F", "Type": "Float", "DefaultValue": 1},
            {"Name": "B", "Type": "Boolean", "DefaultValue": False},
        ),
        {"I": "7", "B": "TRUE"},
    )
    assert found == {"S": "x", "I": 7, "F": 1.0, "B": True}
    assert list(found) == ["S", "I", "F", "B"]
    assert isinstance(found["F"], float)


@pytest.mark.parametrize(
    ("type_", "value", "expected"),
    [
        ("String", 3, "3"),
        ("String", True, "True"),
        ("Integer", "-3", -3),
        ("Integer", "+3", 3),
        ("Integer", 3.0, 3),
        ("Float", "1e-3", 0.001),
        ("Float", 3, 3.0),
        ("Boolean", "false", False),
        ("Boolean", True, True),
    ],
)
def test_converts(type_: str, value: Any, expected: Any) -> None:
    found = bind(one(type_), {"P": value})["P"]
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        ("Integer", "two"),
        ("Integer", "1_000"),
        ("Integer", "3.0"),
        ("Integer", "٣"),
        ("Integer", "--3"),
        ("Integer", 3.5),
        ("Integer", True),
        ("Integer", "9" * 5000),
        ("Float", "nan"),
        ("Float", "1_0.0"),
        ("Float", "x"),
        ("Float", False),
        ("Float", 10**400),
        ("Boolean", "yes"),
        ("Boolean", 1),
        ("String", ""),
        ("Integer", ""),
        ("String", "x" * 1025),
    ],
)
def test_refuses(type_: str, value: Any) -> None:
    with pytest.raises(ParameterError, match='"P"'):
        bind(one(type_), {"P": value})


def test_longest_override_is_accepted() -> None:
    assert bind(one("String"), {"P": "x" * 1024}) == {"P": "x" * 1024}


def test_a_default_of_the_wrong_type_is_converted_where_it_can_be() -> None:
    assert bind(one("Integer", DefaultValue="3"), {}) == {"P": 3}
    with pytest.raises(ParameterError, match="default"):
        bind(one("Integer", DefaultValue="three"), {})


def test_an_empty_default_is_the_users_business() -> None:
    assert bind(one("String", DefaultValue=""), {}) == {"P": ""}


def test_enum() -> None:
    pipeline = one("String", EnumValues=["a", "b"], DefaultValue="a")
    assert bind(pipeline, {"P": "b"}) == {"P": "b"}
    with pytest.raises(ParameterError) as error:
        bind(pipeline, {"P": "c"})
    assert error.value.hint == "Allowed: a, b."


def test_unknown_and_missing() -> None:
    pipeline = definition({"Name": "InstanceType"}, {"Name": "Data"}, {"Name": "Q", "DefaultValue": "q"})
    with pytest.raises(ParameterError) as error:
        bind(pipeline, {"InstnceType": "x"})
    assert error.value.hint == 'Did you mean "InstanceType"?'
    with pytest.raises(ParameterError, match='"InstanceType", "Data"'):
        bind(pipeline, {})
    assert bind(pipeline, {"other": "x", "Data": "d"}, strict=False) == {"Data": "d", "Q": "q"}
