"""Definitions that a program writes out as dictionaries and hands to boto3."""

from __future__ import annotations

from stepbridge_lsp.documents import PythonDocument, Workspace
from stepbridge_lsp.rules import diagnose

PROGRAM = """\
import json
import boto3

REGION = "eu-west-1"
definition = {
    "Version": "2020-12-01",
    "Parameters": [{"Name": "Kind", "Type": "String"}],
    "Steps": [
        {"Name": "Stop", "Type": "Fail", "Arguments": {"ErrorMessage": {"Get": "Parameters.%s"}}},
    ],
}
client = boto3.Session(region_name=REGION).client("sagemaker")
client.create_pipeline(PipelineName="p", PipelineDefinition=json.dumps(definition), RoleArn="r")
"""


def codes(text: str) -> list[tuple[str, str]]:
    document = PythonDocument("file:///nowhere/p.py", text.encode(), Workspace())
    return [
        (finding.code, document.source[finding.span.start : finding.span.end].decode())
        for finding in diagnose(document)
    ]


def test_a_wrong_reference_is_found_at_its_literal() -> None:
    assert ("J061", '"Parameters.Kindd"') in codes(PROGRAM % "Kindd")


def test_a_right_one_is_not() -> None:
    assert codes(PROGRAM % "Kind") == []


def test_what_is_not_known_is_not_wrong() -> None:
    text = PROGRAM.replace('"Steps": [', '"Steps": make_steps() + [') % "Kind"
    assert codes(text) == []
