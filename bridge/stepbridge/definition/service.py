"""The service model that rules, hovers and completions read: shapes of requests and results.

A view of `service_index.json`, which `scripts/build_service_index.py` builds out of botocore; botocore itself
is never imported (its model costs 300 ms and 32 MB, the index 3 ms). Both files are read at their first use.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any

from .values import JSON

_FOLDER = Path(__file__).parent


class Shape:
    """One shape of the service model, with its neighbours a lookup away.

    `type` is one of structure, list, map, string, integer, long, float, double, boolean, timestamp, blob,
    any. `minimum` and `maximum` limit a number's value, a string's length, or a container's size.
    """

    def __init__(
        self, name: str, entry: dict[str, Any], lookup: Callable[[str], Shape] | None = None
    ) -> None:
        self.name = name
        self.type: str = entry["type"]
        self.required: tuple[str, ...] = tuple(entry.get("required", ()))
        self.enum: frozenset[str] = frozenset(entry.get("enum", ()))
        self.minimum: int | None = entry.get("min")
        self.maximum: int | None = entry.get("max")
        self.pattern: str | None = entry.get("pattern")
        self.accepted: set[str] = set()  # strings that passed all checks before, see rules/arguments.py
        self.scalar: bool = entry["type"] not in ("structure", "list", "map")
        self._entry = entry
        self._lookup = lookup or shape

    def __repr__(self) -> str:
        return f"Shape({self.name!r})"

    @cached_property
    def members(self) -> dict[str, Shape]:
        """A structure's members by name."""
        return {name: self._lookup(target) for name, target in self._entry.get("members", {}).items()}

    @cached_property
    def item(self) -> Shape:
        """A list's or a map's item."""
        return self._lookup(self._entry["member" if self.type == "list" else "value"])

    @cached_property
    def key(self) -> Shape:
        """A map's key."""
        return self._lookup(self._entry["key"])

    @cached_property
    def expression(self) -> re.Pattern[str] | None:
        """The pattern, for `fullmatch`."""
        return None if self.pattern is None else re.compile(self.pattern)

    @cached_property
    def parameter_type(self) -> str | None:
        """The type of pipeline parameters that fits: String, Integer, Float, Boolean; None where unclear."""
        return _PARAMETER_TYPES.get(self.type)


_PARAMETER_TYPES = {
    "string": "String",
    "integer": "Integer",
    "long": "Integer",
    "float": "Float",
    "double": "Float",
    "boolean": "Boolean",
}


@cache
def shape(name: str) -> Shape:
    """The shape of that name; those of EMR start with `emr:`. KeyError when the index has none."""
    return Shape(name, _index()["shapes"][name])


def shape_names() -> Iterator[str]:
    """The names of all shapes in the index."""
    return iter(_index()["shapes"])


def botocore_version() -> str:
    """The botocore that the index was built from."""
    return str(_index()["botocore"])


def documentation(shape_name: str, member: str | None = None) -> str:
    """What the service's reference says of a shape or a structure's member, in Markdown; "" when nothing.

    A member without words of its own has those of its shape.
    """
    texts = _documentation()
    if member is None:
        return str(texts.get(shape_name, ""))
    text = texts.get(f"{shape_name}.{member}")
    if text is not None:
        return str(text)
    target = _index()["shapes"].get(shape_name, {}).get("members", {}).get(member)
    return str(texts.get(target, "")) if target else ""


@lru_cache(maxsize=1)
def _index() -> JSON:
    return json.loads((_FOLDER / "service_index.json").read_text(encoding="utf-8"))


@lru_cache(maxsize=1)
def _documentation() -> JSON:
    return json.loads((_FOLDER / "service_docs.json").read_text(encoding="utf-8"))
