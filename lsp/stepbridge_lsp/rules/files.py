"""Rules on property files and JsonGet (P080 to P083)."""

from __future__ import annotations

from collections.abc import Iterator

from stepbridge_lsp.model import PropertyFile, Step
from stepbridge_lsp.positions import Span
from stepbridge_lsp.values import (
    Argument,
    Const,
    ListValue,
    SdkObject,
    Variable,
    is_none,
    text_of,
)

from .context import Context, label, meant, suggest
from .findings import Fix, Report, TextEdit
from .registry import rule
from .variables import described


def _step_named(context: Context, name: str) -> Step | None:
    found = context.steps_by_name.get(name, ())
    return found[0] if len(found) == 1 else None


@rule(
    "P080",
    "error",
    "JsonGet",
    example='JsonGet(step=evaluate, property_file=report, json_path="accuracy")',
    source="K functions.py; V: definition() does not see an undeclared property file",
    moment="create",
)
def json_get(context: Context) -> Iterator[Report]:
    """JsonGet takes the NAME of a step in `step_name`, and a property file which that step declares in
    `property_files`."""
    for made in context.made("JsonGet"):
        if not context.own(made.call.span):
            continue
        if made.cls.dotted.endswith("condition_step.JsonGet"):
            step_argument = made.call.argument("step")
        else:
            problem = _wrong_step(context, made)
            if problem is not None:
                yield problem
                continue
            step_argument = made.call.argument("step_name")
        yield from _wrong_file(context, made, step_argument)


def _wrong_step(context: Context, made: SdkObject) -> Report | None:
    call = made.call
    if call.open or call.argument("s3_uri") is not None:
        return None
    named = call.argument("step_name")
    if named is None:
        legacy = call.argument("step")
        if legacy is None or not isinstance(legacy.value, SdkObject):
            return Report("JsonGet needs step_name.", call.name_span)
        span = Span(legacy.span.document, (legacy.name_span or legacy.span).start, legacy.span.end)
        text = f"step_name={context.text(legacy.span)}.name"
        fixes = context.replace(span, text, "Replace by step_name")
        return Report("JsonGet takes the name of a step in step_name, not the step.", span, fixes)
    if isinstance(named.value, SdkObject):
        fixes = context.replace(named.span, f"{context.text(named.span)}.name", "Add .name")
        return Report("step_name is the name of a step, a string.", named.span, fixes)
    if isinstance(named.value, Variable):
        return Report(f"step_name is a string, not {described(named.value)}.", named.span)
    name = text_of(named.value)
    if name is not None and context.all_steps_known and name not in context.steps_by_name:
        names = list(context.steps_by_name)
        close = suggest(name, names)
        literal = context.literal(named.value)
        fixes = context.rename(literal, close[0]) if close and literal else ()
        return Report(f'There is no step "{name}" in the pipeline.{meant(close)}', named.span, fixes, close)
    return None


def _wrong_file(context: Context, made: SdkObject, step_argument: Argument | None) -> Iterator[Report]:
    file = made.call.argument("property_file")
    if file is None or step_argument is None:
        return
    value = step_argument.value
    name = text_of(value)
    step = context.model.step_of(value) if isinstance(value, SdkObject) else _step_named(context, name or "")
    if step is None or step.open_property_files or (step.object and step.object.call.open):
        return
    if step.type != "Processing":
        if step.type is not None:
            message = f"{label(step)} is no processing step: only those have property files."
            yield Report(message, step_argument.span)
        return
    declared = {id(found.object) for found in step.property_files}
    names = [found.name.text for found in step.property_files]
    wanted = text_of(file.value)
    if isinstance(file.value, SdkObject) and file.value.kind == "property-file":
        wanted = text_of(file.value.call.value("name"))
        if id(file.value) in declared or wanted is None:
            return
    if wanted is None or wanted in names or None in names:
        return
    close = suggest(wanted, [known for known in names if known])
    yield Report(
        f'{label(step)} does not declare the property file "{wanted}" in property_files.{meant(close)}',
        file.span,
        _declare(context, step, file),
        close,
        related=((step.name.span, "the step"),),
    )


