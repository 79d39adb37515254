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
    images, planner = images_and_planner(context.registry, arguments)
    order = order_of(context, "transform", name, arguments, images, planner)
    return await run_job(context, order, {"TransformJob": {"Arn": order.arn}}, describe_transform)


def images_and_planner(registry: Registry, request: Mapping[str, Any]) -> tuple[tuple[str, ...], Planner]:
    """The images of the job's model, and what plans its containers.

    Raises:
        StepBridgeError: there is no such model, or it cannot be served here.
    """
    model = model_of(registry, str(request["ModelName"]))
    return model.images, planner_for(model)


def model_of(registry: Registry, name: str) -> Model:
    """A model with its containers as they run: those that name a model package have its image and data."""
    return read_model(with_packages(registry, registry.model(name)))


def with_packages(registry: Registry, described: Mapping[str, Any]) -> dict[str, Any]:
    """DescribeModel's response with every ModelPackageName replaced by what the package says."""
    primary = described.get("PrimaryContainer")
    named = [primary] if primary else described.get("Containers") or []
    found = [one for container in named for one in _of_package(registry, container)]
    result = {key: value for key, value in described.items() if key not in ("PrimaryContainer", "Containers")}
    if primary and len(found) == 1:
        return {**result, "PrimaryContainer": found[0]}
    return {**result, "Containers": found}


def _of_package(registry: Registry, container: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The containers that one of a model stands for: a model package has one or more."""
    package = container.get("ModelPackageName")
    if not package:
        return [container]
    specification = registry.model_package(package).get("InferenceSpecification") or {}
    containers = specification.get("Containers") or []
    if not containers:
        raise StepBridgeError(
            f"Model package {package} has no containers", "Give its InferenceSpecification some Containers."
        )
    own = container.get("Environment") or {}
    return [
        {**one, **container, "Environment": {**(one.get("Environment") or {}), **own}} for one in containers
    ]
