"""Rules on steps: names, types, keys, and which waits for which (J040 to J051, J096)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stepbridge.definition.graph import find_cycle
from stepbridge.definition.kinds import KINDS
from stepbridge.definition.values import JSON, UNKNOWN, Pointer, kind, shown, templated

from .findings import Report, remove, replace
from .model import Pipeline, StepView
from .registry import rule

MAX_STEPS = 50
_NAME = re.compile(r"[A-Za-z0-9\-_]{1,64}")


@rule(
    "J040",
    "error",
    "Step name",
    on="step",
    example='{"Name": "bad name!", "Type": "Training", "Arguments": {}}',
    source="S, B: StepName; V: the SDK writes it",
)
def step_name(pipeline: Pipeline, step: StepView) -> Iterator[Report]:
    """A step's name is 1 to 64 letters, digits, `-` and `_`."""
    name = step.raw.get("Name")
    if isinstance(name, str):
        if not _NAME.fullmatch(name) and not templated(name):
            legal = re.sub(r"[^A-Za-z0-9\-_]+", "-", name)[:64].strip("-")
            pointer = (*step.pointer, "Name")
            fixable = bool(legal) and legal not in pipeline.steps_by_name and not _referred(pipeline, name)
            yield Report(
                f"The step name {shown(name)} must be 1 to 64 letters, digits, - and _.",
                pointer,
                fix=replace(pointer, legal, f'Rename to "{legal}"') if fixable else None,
            )
    elif name is not None and name is not UNKNOWN:
        yield Report(f"A step's Name must be a string, and is {kind(name)}.", (*step.pointer, "Name"))


def _referred(pipeline: Pipeline, name: str) -> bool:
    return any(name in (need for need, _, _ in needs(step)) for step in pipeline.steps)


@rule(
    "J041",
    "error",
    "Duplicate step name",
    on="document",
    example='[{"Name": "Train", "Type": "Training"}, {"Name": "Train", "Type": "Training"}]',
    source="K: _steps_compiler.py 206",
)
def duplicate_step(pipeline: Pipeline) -> Iterator[Report]:
    """Names of steps are unique, those in branches included."""
    for step, first in _duplicates(pipeline):
        if not _same_step(step, first):
            yield Report(
                f"There are two steps {shown(step.name)}.",
                (*step.pointer, "Name"),
                related=(((*first.pointer, "Name"), "The other one."),),
            )


@rule(
    "J096",
    "error",
    "Step in Steps and in a branch",
    on="document",
    example='{"Steps": [A, {"Name": "C", "Type": "Condition", "Arguments": {"IfSteps": [A]}}]}',
    source="K: ConditionStep and _steps_compiler.py",
)
def step_in_branch_and_steps(pipeline: Pipeline) -> Iterator[Report]:
    """A step of a branch must not be listed in `Steps` as well."""
    for step, first in _duplicates(pipeline):
        if _same_step(step, first):
            outer = first if first.branch is None else step
            yield Report(
                f"{step.label} is in Steps and in a branch; it belongs to the branch only.",
                (*outer.pointer, "Name"),
                fix=remove(outer.pointer, "Remove it from Steps"),
            )


def _duplicates(pipeline: Pipeline) -> Iterator[tuple[StepView, StepView]]:
    for step in pipeline.steps:
        if step.name is not None and pipeline.steps_by_name[step.name] is not step:
            yield step, pipeline.steps_by_name[step.name]


def _same_step(one: StepView, other: StepView) -> bool:
    """Whether it is one step in two places: one of them the top level, and the same type."""
    return (one.branch is None) != (other.branch is None) and one.type == other.type


@rule(
    "J042",
    "error",
    "Step type",
    on="step",
    example='{"Name": "A", "Type": "Train", "Arguments": {}}',
    source="K: StepTypeEnum of SDK v2 and v3",
)
def step_type(pipeline: Pipeline, step: StepView) -> Iterator[Report]:
    """A step has one of the known types; a capitalised word that is like none may be a newer one."""
    found = step.raw.get("Type")
    if found is None or found is UNKNOWN or (isinstance(found, str) and found in KINDS):
        return
    pointer = (*step.pointer, "Type")
    if not isinstance(found, str):
        yield Report(f"A step's Type must be a string, and is {kind(found)}.", pointer)
        return
    close = _TYPE_NAMES.get(found.lower()) or pipeline.near(found, KINDS)
    if isinstance(close, str):
        close = (close,)
    sure = bool(close) or not found[:1].isupper()
    yield Report(
        f"{shown(found)} is no type of step that we know.",
        pointer,
        suggestions=close,
        fix=replace(pointer, close[0], f'Replace by "{close[0]}"') if close else None,
        severity=None if sure else "warning",
    )


