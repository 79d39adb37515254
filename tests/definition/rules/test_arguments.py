from __future__ import annotations

from typing import Any

import pytest

ARGUMENTS = "/Steps/0/Arguments"


def resources(**more: Any) -> dict[str, Any]:
    return {"ResourceConfig": more}


def cluster(**more: Any) -> dict[str, Any]:
    return {"ProcessingResources": {"ClusterConfig": more}}


def inputs(*entries: Any) -> dict[str, Any]:
    return {"ProcessingInputs": list(entries)}


def one_input(name: str = "i", **more: Any) -> dict[str, Any]:
    source = {"S3Uri": "s3://bucket/x", "LocalPath": f"/opt/ml/processing/{name}", "S3DataType": "S3Prefix"}
    return {"InputName": name, "S3Input": {**source, **more}}


def container_arguments(*values: Any) -> dict[str, Any]:
    return {"AppSpecification": {"ContainerArguments": list(values)}}


def vpc(subnets: int, groups: int) -> dict[str, Any]:
    return {
        "VpcConfig": {
            "Subnets": [f"subnet-{i}" for i in range(subnets)],
            "SecurityGroupIds": [f"sg-{i}" for i in range(groups)],
        }
    }


ROWS: list[tuple[str, str, Any, str, Any]] = [
    ("J120", "Training", {"ResourceConfg": {}}, ARGUMENTS + "/ResourceConfg", {"Environment": {}}),
    (
        "J120",
        "Training",
        resources(InstanceTyp="x"),
        ARGUMENTS + "/ResourceConfig/InstanceTyp",
        resources(VolumeKmsKeyId="x"),
    ),
    (
        "J120",
        "EMR",
        {"StepConfig": {"HadoopJarStep": {"Jars": "x"}}},
        ARGUMENTS + "/StepConfig/HadoopJarStep/Jars",
        {"StepConfig": {"HadoopJarStep": {"Args": ["x"]}}},
    ),
    ("J121", "Training", {"RoleArn": None}, ARGUMENTS, {"TrainingJobName": None}),
    ("J121", "Training", {"OutputDataConfig": {"S3OutputPath": None}}, ARGUMENTS + "/OutputDataConfig", {}),
    ("J121", "EMR", {"StepConfig": None}, ARGUMENTS, {"ActionOnFailure": None}),
    ("J121", "Fail", {"ErrorMessage": None}, ARGUMENTS, {"ErrorMessage": {"Get": "Parameters.S"}}),
    ("J122", "Training", {"TrainingJobName": "mine"}, ARGUMENTS + "/TrainingJobName", {"RoleArn": "x"}),
    (
        "J123",
        "Training",
        resources(VolumeSizeInGB="30"),
        ARGUMENTS + "/ResourceConfig/VolumeSizeInGB",
        resources(VolumeSizeInGB=30.0),
    ),
    (
        "J123",
        "Training",
        {"EnableManagedSpotTraining": "true"},
        ARGUMENTS + "/EnableManagedSpotTraining",
        {"EnableManagedSpotTraining": False},
    ),
    (
        "J123",
        "Processing",
        container_arguments("-n", 5),
        ARGUMENTS + "/AppSpecification/ContainerArguments/1",
        container_arguments("-n", "5"),
    ),
    (
        "J123",
        "Processing",
        container_arguments({"a": 1}),
        ARGUMENTS + "/AppSpecification/ContainerArguments/0",
        container_arguments({"Get": "Parameters.S"}),
    ),
    (
        "J123",
        "Training",
        resources(InstanceCount=1.5),
        ARGUMENTS + "/ResourceConfig/InstanceCount",
        resources(InstanceCount={"Get": "Parameters.N"}),
    ),
    (
        "J124",
        "Processing",
        inputs(one_input(S3InputMode="Fil")),
        ARGUMENTS + "/ProcessingInputs/0/S3Input/S3InputMode",
        inputs(one_input(S3InputMode="File")),
    ),
    (
        "J124",
        "RegisterModel",
        {"ModelApprovalStatus": "approved"},
        ARGUMENTS + "/ModelApprovalStatus",
        {"ModelApprovalStatus": "Approved"},
    ),
    (
        "J124",
        "Training",
        {"AlgorithmSpecification": {"TrainingInputMode": "file"}},
        ARGUMENTS + "/AlgorithmSpecification/TrainingInputMode",
        {"AlgorithmSpecification": {"TrainingInputMode": "${mode}"}},
    ),
    (
        "J125",
        "Training",
        resources(InstanceType="ml.m5.xlrge"),
        ARGUMENTS + "/ResourceConfig/InstanceType",
        resources(InstanceType="ml.m5.xlarge"),
    ),
    (
        "J125",
        "Training",
        resources(InstanceType="m5.xlarge"),
        ARGUMENTS + "/ResourceConfig/InstanceType",
        resources(InstanceType="ml.m99x.xlarge"),
    ),
    (
        "J125",
        "Training",
        resources(InstanceType="ml.m5.3xlarge"),
        ARGUMENTS + "/ResourceConfig/InstanceType",
        resources(InstanceType="local_gpu"),
    ),
    (
        "J126",
        "Processing",
        cluster(InstanceType="ml.inf1.xlarge"),
        ARGUMENTS + "/ProcessingResources/ClusterConfig/InstanceType",
        cluster(InstanceType="ml.p3.2xlarge"),
    ),
    (
        "J126",
        "Training",
        resources(InstanceType="ml.t2.medium"),
        ARGUMENTS + "/ResourceConfig/InstanceType",
        resources(InstanceType="ml.t3.medium"),
    ),
    (
        "J127",
        "Training",
        {"RoleArn": "x"},
        ARGUMENTS + "/RoleArn",
        {"RoleArn": "arn:aws-cn:iam::123456789012:role/service-role/X"},
    ),
    (
        "J127",
        "Training",
        {"OutputDataConfig": {"S3OutputPath": "bucket/x"}},
        ARGUMENTS + "/OutputDataConfig/S3OutputPath",
        {"OutputDataConfig": {"S3OutputPath": "file://out"}},
    ),
    (
        "J127",
        "Training",
        {"InputDataConfig": [{"ChannelName": "a b", "DataSource": {}}]},
        ARGUMENTS + "/InputDataConfig/0/ChannelName",
        {"InputDataConfig": [{"ChannelName": "a-b", "DataSource": {}}]},
    ),
    (
        "J128",
        "Processing",
        cluster(InstanceCount=0),
        ARGUMENTS + "/ProcessingResources/ClusterConfig/InstanceCount",
        cluster(InstanceCount=1),
    ),
    (
        "J128",
        "Processing",
        cluster(InstanceCount=101),
        ARGUMENTS + "/ProcessingResources/ClusterConfig/InstanceCount",
        cluster(InstanceCount=100),
    ),
    (
        "J128",
        "Processing",
        {"StoppingCondition": {"MaxRuntimeInSeconds": 777601}},
        ARGUMENTS + "/StoppingCondition/MaxRuntimeInSeconds",
        {"StoppingCondition": {"MaxRuntimeInSeconds": 777600}},
    ),
    (
        "J129",
        "Processing",
        container_arguments("x" * 257),
        ARGUMENTS + "/AppSpecification/ContainerArguments/0",
        container_arguments("x" * 256),
    ),
    (
        "J130",
        "Processing",
        inputs(*(one_input(f"i{i}") for i in range(11))),
        ARGUMENTS + "/ProcessingInputs",
        inputs(*(one_input(f"i{i}") for i in range(10))),
    ),
    (
        "J130",
        "Processing",
        container_arguments(*["x"] * 101),
        ARGUMENTS + "/AppSpecification/ContainerArguments",
        container_arguments(*["x"] * 100),
    ),
    (
        "J131",
        "Training",
        {"HyperParameters": {"eta": 0.2}},
        ARGUMENTS + "/HyperParameters/eta",
        {"HyperParameters": {"eta": "0.2"}},
    ),
    (
        "J131",
        "Training",
        {"HyperParameters": {f"k{i}": "" for i in range(101)}},
        ARGUMENTS + "/HyperParameters",
        {"HyperParameters": {f"k{i}": "" for i in range(100)}},
    ),
    (
        "J131",
        "Training",
        {"HyperParameters": {"k": "x" * 2501}},
        ARGUMENTS + "/HyperParameters/k",
        {"HyperParameters": {"k": "x" * 2500}},
    ),
    (
        "J132",
        "Processing",
        {"Environment": {"1ST": "x"}},
        ARGUMENTS + "/Environment/1ST",
        {"Environment": {"_1ST": "x"}},
    ),
    (
        "J132",
        "Processing",
        {"Environment": {"K": "x" * 257}},
        ARGUMENTS + "/Environment/K",
        {"Environment": {"K": "x" * 256}},
    ),
    (
        "J132",
        "Processing",
        {"Environment": {"K": 1}},
        ARGUMENTS + "/Environment/K",
        {"Environment": {"K": "1"}},
    ),
    (
        "J146",
        "RegisterModel",
        {"ModelPackageGroupName": "my_group"},
        ARGUMENTS + "/ModelPackageGroupName",
        {"ModelPackageGroupName": "my-group"},
    ),
    (
        "J146",
        "RegisterModel",
        {"ModelPackageGroupName": "g" * 64},
        ARGUMENTS + "/ModelPackageGroupName",
        {"ModelPackageGroupName": "g" * 63},
    ),
    (
        "J146",
        "RegisterModel",
        {"ModelPackageGroupName": None},
        ARGUMENTS,
        {"ModelPackageGroupName": {"Get": "Parameters.S"}},
    ),
    ("J148", "Training", vpc(17, 1), ARGUMENTS + "/VpcConfig/Subnets", vpc(16, 5)),
    ("J148", "Training", vpc(1, 6), ARGUMENTS + "/VpcConfig/SecurityGroupIds", vpc(1, 5)),
]


