"""Which step waits for which: the graph of a definition.

Edges come from references in a step's JSON, from DependsOn, and from being in a Condition step's branch.
Definitions list steps in any order (`@step` pipelines list them reversed); `order` sorts them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from heapq import heapify, heappop, heappush
from typing import Literal

from msgspec import Struct

from stepbridge.errors import DefinitionError

from .document import PipelineDefinition, Step
from .references import references
from .values import did_you_mean, printable, shown

EdgeKind = Literal["data", "depends-on", "branch", "property-file"]


class Edge(Struct, frozen=True):
    """`target` waits for `source`."""

    source: str
    target: str
    kind: EdgeKind


class Graph(Struct, frozen=True, dict=True):
    """Nodes are step names in document order; `edges` has no duplicates."""

    nodes: tuple[str, ...]
    edges: tuple[Edge, ...]

    def needs(self, step: str) -> frozenset[str]:
        """The steps that `step` waits for directly."""
        return self._needs[step]

    def needed_by(self, step: str) -> frozenset[str]:
        """The steps that wait for `step` directly."""
        return self._needed_by[step]

    def upstream(self, step: str) -> frozenset[str]:
        """All steps that must end before `step` starts."""
        return _closure(step, self._needs)

    def downstream(self, step: str) -> frozenset[str]:
        """All steps that cannot start before `step` ended."""
        return _closure(step, self._needed_by)

    def order(self) -> tuple[str, ...]:
        """All steps, each after those it needs; document order where that leaves a choice.

        Raises:
            DefinitionError: a cycle, with the names of its steps.
        """
        return self._order

    @cached_property
    def _needs(self) -> dict[str, frozenset[str]]:
        found: dict[str, set[str]] = {node: set() for node in self.nodes}
        for edge in self.edges:
            found[edge.target].add(edge.source)
        return {node: frozenset(names) for node, names in found.items()}

    @cached_property
    def _needed_by(self) -> dict[str, frozenset[str]]:
        found: dict[str, set[str]] = {node: set() for node in self.nodes}
        for edge in self.edges:
            found[edge.source].add(edge.target)
        return {node: frozenset(names) for node, names in found.items()}

    @cached_property
    def _order(self) -> tuple[str, ...]:
        order = topological(self.nodes, self._needs)
        if len(order) < len(self.nodes):
            cycle = find_cycle(self.nodes, self._needs)
            if len(cycle) == 1:
                raise DefinitionError(f"Step {shown(cycle[0])} waits for itself.")
            raise DefinitionError(
                "Steps wait for each other in a circle: " + printable(" -> ".join((*cycle, cycle[0]))) + ".",
                "Remove one of their DependsOn entries or references.",
            )
        return order


def graph(definition: PipelineDefinition) -> Graph:
    """The graph of a definition.

    Raises:
        DefinitionError: a reference to an unknown step, or a cycle.
    """
    names = {step.name: None for step in definition.walk()}
    edges: dict[Edge, None] = {}
    for step in definition.walk():
        for edge in _edges(step):
            if edge.source not in names:
                raise DefinitionError(
                    f"Step {shown(step.name)} refers to a step {shown(edge.source)} that does not exist.",
                    did_you_mean(edge.source, names),
                )
            edges[edge] = None
    found = Graph(tuple(names), tuple(edges))
    found.order()  # raises for cycles
    return found


def _edges(step: Step) -> list[Edge]:
    edges = [Edge(source, step.name, "depends-on") for source in step.depends_on]
    if step.branch is not None:
        edges.append(Edge(step.branch[0], step.name, "branch"))
    for reference in references(step.own):
        if reference.kind == "step":
            edges.append(Edge(reference.name, step.name, "data"))
        elif reference.kind == "property-file":
            edges.append(Edge(reference.name, step.name, "property-file"))
    return edges


def topological(nodes: tuple[str, ...], needs: Mapping[str, frozenset[str]]) -> tuple[str, ...]:
    """The nodes that are in no cycle and behind none, sorted; ties in the order of `nodes`."""
    rank = {node: index for index, node in enumerate(nodes)}
    waiting = {node: len(needs[node]) for node in nodes}
    dependents: dict[str, list[str]] = {node: [] for node in nodes}
    for node in nodes:
        for source in needs[node]:
            dependents[source].append(node)
    ready = [rank[node] for node in nodes if not waiting[node]]
    heapify(ready)
    order = []
    while ready:
        node = nodes[heappop(ready)]
        order.append(node)
        for dependent in dependents[node]:
            waiting[dependent] -= 1
            if not waiting[dependent]:
                heappush(ready, rank[dependent])
    return tuple(order)


def find_cycle(nodes: tuple[str, ...], needs: Mapping[str, frozenset[str]]) -> tuple[str, ...]:
    """The names along one cycle, its first node first; empty when there is none."""
    left = set(nodes) - set(topological(nodes, needs))
    if not left:
        return ()
    # every node that is left waits for another one that is left: walking back must close a circle
    node = next(name for name in nodes if name in left)
    trail: dict[str, int] = {}
    while node not in trail:
        trail[node] = len(trail)
        node = next(name for name in nodes if name in needs[node] and name in left)
    cycle = list(reversed(list(trail)[trail[node] :]))
    first = cycle.index(min(cycle, key=nodes.index))
    return (*cycle[first:], *cycle[:first])


def _closure(start: str, neighbours: Mapping[str, frozenset[str]]) -> frozenset[str]:
    found: set[str] = set()
    pending = [start]
    while pending:
        for name in neighbours[pending.pop()]:
            if name not in found:
                found.add(name)
                pending.append(name)
    return frozenset(found - {start})
