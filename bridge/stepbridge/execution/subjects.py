"""What a step's arguments name without showing it: a batch transform's model, a Lambda step's function.

For the cache alone: two steps with the same arguments give the same result only where what they name is the
same too. Knows the registry and no store.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from stepbridge.definition.document import Step
from stepbridge.jobs.function import image_of

from .steps.base import Registry
from .steps.transform import model_of, with_packages

# What the service adds to a model by itself: a new name, ARN and time in every execution.
_MODEL = ("PrimaryContainer", "Containers", "InferenceExecutionConfig", "EnableNetworkIsolation")
_FUNCTION = ("Runtime", "Handler", "Timeout", "MemorySize", "Environment", "Layers", "Architectures")


class Subject(Struct, frozen=True):
    """What a step works on.

    document: all that its result depends on, but for the content of what the URIs in it name.
    images: image URIs that its job runs, beside those in the document.
    code: URIs of code that the document does not hold.
    served: URIs of artifacts; scripts in them run as the workspace has them now.
    """

    document: Any
    images: tuple[str, ...] = ()
    code: tuple[str, ...] = ()
    served: tuple[str, ...] = ()


def subject_of(step: Step, arguments: Any, registry: Registry) -> Subject:
    """Arguments with every name replaced by what it means.

    Raises:
        StepBridgeError: there is no such model or function, or it does not run here.
    """
    if step.type == "Transform":
        return _transform(arguments, registry)
    if step.type == "Lambda":
        return _function(step, arguments, registry)
    return Subject(arguments)


def _transform(arguments: Mapping[str, Any], registry: Registry) -> Subject:
    name = str(arguments["ModelName"])
    described = with_packages(registry, registry.model(name))
    model = {member: described[member] for member in _MODEL if described.get(member)}
    rest = {key: value for key, value in arguments.items() if key != "ModelName"}
    served = tuple(one.data for one in model_of(registry, name).served if one.data)
    return Subject({"model": model, "arguments": rest}, served=served)


def _function(step: Step, arguments: Any, registry: Registry) -> Subject:
    function, code = registry.function(str(step.raw.get("FunctionArn", "")))
    described = {member: function[member] for member in _FUNCTION if member in function}
    outputs = step.raw.get("OutputParameters") or ()
    document = {
        "name": function["FunctionName"],
        "function": described,
        "event": arguments,
        "outputs": outputs,
    }
    return Subject(document, images=(image_of(function),), code=(code,))
