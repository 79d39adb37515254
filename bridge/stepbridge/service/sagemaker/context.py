"""What SageMaker calls get: the records and names of resources, the backend, the store."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from stepbridge.service.backend import Executions, Serving
from stepbridge.service.errors import ServiceError
from stepbridge.service.records import Records
from stepbridge.storage import ObjectStore

from .model import ServiceModel

Call = Callable[["Context", Mapping[str, Any]], Mapping[str, Any]]


class Resources(Struct, frozen=True):
    """The records of one account and region, and how they are named and described."""

    records: Records
    region: str
    account: str

    @property
    def model(self) -> ServiceModel:
        return ServiceModel.sagemaker()

    def arn(self, resource: str, name: str) -> str:
        return f"arn:aws:sagemaker:{self.region}:{self.account}:{resource}/{name}"

    @property
    def user(self) -> dict[str, Any]:
        """CreatedBy and LastModifiedBy of everything here."""
        role = f"arn:aws:sts::{self.account}:assumed-role/StepBridgeExecutionRole/stepbridge"
        return {"IamIdentity": {"Arn": role, "PrincipalId": "AROASTEPBRIDGE000000:stepbridge"}}


class Context(Resources, frozen=True):
    """One per endpoint."""

    executions: Executions
    store: ObjectStore
    serving: Serving | None


def now() -> float:
    """Seconds since the epoch, in the service's milliseconds."""
    return round(time.time(), 3)


def name_of(name_or_arn: str) -> str:
    """The name at the end of an ARN; a name itself."""
    return name_or_arn.rpartition("/")[2] if name_or_arn.startswith("arn:") else name_or_arn


def invalid(message: str) -> ServiceError:
    return ServiceError("ValidationException", message)


def not_found(message: str) -> ServiceError:
    return ServiceError("ResourceNotFound", message)
