"""Models and endpoint configurations (plain records), and endpoints (which the serving backend runs)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stepbridge.service.backend import Serving
from stepbridge.service.errors import unknown_operation

from . import tags
from .context import Call, Context, Resources, invalid, name_of, now
from .paging import Item, page

MODEL = "model"
CONFIG = "endpoint-config"


def create_model(context: Resources, request: Mapping[str, Any]) -> str:
    """Write a model down; returns its ARN.

    Raises:
        ServiceError: there is one of that name.
    """
    name = request["ModelName"]
    arn = context.arn(MODEL, name.lower())
    record = {
        "EnableNetworkIsolation": False,
        **{key: value for key, value in request.items() if key != "Tags"},
        "ModelArn": arn,
        "CreationTime": now(),
    }
    if not context.records.add(MODEL, name, record):
        raise invalid(f'Cannot create already existing model "{arn}".')
    tags.save(context, arn, request.get("Tags", ()))
    return arn


def model(context: Resources, name: str) -> Mapping[str, Any]:
    """A model as described. Raises ServiceError where there is none."""
    found = context.records.get(MODEL, name_of(name))
    if found is None:
        raise invalid(f'Could not find model "{context.arn(MODEL, name_of(name).lower())}".')
    return found


def _create_model(context: Context, request: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"ModelArn": create_model(context, request)}


def _describe_model(context: Context, request: Mapping[str, Any]) -> Mapping[str, Any]:
    return context.model.answer("DescribeModel", model(context, request["ModelName"]))


def _list_models(context: Context, request: Mapping[str, Any]) -> Mapping[str, Any]:
    items = [
        Item(one["ModelName"], one["CreationTime"], context.model.pick("ModelSummary", one))
        for one in context.records.all(MODEL)
    ]
    shown, token = page(items, request, order="Descending")
    return {"Models": shown, **token}


def _delete_model(context: Context, request: Mapping[str, Any]) -> Mapping[str, Any]:
    found = model(context, request["ModelName"])
    context.records.remove(MODEL, found["ModelName"])
    tags.forget(context, found["ModelArn"])
    return {}


def _config(context: Context, name: str) -> Mapping[str, Any]:
    found = context.records.get(CONFIG, name)
    if found is None:
        raise invalid(f'Could not find endpoint configuration "{context.arn(CONFIG, name.lower())}".')
    return found


def _models_of(context: Context, config: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    variants = [*config["ProductionVariants"], *config.get("ShadowProductionVariants", ())]
    names = {variant["ModelName"] for variant in variants if variant.get("ModelName")}
    return {name: model(context, name) for name in sorted(names)}


def _create_config(context: Context, request: Mapping[str, Any]) -> Mapping[str, Any]:
    name = request["EndpointConfigName"]
    _models_of(context, request)
    arn = context.arn(CONFIG, name.lower())
    record = {key: value for key, value in request.items() if key != "Tags"}
    record |= {"EndpointConfigArn": arn, "CreationTime": now()}
    if not context.records.add(CONFIG, name, record):
        raise invalid(f'Cannot create already existing endpoint configuration "{arn}".')
    tags.save(context, arn, request.get("Tags", ()))
    return {"EndpointConfigArn": arn}


def _describe_config(context: Context, request: Mapping[str, Any]) -> Mapping[str, Any]:
    return context.model.answer("DescribeEndpointConfig", _config(context, request["EndpointConfigName"]))


def _list_configs(context: Context, request: Mapping[str, Any]) -> Mapping[str, Any]:
    items = [
        Item(one["EndpointConfigName"], one["CreationTime"], context.model.pick("EndpointConfigSummary", one))
        for one in context.records.all(CONFIG)
    ]
    shown, token = page(items, request, order="Descending")
    return {"EndpointConfigs": shown, **token}


def _delete_config(context: Context, request: Mapping[str, Any]) -> Mapping[str, Any]:
    found = _config(context, request["EndpointConfigName"])
    context.records.remove(CONFIG, found["EndpointConfigName"])
    tags.forget(context, found["EndpointConfigArn"])
    return {}


# --- endpoints ----------------------------------------------------------------------------------------------


def _serving(context: Context, operation: str) -> Serving:
    if context.serving is None:
        raise unknown_operation("sagemaker", operation)
    return context.serving


def _endpoint(context: Context, operation: str, name: str) -> Mapping[str, Any]:
    found = context.serving.describe(name) if context.serving else None
    if found is None:
        raise invalid(f'Could not find endpoint "{context.arn("endpoint", name.lower())}".')
    return found


def _create_endpoint(context: Context, request: Mapping[str, Any]) -> Mapping[str, Any]:
    serving = _serving(context, "CreateEndpoint")
    name = request["EndpointName"]
    arn = context.arn("endpoint", name.lower())
    config = _config(context, request["EndpointConfigName"])
    if serving.describe(name) is not None:
        raise invalid(f'Cannot create already existing endpoint "{arn}".')
    serving.create(name, config, _models_of(context, config))
    tags.save(context, arn, request.get("Tags", ()))
    return {"EndpointArn": arn}


def _update_endpoint(context: Context, request: Mapping[str, Any]) -> Mapping[str, Any]:
    serving = _serving(context, "UpdateEndpoint")
    name = request["EndpointName"]
    found = _endpoint(context, "UpdateEndpoint", name)
    config = _config(context, request["EndpointConfigName"])
    if found["EndpointStatus"] not in ("InService", "Failed"):
        raise invalid(f'Cannot update in-progress endpoint "{found["EndpointArn"]}".')
    serving.update(name, config, _models_of(context, config))
    return {"EndpointArn": found["EndpointArn"]}


def _describe_endpoint(context: Context, request: Mapping[str, Any]) -> Mapping[str, Any]:
    return _endpoint(context, "DescribeEndpoint", request["EndpointName"])


def _list_endpoints(context: Context, request: Mapping[str, Any]) -> Mapping[str, Any]:
    items = [
        Item(
            name=one["EndpointName"],
            created=one["CreationTime"],
            modified=one["LastModifiedTime"],
            status=one["EndpointStatus"],
            summary=context.model.pick("EndpointSummary", one),
        )
        for one in (context.serving.all() if context.serving else ())
    ]
    shown, token = page(items, request, order="Descending")
    return {"Endpoints": shown, **token}


def _delete_endpoint(context: Context, request: Mapping[str, Any]) -> Mapping[str, Any]:
    found = _endpoint(context, "DeleteEndpoint", request["EndpointName"])
    _serving(context, "DeleteEndpoint").delete(found["EndpointName"])
    tags.forget(context, found["EndpointArn"])
    return {}


CALLS: dict[str, Call] = {
    "CreateModel": _create_model,
    "DescribeModel": _describe_model,
    "ListModels": _list_models,
    "DeleteModel": _delete_model,
    "CreateEndpointConfig": _create_config,
    "DescribeEndpointConfig": _describe_config,
    "ListEndpointConfigs": _list_configs,
    "DeleteEndpointConfig": _delete_config,
    "CreateEndpoint": _create_endpoint,
    "UpdateEndpoint": _update_endpoint,
    "DescribeEndpoint": _describe_endpoint,
    "ListEndpoints": _list_endpoints,
    "DeleteEndpoint": _delete_endpoint,
}
