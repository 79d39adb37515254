"""The model registry for parts of this process: what pipelines' model steps create, not going by the wire."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stepbridge.errors import StepBridgeError

from . import functions
from .records import Records
from .sagemaker import models, registry
from .sagemaker.context import Resources, name_of


class ModelRegistry:
    """Models and model packages of one account and region, in the same records as the wire's."""

    def __init__(self, records: Records, *, region: str, account: str) -> None:
        self._resources = Resources(records, region, account)

    def create_model(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """CreateModel; returns DescribeModel's response. Raises ServiceError where it exists already."""
        models.create_model(self._resources, request)
        described = models.model(self._resources, request["ModelName"])
        return self._resources.model.answer("DescribeModel", described)

    def model(self, name: str) -> Mapping[str, Any]:
        """A model by name or ARN: DescribeModel's response. Raises ServiceError where there is none."""
        return models.model(self._resources, name)

    def model_package(self, arn: str) -> Mapping[str, Any]:
        """DescribeModelPackage's response. Raises ServiceError where there is none."""
        return registry.describe_package(self._resources, arn)

    def function(self, name: str) -> tuple[Mapping[str, Any], str]:
        """A Lambda function by name or ARN: its configuration, and the URI of its code (a zip)."""
        bare = functions.function_name(name)
        found = self._resources.records.get(functions.FUNCTION, bare)
        if found is None:
            raise StepBridgeError(
                f"There is no Lambda function {bare} here",
                "Create it by the program (sagemaker.lambda_helper.Lambda), or give its outputs in [stubs].",
            )
        return found, functions.code_uri(bare)

    def create_model_package(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """CreateModelPackage, with its group where that is missing, as pipelines do.

        Returns DescribeModelPackage's response.
        """
        group = request.get("ModelPackageGroupName")
        if group and self._resources.records.get(registry.GROUP, name_of(group)) is None:
            registry.create_group(self._resources, {"ModelPackageGroupName": name_of(group)})
        arn = registry.create_package(self._resources, request)
        return registry.describe_package(self._resources, arn)
