"""Jobs outside of pipelines, by boto3; the `sagemaker` client checks every answer strictly."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from .conftest import ACCOUNT, REGION, ROLE, FakeExecutions

TRAINING = {
    "TrainingJobName": "train-1",
    "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
    "RoleArn": ROLE,
    "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
    "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30},
    "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
    "HyperParameters": {"depth": "3"},
    "Tags": [{"Key": "a", "Value": "b"}],
}
PROCESSING = {
    "ProcessingJobName": "process-1",
    "ProcessingResources": {
        "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 30}
    },
    "AppSpecification": {"ImageUri": "image"},
    "RoleArn": ROLE,
}
TRANSFORM = {
    "TransformJobName": "transform-1",
    "ModelName": "model",
    "TransformInput": {"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/in"}}},
    "TransformOutput": {"S3OutputPath": "s3://bucket/out"},
    "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
}
TUNING = {
    "HyperParameterTuningJobName": "tune-1",
    "HyperParameterTuningJobConfig": {
        "Strategy": "Bayesian",
        "ResourceLimits": {"MaxNumberOfTrainingJobs": 2, "MaxParallelTrainingJobs": 1},
        "ParameterRanges": {"IntegerParameterRanges": [{"Name": "depth", "MinValue": "1", "MaxValue": "5"}]},
    },
}
JOBS = [
    ("training_job", "TrainingJob", TRAINING),
    ("processing_job", "ProcessingJob", PROCESSING),
    ("transform_job", "TransformJob", TRANSFORM),
    ("hyper_parameter_tuning_job", "HyperParameterTuningJob", TUNING),
]


@pytest.mark.parametrize(("method", "noun", "request_"), JOBS)
def test_a_job_from_create_to_stop(sagemaker: Any, method: str, noun: str, request_: dict[str, Any]) -> None:
    name = request_[f"{noun}Name"]
    arn = getattr(sagemaker, f"create_{method}")(**request_)[f"{noun}Arn"]
    assert getattr(sagemaker, f"describe_{method}")(**{f"{noun}Name": name})[f"{noun}Arn"] == arn
    if noun == "TrainingJob":  # a program may hand on the ARN that it found in a step
        assert sagemaker.describe_training_job(TrainingJobName=arn)["TrainingJobName"] == name
    listed = getattr(sagemaker, f"list_{method}s")()
    assert [one[f"{noun}Arn"] for one in listed[f"{noun}Summaries"]] == [arn]
    with pytest.raises(sagemaker.exceptions.ResourceInUse, match="already exists"):
        getattr(sagemaker, f"create_{method}")(**request_)
    getattr(sagemaker, f"stop_{method}")(**{f"{noun}Name": name})
    described = getattr(sagemaker, f"describe_{method}")(**{f"{noun}Name": name})
    assert described[f"{noun}Status"] == "Stopping"


@pytest.mark.parametrize(("method", "noun", "request_"), JOBS)
def test_unknown_jobs(sagemaker: Any, method: str, noun: str, request_: dict[str, Any]) -> None:
    for verb in ("describe", "stop"):
        with pytest.raises(ClientError) as error:
            getattr(sagemaker, f"{verb}_{method}")(**{f"{noun}Name": "nope"})
        assert error.value.response["Error"]["Code"] == "ValidationException"


def test_a_job_that_ended_cannot_be_stopped(sagemaker: Any, executions: FakeExecutions) -> None:
    sagemaker.create_training_job(**TRAINING)
    executions.described["training", "train-1"]["TrainingJobStatus"] = "Completed"
    with pytest.raises(ClientError) as error:
        sagemaker.stop_training_job(TrainingJobName="train-1")
    assert error.value.response["Error"]["Message"] == (
        "The request was rejected because the training job is in status Completed."
    )


def test_filters_of_a_listing(sagemaker: Any, executions: FakeExecutions) -> None:
    for name in ("alpha", "beta", "gamma"):
        sagemaker.create_training_job(**{**TRAINING, "TrainingJobName": name})
    executions.described["training", "beta"]["TrainingJobStatus"] = "Failed"

    def names(**filters: Any) -> list[str]:
        found = sagemaker.list_training_jobs(**filters)["TrainingJobSummaries"]
        return [one["TrainingJobName"] for one in found]

    assert names(SortBy="Name", SortOrder="Descending") == ["gamma", "beta", "alpha"]
    assert names(NameContains="ET") == ["beta"]
    assert names(StatusEquals="Failed") == ["beta"]
    assert names(SortBy="Status") == ["beta", "alpha", "gamma"]


def test_tags_of_a_job(sagemaker: Any) -> None:
    arn = sagemaker.create_training_job(**TRAINING)["TrainingJobArn"]
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "a", "Value": "b"}]


def test_training_jobs_of_a_tuning_job(sagemaker: Any, executions: FakeExecutions) -> None:
    arn = sagemaker.create_hyper_parameter_tuning_job(**TUNING)["HyperParameterTuningJobArn"]
    for name in ("one", "two", "other"):
        sagemaker.create_training_job(
            **{**TRAINING, "TrainingJobName": name, "HyperParameters": {"depth": "2", "fixed": "1"}}
        )
    for name in ("one", "two"):
        executions.described["training", name]["TuningJobArn"] = arn
    found = sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(HyperParameterTuningJobName="tune-1")
    summaries = found["TrainingJobSummaries"]
    assert [one["TrainingJobName"] for one in summaries] == ["one", "two"]
    assert summaries[0]["TunedHyperParameters"] == {"depth": "2"}


def test_arns_are_the_service_s(sagemaker: Any) -> None:
    arn = sagemaker.create_processing_job(**PROCESSING)["ProcessingJobArn"]
    assert arn == f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:processing-job/process-1"
