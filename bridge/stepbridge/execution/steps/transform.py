"""Transform: a batch job on a model of the registry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stepbridge.errors import StepBridgeError
from stepbridge.execution.arns import job_name
from stepbridge.execution.describe import describe_transform
from stepbridge.execution.job_runner import Planner
from stepbridge.jobs import Model, planner_for, read_model

from .base import Registry, StepContext, StepResult
from .jobs import order_of, run_job


async def run_transform(context: StepContext, arguments: Any) -> StepResult:
    name = job_name(context.run, context.step.name)
    image, planner = image_and_planner(context.registry, arguments)
    order = order_of(context, "transform", name, arguments, image, planner)
    return await run_job(context, order, {"TransformJob": {"Arn": order.arn}}, describe_transform)


def image_and_planner(registry: Registry, request: Mapping[str, Any]) -> tuple[str, Planner]:
    """The image of the job's model, and what plans its container.

    Raises:
        StepBridgeError: there is no such model, or it cannot be served here.
    """
    model = model_of(registry, str(request["ModelName"]))
    return model.container.image, planner_for(model)


def model_of(registry: Registry, name: str) -> Model:
    """A model with its containers as they run: those that name a model package have its image and data."""
    return read_model(with_packages(registry, registry.model(name)))


def with_packages(registry: Registry, described: Mapping[str, Any]) -> dict[str, Any]:
    """DescribeModel's response with every ModelPackageName replaced by what the package says."""
    result = dict(described)
    if result.get("PrimaryContainer"):
        result["PrimaryContainer"] = _with_package(registry, result["PrimaryContainer"])
    result["Containers"] = [_with_package(registry, one) for one in result.get("Containers") or ()]
    return result


def _with_package(registry: Registry, container: Mapping[str, Any]) -> Mapping[str, Any]:
    package = container.get("ModelPackageName")
    if not package:
        return container
    specification = registry.model_package(package).get("InferenceSpecification") or {}
    containers = specification.get("Containers") or []
    if len(containers) != 1:
        raise StepBridgeError(
            f"Model package {package} has {len(containers)} containers; one of one container runs here"
        )
    environment = {**(containers[0].get("Environment") or {}), **(container.get("Environment") or {})}
    return {**containers[0], **container, "Environment": environment}
