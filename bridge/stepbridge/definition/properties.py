"""Property paths: what `Steps.Train.ModelArtifacts.S3ModelArtifacts` gives, by the shapes of the results.

For rules and for completion: a path is walked part by part, and where it ends or goes wrong is said.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

from msgspec import Struct

from .kinds import StepKind
from .service import Shape, shape

Parts = tuple[tuple[str | int, bool], ...]  # see references.path_parts


class Property(Struct, frozen=True):
    """Where a path leads.

    `type` is the parameter type of its value where it is a single one, `shape` its shape where it has one.
    `fault` is None for a good path; "unknown": there is no member of the name of part `at`; "index": part
    `at` names a member where an index or a name in brackets is needed; "end": part `at` goes on behind a
    single value. `names` are the members that could follow, at the end of a good path or instead of a bad
    part.
    """

    type: str | None = None
    shape: Shape | None = None
    fault: Literal["unknown", "index", "end"] | None = None
    at: int = 0
    names: tuple[str, ...] = ()


@lru_cache(maxsize=4096)
def walk_property(kind: StepKind, parts: Parts) -> Property:
    """Follow a path through the results of a step of that kind; one without known results takes any."""
    if not kind.results and not kind.extra_results:
        return Property()
    texts = tuple(part for part, _ in parts)
    for extra in kind.extra_results:
        if texts == extra:
            return Property(type="String")
        if texts == extra[: len(texts)]:
            following = (path[len(texts)] for path in kind.extra_results if path[: len(texts)] == texts)
            return Property(names=tuple(dict.fromkeys(following)))
    return _walk(kind, parts)


def _walk(kind: StepKind, parts: Parts) -> Property:
    roots = {name: member for result in kind.results for name, member in shape(result).members.items()}
    firsts = (*roots, *dict.fromkeys(extra[0] for extra in kind.extra_results))
    if not parts:
        return Property(names=firsts)
    first = parts[0][0]
    found = roots.get(first) if isinstance(first, str) else None
    if found is None:
        return Property(fault="unknown", at=0, names=firsts)
    for at, (part, bracketed) in enumerate(parts[1:], 1):
        if found.type == "structure":
            member = found.members.get(part) if isinstance(part, str) else None
            if member is None:
                return Property(fault="unknown", at=at, names=tuple(found.members))
            found = member
        elif found.type == "list":
            if not bracketed:
                return Property(shape=found, fault="index", at=at, names=_members(found.item))
            found = found.item
        elif found.type == "map":
            found = found.item
        else:
            return Property(shape=found, fault="end", at=at)
    return Property(type=found.parameter_type, shape=found, names=_members(found))


def _members(found: Shape) -> tuple[str, ...]:
    return tuple(found.members) if found.type == "structure" else ()
