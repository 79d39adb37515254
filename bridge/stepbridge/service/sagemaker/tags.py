"""Tags of any resource, by ARN."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .context import Call, Context, Resources

_KIND = "tags"


def save(context: Resources, arn: str, tags: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Add tags to a resource; returns all of its tags by key."""
    new = {tag["Key"]: tag["Value"] for tag in tags}
    if not new:
        return context.records.get(_KIND, arn) or {}
    return context.records.change(_KIND, arn, lambda old: {**(old or {}), **new})


def forget(context: Resources, arn: str) -> None:
    context.records.remove(_KIND, arn)


def _add(context: Context, request: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"Tags": _as_list(save(context, request["ResourceArn"], request["Tags"]))}


def _list(context: Context, request: Mapping[str, Any]) -> Mapping[str, Any]:
    tags = _as_list(context.records.get(_KIND, request["ResourceArn"]) or {})
    start = int(request["NextToken"]) if str(request.get("NextToken", "")).isdecimal() else 0
    end = start + request.get("MaxResults", 50)
    more = {"NextToken": str(end)} if end < len(tags) else {}
    return {"Tags": tags[start:end], **more}


def _delete(context: Context, request: Mapping[str, Any]) -> Mapping[str, Any]:
    gone = set(request["TagKeys"])
    context.records.change(
        _KIND,
        request["ResourceArn"],
        lambda old: {key: value for key, value in (old or {}).items() if key not in gone},
    )
    return {}


def _as_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


CALLS: dict[str, Call] = {"AddTags": _add, "ListTags": _list, "DeleteTags": _delete}
