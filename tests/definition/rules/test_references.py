from __future__ import annotations

from typing import Any

import pytest


def get(text: str) -> dict[str, str]:
    return {"Get": text}


def arguments(*values: Any) -> dict[str, Any]:
    return {"AppSpecification": {"ContainerArguments": list(values)}}


def count(value: Any) -> dict[str, Any]:
    return {"ResourceConfig": {"InstanceCount": value}}


PLACE = "/Steps/0/Arguments/Environment/V"
OUTPUTS = "Steps.Prep.ProcessingOutputConfig.Outputs"

ROWS: list[tuple[str, str, Any, str, Any]] = [
    ("J060", "value", get("Parameter.S"), PLACE + "/Get", get("Parameters.S")),
    ("J060", "value", get("S"), PLACE + "/Get", get("ForEach.CurrentItem")),
    ("J060", "value", {"Get": 3}, PLACE + "/Get", "Get"),
    ("J060", "value", get("Steps.Train"), PLACE + "/Get", get("Steps.Train.TrainingJobName")),
    (
        "J060",
        "value",
        get("Steps.Train.A[x]"),
        PLACE + "/Get",
        get("Steps.Train.FinalMetricDataList[0].MetricName"),
    ),
    ("J061", "value", get("Parameters.Q"), PLACE + "/Get", get("Parameters.${name}")),
    ("J062", "value", get("Execution.Id"), PLACE + "/Get", get("Execution.PipelineExecutionId")),
    ("J062", "value", get("Execution.PipelineExecutionID"), PLACE + "/Get", get("Execution.CurrentDateTime")),
    ("J063", "value", get("Steps.Trian.TrainingJobName"), PLACE + "/Get", get("Steps.Train.TrainingJobName")),
    (
        "J064",
        "value",
        get("Steps.Train.ModelArtifact.S3ModelArtifacts"),
        PLACE + "/Get",
        get("Steps.Train.ModelArtifacts.S3ModelArtifacts"),
    ),
    (
        "J064",
        "value",
        get("Steps.Train.TrainingJobName.x"),
        PLACE + "/Get",
        get("Steps.Train.HyperParameters.x"),
    ),
    (
        "J064",
        "value",
        get("Steps.Prep.PropertyFiles.Report"),
        PLACE + "/Get",
        get("Steps.Prep.ProcessingJobArn"),
    ),
    ("J065", "value", get(OUTPUTS + ".S3Output.S3Uri"), PLACE + "/Get", get(OUTPUTS + "[0].S3Output.S3Uri")),
    (
        "J066",
        "value",
        get(OUTPUTS + "['trian'].S3Output.S3Uri"),
        PLACE + "/Get",
        get(OUTPUTS + "['train'].S3Output.S3Uri"),
    ),
    (
        "J067",
        "value",
        get("Steps.Call.OutputParameters['urii']"),
        PLACE + "/Get",
        get("Steps.Call.OutputParameters['uri']"),
    ),
    (
        "J067",
        "value",
        get("Steps.Call.Outputs['uri']"),
        PLACE + "/Get",
        get('Steps.Call.OutputParameters["uri"]'),
    ),
    (
        "J068",
        "Processing",
        arguments("-n", get("Parameters.N")),
        "/Steps/0/Arguments/AppSpecification/ContainerArguments/1",
        arguments("-n", get("Parameters.S")),
    ),
    ("J068", "value", get("Parameters.B"), PLACE, {"Std:Join": {"On": "", "Values": [get("Parameters.B")]}}),
    ("J068", "value", get("Steps.Train.BillableTimeInSeconds"), PLACE, get("Steps.Train.TrainingJobStatus")),
    (
        "J068",
        "value",
        get("Steps.Call.OutputParameters['status']"),
        PLACE,
        get("Steps.Call.OutputParameters['uri']"),
    ),
    (
        "J069",
        "Training",
        count(get("Parameters.S")),
        "/Steps/0/Arguments/ResourceConfig/InstanceCount",
        count(get("Parameters.N")),
    ),
    (
        "J069",
        "Training",
        count(get("Execution.PipelineName")),
        "/Steps/0/Arguments/ResourceConfig/InstanceCount",
        count(get("Steps.Call.OutputParameters['status']")),
    ),
    (
        "J069",
        "Training",
        count(get("Parameters.F")),
        "/Steps/0/Arguments/ResourceConfig/InstanceCount",
        {"EnableManagedSpotTraining": get("Parameters.B")},
    ),
    (
        "J069",
        "Training",
        count({"Std:Join": {"On": "", "Values": ["1"]}}),
        "/Steps/0/Arguments/ResourceConfig/InstanceCount",
        count({"Std:JsonGet": {}}),
    ),
    ("J070", "value", get("Steps.Stop.ErrorMessage"), PLACE + "/Get", get("Steps.Train.TrainingJobName")),
    ("J076", "value", {"Get": "Parameters.S", "Default": "x"}, PLACE + "/Default", get("Parameters.S")),
    (
        "J076",
        "value",
        {"Std:Join": {"On": "", "Values": []}, "x": 1},
        PLACE + "/x",
        {"Std:Join": {"On": "", "Values": []}},
    ),
]


