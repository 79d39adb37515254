"""The model registry: model package groups, model packages with versions, approval."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stepbridge.service.errors import ServiceError

from . import tags
from .context import Call, Context, Resources, invalid, name_of, now
from .paging import Item, page

GROUP = "model-package-group"
PACKAGE = "model-package"
_VERSIONS = "model-package-versions"  # group -> the last version that was given out


def create_group(context: Resources, request: Mapping[str, Any]) -> str:
    """Write a group down; returns its ARN. Raises ServiceError where there is one of that name."""
    name = request["ModelPackageGroupName"]
    arn = context.arn(GROUP, name)
    record = {key: value for key, value in request.items() if key != "Tags"}
    record |= {
        "ModelPackageGroupArn": arn,
        "CreationTime": now(),
        "CreatedBy": context.user,
        "ModelPackageGroupStatus": "Completed",
    }
    if not context.records.add(GROUP, name, record):
        raise invalid(f"Model Package Group already exists: {arn}")
    tags.save(context, arn, request.get("Tags", ()))
    return arn


def group(context: Resources, name: str) -> Mapping[str, Any]:
    """A group as described. Raises ServiceError where there is none."""
    found = context.records.get(GROUP, name_of(name))
    if found is None:
        raise invalid(f"ModelPackageGroup {context.arn(GROUP, name_of(name))} does not exist.")
    return found


def create_package(context: Resources, request: Mapping[str, Any]) -> str:
    """Write a package down: the next version of its group, or one on its own; returns its ARN."""
    group_name = request.get("ModelPackageGroupName")
    name = request.get("ModelPackageName")
    if group_name and name:
        raise invalid(
            "Both ModelPackageName and ModelPackageGroupName are provided in the input. "
            "Cannot determine which one to use."
        )
    if not group_name and not name:
        raise invalid("Missing ARN.")
    record = {key: value for key, value in request.items() if key not in ("Tags", "ClientToken")}
    record |= {
        "CreationTime": now(),
        "CreatedBy": context.user,
        "ModelPackageStatus": "Completed",
        "ModelPackageStatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": []},
    }
    if group_name:
        arn = _add_version(context, name_of(group_name), record)
    else:
        arn = context.arn(PACKAGE, str(name).lower())
        record |= {"ModelPackageArn": arn}
        if not context.records.add(PACKAGE, arn, record):
            raise invalid(f"ModelPackage already exists: {arn}")
    tags.save(context, arn, request.get("Tags", ()))
    return arn


def _add_version(context: Resources, group_name: str, record: dict[str, Any]) -> str:
    group(context, group_name)
    last = context.records.change(
        _VERSIONS, group_name, lambda old: {"last": (old or {"last": 0})["last"] + 1}
    )
    arn = context.arn(PACKAGE, f"{group_name}/{last['last']}")
    record |= {
        "ModelPackageArn": arn,
        "ModelPackageGroupName": group_name,
        "ModelPackageVersion": last["last"],
        "ModelApprovalStatus": record.get("ModelApprovalStatus", "PendingManualApproval"),
    }
    context.records.add(PACKAGE, arn, record)
    return arn


def package(context: Resources, name_or_arn: str) -> Mapping[str, Any]:
    """A package as described, by ARN or (on its own) by name. Raises ServiceError where there is none."""
    is_arn = name_or_arn.startswith("arn:")
    arn = name_or_arn if is_arn else context.arn(PACKAGE, name_or_arn.lower())
    found = context.records.get(PACKAGE, arn)
    if found is None:
        raise invalid(f"ModelPackage {arn} does not exist.")
    return found


def _create_group(context: Context, request: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"ModelPackageGroupArn": create_group(context, request)}


def _describe_group(context: Context, request: Mapping[str, Any]) -> Mapping[str, Any]:
    return context.model.answer("DescribeModelPackageGroup", group(context, request["ModelPackageGroupName"]))


def _list_groups(context: Context, request: Mapping[str, Any]) -> Mapping[str, Any]:
    items = [
        Item(
            one["ModelPackageGroupName"],
            one["CreationTime"],
            context.model.pick("ModelPackageGroupSummary", one),
        )
        for one in context.records.all(GROUP)
    ]
    shown, token = page(items, request, order="Descending")
    return {"ModelPackageGroupSummaryList": shown, **token}


def _delete_group(context: Context, request: Mapping[str, Any]) -> Mapping[str, Any]:
    found = group(context, request["ModelPackageGroupName"])
    name = found["ModelPackageGroupName"]
    if any(one.get("ModelPackageGroupName") == name for one in context.records.all(PACKAGE)):
        raise ServiceError(
            "ConflictException",
            f"ModelPackageGroup {found['ModelPackageGroupArn']} still has model packages; delete them first.",
        )
    context.records.remove(GROUP, name)
    tags.forget(context, found["ModelPackageGroupArn"])
    return {}


def _create_package(context: Context, request: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"ModelPackageArn": create_package(context, request)}


def describe_package(context: Resources, name_or_arn: str) -> Mapping[str, Any]:
    """DescribeModelPackage's response."""
    found = package(context, name_or_arn)
    # the response must name the package; of a version the service says its group's name
    name = found.get("ModelPackageName") or found["ModelPackageGroupName"]
    return context.model.answer("DescribeModelPackage", {"ModelPackageName": name, **found})


