from __future__ import annotations

import copy
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stepbridge.definition import rules
from stepbridge.definition.document import parse
from stepbridge.definition.graph import graph
from stepbridge.definition.rules import UNKNOWN
from stepbridge.definition.values import pointer_text

DEFINITIONS = sorted((Path(__file__).parent.parent / "definitions").glob("*.json"))
LOADED = [json.loads(path.read_text(encoding="utf-8")) for path in DEFINITIONS]
ALL = sorted(rules.REGISTRY)


@pytest.mark.parametrize("path", DEFINITIONS, ids=lambda path: path.stem)
def test_what_the_sdk_writes_has_no_findings(path: Path) -> None:
    assert rules.check(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", DEFINITIONS, ids=lambda path: path.stem)
def test_what_the_sdk_writes_can_be_parsed_and_ordered(path: Path) -> None:
    definition = parse(path.read_text(encoding="utf-8"))
    assert len(graph(definition).order()) == len(list(definition.walk())) > 0


def test_definitions_of_every_type_of_step_were_checked() -> None:
    types = {step.type for value in LOADED for step in parse(json.dumps(value)).walk()}
    assert types == {
        *("Training", "Processing", "Transform", "Tuning", "Model", "RegisterModel", "Condition", "Fail"),
        *(
            "Lambda",
            "Callback",
            "EMR",
            "QualityCheck",
            "ClarifyCheck",
            "AutoML",
            "EndpointConfig",
            "Endpoint",
        ),
    }


def _places(value: Any, pointer: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield pointer
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _places(item, (*pointer, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _places(item, (*pointer, index))


def _replaced(value: Any, pointer: tuple[Any, ...], new: Any) -> Any:
    if not pointer:
        return new
    value = copy.deepcopy(value)
    parent = value
    for part in pointer[:-1]:
        parent = parent[part]
    parent[pointer[-1]] = new
    return value


@pytest.mark.parametrize("index", range(len(LOADED)), ids=[path.stem for path in DEFINITIONS])
def test_nobody_complains_about_what_is_unknown(index: int) -> None:
    value = LOADED[index]
    for place in _places(value):
        found = rules.check_document(_replaced(value, place, UNKNOWN))
        assert found == [], (pointer_text(place), [f.message for f in found])


@pytest.mark.parametrize("index", range(len(LOADED)), ids=[path.stem for path in DEFINITIONS])
def test_nobody_complains_about_what_may_be_hidden(index: int) -> None:
    """UNKNOWN as a key or an item: `**kwargs`, an unknown list."""
    value = LOADED[index]
    for place in _places(value):
        inner = value
        for part in place:
            inner = inner[part]
        if isinstance(inner, dict) and inner and not {"Get", "Std:Join", "Std:JsonGet"} & inner.keys():
            opened: Any = dict(list(inner.items())[1:]) | {UNKNOWN: UNKNOWN}
        elif isinstance(inner, list):
            opened = [UNKNOWN, *inner[1:]]
        else:
            continue
        found = rules.check_document(_replaced(value, place, opened))
        assert found == [], (pointer_text(place), [f.message for f in found])


words = st.sampled_from(
    [
        *("Steps", "Parameters", "Name", "Type", "Arguments", "DependsOn", "Get", "Std:Join", "Std:JsonGet"),
        *("Values", "On", "Path", "PropertyFile", "S3Uri", "Conditions", "IfSteps", "ElseSteps", "LeftValue"),
        *("RetryPolicies", "CacheConfig", "ExpireAfter", "PropertyFiles", "OutputParameters", "Version"),
        *(
            "ResourceConfig",
            "HyperParameters",
            "ProcessingOutputConfig",
            "Outputs",
            "OutputName",
            "Tags",
            "Key",
        ),
        *(
            "ExceptionType",
            "Metadata",
            "EnumValues",
            "DefaultValue",
            "ForEachBody",
            "ClusterConfig",
            "Instances",
        ),
        *(
            "Training",
            "Processing",
            "Condition",
            "Lambda",
            "EMR",
            "Tuning",
            "AutoML",
            "Model",
            "RegisterModel",
        ),
        *(
            "Steps.A.ModelArtifacts.S3ModelArtifacts",
            "Parameters.A",
            "Execution.X",
            "A",
            "Equals",
            "Or",
            "Not",
        ),
    ]
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | words
values = st.recursive(
    scalars | st.just(UNKNOWN),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(words | st.text(max_size=3) | st.just(UNKNOWN), inner, max_size=6)
    ),
    max_leaves=40,
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(values | st.fixed_dictionaries({"Steps": st.lists(values, max_size=4), "Parameters": values}))
def test_no_value_makes_check_raise(value: Any) -> None:
    for finding in rules.check_document(value, ALL):
        assert finding.message


SMALLEST = min(LOADED, key=lambda value: len(json.dumps(value)))


@pytest.mark.parametrize(
    "new",
    [None, True, 3, "x", [], {}, [{}], [None], {"Name": None}, {"Get": "Parameters.A"}, {"Std:Join": {}}],
)
def test_every_place_may_hold_something_else(new: Any) -> None:
    for place in _places(SMALLEST):
        _point_somewhere(_replaced(SMALLEST, place, new))


def test_every_key_may_be_missing() -> None:
    for place in _places(SMALLEST):
        if place and isinstance(place[-1], str):
            damaged = copy.deepcopy(SMALLEST)
            parent = damaged
            for part in place[:-1]:
                parent = parent[part]
            del parent[place[-1]]
            _point_somewhere(damaged)


def _point_somewhere(document: Any) -> None:
    """Findings are made, and their pointers lead to values (or keys) of the document."""
    for finding in rules.check_document(document, ALL):
        inner = document
        for part in finding.pointer[:-1] if finding.at_key else finding.pointer:
            inner = inner[part]


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.data())
def test_no_damage_to_a_real_definition_makes_check_raise(data: st.DataObject) -> None:
    value = data.draw(st.sampled_from(LOADED))
    place = data.draw(st.sampled_from(list(_places(value))))
    _point_somewhere(_replaced(value, place, data.draw(values)))


@given(st.text(max_size=80) | st.text(alphabet='{}[]":,\\ue01nt.-N \n\ud800', max_size=80))
def test_no_text_makes_check_raise(text: str) -> None:
    for finding in rules.check(text, ALL):
        finding.message.encode()


@pytest.mark.parametrize("text", ["[" * 100_000, '{"Steps":[' * 50_000, "9" * 5000, "\ufeff{}", ""])
def test_monstrous_texts_have_one_finding(text: str) -> None:
    assert [f.code for f in rules.check(text)] == ["J001"]


def test_deep_nesting_neither_raises_nor_hangs() -> None:
    value: Any = {"Get": "Parameters.A"}
    for index in range(20_000):
        value = (
            {"Name": "C", "Type": "Condition", "Arguments": {"Conditions": [], "IfSteps": [value]}}
            if index % 2
            else [value]
        )
    started = time.perf_counter()
    rules.check_document({"Version": "2020-12-01", "Steps": [value]}, ALL)
    assert time.perf_counter() - started < 5


def test_thousands_of_mistakes_take_no_seconds() -> None:
    arguments = {f"ResourceConf{i}": {"Get": f"Parameters.Nope{i}"} for i in range(3000)}
    started = time.perf_counter()
    found = rules.check_document({"Steps": [{"Name": "A", "Type": "Training", "Arguments": arguments}]})
    assert len(found) == rules.MAX_FINDINGS
    assert time.perf_counter() - started < 5


def test_only_selected_rules_run() -> None:
    value = {"Version": "1", "Step": [], "Steps": []}
    assert {f.code for f in rules.check_document(value)} == {"J002", "J004", "J005"}
    assert {f.code for f in rules.check_document(value, ["J005"])} == {"J005"}
    assert rules.check_document(value, []) == []
    assert rules.check("{", ["J005"]) == []


def test_findings_stand_in_the_order_of_their_places() -> None:
    steps = [{"Name": "a b", "Type": "Fail"}, {"Name": "c d", "Type": "Fail"}]
    pointers = [f.pointer for f in rules.check_document({"Steps": steps}, ["J040", "J043"])]
    assert pointers == [("Steps", 0), ("Steps", 0, "Name"), ("Steps", 1), ("Steps", 1, "Name")]


def test_a_large_definition_is_checked_while_typing() -> None:
    text = json.dumps(_large(), indent=1)
    assert text.count("\n") > 21_000
    value = json.loads(text)
    assert {f.code for f in rules.check_document(value)} == {"J050"}
    best = min(_seconds(value) for _ in range(5))
    assert best < 0.25  # 40 ms on a quiet machine


def _large() -> dict[str, Any]:
    steps: list[Any] = []
    parameters: dict[str, Any] = {}
    round_ = 0
    while len(steps) < 330:
        for value in LOADED:
            round_ += 1
            named = json.dumps(value["Steps"])
            for step in parse(json.dumps(value)).walk():
                for before, after in (('"Name": "', '"'), ("Steps.", "."), ('"DependsOn": ["', '"')):
                    old = f"{before}{step.name}{after}"
                    named = named.replace(old, old[: -len(after)] + f"-{round_}" + after)
            steps.extend(json.loads(named))
            parameters |= {parameter["Name"]: parameter for parameter in value.get("Parameters", [])}
    return {"Version": "2020-12-01", "Parameters": list(parameters.values()), "Steps": steps}


def _seconds(value: Any) -> float:
    started = time.process_time()
    rules.check_document(value)
    return time.process_time() - started


def test_importing_the_rules_imports_no_botocore() -> None:
    code = "import sys, stepbridge.definition.rules as r; r.check('{}'); print('botocore' in sys.modules)"
    path = str(Path(rules.__file__).parents[3])
    run = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {path!r}); {code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == "False"
