"""Model and RegisterModel: records of the local registry, no container."""

from __future__ import annotations

from typing import Any

from stepbridge.execution.arns import job_name

from .base import StepContext, StepResult


async def run_model(context: StepContext, arguments: Any) -> StepResult:
    """CreateModel: a record that a later Transform step or endpoint serves."""
    name = arguments.get("ModelName") or job_name(context.run, context.step.name)
    described = context.registry.create_model({**arguments, "ModelName": str(name)})
    data = (described.get("PrimaryContainer") or {}).get("ModelDataUrl")
    return StepResult(
        properties=described,
        outputs={"model": data} if data else {},
        metadata={"Model": {"Arn": described["ModelArn"]}},
    )


async def run_register_model(context: StepContext, arguments: Any) -> StepResult:
    """CreateModelPackage: the next version of its group, which is made where it is missing."""
    group = arguments.get("ModelPackageGroupName") or context.scope.record.pipeline
    described = context.registry.create_model_package({**arguments, "ModelPackageGroupName": str(group)})
    return StepResult(properties=described, metadata={"RegisterModel": {"Arn": described["ModelPackageArn"]}})