def _describe_package(context: Context, request: Mapping[str, Any]) -> Mapping[str, Any]:
    return describe_package(context, request["ModelPackageName"])


def _describe_packages(context: Context, request: Mapping[str, Any]) -> Mapping[str, Any]:
    found, missing = {}, {}
    for arn in request["ModelPackageArnList"]:
        record = context.records.get(PACKAGE, arn)
        if record is None:
            missing[arn] = {"ErrorCode": "404", "ErrorResponse": f"ModelPackage {arn} does not exist."}
        else:
            found[arn] = context.model.pick("BatchDescribeModelPackageSummary", record)
    return {"ModelPackageSummaries": found, "BatchDescribeModelPackageErrorMap": missing}


def _list_packages(context: Context, request: Mapping[str, Any]) -> Mapping[str, Any]:
    group_name = request.get("ModelPackageGroupName")
    wanted = request.get("ModelPackageType") or ("Versioned" if group_name else "Unversioned")
    approval = request.get("ModelApprovalStatus")
    items = []
    for one in context.records.all(PACKAGE):
        versioned = "ModelPackageVersion" in one
        if wanted != "Both" and versioned != (wanted == "Versioned"):
            continue
        if group_name and one.get("ModelPackageGroupName") != name_of(group_name):
            continue
        if approval and one.get("ModelApprovalStatus") != approval:
            continue
        name = one.get("ModelPackageName") or one["ModelPackageGroupName"]
        items.append(Item(name, one["CreationTime"], context.model.pick("ModelPackageSummary", one)))
    shown, token = page(items, request, order="Descending")
    return {"ModelPackageSummaryList": shown, **token}


def _update_package(context: Context, request: Mapping[str, Any]) -> Mapping[str, Any]:
    arn = request["ModelPackageArn"]
    package(context, arn)
    known = set(context.model.members("DescribeModelPackageOutput"))

    def change(old: dict[str, Any] | None) -> dict[str, Any]:
        record = dict(old or {})
        properties = {**record.get("CustomerMetadataProperties", {})}
        properties |= request.get("CustomerMetadataProperties", {})
        for name in request.get("CustomerMetadataPropertiesToRemove", ()):
            properties.pop(name, None)
        specifications = [
            *record.get("AdditionalInferenceSpecifications", ()),
            *request.get("AdditionalInferenceSpecificationsToAdd", ()),
        ]
        record |= {key: value for key, value in request.items() if key in known}
        record |= {"LastModifiedTime": now(), "LastModifiedBy": context.user}
        if properties or "CustomerMetadataProperties" in record:
            record["CustomerMetadataProperties"] = properties
        if specifications:
            record["AdditionalInferenceSpecifications"] = specifications
        return record

    context.records.change(PACKAGE, arn, change)
    return {"ModelPackageArn": arn}


def _delete_package(context: Context, request: Mapping[str, Any]) -> Mapping[str, Any]:
    found = package(context, request["ModelPackageName"])
    context.records.remove(PACKAGE, found["ModelPackageArn"])
    tags.forget(context, found["ModelPackageArn"])
    return {}


CALLS: dict[str, Call] = {
    "CreateModelPackageGroup": _create_group,
    "DescribeModelPackageGroup": _describe_group,
    "ListModelPackageGroups": _list_groups,
    "DeleteModelPackageGroup": _delete_group,
    "CreateModelPackage": _create_package,
    "DescribeModelPackage": _describe_package,
    "BatchDescribeModelPackage": _describe_packages,
    "ListModelPackages": _list_packages,
    "UpdateModelPackage": _update_package,
    "DeleteModelPackage": _delete_package,
}
