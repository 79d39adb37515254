"""Checking with a memory of what was checked before finds what checking anew finds, after any edits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stepbridge.definition import rules
from stepbridge.definition.rules import Memory

DEFINITIONS = [
    path.read_text(encoding="utf-8")
    for path in sorted((Path(__file__).parent.parent / "definitions").glob("*.json"))
]
ALL = sorted(rules.REGISTRY)
PIECES = [
    "",
    "x",
    "1",
    '"',
    "Train",
    "{",
    "}",
    ",",
    "Steps.",
    "Parameters.",
    '"Name": "x",',
    '"Get": 3, ',
    "${",
]
# parts of steps that look at each other
NAMES = st.sampled_from(["A", "B", "C"])
REFERENCES = st.builds(
    "Steps.{}.{}".format, NAMES, st.sampled_from(["ModelArtifacts", "Outputs['o']", "X", ""])
)
STEPS = st.fixed_dictionaries(
    {
        "Name": NAMES,
        "Type": st.sampled_from(["Training", "Lambda", "Processing", "Trainin"]),
        "Arguments": st.dictionaries(
            st.sampled_from(["Environment", "RoleArn", "AlgorithmSpecificatio", "ProcessingOutputConfig"]),
            st.builds(lambda text: {"Get": text}, REFERENCES | st.just("Parameters.P")) | st.just({}),
        ),
    },
    optional={
        "DependsOn": st.lists(NAMES, max_size=2),
        "OutputParameters": st.just([{"OutputName": "o", "OutputType": "String"}]),
    },
)
PARAMETERS = st.lists(st.fixed_dictionaries({"Name": st.sampled_from(["P", "Q"])}), max_size=2)
slow = settings(deadline=None, suppress_health_check=list(HealthCheck))


@slow
@given(st.sampled_from(DEFINITIONS), st.data())
def test_after_edits_of_the_text(text: str, data: st.DataObject) -> None:
    memory = Memory()
    for _ in range(data.draw(st.integers(2, 6))):
        codes = data.draw(st.sampled_from([None, ALL, ALL]))
        assert rules.check(text, codes, memory) == rules.check(text, codes)
        start = data.draw(st.integers(0, len(text)))
        length = data.draw(st.sampled_from([0, 1, 5, 40]))
        text = text[:start] + data.draw(st.sampled_from(PIECES)) + text[start + length :]


@slow
@given(st.lists(STEPS, max_size=4), PARAMETERS, st.data())
def test_after_steps_came_went_and_changed(
    steps: list[Any], parameters: list[Any], data: st.DataObject
) -> None:
    memory = Memory()
    for _ in range(5):
        text = json.dumps({"Version": "2020-12-01", "Parameters": parameters, "Steps": steps})
        assert rules.check(text, ALL, memory) == rules.check(text, ALL)
        if data.draw(st.booleans()):
            parameters = data.draw(PARAMETERS)
        at = data.draw(st.integers(0, len(steps)))
        steps = [
            *steps[:at],
            *data.draw(st.lists(STEPS, max_size=1)),
            *steps[at + data.draw(st.integers(0, 1)) :],
        ]


@pytest.mark.parametrize("count", [30, 150, 250, 1500])
def test_where_there_is_more_to_tell_than_anyone_reads(count: int) -> None:
    """Which mistakes are told, and for which there are suggestions, is the same with a memory, too."""
    memory = Memory()
    for number in range(4):
        steps = [
            {
                "Name": f"S{i}",
                "Type": "Training",
                "Arguments": {f"RoleAr{i}": {"Get": f"Steps.s{i}{number}.X"}},
            }
            for i in range(count)
        ]
        steps[0]["Name"] = f"T{number}"
        text = json.dumps({"Version": "2020-12-01", "Steps": steps})
        assert rules.check(text, ALL, memory) == rules.check(text, ALL)
