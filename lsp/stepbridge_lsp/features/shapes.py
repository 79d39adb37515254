"""The results of steps as property paths see them: which members come next, and what the service says of
each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stepbridge.definition.kinds import KINDS
from stepbridge.definition.properties import Parts, Property, walk_property
from stepbridge.definition.service import Shape, shape

from stepbridge_lsp.model import Step
from stepbridge_lsp.rules.properties import kind_of
from stepbridge_lsp.values import Index, PropertyVariable


@dataclass(frozen=True)
class Member:
    """A member of a step's results. `owner` is the shape that has it, "" for what the pipeline adds."""

    name: str
    owner: str
    shape: Shape | None


def parts_of(path: tuple[str | Index, ...]) -> Parts:
    """A path of the model as `walk_property` takes it; an index that is not known counts as the first."""
    return tuple(
        (segment.key if segment.key is not None else 0, True)
        if isinstance(segment, Index)
        else (segment, False)
        for segment in path
    )


def members_of(step: Step, path: tuple[str | Index, ...]) -> Iterator[Member]:
    """What may follow `step.properties.<path>.`."""
    kind = kind_of(step)
    if kind in ("Lambda", "Callback"):
        if not path:
            yield Member("Outputs", "", None)
        return
    yield from members(kind or "", parts_of(path))


def members(kind: str, parts: Parts) -> Iterator[Member]:
    """What may follow a path into the results of steps of a type; none where they are not known."""
    if kind not in KINDS:
        return
    found = walk_property(KINDS[kind], parts)
    if found.fault is not None:
        return
    for name in found.names:
        yield _member(kind, found, name)


def _member(kind: str, found: Property, name: str) -> Member:
    owners = [found.shape] if found.shape is not None else [shape(result) for result in KINDS[kind].results]
    for owner in owners:
        if name in owner.members:
            return Member(name, owner.name, owner.members[name])
    return Member(name, "", None)


def last_member(kind: str, parts: Parts) -> Member | None:
    """The member that a path ends in; None for an index, an unknown path, or unknown results."""
    if not parts or parts[-1][1] or not isinstance(name := parts[-1][0], str):
        return None
    return next((found for found in members(kind, parts[:-1]) if found.name == name), None)


def takes_names(variable: PropertyVariable) -> bool:
    """Whether a name in brackets may follow: it is the list of a step's outputs."""
    return bool(variable.path) and variable.path[-1] == "Outputs"
