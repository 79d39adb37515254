from __future__ import annotations

from typing import Any

import pytest

ARGUMENTS = "/Steps/0/Arguments"
GROUPS = {"InstanceGroups": [{"InstanceType": "ml.m5.large", "InstanceCount": 1, "InstanceGroupName": "g"}]}


def output(name: str, path: str) -> dict[str, Any]:
    return {
        "OutputName": name,
        "S3Output": {"S3Uri": "s3://bucket/o", "LocalPath": path, "S3UploadMode": "EndOfJob"},
    }


def outputs(*entries: Any) -> dict[str, Any]:
    return {"ProcessingOutputConfig": {"Outputs": list(entries)}}


def channels(*names: Any) -> dict[str, Any]:
    return {"InputDataConfig": [{"ChannelName": name, "DataSource": {}} for name in names]}


def stopping(run: int, wait: int | None, **more: Any) -> dict[str, Any]:
    limits = {"MaxRuntimeInSeconds": run} | ({} if wait is None else {"MaxWaitTimeInSeconds": wait})
    return {"StoppingCondition": limits, **more}


def cluster(**more: Any) -> dict[str, Any]:
    return {"ClusterId": None, "ClusterConfig": {"Instances": {"InstanceGroups": []}, **more}}


def tag(key: str) -> dict[str, Any]:
    return {"Tags": [{"Key": key, "Value": "v"}]}


def address(value: str) -> dict[str, Any]:
    return {"OutputDataConfig": {"S3OutputPath": value}}


P = "/opt/ml/processing/"
OUTPUTS = ARGUMENTS + "/ProcessingOutputConfig/Outputs"
IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/image:1"
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:f"

