"""Model and RegisterModel: records of the local registry, no container."""

from __future__ import annotations

import time
from typing import Any

from stepbridge.execution.arns import job_name

from .base import StepContext, StepResult


async def run_model(context: StepContext, arguments: Any) -> StepResult:
    """CreateModel: a record that a later Transform step or endpoint serves."""
    name = str(arguments.get("ModelName") or job_name(context.run, context.step.name))
    arn = context.arns.resource("model", name)
    description = {
        **arguments,
        "ModelName": name,
        "ModelArn": arn,
        "CreationTime": time.time(),
        "EnableNetworkIsolation": bool(arguments.get("EnableNetworkIsolation", False)),
    }
    context.journal.save_job("model", name, description, context.run, context.step.name)
    primary = arguments.get("PrimaryContainer") or {}
    data = primary.get("ModelDataUrl")
    return StepResult(
        properties=description,
        outputs={"model": data} if data else {},
        metadata={"Model": {"Arn": arn}},
    )


async def run_register_model(context: StepContext, arguments: Any) -> StepResult:
    """CreateModelPackage: the next version of its group."""
    group = str(arguments.get("ModelPackageGroupName") or context.scope.record.pipeline)
    version = context.journal.next_version(group)
    arn = f"arn:aws:sagemaker:{context.arns.region}:{context.arns.account}:model-package/{group}/{version}"
    description = {
        **arguments,
        "ModelPackageName": f"{group}/{version}",
        "ModelPackageGroupName": group,
        "ModelPackageVersion": version,
        "ModelPackageArn": arn,
        "CreationTime": time.time(),
        "ModelPackageStatus": "Completed",
        "ModelPackageStatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": []},
        "ModelApprovalStatus": arguments.get("ModelApprovalStatus", "PendingManualApproval"),
    }
    context.journal.save_job(
        "model-package", f"{group}/{version}", description, context.run, context.step.name
    )
    return StepResult(properties=description, metadata={"RegisterModel": {"Arn": arn}})
