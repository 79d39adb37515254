from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from stepbridge.definition.references import Reference, parse_path, references, resolve
from stepbridge.errors import DefinitionError


@dataclass
class Fixed:
    """A scope with everything in dictionaries."""

    parameters: dict[str, Any] = field(default_factory=dict)
    executions: dict[str, Any] = field(default_factory=dict)
    steps: dict[str, Mapping[str, Any] | None] = field(default_factory=dict)
    files: dict[tuple[str, str], Any] = field(default_factory=dict)
    objects: dict[str, Any] = field(default_factory=dict)

    def parameter(self, name: str) -> Any:
        return self.parameters[name]

    def execution(self, name: str) -> Any:
        return self.executions[name]

    def step(self, step_name: str) -> Mapping[str, Any] | None:
        return self.steps[step_name]

    def property_file(self, step: str, property_file: str) -> Any:
        return self.files[step, property_file]

    def s3_json(self, uri: str) -> Any:
        return self.objects[uri]


SCOPE = Fixed(
    parameters={"N": 3, "F": 0.5, "B": True, "S": "bucket"},
    executions={"PipelineExecutionId": "abc"},
    steps={
        "Train": {
            "ModelArtifacts": {"S3ModelArtifacts": "s3://b/model.tar.gz"},
            "HyperParameters": {"a b": "1"},
        },
        "Prep": {
            "ProcessingOutputConfig": {
                "Outputs": [
                    {"OutputName": "test", "S3Output": {"S3Uri": "s3://b/test"}},
                    {"OutputName": "train", "S3Output": {"S3Uri": "s3://b/train"}},
                ]
            },
            "ProcessingInputs": [{"InputName": "code", "S3Input": {"S3Uri": "s3://b/code"}}],
            "ExitMessage": None,
        },
        "Tune": {"TrainingJobSummaries": [{"TrainingJobName": "t1"}]},
        "Fit": {"FinalMetricDataList": [{"MetricName": "validation:rmse", "Value": 0.25}]},
        "Call": {"OutputParameters": [{"Name": "x", "Value": "from-lambda"}]},
        "Lambda": {"OutputParameters": {"y": 5}},
        "Check": {"Outcome": "True"},
        "Skipped": None,
    },
    files={("Prep", "Report"): {"metrics": {"mse": {"value": 4.5}, "a.b": [1, {"c d": 2}]}, "none": None}},
    objects={"s3://bucket/results.json": {"Return": [10, {"k": 20}]}},
)


def get(text: str) -> dict[str, str]:
    return {"Get": text}


def join(on: Any, *values: Any) -> dict[str, Any]:
    return {"Std:Join": {"On": on, "Values": list(values)}}


def json_get(path: Any, **source: Any) -> dict[str, Any]:
    return {"Std:JsonGet": {"Path": path, **source}}


