from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from stepbridge.definition.values import (
    UNKNOWN,
    did_you_mean,
    is_open,
    kind,
    near,
    pointer_text,
    printable,
    shown,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", '"a"'),
        ("ä\n\ud800", '"ä\\n\\ud800"'),
        ("x" * 100, '"' + "x" * 59 + "…"),
        ({"a": [1, True, None]}, '{"a": [1, true, null]}'),
        (UNKNOWN, "'Unknown'"),
    ],
)
def test_values_in_messages_are_short_and_printable(value: Any, text: str) -> None:
    assert shown(value) == text
    shown(value).encode()


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("preproces", ("Preprocess",)),
        ("TRAIN", ("Train",)),
        ("Train", ("Train",)),
        ("zzz", ()),
        ("x" * 1000, ()),
    ],
)
def test_near_names(word: str, expected: tuple[str, ...]) -> None:
    assert near(word, ["Preprocess", "Train", "Evaluate"]) == expected


def test_hints_name_the_likely_or_the_possible() -> None:
    assert did_you_mean("Trian", ["Train", "Test"]) == 'Did you mean "Train"?'
    assert did_you_mean("zzz", ["Train", "Test"]) == "Known: Train, Test."
    assert did_you_mean("zzz", []) == ""


def test_pointers_are_escaped() -> None:
    assert pointer_text(()) == "/"
    assert pointer_text(("Steps", 0, "a/b~c")) == "/Steps/0/a~1b~0c"


def test_unknown_is_one_value_and_hides_in_containers() -> None:
    assert copy.deepcopy(UNKNOWN) is UNKNOWN
    assert pickle.loads(pickle.dumps(UNKNOWN)) is UNKNOWN
    assert [is_open(v) for v in (UNKNOWN, {UNKNOWN: UNKNOWN}, [1, UNKNOWN], {"a": UNKNOWN}, [], "x")] == [
        *(True, True, True),
        *(False, False, False),
    ]


def test_kinds() -> None:
    values = [None, True, 1, 1.5, "x", [], {}, UNKNOWN]
    assert [kind(value) for value in values] == [
        *(
            "null",
            "a boolean",
            "a number",
            "a number",
            "a string",
            "an array",
            "an object",
            "an unknown value",
        )
    ]


def test_lone_surrogates_are_written_out() -> None:
    assert printable("a\ud800ü") == "a\\ud800ü"
