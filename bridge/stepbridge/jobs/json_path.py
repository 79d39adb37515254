"""The JSONPath that data filters of transform jobs may use: members, indexes and slices, nothing else.

The service's documentation ("Associate prediction results with input records") names the operators: `$`,
`.name`, `['name'(,'name')]`, `[number(,number)]`, `[start:end]` and `*`. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from stepbridge.errors import StepBridgeError

_STEP = re.compile(r"\.(?P<name>[^.\[\]'\"*\s]+)|(?P<all>\.\*|\[\*\])|\[(?P<inside>[^\[\]]+)\]")
_NAME = re.compile(r"'([^']*)'|\"([^\"]*)\"")
_SLICE = re.compile(r"(-?\d+)?:(-?\d+)?")


class NotThereError(StepBridgeError):
    """A record lacks what a filter selects."""


class Names(Struct, frozen=True):
    names: tuple[str, ...]


class Places(Struct, frozen=True):
    """Indexes and slices of a list."""

    places: tuple[int | slice, ...]


class All(Struct, frozen=True):
    pass


Step = Names | Places | All


class JsonPath(Struct, frozen=True):
    """A parsed filter; `select` applies it."""

    text: str
    steps: tuple[Step, ...]

    @classmethod
    def parse(cls, text: str) -> JsonPath:
        """Raises StepBridgeError for what the service does not accept either."""
        text = text.strip()
        if not text.startswith("$"):
            raise StepBridgeError(
                f"The filter {text!r} does not start with $", "Write $ for the whole record."
            )
        return cls(text, tuple(_steps(text)))

    @property
    def is_whole(self) -> bool:
        return not self.steps

    def select(self, value: Any) -> Any:
        """What the path selects of `value`: several names make an object, several places a list.

        Raises:
            NotThereError: a member or an index is not there.
        """
        for step in self.steps:
            value = self._step(value, step)
        return value

    def _step(self, value: Any, step: Step) -> Any:
        if isinstance(step, All):
            if isinstance(value, dict):
                return list(value.values())
            return self._list(value)
        if isinstance(step, Names):
            return self._members(value, step.names)
        items = self._list(value)
        try:
            if len(step.places) == 1 and isinstance(step.places[0], int):
                return items[step.places[0]]
            chosen: list[Any] = []
            for place in step.places:
                chosen += items[place] if isinstance(place, slice) else [items[place]]
        except IndexError:
            raise NotThereError(f"A record of {len(items)} values has nothing at {self.text}") from None
        return chosen

    def _members(self, value: Any, names: tuple[str, ...]) -> Any:
        missing = [name for name in names if not isinstance(value, dict) or name not in value]
        if missing:
            raise NotThereError(f"A record has no {missing[0]!r}, which {self.text} selects")
        return value[names[0]] if len(names) == 1 else {name: value[name] for name in names}

    def _list(self, value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise NotThereError(f"{self.text} selects from a list, and a record holds something else there")
        return value


def _steps(text: str) -> Iterator[Step]:
    position = 1
    while position < len(text):
        found = _STEP.match(text, position)
        if found is None:
            raise StepBridgeError(
                f"The filter {text!r} cannot be read at {text[position:]!r}",
                "Use .name, ['name'], [0], [0,2] and [1:4].",
            )
        position = found.end()
        if found["name"]:
            yield Names((found["name"],))
        elif found["all"]:
            yield All()
        else:
            yield _inside(found["inside"], text)


def _inside(inside: str, text: str) -> Step:
    parts = [part.strip() for part in inside.split(",")]
    names = [_NAME.fullmatch(part) for part in parts]
    if all(names):
        return Names(tuple(name[1] if name[1] is not None else name[2] for name in names if name))
    return Places(tuple(_place(part, text) for part in parts))


def _place(part: str, text: str) -> int | slice:
    sliced = _SLICE.fullmatch(part)
    if sliced:
        start, end = (int(number) if number else None for number in sliced.groups())
        return slice(start, end)
    try:
        return int(part)
    except ValueError:
        raise StepBridgeError(
            f"The filter {text!r} cannot be read at [{part}]", "Use .name, ['name'], [0], [0,2] and [1:4]."
        ) from None