REPORT = {"PropertyFile": get("Steps.Prep.PropertyFiles.Report")}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (get("Parameters.N"), 3),
        (get("Execution.PipelineExecutionId"), "abc"),
        (get("Steps.Train.ModelArtifacts.S3ModelArtifacts"), "s3://b/model.tar.gz"),
        (get("Steps.Train.HyperParameters['a b']"), "1"),
        (get("Steps.Prep.ProcessingOutputConfig.Outputs['train'].S3Output.S3Uri"), "s3://b/train"),
        (get('Steps.Prep.ProcessingOutputConfig.Outputs["train"].S3Output.S3Uri'), "s3://b/train"),
        (get("Steps.Prep.ProcessingOutputConfig.Outputs[0].S3Output.S3Uri"), "s3://b/test"),
        (get("Steps.Prep.ProcessingInputs['code'].S3Input.S3Uri"), "s3://b/code"),
        (get("Steps.Tune.TrainingJobSummaries[0].TrainingJobName"), "t1"),
        (get("Steps.Fit.FinalMetricDataList['validation:rmse'].Value"), 0.25),
        (get("Steps.Call.OutputParameters['x']"), "from-lambda"),
        (get("Steps.Lambda.OutputParameters['y']"), 5),
        (get("Steps.Check.Outcome"), "True"),
        (join("/", "s3:/", get("Parameters.S"), get("Execution.PipelineExecutionId")), "s3://bucket/abc"),
        (join("", get("Parameters.N"), "-", 1, 2.5, get("Parameters.B"), False), "3-12.5truefalse"),
        (join("-", join("/", "a", get("Parameters.F")), "c"), "a/0.5-c"),
        ({"Std:Join": {"Values": ["a", "b"]}}, "ab"),
        (json_get("metrics.mse.value", **REPORT), 4.5),
        (json_get("metrics['a.b'][0]", **REPORT), 1),
        (json_get("metrics[\"a.b\"][-1]['c d']", **REPORT), 2),
        (json_get("Return[1]['k']", S3Uri=join("/", "s3:/", get("Parameters.S"), "results.json")), 20),
        (json_get("Return[0]", S3Uri="s3://bucket/results.json"), 10),
        (join("", json_get("metrics.mse.value", **REPORT), "%"), "4.5%"),
        (
            {"a": [get("Parameters.N"), {"b": get("Parameters.S")}], "c": None},
            {"a": [3, {"b": "bucket"}], "c": None},
        ),
        ({"Get": 3}, {"Get": 3}),
    ],
)
def test_resolves(value: Any, expected: Any) -> None:
    assert resolve(value, SCOPE) == expected


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (get("Parameters.Nope"), "Parameters.Nope refers to nothing"),
        (get("Execution.Id"), "Execution.Id refers to nothing"),
        (get("Parameter.N"), '"Parameter.N" is no reference'),
        (get("Steps.Train.[x"), "is no reference"),
        (
            {"k": [get("Steps.Skipped.ModelArtifacts")]},
            'step "Skipped" did not run in this execution (at /k/0)',
        ),
        (get("Steps.Train.ModelArtifact.S3ModelArtifacts"), 'the result has no "ModelArtifact"'),
        (get("Steps.Train.ModelArtifacts.S3ModelArtifacts.x"), "ModelArtifacts.S3ModelArtifacts is a string"),
        (get("Steps.Prep.ProcessingOutputConfig.Outputs['trian']"), 'Outputs has no "trian"'),
        (get("Steps.Prep.ExitMessage"), 'has no "ExitMessage"'),
        (get("Steps.Tune.TrainingJobSummaries[3].TrainingJobName"), "TrainingJobSummaries has no 3"),
        (join(3, "a"), '"On" of Std:Join must be a string'),
        ({"Std:Join": ["a"]}, "Std:Join needs an object"),
        (join("", ["a"]), "cannot join an array (at /Std:Join/Values/0)"),
        ({"Std:Concat": []}, '"Std:Concat" is no function'),
        (json_get("a.b", **REPORT), 'the result has no "a"'),
        (json_get("none", **REPORT), 'has no "none"'),
        (json_get("a..b", **REPORT), '"a..b" is no JSON path'),
        (json_get(join("", "a"), **REPORT), "must be a literal string, and is an object"),
        (json_get("a"), "exactly one of PropertyFile and S3Uri"),
        (json_get("a", S3Uri="s3://b/k", **REPORT), "exactly one of PropertyFile and S3Uri"),
        (json_get("a", PropertyFile="Report"), 'PropertyFile of Std:JsonGet is "Report"'),
        (json_get("a", S3Uri=get("Parameters.N")), "S3Uri of Std:JsonGet is a number"),
    ],
)
def test_names_the_reference_that_has_no_value(value: Any, message: str) -> None:
    with pytest.raises(DefinitionError) as error:
        resolve(value, SCOPE)
    assert message in error.value.message


def test_suggests_the_output_that_was_meant() -> None:
    with pytest.raises(DefinitionError) as error:
        resolve(get("Steps.Prep.ProcessingOutputConfig.Outputs['trian'].S3Output.S3Uri"), SCOPE)
    assert error.value.hint == 'Did you mean "train"?'


def test_finds_references_with_their_places() -> None:
    value = {
        "A": [get("Parameters.N"), "Parameters.N"],
        "B": {"Std:JsonGet": {"PropertyFile": get("Steps.P.PropertyFiles.F"), "Path": "x"}},
        "C": join("/", get("Steps.T.A['x'][0]"), get("Execution.PipelineName"), get("nonsense")),
    }
    assert list(references(value)) == [
        Reference("parameter", "N", (), ("A", 0), "Parameters.N"),
        Reference(
            "property-file", "P", ("F",), ("B", "Std:JsonGet", "PropertyFile"), "Steps.P.PropertyFiles.F"
        ),
        Reference("step", "T", ("A", "x", 0), ("C", "Std:Join", "Values", 0), "Steps.T.A['x'][0]"),
        Reference("execution", "PipelineName", (), ("C", "Std:Join", "Values", 1), "Execution.PipelineName"),
    ]


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a", ("a",)),
        ("a.b.c", ("a", "b", "c")),
        ("a[0][1].b", ("a", 0, 1, "b")),
        ("a['x.y'].b", ("a", "x.y", "b")),
        ("[0].a", (0, "a")),
        ("a b:c.d-e", ("a b:c", "d-e")),
    ],
)
def test_paths(text: str, path: tuple[Any, ...]) -> None:
    assert parse_path(text) == path


@pytest.mark.parametrize("text", ["", ".", "a.", ".a.", "a..b", "a[", "a[x]", "a['x]", "a]", "[0]a", "a[]"])
def test_what_is_no_path(text: str) -> None:
    with pytest.raises(ValueError):
        parse_path(text)


def test_deep_values_are_refused_or_resolved_but_never_crash() -> None:
    value: Any = get("Parameters.N")
    for _ in range(100_000):
        value = [value]
    assert [r.name for r in references(value)] == ["N"]
    with pytest.raises(DefinitionError, match="too deeply"):
        resolve(value, SCOPE)
