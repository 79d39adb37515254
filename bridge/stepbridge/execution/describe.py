"""Describe* responses of jobs, built from the request and the outcome; times are epoch seconds."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from .job_runner import JobOrder, JobOutcome

_TRAINING_MEMBERS = (
    "AlgorithmSpecification",
    "HyperParameters",
    "RoleArn",
    "InputDataConfig",
    "OutputDataConfig",
    "ResourceConfig",
    "VpcConfig",
    "StoppingCondition",
    "EnableNetworkIsolation",
    "EnableInterContainerTrafficEncryption",
    "EnableManagedSpotTraining",
    "CheckpointConfig",
    "DebugHookConfig",
    "ExperimentConfig",
    "ProfilerConfig",
    "Environment",
    "RetryStrategy",
)
_PROCESSING_MEMBERS = (
    "ProcessingInputs",
    "ProcessingOutputConfig",
    "ProcessingResources",
    "StoppingCondition",
    "AppSpecification",
    "Environment",
    "NetworkConfig",
    "RoleArn",
    "ExperimentConfig",
)


_TRANSFORM_MEMBERS = (
    "ModelName",
    "MaxConcurrentTransforms",
    "ModelClientConfig",
    "MaxPayloadInMB",
    "BatchStrategy",
    "Environment",
    "TransformInput",
    "TransformOutput",
    "DataCaptureConfig",
    "TransformResources",
    "DataProcessing",
    "ExperimentConfig",
)


def describe_training(order: JobOrder, outcome: JobOutcome | None) -> dict[str, Any]:
    """DescribeTrainingJobResponse. outcome None: the job runs."""
    status = outcome.status if outcome else "InProgress"
    described = _common(order, outcome, _TRAINING_MEMBERS, "Training")
    described["SecondaryStatus"] = status if outcome else "Training"
    described["ModelArtifacts"] = {"S3ModelArtifacts": _model_uri(order)}
    described["SecondaryStatusTransitions"] = [
        {
            "Status": described["SecondaryStatus"],
            "StartTime": described["CreationTime"],
            "StatusMessage": outcome.failure if outcome and outcome.failure else "",
        }
    ]
    described.setdefault("StoppingCondition", {"MaxRuntimeInSeconds": 86_400})
    if outcome:
        seconds = int(outcome.ended - outcome.started)
        described |= {"TrainingTimeInSeconds": seconds, "BillableTimeInSeconds": 0}
        if outcome.metrics:
            described["FinalMetricDataList"] = [
                {**metric, "Timestamp": outcome.ended} for metric in outcome.metrics
            ]
    return described


def describe_processing(order: JobOrder, outcome: JobOutcome | None) -> dict[str, Any]:
    """DescribeProcessingJobResponse."""
    described = _common(order, outcome, _PROCESSING_MEMBERS, "Processing")
    if outcome and outcome.failure:
        described["ExitMessage"] = outcome.failure
    return described


def describe_transform(order: JobOrder, outcome: JobOutcome | None) -> dict[str, Any]:
    """DescribeTransformJobResponse."""
    described = _common(order, outcome, _TRANSFORM_MEMBERS, "Transform")
    del described["LastModifiedTime"]
    return described


def _common(
    order: JobOrder, outcome: JobOutcome | None, members: tuple[str, ...], kind: str
) -> dict[str, Any]:
    request: Mapping[str, Any] = order.request
    described: dict[str, Any] = {name: request[name] for name in members if name in request}
    now = time.time()
    described |= {
        f"{kind}JobName": order.name,
        f"{kind}JobArn": order.arn,
        f"{kind}JobStatus": outcome.status if outcome else "InProgress",
        "CreationTime": (outcome.started if outcome else 0.0) or now,
        "LastModifiedTime": now,
    }
    if outcome:
        described |= {f"{kind}StartTime": outcome.started or now, f"{kind}EndTime": outcome.ended or now}
        if outcome.failure:
            described["FailureReason"] = outcome.failure
    return described


def _model_uri(order: JobOrder) -> str:
    config = order.request["OutputDataConfig"]
    base = f"{str(config['S3OutputPath']).rstrip('/')}/{order.name}/output"
    return f"{base}/model" if config.get("CompressionType") == "NONE" else f"{base}/model.tar.gz"
