"""Listings: filters, sort orders and pages, the same for every List call."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from .context import invalid

_TIME_FILTERS = {
    # request member -> (members of the item that it may mean, keeps items after the time)
    "CreationTimeAfter": ("created", True),
    "CreationTimeBefore": ("created", False),
    "CreatedAfter": ("created", True),
    "CreatedBefore": ("created", False),
    "LastModifiedTimeAfter": ("modified", True),
    "LastModifiedTimeBefore": ("modified", False),
}


class Item(Struct, frozen=True):
    """One line of a listing: what it is sorted and filtered by, and what the client gets."""

    name: str
    created: float
    summary: Mapping[str, Any]
    modified: float = 0.0
    status: str = ""


def page(
    items: Iterable[Item],
    request: Mapping[str, Any],
    *,
    order: str = "Ascending",
    sort_by: str = "CreationTime",
    most: int = 10,
) -> tuple[list[Mapping[str, Any]], dict[str, str]]:
    """One page of a listing and its NextToken (an empty dict on the last).

    Args:
        order: the call's default SortOrder.
        sort_by: its default SortBy.
        most: its default MaxResults.
    """
    kept = [item for item in items if _wanted(item, request)]
    descending = request.get("SortOrder", order) == "Descending"
    by = request.get("SortBy", sort_by)
    kept.sort(key=lambda item: _sort_key(item, by), reverse=descending)
    start = _start(kept, request.get("NextToken"), by, descending)
    size = request.get("MaxResults", most)
    shown = kept[start : start + size]
    token = {"NextToken": _token(_sort_key(shown[-1], by))} if start + size < len(kept) else {}
    return [item.summary for item in shown], token


def _wanted(item: Item, request: Mapping[str, Any]) -> bool:
    text = request.get("NameContains")
    if text and text.lower() not in item.name.lower():
        return False
    prefix = request.get("PipelineNamePrefix")
    if prefix and not item.name.startswith(prefix):
        return False
    status = request.get("StatusEquals")
    if status and status != item.status:
        return False
    for member, (field, after) in _TIME_FILTERS.items():
        limit = request.get(member)
        if limit is not None:
            value = item.created if field == "created" else item.modified
            if (value <= limit) if after else (value >= limit):
                return False
    return True


def _sort_key(item: Item, by: str) -> tuple[Any, ...]:
    """The wanted order, then creation and name, so that pages never overlap."""
    if by == "Name":
        return (item.name, item.created)
    if by == "Status":
        return (item.status, item.created, item.name)
    if by == "LastModifiedTime":
        return (item.modified, item.created, item.name)
    if by == "PipelineExecutionArn":
        return (item.name, item.created)
    return (item.created, item.name)


def _token(key: tuple[Any, ...]) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode()


def _start(items: list[Item], token: str | None, by: str, descending: bool) -> int:
    """Index of the first item after the one the token names; new items in between do no harm."""
    if token is None:
        return 0
    try:
        last = tuple(json.loads(base64.urlsafe_b64decode(token.encode())))
        for index, item in enumerate(items):
            key = _sort_key(item, by)
            if key < last if descending else key > last:
                return index
    except (ValueError, TypeError):
        raise invalid("Invalid NextToken.") from None
    return len(items)