ROWS: list[tuple[str, str, Any, str, Any]] = [
    (
        "J133",
        "Processing",
        outputs(output("o", P + "a"), output("o", P + "b")),
        OUTPUTS + "/1/OutputName",
        outputs(output("o", P + "a"), output("O", P + "b")),
    ),
    (
        "J133",
        "Training",
        channels("train", "train"),
        ARGUMENTS + "/InputDataConfig/1/ChannelName",
        channels("train", "test"),
    ),
    (
        "J134",
        "Processing",
        outputs(output("o", "/tmp/x")),
        OUTPUTS + "/0/S3Output/LocalPath",
        outputs(output("o", P + "x")),
    ),
    (
        "J134",
        "Processing",
        outputs(output("o", "/opt/ml/processingx")),
        OUTPUTS + "/0/S3Output/LocalPath",
        outputs(output("o", "/opt/ml/processing")),
    ),
    (
        "J135",
        "Processing",
        outputs(output("a", P + "x"), output("b", P + "x/")),
        OUTPUTS + "/1/S3Output/LocalPath",
        outputs(output("a", P + "x"), output("b", P + "x/y")),
    ),
    (
        "J136",
        "Training",
        address("s3://My_Bucket/x"),
        ARGUMENTS + "/OutputDataConfig/S3OutputPath",
        address("s3://my-bucket.x/My_Key"),
    ),
    (
        "J136",
        "Training",
        address("s3://bucket//x"),
        ARGUMENTS + "/OutputDataConfig/S3OutputPath",
        address("s3://bucket/x/"),
    ),
    ("J136", "value", "s3://b/x", ARGUMENTS + "/Environment/V", "s3://<bucket>/x"),
    (
        "J137",
        "document",
        {
            "Steps": [
                {"Arguments": {"Image": IMAGE}},
                {"FunctionArn": FUNCTION.replace("eu-west-1", "us-east-1")},
            ]
        },
        "/Steps/1/FunctionArn",
        {"Steps": [{"Arguments": {"Image": IMAGE}}, {"FunctionArn": FUNCTION}]},
    ),
    (
        "J138",
        "Training",
        stopping(9, 5, EnableManagedSpotTraining=True),
        ARGUMENTS + "/StoppingCondition/MaxWaitTimeInSeconds",
        stopping(9, 9, EnableManagedSpotTraining=True),
    ),
    (
        "J138",
        "Training",
        stopping(9, 10),
        ARGUMENTS + "/StoppingCondition/MaxWaitTimeInSeconds",
        stopping(9, 10, EnableManagedSpotTraining={"Get": "Parameters.B"}),
    ),
    (
        "J138",
        "Training",
        stopping(9, None, EnableManagedSpotTraining=True),
        ARGUMENTS + "/EnableManagedSpotTraining",
        stopping(9, None),
    ),
    (
        "J139",
        "Training",
        {"ResourceConfig": {**GROUPS, "InstanceCount": None}},
        ARGUMENTS + "/ResourceConfig/InstanceType",
        {"ResourceConfig": {**GROUPS, "InstanceType": None, "InstanceCount": None}},
    ),
    (
        "J140",
        "Training",
        {"AlgorithmSpecification": {"AlgorithmName": "x"}},
        ARGUMENTS + "/AlgorithmSpecification/AlgorithmName",
        {"AlgorithmSpecification": {"AlgorithmName": "x", "TrainingImage": None}},
    ),
    (
        "J140",
        "Training",
        {"AlgorithmSpecification": {"TrainingImage": None}},
        ARGUMENTS + "/AlgorithmSpecification",
        {"AlgorithmSpecification": None},
    ),
    ("J141", "Model", {"Containers": [{"Image": "x"}]}, ARGUMENTS + "/Containers", {"Containers": []}),
    (
        "J141",
        "Model",
        {"PrimaryContainer": None},
        ARGUMENTS,
        {"PrimaryContainer": None, "Containers": [{"Image": "x"}]},
    ),
    (
        "J142",
        "Tuning",
        {"TrainingJobDefinitions": [{}]},
        ARGUMENTS + "/TrainingJobDefinitions",
        {"TrainingJobDefinitions": []},
    ),
    (
        "J142",
        "Tuning",
        {"TrainingJobDefinition": None},
        ARGUMENTS,
        {"TrainingJobDefinition": None, "TrainingJobDefinitions": [{}]},
    ),
    (
        "J142",
        "Tuning",
        {"HyperParameterTuningJobConfig": {"ResourceLimits": {"MaxParallelTrainingJobs": 5}}},
        ARGUMENTS + "/HyperParameterTuningJobConfig/ResourceLimits/MaxParallelTrainingJobs",
        {"HyperParameterTuningJobConfig": {"ResourceLimits": {"MaxParallelTrainingJobs": 4}}},
    ),
    (
        "J143",
        "AutoML",
        {"AutoMLJobConfig": {"Mode": "HYPERPARAMETER_TUNING"}},
        ARGUMENTS + "/AutoMLJobConfig/Mode",
        {"AutoMLJobConfig": {"Mode": {"Get": "Parameters.S"}}},
    ),
    ("J143", "AutoML", {"AutoMLJobConfig": {"Mode": None}}, ARGUMENTS + "/AutoMLJobConfig", {}),
    (
        "J144",
        "EMR",
        {"ClusterConfig": {"Instances": {"InstanceGroups": []}}},
        ARGUMENTS + "/ClusterConfig",
        cluster(),
    ),
    ("J144", "EMR", {"ClusterId": None}, ARGUMENTS, {"ExecutionRoleArn": "arn"}),
    (
        "J144",
        "EMR",
        {**cluster(), "ExecutionRoleArn": "arn"},
        ARGUMENTS + "/ExecutionRoleArn",
        cluster(ReleaseLabel="emr-6.6.0"),
    ),
    ("J144", "EMR", cluster(Name="n"), ARGUMENTS + "/ClusterConfig/Name", cluster(LogUri="s3://b")),
    (
        "J144",
        "EMR",
        cluster(Instances={"InstanceFleets": [], "InstanceGroups": []}),
        ARGUMENTS + "/ClusterConfig/Instances",
        cluster(Instances={"InstanceFleets": []}),
    ),
    (
        "J144",
        "EMR",
        cluster(Instances={"InstanceGroups": [], "TerminationProtected": True}),
        ARGUMENTS + "/ClusterConfig/Instances/TerminationProtected",
        cluster(Instances={"InstanceGroups": [], "Ec2KeyName": "k"}),
    ),
    (
        "J145",
        "RegisterModel",
        {"CertifyForMarketplace": True},
        ARGUMENTS + "/CertifyForMarketplace",
        {"Domain": "x"},
    ),
    (
        "J145",
        "Model",
        {"PrimaryContainer": {"AdditionalModelDataSources": [{}]}},
        ARGUMENTS + "/PrimaryContainer/AdditionalModelDataSources",
        {"PrimaryContainer": {"AdditionalModelDataSources": []}},
    ),
    ("J147", "Training", tag("aws:team"), ARGUMENTS + "/Tags/0/Key", tag("team:aws")),
    (
        "J147",
        "Training",
        {"Tags": [{"Key": f"k{i}", "Value": ""} for i in range(51)]},
        ARGUMENTS + "/Tags",
        {"Tags": [{"Key": f"k{i}", "Value": ""} for i in range(50)]},
    ),
    (
        "J149",
        "document",
        {"PipelineExperimentConfig": {"ExperimentName": 3}},
        "/PipelineExperimentConfig/ExperimentName",
        {"PipelineExperimentConfig": {"ExperimentName": "e", "TrialName": {"Get": "Execution.PipelineName"}}},
    ),
    (
        "J149",
        "document",
        {"PipelineExperimentConfig": {"Trial": "x"}},
        "/PipelineExperimentConfig/Trial",
        {"PipelineExperimentConfig": None},
    ),
    (
        "J149",
        "document",
        {"PipelineExperimentConfig": "x"},
        "/PipelineExperimentConfig",
        {"PipelineExperimentConfig": {}},
    ),
    (
        "J150",
        "document",
        {"Parameters": [], "Steps": [{"Arguments": {"a": "s3://b/k"}}]},
        "/Steps/0/Arguments/a",
        {"Parameters": [], "Steps": [{"Arguments": {"a": {"Std:Join": {"Values": ["s3://b"]}}}}]},
    ),
]


@pytest.mark.parametrize(("code", "kind", "bad", "place", "good"), ROWS)
def test_rule(judge: Any, code: str, kind: str, bad: Any, place: str, good: Any) -> None:
    judge(code, kind, bad, place, good)


def test_both_instance_type_and_count_beside_groups(found: Any) -> None:
    places = [f.pointer[-1] for f in found("J139", "Training", {"ResourceConfig": GROUPS})]
    assert places == ["InstanceCount", "InstanceType"]


def test_extracting_a_parameter_avoids_taken_names(found: Any) -> None:
    step = {"Arguments": {"S3Uri": "s3://b/k"}}
    (finding,) = found("J150", "document", {"Parameters": [{"Name": "S3Uri"}], "Steps": [step]})
    assert [edit.value for edit in finding.fix.edits] == [
        {"Get": "Parameters.S3Uri2"},
        {"Name": "S3Uri2", "Type": "String", "DefaultValue": "s3://b/k"},
    ]
