"""Words that every module of this package shares: JSON values, the missing value, pointers, near matches.

A pointer is a tuple of object keys and array indexes that leads from the root of a JSON value to a place in
it. Nothing here knows what a pipeline is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from enum import Enum
from typing import Any, Final, TypeAlias

JSON: TypeAlias = Any  # dict, list, str, int, float, bool or None
Value: TypeAlias = str | int | float | bool  # what a pipeline parameter or an execution variable holds
Pointer: TypeAlias = tuple[str | int, ...]


class Missing(Enum):
    """The type of `MISSING`, for annotations."""

    MISSING = "missing"

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = Missing.MISSING


class Unknown:
    """The type of `UNKNOWN`, for annotations; it has this one instance."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "UNKNOWN"

    def __reduce__(self) -> str:
        return "UNKNOWN"


# A value that a reader of a program cannot know, and that no rule complains about. It stands for a scalar, an
# object or an array; as a key of an object it says that there may be more members, and as an item of an array
# that there may be more items.
UNKNOWN: Final = Unknown()


def is_open(value: JSON) -> bool:
    """Whether an object or an array may hold more than is seen: it is UNKNOWN, or has it as key or item."""
    return value is UNKNOWN or (isinstance(value, dict | list) and UNKNOWN in value)


def templated(value: JSON) -> bool:
    """Whether some other tool has yet to fill a string in: CloudFormation, Terraform, Jinja."""
    return isinstance(value, str) and ("${" in value or "{{" in value or "<%" in value)


def pointer_text(pointer: Pointer) -> str:
    """A pointer in the notation of RFC 6901, for messages: `/Steps/0/Name`; the root is `/`."""
    if not pointer:
        return "/"
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in pointer)


def kind(value: JSON) -> str:
    """What JSON calls the kind of a value, with its article: "a string", "an array", "null"."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a string"
    if isinstance(value, list | tuple):
        return "an array"
    if isinstance(value, dict):
        return "an object"
    return "an unknown value"


def shown(value: JSON, limit: int = 60) -> str:
    """A value as a message shows it: JSON on one line, cut at `limit` characters, safe to print anywhere."""
    if isinstance(value, str):
        value = value[: limit + 1]  # keeps the cost of a megabyte string out of a message
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        text = repr(type(value).__name__)
    if not text.isprintable():
        text = "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
    return text if len(text) <= limit + 2 else text[:limit] + "…"


def printable(text: str) -> str:
    """`text` without lone surrogates, which JSON can escape but no terminal or socket can take."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def near(word: str, candidates: Iterable[str], count: int = 1) -> tuple[str, ...]:
    """The candidates that a typist of `word` may have meant, best first; empty when none is close."""
    import difflib  # 2 ms that only a mistake has to pay

    known = [candidate for candidate in candidates if isinstance(candidate, str)]
    if len(word) > 256:
        return ()
    lowered: dict[str, str] = {}
    for candidate in known:
        lowered.setdefault(candidate.lower(), candidate)
    if word.lower() in lowered and lowered[word.lower()] != word:
        return (lowered[word.lower()],)
    found = difflib.get_close_matches(word.lower(), lowered, n=count, cutoff=0.75)
    return tuple(lowered[match] for match in found)


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """A hint for an unknown name: "Did you mean X?", or what there is to choose from, or nothing."""
    known = list(candidates)
    close = near(word, known)
    if close:
        return f"Did you mean {shown(close[0])}?"
    if not known:
        return ""
    listed = printable(", ".join(known[:8]))
    return f"Known: {listed}{', …' if len(known) > 8 else '.'}"
