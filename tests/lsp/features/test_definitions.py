"""Hover and completion in definition documents, whole and broken ones."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stepbridge_lsp.documents import DefinitionDocument
from stepbridge_lsp.features.actions import extract_parameter
from stepbridge_lsp.features.completion import Completion
from stepbridge_lsp.features.definitions import complete_definition, hover_definition
from stepbridge_lsp.fixing import apply_edits
from stepbridge_lsp.positions import Span

WHOLE = """{
  "Version": "2020-12-01",
  "Parameters": [
    {"Name": "Stage", "Type": "String", "DefaultValue": "dev", "EnumValues": ["dev", "prod"]},
    {"Name": "Count", "Type": "Integer"}
  ],
  "Steps": [
    {
      "Name": "Prepare",
      "Type": "Processing",
      "Arguments": {
        "ProcessingResources": {"ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1}},
        "ProcessingInputs": [{"InputName": "in", "S3Input": {"S3InputMode": "File"}}],
        "ProcessingOutputConfig": {"Outputs": [{"OutputName": "train"}]}
      },
      "PropertyFiles": [{"PropertyFileName": "Report", "OutputName": "train", "FilePath": "a.json"}]
    },
    {
      "Name": "Train",
      "Type": "Training",
      "DependsOn": ["Prepare"],
      "Arguments": {
        "RoleArn": {"Get": "Parameters.Stage"},
        "OutputDataConfig": {"S3OutputPath": {"Get": "Steps.Prepare.ProcessingJobArn"}}
      }
    }
  ]
}
"""


def document(text: str) -> DefinitionDocument:
    return DefinitionDocument("untitled:definition.json", text.encode())


def change(old: str, new: str, text: str = WHOLE) -> tuple[DefinitionDocument, int]:
    """The definition with a piece replaced; `|` in the new piece is the cursor."""
    assert old in text
    changed = text.replace(old, new, 1)
    at = changed.index(new) + new.index("|")
    changed = changed[:at] + changed[at + 1 :]
    return document(changed), len(changed[:at].encode())


def items(old: str, new: str) -> list[Completion]:
    return complete_definition(*change(old, new))


def labels(old: str, new: str) -> list[str]:
    return [item.label for item in items(old, new)]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('"Type": "Processing"', '"Type": "Pro|cessing"', "Training"),
        ('"Type": "Integer"', '"Type": "|"', "Boolean"),
        ('"S3InputMode": "File"', '"S3InputMode": "|"', "Pipe"),
        ('"InstanceType": "ml.m5.large"', '"InstanceType": "|"', "ml.m5.xlarge"),
        ('"DependsOn": ["Prepare"]', '"DependsOn": ["|"]', "Prepare"),
        ('"OutputName": "train", "FilePath"', '"OutputName": "|", "FilePath"', "train"),
        ('"DefaultValue": "dev"', '"DefaultValue": "|"', "prod"),
        ('"Get": "Parameters.Stage"', '"Get": "|"', "Parameters.Count"),
        ('"Get": "Parameters.Stage"', '"Get": "|"', "Steps.Prepare"),
        ('"Get": "Parameters.Stage"', '"Get": "|"', "Execution.PipelineName"),
        ("Steps.Prepare.ProcessingJobArn", "Steps.Prepare.|", "Steps.Prepare.ProcessingOutputConfig"),
        (
            "Steps.Prepare.ProcessingJobArn",
            "Steps.Prepare.ProcessingOutputConfig.|",
            "Steps.Prepare.ProcessingOutputConfig.Outputs['train']",
        ),
        (
            "Steps.Prepare.ProcessingJobArn",
            "Steps.Prepare.ProcessingOutputConfig.Outputs['train'].|",
            "Steps.Prepare.ProcessingOutputConfig.Outputs['train'].S3Output",
        ),
        ('"InstanceCount": 1', '"InstanceCount": |', "Parameters.Count"),
    ],
)
def test_values(old: str, new: str, expected: str) -> None:
    assert expected in labels(old, new)


def test_a_step_does_not_wait_for_itself() -> None:
    assert "Train" not in labels('"DependsOn": ["Prepare"]', '"DependsOn": ["|"]')


def test_behind_a_scope_only_its_names_are_proposed() -> None:
    found = labels('"Get": "Parameters.Stage"', '"Get": "Parameters.|"')
    assert found == ["Parameters.Stage", "Parameters.Count"]
    assert labels('"Get": "Parameters.Stage"', '"Get": "Steps.|"') == ["Steps.Prepare"]
    found = labels('"Get": "Parameters.Stage"', '"Get": "Para|"')
    assert {"Parameters.Stage", "Steps.Prepare", "Execution.PipelineName"} <= set(found)


def test_keys_that_are_not_there_yet() -> None:
    found = labels('"Type": "Training",', '"Type": "Training",\n      |')
    assert {"CacheConfig", "RetryPolicies", "DisplayName"} <= set(found)
    assert not {"Name", "DependsOn", "PropertyFiles"} & set(found)
    assert "FilePath" not in labels('"FilePath": "a.json"', '"FilePath": "a.json", |')
    assert labels('"Type": "Integer"}', '"Type": "Integer", "|"}') == ["DefaultValue", "EnumValues"]


def test_members_of_the_request() -> None:
    found = items('"RoleArn": {', '|"RoleArn": {')
    first = [item.label for item in found[:3]]
    assert "AlgorithmSpecification" in first  # required members come first
    image = next(item for item in found if item.label == "HyperParameters")
    assert image.text == '"HyperParameters": {}'
    assert image.lookup == ("CreateTrainingJobRequest", "HyperParameters")


def test_a_key_is_replaced_with_its_quotes_and_keeps_its_colon() -> None:
    found = items('"InstanceCount": 1', '"Vol|umeSizeInGB": 1')
    item = next(item for item in found if item.label == "VolumeSizeInGB")
    assert item.text == '"VolumeSizeInGB"'
    made, _ = change('"InstanceCount": 1', '"Vol|umeSizeInGB": 1')
    assert made.source[item.span.start : item.span.end] == b'"VolumeSizeInGB"'


def test_keys_in_text_that_does_not_parse() -> None:
    assert "DisplayName" in labels('"DependsOn": ["Prepare"],', '"Di|')
    assert "Type" in [
        item.label for item in complete_definition(*change("x", '{"Steps": [{"Name": "A", |', "x"))
    ]


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ('"Insta|nceType"', "**InstanceType** `string`"),
        ('"Depen|dsOn"', "**DependsOn** `array of step names`"),
        ('"Parameters.St|age"', '**Stage**: pipeline parameter, String = "dev"'),
        ('"Name": "Sta|ge"', "One of `dev`, `prod`."),
        ('"Steps.Prepare.Processing|JobArn"', "**ProcessingJobArn** `string`"),
        ('"Name": "Tra|in"', "After `Prepare`."),
        ('"Na|me": "Stage"', "Letters, digits"),
    ],
)
def test_hover(place: str, words: str) -> None:
    found = hover_definition(*change(place.replace("|", ""), place))
    assert found is not None
    assert words in found.text


@pytest.mark.parametrize("place", ['"ml.m5|.large"', '"2020-|12-01"', '|  "Steps"'])
def test_nothing_to_say(place: str) -> None:
    assert hover_definition(*change(place.replace("|", ""), place)) is None


def test_make_a_value_a_parameter() -> None:
    made = document(WHOLE)
    at = made.source.index(b'"ml.m5.large"') + 3
    action = extract_parameter(made, Span(made.key, at, at))
    assert action is not None
    fixed = json.loads(apply_edits(made.source, sorted(action.edits, key=lambda e: -e.span.start)))
    assert fixed["Parameters"][2] == {"Name": "InstanceType", "Type": "String", "DefaultValue": "ml.m5.large"}
    cluster = fixed["Steps"][0]["Arguments"]["ProcessingResources"]["ClusterConfig"]
    assert cluster["InstanceType"] == {"Get": "Parameters.InstanceType"}


def test_names_stay_literals() -> None:
    made = document(WHOLE)
    for place in (b'"Prepare"', b'"Parameters.Stage"', b'"Processing"'):
        at = made.source.index(place) + 2
        assert extract_parameter(made, Span(made.key, at, at)) is None


@settings(deadline=None)
@given(
    st.integers(0, len(WHOLE)),
    st.integers(0, 40),
    st.sampled_from(["", '"', "{", "}", ":", ",", "é😀", "[1"]),
)
def test_no_edit_breaks_hover_or_completion(at: int, length: int, text: str) -> None:
    made = document(WHOLE[:at] + text + WHOLE[at + length :])
    offset = len((WHOLE[:at] + text).encode())
    complete_definition(made, offset)
    hover_definition(made, offset)