_TYPE_NAMES = {
    "train": "Training",
    "process": "Processing",
    "tune": "Tuning",
    "createmodel": "Model",
    "register": "RegisterModel",
    "notebookjob": "Training",
}


@rule(
    "J043",
    "error",
    "Missing key of a step",
    on="step",
    example='{"Name": "Call", "Type": "Lambda", "Arguments": {}}',
    source="S (required)",
)
def required_step_key(pipeline: Pipeline, step: StepView) -> Iterator[Report]:
    """A step has Name, Type and Arguments; a Lambda step FunctionArn, a Callback step SqsQueueUrl."""
    if UNKNOWN in step.raw:
        return
    step_kind = step.kind
    for key in ("Name", "Type", *(step_kind.required if step_kind is not None else ())):
        if step.raw.get(key) is None:
            pointer = (*step.pointer, key) if key in step.raw else step.pointer
            yield Report(f"{step.label} has no {key}.", pointer)


@rule(
    "J044",
    "warning",
    "Display name or description too long",
    on=("key:DisplayName", "key:Description"),
    example="(a DisplayName of 300 characters)",
    source="B: StepDisplayName, StepDescription",
)
def long_words(pipeline: Pipeline, step: StepView, value: JSON, key: str) -> Iterator[Report]:
    """`DisplayName` has 256 characters at most, `Description` 3072."""
    limit = 256 if key == "DisplayName" else 3072
    if isinstance(value, str) and len(value) > limit:
        message = f"{key} has {len(value)} characters; the service takes {limit}."
        yield Report(message, (*step.pointer, key))
    elif not isinstance(value, str | dict) and value is not None:
        yield Report(f"{key} must be a string, and is {kind(value)}.", (*step.pointer, key))


@rule(
    "J045",
    "error",
    "DependsOn an unknown step",
    on="key:DependsOn",
    example='{"Name": "Train", "Type": "Training", "Arguments": {}, "DependsOn": ["Prepp"]}',
    source='K: steps.py 305 "Step X is undefined"',
)
def unknown_dependency(pipeline: Pipeline, step: StepView, value: JSON, key: str) -> Iterator[Report]:
    """`DependsOn` is an array of names of steps of this pipeline."""
    if value is None:
        return
    if not isinstance(value, list):
        fix = replace((*step.pointer, key), [value], "Wrap in an array") if isinstance(value, str) else None
        yield Report(f"DependsOn must be an array, and is {kind(value)}.", (*step.pointer, key), fix=fix)
        return
    for index, name in enumerate(value):
        pointer = (*step.pointer, key, index)
        if name is UNKNOWN:
            continue
        if not isinstance(name, str):
            yield Report(f"DependsOn holds names of steps; this is {kind(name)}.", pointer)
        elif name not in pipeline.steps_by_name and not pipeline.steps_open and not templated(name):
            close = pipeline.near(name, (other for other in pipeline.steps_by_name if other != step.name))
            yield Report(
                f"There is no step {shown(name)}.",
                pointer,
                suggestions=close,
                fix=replace(pointer, close[0], f'Replace by "{close[0]}"')
                if close
                else remove(pointer, "Remove the entry"),
            )


@rule(
    "J046",
    "error",
    "DependsOn itself",
    on="key:DependsOn",
    example='{"Name": "A", "Type": "Training", "Arguments": {}, "DependsOn": ["A"]}',
    source="V: the SDK writes it",
)
def self_dependency(pipeline: Pipeline, step: StepView, value: JSON, key: str) -> Iterator[Report]:
    """A step cannot wait for itself."""
    for index, name in enumerate(value if isinstance(value, list) else ()):
        if name == step.name and isinstance(name, str):
            pointer = (*step.pointer, key, index)
            yield Report(f"{step.label} depends on itself.", pointer, fix=remove(pointer, "Remove the entry"))


