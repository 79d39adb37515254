from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stepbridge.definition.reading import Reader

DEFINITIONS = [
    path.read_text(encoding="utf-8")
    for path in sorted((Path(__file__).parent / "definitions").glob("*.json"))
]
PIECES = [
    "",
    '"',
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "1",
    "NaN",
    '"x": 1,',
    "\\",
    "é",
    "\n",
    " ",
    '{"Steps": [{}]},',
]


def outcome(reader: Reader, text: str) -> Any:
    """Value and duplicates of a text, or what is wrong with it."""
    try:
        reading = reader.read(text)
    except json.JSONDecodeError as error:
        return error.msg, error.pos
    except ValueError as error:
        return str(error)
    return repr(reading.value), {repr(found) for found in reading.duplicates.values()}  # steps may be shared


@pytest.mark.parametrize("text", DEFINITIONS)
def test_it_reads_what_json_reads(text: str) -> None:
    reader = Reader()
    assert reader.read(text).value == json.loads(text)
    assert reader.read(text + " ").value == json.loads(text)
    with pytest.raises(json.JSONDecodeError):
        reader.read(text + "x")


@settings(deadline=None)
@given(st.sampled_from(DEFINITIONS), st.data())
def test_a_text_is_read_alike_whatever_was_read_before(text: str, data: st.DataObject) -> None:
    reader = Reader()
    for _ in range(data.draw(st.integers(1, 6))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.sampled_from([start, start + 1, start + 7, start + 300]))
        before, text = text, text[:start] + data.draw(st.sampled_from(PIECES)) + text[end:]
        assert outcome(reader, text) == outcome(Reader(), text)
        if data.draw(st.booleans()):
            text = before  # typed and taken away


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(["{}", '{"Name": "a"}', '{"Name": "b", "Name": 1}', "1", "{"]), max_size=6),
    st.data(),
)
def test_steps_come_go_and_move(steps: list[str], data: st.DataObject) -> None:
    reader = Reader()
    for _ in range(4):
        text = '{"Steps": [' + ", ".join(steps) + "]}"
        assert outcome(reader, text) == outcome(Reader(), text)
        steps = data.draw(st.permutations(steps * 2))[: len(steps) + 1]


def test_a_step_whose_text_did_not_change_is_the_same_object() -> None:
    reader = Reader()
    before = reader.read('{"Version": "1", "Steps": [{"Name": "a"}, {"Name": "b"}, {"Name": "c"}]}').value[
        "Steps"
    ]
    after = reader.read('{"Version": "2", "Steps": [{"Name": "a"}, {"Name": "x"}, {"Name": "c"}]}').value[
        "Steps"
    ]
    assert [old is new for old, new in zip(before, after, strict=True)] == [True, False, True]
    longer = reader.read('{"Steps": [{"Name": "a"}, {}, {"Name": "x"}, {"Name": "c"}]}').value["Steps"]
    assert [longer[0] is after[0], longer[2] is after[1], longer[3] is after[2]] == [True, True, True]


def test_keys_that_stand_twice_are_told() -> None:
    reading = Reader().read('{"a": {"b": 1, "b": 2}, "Steps": [{"c": 1, "c": 2}], "a": 3}')
    assert sorted(keys for _, keys in reading.duplicates.values()) == [("a",), ("b",), ("c",)]
