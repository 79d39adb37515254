"""Rules on pipelines and their steps: names, lists, dependencies (P044 to P063, P148, P162, P163)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stepbridge_lsp.documents.building import COLLECTIONS
from stepbridge_lsp.model import Pipeline, Step
from stepbridge_lsp.positions import Span
from stepbridge_lsp.values import (
    Argument,
    Const,
    ParameterVariable,
    SdkObject,
    Unknown,
    Value,
    Variable,
    is_none,
    text_of,
)

from .context import Context, label, meant, suggest
from .findings import Fix, Report
from .registry import rule

_STEP_NAME = re.compile(r"[A-Za-z0-9\-_]+")
_STEP_LONGEST = 64
_PIPELINE_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,255}")
_EXPERIMENT_LONGEST = 82


@rule(
    "P044",
    "warning",
    "Step that no pipeline has",
    example='train = TrainingStep(name="Train", ...)  # and Pipeline(steps=[preprocess])',
    source="reading of the program",
    moment="never",
)
def forgotten_step(context: Context) -> Iterator[Report]:
    """The step is made, and stands neither in a pipeline's steps nor in a branch, and nothing refers to
    it.
    """
    if not context.model.sees_all or not context.pipelines:
        return
    if any(not pipeline.complete or pipeline.object is None for pipeline in context.pipelines):
        return
    if not any(pipeline.steps for pipeline in context.pipelines):
        return  # Pipeline(name=...) only describes one that exists
    included = {id(step) for pipeline in context.pipelines for step in pipeline.walk()}
    for step in context.model.steps:
        made = step.object
        if made is None or id(step) in included or step.mentions or step.variable is None:
            continue
        if made.call.repeated or made.cls.name == "FunctionStep":
            continue
        yield Report(f"{label(step)} is in no pipeline.", made.call.name_span, unnecessary=True)


@rule(
    "P045",
    "error",
    "Step in a branch and in the pipeline",
    example="Pipeline(steps=[check, register])  # check = ConditionStep(if_steps=[register], ...)",
    source="V: ValueError; the service rejects it",
    moment="build",
)
def in_branch_and_steps(context: Context) -> Iterator[Report]:
    """A step of a ConditionStep's branch is not listed in the pipeline's steps: the branch brings it in."""
    for pipeline in context.pipelines:
        nested: dict[int, Step] = {}
        for step in pipeline.walk():
            for inner in (*step.if_steps, *step.else_steps):
                nested.setdefault(id(inner), step)
        for step, span in zip(pipeline.steps, pipeline.step_spans, strict=True):
            owner = nested.get(id(step))
            if owner is not None and owner is not step:
                yield Report(
                    f'{label(step)} is in a branch of "{owner.name.shown}": do not list it here, too.',
                    span,
                    related=((owner.name.span, "the condition step"),),
                )


@rule(
    "P046",
    "error",
    "Two steps of one name",
    example='ProcessingStep(name="Train", ...), TrainingStep(name="Train", ...)',
    source="V: ValueError: Pipeline steps cannot have duplicate names",
    moment="build",
)
def duplicate_names(context: Context) -> Iterator[Report]:
    """Names of steps are unique in a pipeline, those in branches counted in."""
    for pipeline in context.pipelines:
        seen: dict[str, Step] = {}
        for step in pipeline.walk():
            name = step.name.text
            if name is None or step.conditional or (step.object and step.object.changed):
                continue
            first = seen.setdefault(name, step)
            if first is not step:
                yield Report(
                    f'Another step of the pipeline is called "{name}" too.',
                    step.name.span,
                    related=((first.name.span, "the first one"),),
                )


@rule(
    "P047",
    "error",
    "Name of a step",
    example='TrainingStep(name="train model", ...)',
    source="B StepName; V: the SDK emits any name; E 3417, 4765",
    moment="create",
)
def step_name(context: Context) -> Iterator[Report]:
    """Names of steps are letters, digits, `-` and `_`, at most 64; a ModelStep's suffix (`-RegisterModel`,
    `-CreateModel`) counts."""
    for step in context.model.steps:
        name = step.name.text
        if name is None:
            continue
        if not _STEP_NAME.fullmatch(name):
            better = re.sub(r"[^A-Za-z0-9\-_]+", "-", name).strip("-")
            fixes = context.rename(step.name.literal, better) if step.name.literal and better else ()
            message = f'"{name}" is no name for a step: only letters, digits, "-" and "_".'
            yield Report(message, step.name.span, fixes)
            continue
        longest = max((name, *step.service_names), key=len)
        if len(longest) > _STEP_LONGEST:
            what = "the name" if longest == name else f'the name "{longest}" that the service gets'
            yield Report(
                f"A step's name has at most {_STEP_LONGEST} characters; {what} has {len(longest)}.",
                step.name.span,
            )


@rule(
    "P048",
    "error",
    "Name of a pipeline",
    example='Pipeline(name="my_pipeline", ...)',
    source="B PipelineName; E 2933",
    moment="create",
)
def pipeline_name(context: Context) -> Iterator[Report]:
    """Names of pipelines are letters, digits and `-`, at most 256, and no `_`. With the default experiment
    configuration a name over 82 characters makes experiment names that the service refuses."""
    for pipeline in context.pipelines:
        name = pipeline.name.text
        if not name:
            continue
        if not _PIPELINE_NAME.fullmatch(name):
            better = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")
            literal = pipeline.name.literal
            fixes = context.rename(literal, better) if literal is not None and better else ()
            message = f'"{name}" is no name for a pipeline: only letters, digits and "-".'
            yield Report(message, pipeline.name.span, fixes)
        elif len(name) > _EXPERIMENT_LONGEST and _default_experiment(pipeline):
            yield Report(
                f"The default experiment takes the pipeline's name, at most {_EXPERIMENT_LONGEST} letters: "
                f"this one has {len(name)}.",
                pipeline.name.span,
                severity="warning",
            )


def _default_experiment(pipeline: Pipeline) -> bool:
    made = pipeline.object
    return made is not None and made.call.value("pipeline_experiment_config") is None


_LISTS = {
    "pipeline": ("steps", "parameters"),
    "step": ("depends_on", "if_steps", "else_steps", "conditions", "property_files", "retry_policies"),
}


@rule(
    "P049",
    "error",
    "List expected",
    example="ConditionStep(name='C', conditions=[test], if_steps=register, else_steps=[])",
    source="V: TypeError: object is not iterable; E 4416",
    moment="build",
)
def list_expected(context: Context) -> Iterator[Report]:
    """`steps`, `parameters`, `depends_on`, `if_steps`, `else_steps`, `conditions`, `property_files` and
    `retry_policies` take lists."""
    for kind, names in _LISTS.items():
        for made in context.objects(kind):
            for name in names:
                argument = made.call.bound.get(name)
                if argument is not None and _is_single(argument.value):
                    yield _single(context, name, argument)
    for call in context.calls("add_depends_on"):
        argument = call.argument("step_names")
        if argument is not None and _is_single(argument.value):
            yield _single(context, "add_depends_on", argument)


def _is_single(value: Value) -> bool:
    if isinstance(value, Const):
        return value.value is not None and value.value != ""
    return isinstance(value, SdkObject | ParameterVariable)


def _single(context: Context, name: str, argument: Argument) -> Report:
    text = context.text(argument.span)
    fixes = context.replace(argument.span, f"[{text}]", "Put it into a list") if text else ()
    return Report(f"{name} takes a list.", argument.span, fixes)


@rule(
    "P050",
    "hint",
    "Pipeline without session",
    example="Pipeline(name='p', steps=[train])  # train's estimator has a LocalPipelineSession",
    source="E 2651, 3588",
    moment="never",
)
def without_session(context: Context) -> Iterator[Report]:
    """Where the steps have a session of their own, the pipeline usually wants the same: without one it takes
    the default session, and a LocalPipelineSession of its steps does not make it local."""
    for pipeline in context.pipelines:
        made = pipeline.object
        if made is None or made.call.value("sagemaker_session") is not None or made.changed:
            continue
        for step in pipeline.walk():
            session = step.job.get("sagemaker_session") if step.job is not None else None
            if isinstance(session, SdkObject) and session.kind == "local-pipeline-session":
                yield Report(
                    "The steps have a LocalPipelineSession, the pipeline has none: it runs in the cloud.",
                    made.call.name_span,
                    severity="warning",
                    related=((session.call.span, "the steps' session"),),
                )
                break
            if isinstance(session, SdkObject) and session.call.bound:
                yield Report(
                    "The steps have a session of their own, and the pipeline takes the default one.",
                    made.call.name_span,
                    related=((session.call.span, "the steps' session"),),
                )
                break


# -- dependencies ----------------------------------------------------------------------------------


def _names_in(pipeline: Pipeline) -> set[str] | None:
    """The names of all steps; None where some are not known."""
    names: set[str] = set()
    for step in pipeline.walk():
        names.update(step.service_names)
        if step.name.text is None:
            return None
        names.add(step.name.text)
    return names


def _named_dependencies(context: Context) -> Iterator[tuple[Pipeline, Step, str, Span, set[str]]]:
    """Dependencies by a name that no step of the pipeline has."""
    for pipeline in context.pipelines:
        names = _names_in(pipeline) if pipeline.complete and context.model.sees_all else None
        if names is None:
            continue
        for step in pipeline.walk():
            for dependency in step.dependencies:
                if dependency.name is not None and dependency.name not in names:
                    yield pipeline, step, dependency.name, dependency.span, names


@rule(
    "P060",
    "error",
    "Dependency",
    example='TrainingStep(name="Train", depends_on=["Preproces"], ...)',
    source='V: "Step Preproces is undefined."; cycles and self-dependency pass definition() in silence',
    moment="create",
)
def dependency(context: Context) -> Iterator[Report]:
    """`depends_on` names steps of the pipeline, not the step itself, and leads into no circle."""
    variables = {step.variable for step in context.model.steps}
    for _, _, name, span, names in _named_dependencies(context):
        if name in variables:
            continue  # P061
        close = suggest(name, names)
        fixes = _rename_string(context, span, name, close)
        yield Report(f'There is no step "{name}" in the pipeline.{meant(close)}', span, fixes, close)
    for pipeline in context.pipelines:
        yield from _cycles(pipeline)


def _rename_string(context: Context, span: Span, name: str, close: tuple[str, ...]) -> tuple[Fix, ...]:
    text = context.text(span)
    if not close or text[1:-1] != name:
        return ()
    return context.rename(Span(span.document, span.start + 1, span.end - 1), close[0])


def _cycles(pipeline: Pipeline) -> Iterator[Report]:
    by_name = {step.name.text: step for step in pipeline.walk() if step.name.text is not None}
    edges: dict[int, list[tuple[Step, Span]]] = {}
    for step in pipeline.walk():
        targets: list[tuple[Step, Span]] = []
        for found in step.dependencies:
            target = found.step or by_name.get(found.name or "")
            if target is not None:
                targets.append((target, found.span))
        targets += [(target, step.name.span) for target in step.data_dependencies]
        for inner in (*step.if_steps, *step.else_steps):
            edges.setdefault(id(inner), []).append((step, inner.name.span))
        edges.setdefault(id(step), []).extend(targets)
    reported: set[frozenset[int]] = set()
    for step in _entangled(pipeline, edges):
        circle = _circle(step, edges)
        key = frozenset(id(member) for member, _ in circle)
        if not circle or key in reported:
            continue
        reported.add(key)
        if len(circle) == 1:
            yield Report(f"{label(step)} depends on itself.", circle[0][1])
        else:
            path = " → ".join(f'"{member.name.shown}"' for member, _ in [*circle, circle[0]])
            yield Report(f"These steps wait for each other: {path}.", circle[0][1])


def _entangled(pipeline: Pipeline, edges: dict[int, list[tuple[Step, Span]]]) -> list[Step]:
    """The steps that remain when those which wait for none of the others are taken away, again and again."""
    left = list(pipeline.walk())
    while True:
        waiting = {id(step) for step in left}
        kept = [step for step in left if any(id(target) in waiting for target, _ in edges.get(id(step), ()))]
        if len(kept) == len(left):
            return kept
        left = kept


def _circle(start: Step, edges: dict[int, list[tuple[Step, Span]]]) -> list[tuple[Step, Span]]:
    """The shortest way from a step back to itself: each step with the place of the edge that leaves it."""
    queue: list[tuple[Step, list[tuple[Step, Span]]]] = [(start, [])]
    seen: set[int] = set()
    for step, path in queue:  # grows while it is read
        for target, span in edges.get(id(step), ()):
            if target is start:
                return [*path, (step, span)]
            if id(target) not in seen:
                seen.add(id(target))
                queue.append((target, [*path, (step, span)]))
    return []


@rule(
    "P061",
    "error",
    "Dependency by the variable's name",
    example='TrainingStep(depends_on=["prep"], ...)  # prep = ProcessingStep(name="Prep", ...)',
    source='V: "Step step_prep is undefined."',
    moment="build",
)
def dependency_by_variable(context: Context) -> Iterator[Report]:
    """A string in `depends_on` is the NAME of a step, not of the Python variable that holds it."""
    by_variable = {step.variable: step for step in context.model.steps if step.variable}
    for _, _, name, span, _ in _named_dependencies(context):
        step = by_variable.get(name)
        if step is not None and step.name.text is not None:
            fixes = _rename_string(context, span, name, (step.name.text,))
            yield Report(
                f'"{name}" is the Python variable; the step is called "{step.name.text}".',
                span,
                fixes,
                (step.name.text,),
            )


@rule(
    "P062",
    "error",
    "ModelStep.add_depends_on",
    example="model_step.add_depends_on([evaluate])",
    source="E 5440: AttributeError",
    moment="build",
)
def model_step_dependency(context: Context) -> Iterator[Report]:
    """Step collections of SDK v2 (ModelStep, RegisterModel) have no `add_depends_on`: pass `depends_on` when
    making them."""
    for missing in context.model.missing_attributes:
        if missing.name == "add_depends_on" and missing.object.cls.isa("StepCollection"):
            message = (
                f"{missing.object.cls.name} has no add_depends_on: pass depends_on=[...] when making it."
            )
            yield Report(message, missing.span)


@rule(
    "P063",
    "warning",
    "Dependency on a ConditionStep",
    example="ProcessingStep(name='After', depends_on=[condition_step], ...)",
    source="E 3565",
    moment="create",
)
def rejoining(context: Context) -> Iterator[Report]:
    """A step that depends on a ConditionStep waits for its decision, not for the steps of its branches."""
    for step in context.model.steps:
        for found in step.dependencies:
            target = found.step
            if target is None or target.type != "Condition" or step.branch is not None:
                continue
            if target.if_steps or target.else_steps:
                yield Report(
                    f'{label(step)} waits for the decision of "{target.name.shown}" only, not for the steps '
                    "of its branches.",
                    found.span,
                )


# -- calls of the pipeline -------------------------------------------------------------------------


@rule(
    "P148",
    "error",
    "Parallelism",
    example="pipeline.start(parallelism_config={'MaxParallelExecutionSteps': 0})",
    source="B ParallelismConfiguration: min 1",
    moment="create",
)
def parallelism(context: Context) -> Iterator[Report]:
    """`MaxParallelExecutionSteps` is at least 1."""
    from stepbridge_lsp.values import DictValue

    candidates: list[Argument] = []
    for made in context.objects("parallelism"):
        candidates += [a for a in [made.call.argument("max_parallel_execution_steps")] if a]
    for call in context.calls("start", "create", "update", "upsert"):
        given = call.argument("parallelism_config")
        if given is not None and isinstance(given.value, DictValue):
            entry = given.value.get("MaxParallelExecutionSteps")
            candidates += [Argument(None, entry.value, entry.span)] if entry else []
    for argument in candidates:
        value = argument.value.value if isinstance(argument.value, Const) else None
        if type(value) is int and value < 1:
            yield Report("MaxParallelExecutionSteps is at least 1.", argument.span)


@rule(
    "P162",
    "warning",
    "No role",
    example="pipeline.upsert()",
    source="K pipeline.py: ValueError, unless the SDK's configuration has a role",
    moment="create",
)
def without_role(context: Context) -> Iterator[Report]:
    """`create`, `update` and `upsert` need `role_arn`, unless the SDK's configuration file gives one."""
    for call in context.calls("upsert", "create", "update"):
        if call.receiver is None or call.receiver.kind != "pipeline" or "role_arn" not in call.target.by_name:
            continue
        role = call.value("role_arn")
        if role is None or is_none(role):
            yield Report(f"{call.target.name.rpartition('.')[2]} needs role_arn.", call.name_span)


@rule(
    "P163",
    "hint",
    "Start before upsert",
    example="pipeline.start()\npipeline.upsert(role_arn=role)",
    source="reading of the program",
    moment="start",
)
def start_before_upsert(context: Context) -> Iterator[Report]:
    """What is started is the definition that the service has: the changes of this program reach it by a later
    `upsert` only."""
    for pipeline in context.pipelines:
        made = [c.order for c in pipeline.calls if c.target.name.endswith((".upsert", ".create", ".update"))]
        for call in pipeline.calls:
            early = bool(made) and call.order < min(made)
            if call.target.name.endswith(".start") and early and not (call.conditional or call.generic):
                message = "The pipeline is started before this program creates or updates it."
                yield Report(message, call.name_span)


__all__ = ["COLLECTIONS", "Unknown", "Variable", "text_of"]
