from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stepbridge.definition.document import parse
from stepbridge.definition.graph import Edge, Graph, find_cycle, graph
from stepbridge.errors import DefinitionError


def step(name: str, *depends_on: str, uses: tuple[str, ...] = ()) -> dict[str, Any]:
    arguments = {
        f"A{i}": {"Get": f"Steps.{use}.ModelArtifacts.S3ModelArtifacts"} for i, use in enumerate(uses)
    }
    return {"Name": name, "Type": "Training", "Arguments": arguments, "DependsOn": list(depends_on)}


def condition(name: str, tests: Any, then: list[Any], otherwise: list[Any]) -> dict[str, Any]:
    arguments = {"Conditions": tests, "IfSteps": then, "ElseSteps": otherwise}
    return {"Name": name, "Type": "Condition", "Arguments": arguments}


def built(*steps: Any) -> Graph:
    return graph(parse(json.dumps({"Steps": steps})))


def test_edges_of_every_kind() -> None:
    metric = {"Std:JsonGet": {"PropertyFile": {"Get": "Steps.Eval.PropertyFiles.F"}, "Path": "x"}}
    found = built(
        condition("Cond", [{"LeftValue": metric}], [step("Model", uses=("Train",))], [step("Other")]),
        step("Eval", uses=("Train",)),
        step("Train", "Prep"),
        step("Prep"),
    )
    assert set(found.edges) == {
        Edge("Eval", "Cond", "property-file"),
        Edge("Cond", "Model", "branch"),
        Edge("Train", "Model", "data"),
        Edge("Cond", "Other", "branch"),
        Edge("Train", "Eval", "data"),
        Edge("Prep", "Train", "depends-on"),
    }
    assert found.order() == ("Prep", "Train", "Eval", "Cond", "Model", "Other")
    assert found.needs("Model") == {"Cond", "Train"}
    assert found.needed_by("Train") == {"Eval", "Model"}
    assert found.upstream("Cond") == {"Eval", "Train", "Prep"}
    assert found.downstream("Eval") == {"Cond", "Model", "Other"}


def test_references_outside_of_arguments_count() -> None:
    check = {
        "Name": "Check",
        "Type": "QualityCheck",
        "Arguments": {},
        "SuppliedBaselineStatistics": {"Get": "Steps.Old.CalculatedBaselineStatistics"},
    }
    assert built(check, step("Old")).needs("Check") == {"Old"}


def test_document_order_breaks_ties() -> None:
    assert built(step("C"), step("A"), step("B", "C")).order() == ("C", "A", "B")


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([step("A", "A")], 'Step "A" waits for itself'),
        ([step("A", uses=("A",))], 'Step "A" waits for itself'),
        (
            [step("X"), step("A", "B"), step("B", uses=("C",)), step("C", "A"), step("D", "A")],
            "A -> C -> B -> A",
        ),
        ([condition("C", [{"LeftValue": {"Get": "Steps.M.Outcome"}}], [step("M")], [])], "C -> M -> C"),
        ([step("A", "Bee")], 'Step "A" refers to a step "Bee" that does not exist'),
    ],
)
def test_refuses(steps: list[Any], message: str) -> None:
    with pytest.raises(DefinitionError) as error:
        built(*steps)
    assert message in error.value.message


def test_unknown_step_has_a_suggestion() -> None:
    with pytest.raises(DefinitionError) as error:
        built(step("Preprocess"), step("Train", "Preproces"))
    assert error.value.hint == 'Did you mean "Preprocess"?'


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=20))
def test_order_or_cycle(pairs: list[tuple[int, int]]) -> None:
    nodes = tuple("abcdefgh")
    needs = {node: frozenset(nodes[s] for s, t in pairs if nodes[t] == node) for node in nodes}
    cycle = find_cycle(nodes, needs)
    if cycle:
        assert all(cycle[i - 1] in needs[cycle[i]] for i in range(len(cycle)))
    else:
        found = Graph(nodes, tuple(Edge(s, t, "data") for t in nodes for s in needs[t]))
        order = found.order()
        assert sorted(order) == sorted(nodes)
        assert all(order.index(s) < order.index(t) for t in nodes for s in needs[t])


def test_fifty_steps_take_milliseconds() -> None:
    arguments = {
        "HyperParameters": {f"k{i}": str(i) for i in range(40)},
        "RoleArn": {"Get": "Parameters.Role"},
    }
    steps = [{**step(f"S{i}", *([f"S{i - 1}"] if i else [])), "Arguments": arguments} for i in range(50)]
    text = json.dumps({"Steps": steps})
    best = min(_seconds(text) for _ in range(5))
    assert best < 0.05  # 3 ms on a quiet machine


def _seconds(text: str) -> float:
    started = time.perf_counter()
    graph(parse(text))
    return time.perf_counter() - started
