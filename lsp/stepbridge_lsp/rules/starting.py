"""Rules on starting a pipeline: parameters, selected steps, schedules (P140 to P147)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stepbridge_lsp.model import Parameter, Pipeline, items_of
from stepbridge_lsp.positions import Span
from stepbridge_lsp.values import (
    Argument,
    Call,
    Const,
    DictValue,
    Entry,
    ListValue,
    SdkObject,
    is_none,
    text_of,
)

from .context import Context, meant, suggest
from .findings import Report
from .registry import rule

_LONGEST = 1024
_MOST = 200


def _starts(context: Context) -> Iterator[tuple[Pipeline, Call]]:
    for pipeline in context.pipelines:
        for call in pipeline.calls:
            if call.target.name.endswith(".start"):
                yield pipeline, call


def _given(call: Call) -> DictValue | None:
    value = call.value("parameters")
    return value if isinstance(value, DictValue) else None


def _declares(pipeline: Pipeline) -> bool:
    """Whether all of the pipeline's parameters are seen. One made without steps only describes an existing
    one.
    """
    if pipeline.open_parameters or not pipeline.steps or pipeline.object is None or pipeline.object.call.open:
        return False
    return all(parameter.name.text is not None for parameter in pipeline.parameters)


def _values(context: Context) -> Iterator[tuple[Parameter, Entry]]:
    """Values given at a start with the parameter they are for."""
    for pipeline, call in _starts(context):
        by_name = {parameter.name.text: parameter for parameter in pipeline.parameters}
        for entry in (_given(call) or DictValue([], call.span)).entries:
            parameter = by_name.get(entry.name) if entry.name is not None else None
            if parameter is not None:
                yield parameter, entry


@rule(
    "P140",
    "error",
    "Unknown parameter at the start",
    example='pipeline.start(parameters={"InstnceType": "ml.m5.large"})',
    source="V: the service refuses it; LocalPipelineSession: Unknown parameter",
    moment="start",
)
def unknown_parameter(context: Context) -> Iterator[Report]:
    """`start` gives values to parameters of the pipeline."""
    for pipeline, call in _starts(context):
        given = _given(call)
        if given is None or not _declares(pipeline):
            continue
        names = [parameter.name.text for parameter in pipeline.parameters if parameter.name.text]
        for entry in given.entries:
            if entry.name is None or entry.name in names:
                continue
            close = suggest(entry.name, names)
            literal = context.literal(entry.key)
            fixes = context.rename(literal, close[0]) if close and literal is not None else ()
            message = f'The pipeline has no parameter "{entry.name}".{meant(close)}'
            yield Report(message, entry.key_span, fixes, close)


_PARSES = {
    "Integer": re.compile(r"\s*[-+]?\d+\s*"),
    "Float": re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*"),
    "Boolean": re.compile(r"\s*(true|false)\s*", re.IGNORECASE),
}


@rule(
    "P141",
    "error",
    "Value of the wrong type at the start",
    example='pipeline.start(parameters={"Rounds": "two"})',
    source='V: str() is applied to each value; None becomes "None"',
    moment="start",
)
def value_type(context: Context) -> Iterator[Report]:
    """A value given at the start can be read as the parameter's type; None becomes the text "None"."""
    for parameter, entry in _values(context):
        value = entry.value
        if not isinstance(value, Const):
            continue
        if is_none(value):
            yield Report('None becomes the text "None": leave the parameter out.', entry.span)
            continue
        pattern = _PARSES.get(parameter.type or "")
        if pattern is not None and not pattern.fullmatch(str(value.value)) and value.value != "":
            message = f'"{value.value!s}" is no value for "{parameter.name.shown}", of type {parameter.type}.'
            yield Report(message, entry.span)


@rule(
    "P142",
    "error",
    "Value outside of the enumeration",
    example='pipeline.start(parameters={"Mode": "medium"})  # enum_values=["fast", "slow"]',
    source="B: refused by the service",
    moment="start",
)
def value_in_enum(context: Context) -> Iterator[Report]:
    """A value given at the start is one of the parameter's `enum_values`."""
    for parameter, entry in _values(context):
        text = text_of(entry.value)
        if text is None or not isinstance(parameter.enum, ListValue) or parameter.enum.open or not text:
            continue
        known = [text_of(element.value) for element in parameter.enum]
        values = [value for value in known if value is not None]
        if len(values) != len(known) or not values or text in values:
            continue
        close = suggest(text, values)
        literal = context.literal(entry.value)
        fixes = context.rename(literal, close[0]) if close and literal is not None else ()
        words = ", ".join(values[:6])
        yield Report(f'"{text}" is none of {words}.{meant(close)}', entry.span, fixes, close)


