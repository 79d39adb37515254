from __future__ import annotations

from typing import Any

import pytest
from stepbridge.errors import StepBridgeError
from stepbridge.jobs.json_path import JsonPath, NotThereError

RECORD = {"id": 7, "features": [1, 2, 3, 4], "more": {"a b": "x"}}


@pytest.mark.parametrize(
    ("path", "selected"),
    [
        ("$", RECORD),
        ("$.features", [1, 2, 3, 4]),
        ("$['features']", [1, 2, 3, 4]),
        ("$.more['a b']", "x"),
        ('$["id"]', 7),
        ("$['id','features']", {"id": 7, "features": [1, 2, 3, 4]}),
        ("$.features[0]", 1),
        ("$.features[-1]", 4),
        ("$.features[0,2]", [1, 3]),
        ("$.features[1:]", [2, 3, 4]),
        ("$.features[1:3]", [2, 3]),
        ("$.features[:-1]", [1, 2, 3]),
        ("$.features[3,0:2]", [4, 1, 2]),
        ("$.features[*]", [1, 2, 3, 4]),
        ("$.more.*", ["x"]),
    ],
)
def test_what_the_service_documents(path: str, selected: Any):
    assert JsonPath.parse(path).select(RECORD) == selected


@pytest.mark.parametrize("path", ["", "features", "$..features", "$[?(@.id)]", "$[", "$.a()[x]"])
def test_anything_else_is_refused_with_what_may_be_used(path: str):
    with pytest.raises(StepBridgeError) as raised:
        JsonPath.parse(path)
    assert raised.value.hint


@pytest.mark.parametrize("path", ["$.gone", "$.features[9]", "$.id[0]", "$['id','gone']"])
def test_what_is_not_there_is_an_error(path: str):
    with pytest.raises(NotThereError):
        JsonPath.parse(path).select(RECORD)
