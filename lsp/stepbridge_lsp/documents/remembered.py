"""What is known of parts of a JSON value, by their identity: a reader that goes through the states of a text
gives the same object for a step whose text did not change.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from stepbridge.definition.values import JSON

_MOST = 5_000  # parts

_T = TypeVar("_T")


class Remembered(Generic[_T]):
    """Makes something of a part when it is first asked for.

    Args:
        make: what is known of a part; nothing in the part may change afterwards.
    """

    def __init__(self, make: Callable[[JSON], _T]) -> None:
        self._make = make
        self._known: dict[int, tuple[JSON, _T]] = {}  # with the part, so that no other one gets its id

    def of(self, part: JSON) -> _T:
        known = self._known.get(id(part))
        if known is None:
            if len(self._known) >= _MOST:
                self._known.clear()
            known = self._known[id(part)] = part, self._make(part)
        return known[1]