@rule(
    "J047",
    "error",
    "Cycle",
    on="document",
    example='A: "DependsOn": ["B"], B: "DependsOn": ["A"]',
    source="V: definition() does not see it; K: pipeline.py 1138",
)
def cycle(pipeline: Pipeline) -> Iterator[Report]:
    """Steps must not wait for each other in a circle, through DependsOn, references or branches."""
    names = tuple(pipeline.steps_by_name)
    edges: dict[str, dict[str, Pointer]] = {name: {} for name in names}
    for name, step in pipeline.steps_by_name.items():
        for need, pointer, how in needs(step):
            if need in edges and not (need == name and how == "DependsOn"):  # J046 says so
                edges[name].setdefault(need, pointer)
    found = find_cycle(names, {name: frozenset(edge) for name, edge in edges.items()})
    if len(found) == 1:
        yield Report(f'Step "{found[0]}" refers to itself.', edges[found[0]][found[0]])
    elif found:
        circle = " -> ".join((*found, found[0]))
        yield Report(f"Steps wait for each other in a circle: {circle}.", edges[found[0]][found[-1]])


@rule(
    "J048",
    "hint",
    "Redundant DependsOn",
    on="key:DependsOn",
    example='(DependsOn: ["Prep"] in a step that reads Steps.Prep...)',
    source="that a reference to a step's result waits for it",
    default=False,
)
def redundant_dependency(pipeline: Pipeline, step: StepView, value: JSON, key: str) -> Iterator[Report]:
    """A step that refers to another one's result waits for it anyway."""
    data = {need for need, _, how in needs(step) if how == "reference"}
    for index, name in enumerate(value if isinstance(value, list) else ()):
        if isinstance(name, str) and name in data:
            pointer = (*step.pointer, key, index)
            yield Report(
                f'{step.label} refers to a result of "{name}" and waits for it anyway.',
                pointer,
                fix=remove(pointer, "Remove the entry"),
                unnecessary=True,
            )


@rule(
    "J049",
    "warning",
    "Depends on a step of a branch",
    on="document",
    example='(a step after the condition with "DependsOn": ["StepInIfSteps"])',
    source="E 3565",
)
def depends_on_branch(pipeline: Pipeline) -> Iterator[Report]:
    """A step outside of a branch that waits for one inside never runs when the other branch is taken."""
    if not any(step.branch is not None for step in pipeline.steps):
        return
    for step in pipeline.steps:
        own = step.branches
        told: set[str] = set()
        for need, pointer, how in needs(step):
            other = pipeline.steps_by_name.get(need)
            if other is None or other.branch is None or how == "branch" or need in told:
                continue
            if other.branch[0].type != "Condition":
                continue
            inside = other.branches
            if own[: len(inside)] != inside:
                told.add(need)
                condition, taken = other.branch
                word = "IfSteps" if taken else "ElseSteps"
                yield Report(
                    f'"{need}" is in the {word} of {shown(condition.name)}: when that branch is not taken,'
                    f" {step.label[0].lower()}{step.label[1:]} never runs.",
                    pointer,
                )


@rule(
    "J050",
    "warning",
    "Many steps",
    on="document",
    example="(51 steps)",
    source="B: SelectedStepList; I",
)
def many_steps(pipeline: Pipeline) -> Iterator[Report]:
    """The default quota is 50 steps a pipeline."""
    if len(pipeline.steps) > MAX_STEPS:
        message = f"There are {len(pipeline.steps)} steps; the default quota is {MAX_STEPS}."
        yield Report(message, pipeline.steps[MAX_STEPS].pointer)


@rule(
    "J051",
    "hint",
    "Duplicate DependsOn",
    on="key:DependsOn",
    example='"DependsOn": ["A", "A"]',
    source="that it has no effect",
)
def duplicate_dependency(pipeline: Pipeline, step: StepView, value: JSON, key: str) -> Iterator[Report]:
    """An entry of `DependsOn` that stands twice has no effect."""
    seen: set[str] = set()
    for index, name in enumerate(value if isinstance(value, list) else ()):
        if not isinstance(name, str):
            continue
        if name in seen:
            pointer = (*step.pointer, key, index)
            yield Report(
                f"{shown(name)} stands twice in DependsOn.",
                pointer,
                fix=remove(pointer, "Remove the duplicate"),
                unnecessary=True,
            )
        seen.add(name)


def needs(step: StepView) -> Iterator[tuple[str, Pointer, str]]:
    """The steps that a step waits for: name, where it says so, and how (DependsOn, reference, branch)."""
    depends_on = step.raw.get("DependsOn")
    for index, name in enumerate(depends_on if isinstance(depends_on, list) else ()):
        if isinstance(name, str):
            yield name, (*step.pointer, "DependsOn", index), "DependsOn"
    for site in step.references:
        if site.reference is not None and site.reference.kind in ("step", "property-file"):
            yield site.reference.name, site.pointer, "reference"
    if step.branch is not None and step.branch[0].name is not None:
        yield step.branch[0].name, (*step.pointer, "Name"), "branch"