@pytest.mark.parametrize(("code", "kind", "bad", "place", "good"), ROWS)
def test_rule(judge: Any, code: str, kind: str, bad: Any, place: str, good: Any) -> None:
    judge(code, kind, bad, place, good)


@pytest.mark.parametrize(("outcome", "count"), [("Outcome", 0), ("Result", 1), ("Outcome.x", 1)])
def test_a_condition_step_has_an_outcome_only(found: Any, outcome: str, count: int) -> None:
    condition = {"Name": "If", "Type": "Condition", "Arguments": {"Conditions": []}}
    reader = {"Name": "L", "Type": "Lambda", "Arguments": {"o": get(f"Steps.If.{outcome}")}}
    assert len(found("J070", "document", {"Steps": [condition, reader]})) == count


def test_undeclared_parameter_is_declared_with_the_type_of_its_place(found: Any) -> None:
    (finding,) = found("J061", "Training", count(get("Parameters.HowMany")))
    assert [edit.value for edit in finding.fix.edits] == [{"Name": "HowMany", "Type": "Integer"}]
    (near,) = found(
        "J061",
        "document",
        {
            "Parameters": [{"Name": "HowMany"}],
            "Steps": [{"Name": "L", "Type": "Lambda", "Arguments": get("Parameters.HowMny")}],
        },
    )
    assert near.suggestions == ("HowMany",)
    assert near.fix.edits[0].value == "Parameters.HowMany"


def test_a_property_that_is_like_none_may_be_new(found: Any) -> None:
    assert [f.severity for f in found("J064", "value", get("Steps.Train.Frobnication"))] == ["warning"]


def test_results_of_unknown_kinds_of_steps_are_anyones_guess(found: Any) -> None:
    serverless = {"Name": "S", "Type": "EMRServerless", "Arguments": {}}
    reader = {"Name": "L", "Type": "Lambda", "Arguments": {"o": get("Steps.S.What.Ever[0]")}}
    for code in ("J064", "J065", "J067", "J070"):
        assert found(code, "document", {"Steps": [serverless, reader]}) == []


@pytest.mark.parametrize(
    ("type_", "path", "faults"),
    [
        ("Tuning", "TrainingJobSummaries[0].TrainingJobName", 0),
        ("Tuning", "BestTrainingJob.TrainingJobName", 0),
        ("Tuning", "BestTrainingJobs", 1),
        ("AutoML", "BestCandidate.InferenceContainers[0].Image", 0),
        ("AutoML", "BestCandidateProperties.ModelInsightsJsonReportPath", 0),
        ("AutoML", "BestCandidateProperties.ModelInsights", 1),
        ("QualityCheck", "CalculatedBaselineConstraints", 0),
        ("ClarifyCheck", "CalculatedBaselineStatistics", 1),
        ("EMR", "Status.State", 0),
        ("EMR", "ClusterId", 0),
        ("Model", "ModelName", 0),
        ("Model", "PrimaryContainer.Environment['K']", 0),
        ("RegisterModel", "ModelPackageArn", 0),
        ("RegisterModel", "ModelPackagArn", 1),
        ("Transform", "TransformOutput.S3OutputPath", 0),
        ("EndpointConfig", "EndpointConfigName", 0),
        ("Endpoint", "EndpointArn", 0),
    ],
)
def test_results_by_type_of_step(found: Any, type_: str, path: str, faults: int) -> None:
    target = {"Name": "T", "Type": type_, "Arguments": {}}
    reader = {"Name": "L", "Type": "Lambda", "Arguments": {"o": get(f"Steps.T.{path}")}}
    assert len(found("J064", "document", {"Steps": [target, reader]})) == faults


def test_fields_beside_arguments_hold_typed_references(found: Any) -> None:
    fragment = {"Type": "QualityCheck", "CheckType": "X", "SkipCheck": get("Parameters.S")}
    assert [f.pointer for f in found("J069", "step", fragment)] == [("Steps", 0, "SkipCheck")]
    assert found("J069", "step", {**fragment, "SkipCheck": get("Parameters.B")}) == []