@pytest.mark.parametrize(("code", "kind", "bad", "place", "good"), ROWS)
def test_rule(judge: Any, code: str, kind: str, bad: Any, place: str, good: Any) -> None:
    judge(code, kind, bad, place, good)


@pytest.mark.parametrize(
    ("role", "severity"),
    [
        ("x", "error"),
        ("arn:aws:iam::<account>:role/Role", "warning"),
        ("arn:aws:iam::XXXXXXXXXXXX:role/Role", "warning"),
        ("arn:aws:iam::${AWS::AccountId}:role/Role", None),
        ("{{ role }}", None),
    ],
)
def test_placeholders_are_no_errors(found: Any, role: str, severity: str | None) -> None:
    assert [f.severity for f in found("J127", "Training", {"RoleArn": role})] == (
        [severity] if severity else []
    )


def test_an_argument_that_is_like_none_may_be_newer_than_we_are(found: Any) -> None:
    assert [f.severity for f in found("J120", "Training", {"Frobnicate": 1})] == ["warning"]
    assert [f.severity for f in found("J120", "Training", {"ResourceConfg": {}})] == ["error"]


@pytest.mark.parametrize("type_", ["ml.m99.xlarge", "ml.zz1-foo.metal-48xl", "local", "local_gpu"])
def test_new_instance_types_are_let_pass(found: Any, type_: str) -> None:
    for code in ("J124", "J125", "J126", "J127"):
        assert found(code, "Training", resources(InstanceType=type_)) == []


def test_the_fix_of_an_instance_type_without_its_prefix(found: Any) -> None:
    (finding,) = found("J125", "Training", resources(InstanceType="m5.xlarge"))
    assert finding.suggestions == ("ml.m5.xlarge",)


def test_null_is_not_given(found: Any) -> None:
    for code in ("J009", "J120", "J121", "J123"):
        assert found(code, "document", {"Steps": []}) == []
    step = {"Name": "C", "Type": "Training", "Arguments": {"RoleArn": None, "Tags": None, "VpcConfig": None}}
    messages = [f.message for f in found("J121", "document", {"Steps": [step]})]
    assert [m for m in messages if "RoleArn" in m]
    assert found("J123", "document", {"Steps": [step]}) == []


def test_both_versions_of_automl_requests(found: Any) -> None:
    v2 = {
        "RoleArn": "arn:aws:iam::123456789012:role/Role",
        "AutoMLJobInputDataConfig": [],
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/x"},
        "AutoMLProblemTypeConfig": {"TabularJobConfig": {"TargetAttributeName": "y"}},
    }
    step = {"Name": "A", "Type": "AutoML", "Arguments": v2}
    for code in ("J120", "J121", "J143"):
        assert found(code, "document", {"Steps": [step]}) == []