@rule(
    "P143",
    "error",
    "Missing parameter at the start",
    example="pipeline.start()  # with ParameterString(name='Bucket'), which has no default",
    source="K; the service refuses it",
    moment="start",
)
def required_parameter(context: Context) -> Iterator[Report]:
    """Parameters without default are given when the pipeline starts."""
    for pipeline, call in _starts(context):
        if not _declares(pipeline) or call.open:
            continue
        given = _given(call)
        argument = call.argument("parameters")
        if argument is not None and (given is None or given.open) and not is_none(argument.value):
            continue
        names = {entry.name for entry in given.entries} if given is not None else set()
        if None in names:
            continue
        missing = [
            parameter.name.text
            for parameter in pipeline.parameters
            if parameter.required and parameter.name.text not in names
        ]
        if missing and not _default_unknown(pipeline):
            words = ", ".join(f'"{name}"' for name in missing)
            yield Report(f"Parameters without default must be given: {words}.", call.name_span)


def _default_unknown(pipeline: Pipeline) -> bool:
    return any(p.object is not None and (p.object.call.open or p.object.changed) for p in pipeline.parameters)


@rule(
    "P144",
    "error",
    "Empty value at the start",
    example='pipeline.start(parameters={"Prefix": ""})',
    source='E 4016: string "" is too short (length: 0, required minimum: 1)',
    moment="start",
)
def empty_value(context: Context) -> Iterator[Report]:
    """The service refuses empty texts as values."""
    for _, call in _starts(context):
        for entry in (_given(call) or DictValue([], call.span)).entries:
            if text_of(entry.value) == "":
                yield Report("The service refuses an empty text.", entry.span)


@rule(
    "P145",
    "error",
    "Too long or too many values at the start",
    example='pipeline.start(parameters={"Text": "..."})  # over 1024 characters',
    source="B: String1024, ParameterList max 200",
    moment="start",
)
def long_value(context: Context) -> Iterator[Report]:
    """A value has at most 1024 characters, and there are at most 200 of them."""
    for _, call in _starts(context):
        given = _given(call)
        if given is None:
            continue
        for entry in given.entries:
            text = text_of(entry.value)
            if text is not None and len(text) > _LONGEST:
                yield Report(
                    f"A value has at most {_LONGEST} characters; this one has {len(text)}.", entry.span
                )
        if len(given.entries) > _MOST and not given.open:
            yield Report(f"At most {_MOST} values can be given.", given.span)


@rule(
    "P146",
    "error",
    "Selected steps",
    example='SelectiveExecutionConfig(selected_steps=["Register"])  # a ModelStep: "Register-RegisterModel"',
    source="E 4765, 4444",
    moment="start",
)
def selected_steps(context: Context) -> Iterator[Report]:
    """A selective execution names steps as the service calls them: of a ModelStep with its suffix."""
    for pipeline, call in _starts(context):
        config = call.value("selective_execution_config")
        if not isinstance(config, SdkObject) or not pipeline.complete or not pipeline.steps:
            continue
        if not context.model.sees_all or any(step.name.text is None for step in pipeline.walk()):
            continue
        listed = config.call.argument("selected_steps")
        items, _ = items_of(listed.value if listed is not None else None)
        for value, span in items:
            name = text_of(value)
            if name is not None and (report := _selected(context, pipeline, name, value, span)) is not None:
                yield report


def _selected(context: Context, pipeline: Pipeline, name: str, value: object, span: Span) -> Report | None:
    names: set[str] = set()
    for step in pipeline.walk():
        if not step.service_names:
            if name.startswith(step.name.text or "\0"):
                return None  # a collection whose parts we do not know
            continue
        names.update(step.service_names)
        if name.startswith(f"{step.name.text}-RepackModel"):
            return None
    if name in names:
        return None
    longer = tuple(known for known in sorted(names) if known.startswith(f"{name}-"))
    close = longer or suggest(name, names)
    literal = context.literal(value) if isinstance(value, Const) else None
    fixes = context.rename(literal, close[0]) if close and literal is not None else ()
    return Report(f'The pipeline has no step "{name}".{meant(close)}', span, fixes, close)


@rule(
    "P147",
    "error",
    "Schedule",
    example='PipelineSchedule(rate=(1, "day"), cron="0 3 * * ? *")',
    source="K triggers.py: TypeError; parameters need defaults",
    moment="build",
)
def schedule(context: Context) -> Iterator[Report]:
    """A schedule has exactly one of `at`, `rate` and `cron`, and a pipeline with a schedule has a default
    for each parameter."""
    for made in context.objects("schedule"):
        call = made.call
        given = [name for name in ("at", "rate", "cron") if not _absent(call, name)]
        if call.open or made.changed:
            continue
        if len(given) > 1:
            second = call.argument(given[1])
            where = second.span if second is not None else call.name_span
            yield Report(f"Only one of {' and '.join(given)} can be given.", where)
        elif not given:
            yield Report("A schedule needs one of at, rate and cron.", call.name_span)
    for pipeline in context.pipelines:
        for call in pipeline.calls:
            if call.target.name.endswith(".put_triggers") and _declares(pipeline):
                missing = [p.name.shown for p in pipeline.parameters if p.required]
                if missing and not _default_unknown(pipeline):
                    words = ", ".join(f'"{name}"' for name in missing)
                    yield Report(f"A schedule needs defaults for all parameters: {words}.", call.name_span)


def _absent(call: Call, name: str) -> bool:
    argument = call.argument(name)
    return argument is None or is_none(argument.value)


__all__ = ["Argument", "unknown_parameter"]
