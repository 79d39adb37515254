"""botocore's description of SageMaker: which members a request must and may have, which a response has.

Read from the installed botocore's data file, without importing botocore (which costs more than all else that
the endpoint does before its first answer).
"""

from __future__ import annotations

import gzip
import importlib.util
import re
import threading
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from stepbridge.errors import StepBridgeError
from stepbridge.service.errors import ServiceError

# New instance types come out faster than botocore's, and SDK programs write "local" here.
_OPEN_ENUMS = frozenset(
    {
        "TrainingInstanceType",
        "ProcessingInstanceType",
        "TransformInstanceType",
        "ProductionVariantInstanceType",
        "ResourceConfigInstanceType",
    }
)

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "boolean": (bool,),
    "timestamp": (int, float),
    "list": (list,),
    "map": (dict,),
    "structure": (dict,),
    "blob": (str,),
}


class ServiceModel:
    """Shapes and operations of one service."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._operations: Mapping[str, Any] = document["operations"]
        self._shapes: Mapping[str, Any] = document["shapes"]

    @staticmethod
    def sagemaker() -> ServiceModel:
        """The installed botocore's newest model of SageMaker; read the first time."""
        with _reading:
            return _sagemaker()

    def has_operation(self, name: str) -> bool:
        return name in self._operations

    def check_request(self, operation: str, request: Mapping[str, Any]) -> None:
        """Raises ServiceError (ValidationException, SerializationException) as the service would."""
        shape = self._operations[operation].get("input")
        if shape is None:
            return
        found = list(self._check(shape["shape"], request, ""))
        if found:
            count = f"{len(found)} validation error{'s' if len(found) > 1 else ''} detected: "
            raise ServiceError("ValidationException", count + "; ".join(found))

    def members(self, shape: str) -> Mapping[str, Any]:
        """Members of a structure."""
        members: Mapping[str, Any] = self._shapes[shape]["members"]
        return members

    def pick(self, shape: str, source: Mapping[str, Any]) -> dict[str, Any]:
        """What of `source` a structure has members for."""
        return {name: source[name] for name in self.members(shape) if source.get(name) is not None}

    def answer(self, operation: str, source: Mapping[str, Any]) -> dict[str, Any]:
        """What of `source` the operation's response has members for."""
        return self.pick(self._operations[operation]["output"]["shape"], source)

    def _check(self, name: str, value: Any, place: str) -> Iterator[str]:
        shape: Mapping[str, Any] = self._shapes[name]
        kind: str = shape["type"]
        _check_type(kind, value, place)
        if kind == "structure":
            yield from self._check_structure(shape, value, place)
        elif kind == "list":
            yield from _check_length(value, shape, place)
            for index, item in enumerate(value, 1):
                yield from self._check(shape["member"]["shape"], item, f"{place}.{index}.member")
        elif kind == "map":
            yield from _check_length(value, shape, place)
            for key, item in value.items():
                yield from self._check(shape["key"]["shape"], key, f"{place}.{key}.key")
                yield from self._check(shape["value"]["shape"], item, f"{place}.{key}.member")
        else:
            yield from _check_scalar(name, shape, value, place)

    def _check_structure(self, shape: Mapping[str, Any], value: Any, place: str) -> Iterator[str]:
        for name in shape.get("required", ()):
            if value.get(name) is None:
                yield _failed(_join(place, name), None, "Member must not be null")
        for name, member in shape["members"].items():
            if value.get(name) is not None:
                yield from self._check(member["shape"], value[name], _join(place, name))


def _check_type(kind: str, value: Any, place: str) -> None:
    if not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind != "boolean"):
        raise ServiceError(
            "SerializationException",
            f"{_json_name(value)} at '{place}' can not be converted to {kind.capitalize()}",
        )


def _check_scalar(name: str, shape: Mapping[str, Any], value: Any, place: str) -> Iterator[str]:
    if isinstance(value, str):
        yield from _check_length(value, shape, place)
        if "enum" in shape and name not in _OPEN_ENUMS and value not in shape["enum"]:
            choices = ", ".join(shape["enum"])
            yield _failed(place, value, f"Member must satisfy enum value set: [{choices}]")
        pattern = _compiled(shape["pattern"]) if "pattern" in shape else None
        if pattern is not None and not pattern.fullmatch(value):
            wanted = f"Member must satisfy regular expression pattern: {shape['pattern']}"
            yield _failed(place, value, wanted)
    elif not isinstance(value, bool):
        if "min" in shape and value < shape["min"]:
            yield _failed(place, value, f"Member must have value greater than or equal to {shape['min']}")
        if "max" in shape and value > shape["max"]:
            yield _failed(place, value, f"Member must have value less than or equal to {shape['max']}")


def _check_length(value: Any, shape: Mapping[str, Any], place: str) -> Iterator[str]:
    if "min" in shape and len(value) < shape["min"]:
        yield _failed(place, value, f"Member must have length greater than or equal to {shape['min']}")
    if "max" in shape and len(value) > shape["max"]:
        yield _failed(place, value, f"Member must have length less than or equal to {shape['max']}")


def _failed(place: str, value: Any, constraint: str) -> str:
    shown = "" if value is None else f" '{str(value)[:200]}'"
    return f"Value{shown} at '{place}' failed to satisfy constraint: {constraint}"


def _join(place: str, name: str) -> str:
    lowered = name[:1].lower() + name[1:]
    return f"{place}.{lowered}" if place else lowered


def _json_name(value: Any) -> str:
    names = {str: "STRING_VALUE", bool: "BOOLEAN_VALUE", list: "START_ARRAY", dict: "START_OBJECT"}
    return names.get(type(value), "NUMBER_VALUE")


_reading = threading.Lock()


@cache
def _sagemaker() -> ServiceModel:
    return ServiceModel(_read("sagemaker"))


@cache
def _compiled(pattern: str) -> re.Pattern[str] | None:
    """The pattern in Python's dialect; None where it cannot be said in it."""
    for java, python in ((r"\p{L}", r"^\W\d_"), (r"\p{N}", r"\d"), (r"\p{Z}", r"\s")):
        if java == r"\p{L}" and java in pattern:
            pattern = re.sub(r"\[\^?[^\]]*\\p\{L\}[^\]]*\]", r"[\\w\\s.:/=+\\-@%]", pattern)
        pattern = pattern.replace(java, python)
    try:
        return re.compile(pattern)
    except re.error:
        return None


def _read(service: str) -> Mapping[str, Any]:
    found = importlib.util.find_spec("botocore")
    places = list(found.submodule_search_locations or ()) if found else []
    for place in places:
        versions = sorted((Path(place) / "data" / service).glob("*/service-2.json*"))
        if versions:
            content = versions[-1].read_bytes()
            plain = gzip.decompress(content) if versions[-1].suffix == ".gz" else content
            document: Mapping[str, Any] = msgspec.json.decode(plain)
            return document
    raise StepBridgeError(f"botocore's model of {service} is not installed.", "Install stepbridge again.")