def _declare(context: Context, step: Step, file: Argument) -> tuple[Fix, ...]:
    if not isinstance(file.value, SdkObject) or step.object is None or not context.own(step.span):
        return ()
    name = file.value.variable
    if name is None or context.text(file.span) != name:
        return ()
    title = f"Add {name} to the step's property_files"
    given = step.object.call.argument("property_files")
    if given is not None:
        edit = context.append_to(given.value, given.span, name)
        return (Fix(title, (edit,), False),) if edit is not None else ()
    at = step.object.call.arguments_span.end - 1
    inside = context.text(step.object.call.arguments_span)[1:-1].rstrip()
    comma = "" if inside.endswith(",") or not inside else ", "
    place = Span(step.span.document, at, at)
    return (Fix(title, (TextEdit(place, f"{comma}property_files=[{name}]"),), False),)


@rule(
    "P081",
    "error",
    "Path of a JsonGet",
    example='JsonGet(step_name="E", property_file=report, json_path=Join(on=".", values=["a", metric]))',
    source="E 4418, 3463",
    moment="build",
)
def json_path(context: Context) -> Iterator[Report]:
    """`json_path` is a plain string: the service does not put it together."""
    for made in context.made("JsonGet"):
        argument = made.call.argument("json_path")
        if argument is None:
            continue
        value = argument.value
        if isinstance(value, Variable):
            yield Report(f"json_path is a plain string, not {described(value)}.", argument.span)
        elif isinstance(value, Const) and not is_none(value) and not isinstance(value.value, str):
            yield Report("json_path is a string.", argument.span)


@rule(
    "P082",
    "warning",
    "Property file that no step declares",
    example='report = PropertyFile(name="Report", output_name="evaluation", path="evaluation.json")',
    source="E 3642",
    moment="create",
)
def unlisted_file(context: Context) -> Iterator[Report]:
    """A property file counts only where a processing step lists it in `property_files`."""
    if not context.model.sees_all:
        return
    if any(
        step.open_property_files or (step.object and step.object.call.open) for step in context.model.steps
    ):
        return
    if not any(step.type == "Processing" for step in context.model.steps):
        return
    for file in context.model.property_files:
        if not file.steps and not _handed_on(context, file):
            message = f'No step lists the property file "{file.name.shown}" in property_files.'
            yield Report(message, file.span)


def _handed_on(context: Context, file: PropertyFile) -> bool:
    """Whether the program does with it what we do not follow: everything but giving it to a JsonGet."""
    made = file.object
    if made is None or made.changed or made.call.repeated or made.variable is None:
        return True
    known = {
        found.call.argument("property_file").span  # type: ignore[union-attr]
        for found in context.made("JsonGet")
        if found.call.argument("property_file") is not None
    }
    return any(span not in known for span in file.mentions)


@rule(
    "P083",
    "error",
    "Output of a property file",
    example='PropertyFile(name="Report", output_name="evalution", path="evaluation.json")',
    source="K steps.py: Processing output name not found in processing step",
    moment="create",
)
def file_output(context: Context) -> Iterator[Report]:
    """`output_name` of a property file is an output of the step that declares it."""
    for file in context.model.property_files:
        output = file.output_name
        if output is None or output.text is None:
            continue
        for step in file.steps:
            names = [found.name.text for found in step.outputs if found.name is not None]
            if step.open_outputs or None in names or output.text in names:
                continue
            close = suggest(output.text, [name for name in names if name])
            fixes = context.rename(output.literal, close[0]) if close and output.literal else ()
            yield Report(
                f'{label(step)} has no output "{output.text}".{meant(close)}', output.span, fixes, close
            )


__all__ = ["ListValue", "json_get"]
