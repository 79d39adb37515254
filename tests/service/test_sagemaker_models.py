"""Models, the registry and endpoints, by boto3; the `sagemaker` client checks every answer strictly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from stepbridge.service.records import Records

from .conftest import ACCOUNT, REGION, ROLE, FakeServing

CONTAINER = {"Image": "image:1", "ModelDataUrl": "s3://bucket/model.tar.gz", "Environment": {"A": "b"}}
SPECIFICATION = {
    "Containers": [{"Image": "image:1", "ModelDataUrl": "s3://bucket/model.tar.gz"}],
    "SupportedContentTypes": ["text/csv"],
    "SupportedResponseMIMETypes": ["text/csv"],
}


def message(error: pytest.ExceptionInfo[ClientError]) -> str:
    assert error.value.response["Error"]["Code"] == "ValidationException"
    return str(error.value.response["Error"]["Message"])


@pytest.fixture
def model(sagemaker: Any) -> str:
    sagemaker.create_model(ModelName="Wine", PrimaryContainer=CONTAINER, ExecutionRoleArn=ROLE)
    return "Wine"


def test_models(sagemaker: Any, model: str, tmp_path: Path) -> None:
    described = sagemaker.describe_model(ModelName=model)
    assert described["PrimaryContainer"] == CONTAINER
    assert described["ModelArn"] == f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model/wine"
    assert described["EnableNetworkIsolation"] is False
    with pytest.raises(ClientError) as error:
        sagemaker.create_model(ModelName=model, PrimaryContainer=CONTAINER, ExecutionRoleArn=ROLE)
    assert message(error).startswith("Cannot create already existing model")
    assert [one["ModelName"] for one in sagemaker.list_models()["Models"]] == [model]
    records = Records(tmp_path / "state" / "records.sqlite")  # another process sees it too
    assert records.get("model", "Wine") is not None
    records.close()
    sagemaker.delete_model(ModelName=model)
    for call in (sagemaker.describe_model, sagemaker.delete_model):
        with pytest.raises(ClientError) as error:
            call(ModelName=model)
        assert message(error).startswith("Could not find model")


def test_endpoints(sagemaker: Any, client: Any, model: str, serving: FakeServing) -> None:
    variant = {
        "VariantName": "AllTraffic",
        "ModelName": model,
        "InitialInstanceCount": 1,
        "InstanceType": "ml.m5.large",
    }
    with pytest.raises(ClientError) as error:
        sagemaker.create_endpoint_config(
            EndpointConfigName="c1", ProductionVariants=[{**variant, "ModelName": "nope"}]
        )
    assert message(error).startswith("Could not find model")
    for name in ("c1", "c2"):
        sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
    with pytest.raises(ClientError) as error:
        sagemaker.create_endpoint_config(EndpointConfigName="c1", ProductionVariants=[variant])
    assert message(error).startswith("Cannot create already existing endpoint configuration")
    assert sagemaker.describe_endpoint_config(EndpointConfigName="c1")["ProductionVariants"] == [variant]
    assert len(sagemaker.list_endpoint_configs()["EndpointConfigs"]) == 2

    with pytest.raises(ClientError) as error:
        sagemaker.describe_endpoint(EndpointName="e")
    assert message(error).startswith("Could not find endpoint")
    sagemaker.create_endpoint(EndpointName="e", EndpointConfigName="c1")
    assert serving.models["e"][model]["PrimaryContainer"] == CONTAINER
    sagemaker.get_waiter("endpoint_in_service").wait(EndpointName="e")
    sagemaker.update_endpoint(EndpointName="e", EndpointConfigName="c2")
    assert sagemaker.describe_endpoint(EndpointName="e")["EndpointConfigName"] == "c2"
    assert [one["EndpointName"] for one in sagemaker.list_endpoints()["Endpoints"]] == ["e"]

    runtime = client("sagemaker-runtime")
    answer = runtime.invoke_endpoint(
        EndpointName="e", Body=b"1,a", ContentType="text/csv", Accept="text/plain"
    )
    assert answer["Body"].read() == b"1,A"
    assert answer["ContentType"] == "text/plain"
    with pytest.raises(runtime.exceptions.ModelError, match="predict_fn failed"):
        runtime.invoke_endpoint(EndpointName="e", Body=b"bad")
    with pytest.raises(ClientError, match="Endpoint nope of account not found"):
        runtime.invoke_endpoint(EndpointName="nope", Body=b"1")

    sagemaker.delete_endpoint(EndpointName="e")
    sagemaker.delete_endpoint_config(EndpointConfigName="c1")
    assert serving.deleted == ["e"]


def test_a_registry_of_versions(sagemaker: Any) -> None:
    with pytest.raises(ClientError) as error:
        sagemaker.create_model_package(ModelPackageGroupName="wines", InferenceSpecification=SPECIFICATION)
    arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model-package-group/wines"
    assert message(error) == f"ModelPackageGroup {arn} does not exist."
    created = sagemaker.create_model_package_group(
        ModelPackageGroupName="wines", ModelPackageGroupDescription="all wines"
    )
    assert created["ModelPackageGroupArn"] == arn
    with pytest.raises(ClientError) as error:
        sagemaker.create_model_package_group(ModelPackageGroupName="wines")
    assert "already exists" in message(error)
    assert (
        sagemaker.describe_model_package_group(ModelPackageGroupName=arn)["ModelPackageGroupName"] == "wines"
    )

    packages = [
        sagemaker.create_model_package(
            ModelPackageGroupName="wines",
            InferenceSpecification=SPECIFICATION,
            ModelApprovalStatus=status,
            CustomerMetadataProperties={"a": "1"},
        )["ModelPackageArn"]
        for status in ("PendingManualApproval", "Approved")
    ]
    assert [one.rpartition("/")[2] for one in packages] == ["1", "2"]
    described = sagemaker.describe_model_package(ModelPackageName=packages[0])
    assert described["ModelPackageVersion"] == 1
    assert described["InferenceSpecification"] == SPECIFICATION
    assert described["ModelApprovalStatus"] == "PendingManualApproval"

    sagemaker.update_model_package(
        ModelPackageArn=packages[0],
        ModelApprovalStatus="Rejected",
        ApprovalDescription="sour",
        CustomerMetadataProperties={"b": "2"},
        CustomerMetadataPropertiesToRemove=["a"],
    )
    described = sagemaker.describe_model_package(ModelPackageName=packages[0])
    assert described["ModelApprovalStatus"] == "Rejected"
    assert described["CustomerMetadataProperties"] == {"b": "2"}
    assert "LastModifiedTime" in described

    listed = sagemaker.list_model_packages(ModelPackageGroupName="wines")["ModelPackageSummaryList"]
    assert [one["ModelPackageVersion"] for one in listed] == [2, 1]
    approved = sagemaker.list_model_packages(ModelPackageGroupName="wines", ModelApprovalStatus="Approved")
    assert [one["ModelPackageArn"] for one in approved["ModelPackageSummaryList"]] == [packages[1]]
    assert sagemaker.list_model_packages()["ModelPackageSummaryList"] == []

    batch = sagemaker.batch_describe_model_package(ModelPackageArnList=[packages[1], f"{packages[1]}0"])
    assert list(batch["ModelPackageSummaries"]) == [packages[1]]
    assert list(batch["BatchDescribeModelPackageErrorMap"]) == [f"{packages[1]}0"]

    with pytest.raises(sagemaker.exceptions.ConflictException):
        sagemaker.delete_model_package_group(ModelPackageGroupName="wines")
    for package in packages:
        sagemaker.delete_model_package(ModelPackageName=package)
    sagemaker.create_model_package(ModelPackageGroupName="wines", InferenceSpecification=SPECIFICATION)
    newest = sagemaker.list_model_packages(ModelPackageGroupName="wines")["ModelPackageSummaryList"][0]
    assert newest["ModelPackageVersion"] == 3  # versions are never given out twice
    sagemaker.delete_model_package(ModelPackageName=newest["ModelPackageArn"])
    sagemaker.delete_model_package_group(ModelPackageGroupName="wines")
    assert sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"] == []


def test_a_package_on_its_own(sagemaker: Any) -> None:
    request = {"ModelPackageName": "single", "InferenceSpecification": SPECIFICATION}
    arn = sagemaker.create_model_package(**request)["ModelPackageArn"]
    assert sagemaker.describe_model_package(ModelPackageName="single")["ModelPackageArn"] == arn
    with pytest.raises(ClientError) as error:
        sagemaker.create_model_package(**request)
    assert "ModelPackage already exists" in message(error)
    assert len(sagemaker.list_model_packages()["ModelPackageSummaryList"]) == 1
    with pytest.raises(ClientError) as error:
        sagemaker.create_model_package(ModelPackageName="x", ModelPackageGroupName="y")
    assert message(error).startswith("Both ModelPackageName and ModelPackageGroupName")
