"""Rules on pipeline parameters: how they are made (P020 to P029), listed and used (P040 to P043)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stepbridge_lsp.model import Parameter, Pipeline
from stepbridge_lsp.positions import Span
from stepbridge_lsp.values import (
    Call,
    Const,
    ListValue,
    ParameterVariable,
    SdkObject,
    Value,
    Variable,
    is_none,
    text_of,
)

from .context import Context, meant, suggest
from .findings import Fix, Report, TextEdit
from .registry import rule
from .variables import described

_PYTHON_TYPES: dict[str, tuple[type, str]] = {
    "String": (str, "a string"),
    "Integer": (int, "an integer"),
    "Float": (float, "a float"),
    "Boolean": (bool, "True or False"),
}
_NAME = re.compile(r"[A-Za-z0-9\-_]+")
_LONGEST_NAME = 256


def _defaults(context: Context) -> Iterator[tuple[Parameter, Const, Span]]:
    """Parameters whose default is a known constant."""
    for parameter in context.model.parameters:
        if isinstance(parameter.default, Const) and parameter.default_span and parameter.type:
            yield parameter, parameter.default, parameter.default_span


@rule(
    "P020",
    "error",
    "Default of the wrong type",
    example='ParameterInteger(name="Rounds", default_value="3")',
    source="V: TypeError: The default value specified does not match the Parameter Python type.",
    moment="build",
)
def default_type(context: Context) -> Iterator[Report]:
    """The default of a parameter is of the parameter's own type."""
    for parameter, default, span in _defaults(context):
        assert parameter.type is not None
        expected, words = _PYTHON_TYPES[parameter.type]
        value = default.value
        if not value or isinstance(value, expected) or _is_float_from_int(parameter, value):
            continue
        yield Report(
            f"The default of a Parameter{parameter.type} must be {words}.",
            span,
            _converted(context, parameter, default, span),
        )


def _is_float_from_int(parameter: Parameter, value: object) -> bool:
    return parameter.type == "Float" and type(value) is int  # P021


def _converted(context: Context, parameter: Parameter, default: Const, span: Span) -> tuple[Fix, ...]:
    value = default.value
    if parameter.type == "String" and isinstance(value, int | float):
        return context.replace(span, f'"{context.text(span)}"', "Make it a string")
    if parameter.type == "Boolean" and value in (1, "true", "True"):
        return context.replace(span, "True", "Replace by True")
    if parameter.type == "Boolean" and value in ("false", "False"):
        return context.replace(span, "False", "Replace by False")
    if isinstance(value, str) and parameter.type in ("Integer", "Float"):
        number = value.strip()
        pattern = r"-?\d+" if parameter.type == "Integer" else r"-?\d+\.\d+"
        if re.fullmatch(pattern, number):
            return context.replace(span, number, f"Replace by {number}")
    return ()


@rule(
    "P021",
    "error",
    "Integer default of a ParameterFloat",
    example='ParameterFloat(name="Threshold", default_value=1)',
    source="V: TypeError (0 passes)",
    moment="build",
)
def float_default(context: Context) -> Iterator[Report]:
    """A ParameterFloat takes a float: 1.0, not 1."""
    for parameter, default, span in _defaults(context):
        if _is_float_from_int(parameter, default.value) and default.value:
            text = f"{default.value!r}.0"
            fixes = context.replace(span, text, f"Replace by {text}")
            yield Report("The default of a ParameterFloat must be a float.", span, fixes)


@rule(
    "P022",
    "warning",
    "Empty default of the wrong type",
    example='ParameterInteger(name="Rounds", default_value="")',
    source='V: ParameterInteger(default_value="") is accepted and reaches the definition',
    moment="create",
)
def falsy_default(context: Context) -> Iterator[Report]:
    """The SDK checks the type of a default only where it is not empty; the service refuses it later."""
    for parameter, default, span in _defaults(context):
        assert parameter.type is not None
        expected, words = _PYTHON_TYPES[parameter.type]
        value = default.value
        accepted = (int, float) if parameter.type == "Float" else expected
        if value or isinstance(value, accepted):
            continue
        yield Report(f"The default of a Parameter{parameter.type} should be {words}.", span)


@rule(
    "P023",
    "warning",
    "Boolean default of a ParameterInteger",
    example='ParameterInteger(name="Rounds", default_value=True)',
    source="V: accepted",
    moment="create",
)
def boolean_default(context: Context) -> Iterator[Report]:
    """True is an integer for Python, and a boolean in the definition, where the service wants an integer."""
    for parameter, default, span in _defaults(context):
        if parameter.type == "Integer" and isinstance(default.value, bool):
            number = "1" if default.value else "0"
            yield Report(
                "The default of a ParameterInteger should be an integer.",
                span,
                context.replace(span, number, f"Replace by {number}", safe=False),
            )


@rule(
    "P024",
    "error",
    "Enumeration of a parameter",
    example='ParameterString(name="Mode", default_value="full", enum_values=["fast", "slow"])',
    source="V: accepted by the SDK, refused by the service",
    moment="create",
)
def enumeration(context: Context) -> Iterator[Report]:
    """`enum_values` is a list of strings, and the default is one of them."""
    for parameter in context.model.parameters:
        enum = parameter.enum
        if enum is None or is_none(enum) or parameter.enum_span is None:
            continue
        if isinstance(enum, Const):
            yield Report("enum_values must be a list of strings.", parameter.enum_span)
            continue
        if not isinstance(enum, ListValue):
            continue
        for element in enum:
            if isinstance(element.value, Const) and not isinstance(element.value.value, str):
                yield Report("enum_values must be a list of strings.", element.span)
        yield from _default_in_enum(context, parameter, enum)


def _default_in_enum(context: Context, parameter: Parameter, enum: ListValue) -> Iterator[Report]:
    default = text_of(parameter.default)
    values = [text_of(element.value) for element in enum]
    if default is None or enum.open or None in values or parameter.default_span is None:
        return
    known = [value for value in values if value is not None]
    if default not in known and parameter.default is not None:
        close = suggest(default, known)
        literal = context.literal(parameter.default)
        fixes = context.rename(literal, close[0]) if close and literal else ()
        message = f'The default "{default}" is not among enum_values.{meant(close)}'
        yield Report(message, parameter.default_span, fixes, close)


@rule(
    "P025",
    "error",
    "Unknown keyword",
    example='ParameterString(name="Mode", default="fast")',
    source="V: TypeError: unexpected keyword argument",
    moment="build",
)
def unknown_keyword(context: Context) -> Iterator[Report]:
    """The class or method of the SDK has no such argument. Where it takes any keyword, only near misses are
    reported, as warnings."""
    for call in context.model.calls:
        for argument in call.surplus:
            if argument.name is None or argument.name_span is None or argument.name in call.bound:
                continue
            if _is_estimator_in_v3_step(call, argument.name):
                continue  # P161
            yield from _unknown_keyword(context, call, argument.name, argument.name_span, argument.unpacked)
    for call in context.model.calls:
        for argument in call.surplus:
            if argument.name is not None and argument.name in call.bound and not argument.unpacked:
                where = argument.name_span or argument.span
                yield Report(f'{call.target.name} gets "{argument.name}" twice.', where)


_SYNONYMS = {
    "default": "default_value",
    "enum": "enum_values",
    "expire_after_min": "expire_after_mins",
    "max_attempt": "max_attempts",
}


def _unknown_keyword(context: Context, call: Call, name: str, span: Span, unpacked: bool) -> Iterator[Report]:
    candidates = [formal for formal in call.target.by_name if formal not in call.bound]
    close = suggest(name, candidates)
    if not close and _SYNONYMS.get(name) in candidates:
        close = (_SYNONYMS[name],)
    if call.target.open and (not close or not _one_slip(name, close[0])):
        return
    certain = not call.target.open and (call.target.major == "v2" or bool(close))
    fixes = () if unpacked or not close else context.rename(span, close[0], safe=certain)
    yield Report(
        f'{call.target.name} has no argument "{name}".{meant(close)}',
        span,
        fixes,
        close,
        severity=None if certain else "warning",
    )


def _one_slip(word: str, other: str) -> bool:
    """Whether two words differ by one typing error: a letter more, less, other, or two exchanged."""
    if abs(len(word) - len(other)) > 1 or word == other:
        return False
    at = next(
        (i for i, (a, b) in enumerate(zip(word, other, strict=False)) if a != b), min(len(word), len(other))
    )
    rest = word[at:], other[at:]
    return (
        rest[0][1:] == rest[1][1:]
        or rest[0][1:] == rest[1]
        or rest[0] == rest[1][1:]
        or (rest[0][:2] == rest[1][:2][::-1] and rest[0][2:] == rest[1][2:])
    )


def _is_estimator_in_v3_step(call: Call, name: str) -> bool:
    return call.target.major == "v3" and call.target.name.endswith("Step") and name in _OLD_JOBS


_OLD_JOBS = frozenset({"estimator", "processor", "transformer", "tuner", "model"})


@rule(
    "P026",
    "error",
    "Too many positional arguments",
    example='ParameterBoolean("UseGpu", True)',
    source="V: TypeError: got multiple values for argument 'parameter_type'",
    moment="build",
)
def positional(context: Context) -> Iterator[Report]:
    """ParameterBoolean takes only its name by position, because it is made of Parameter, whose second
    argument is the type; and no call takes more arguments by position than it has."""
    for call in context.model.calls:
        extra = [argument for argument in call.surplus if argument.name is None]
        if not extra or call.target.takes_many:
            continue
        span = extra[0].span
        if call.target.name == "ParameterBoolean":
            text = context.text(span)
            fixes = context.replace(span, f"default_value={text}", "Write default_value=") if text else ()
            yield Report("ParameterBoolean takes default_value by keyword only.", span, fixes)
        else:
            count = len(call.target.positional)
            yield Report(f"{call.target.name} takes at most {count} arguments by position.", span)


@rule(
    "P027",
    "error",
    "Pipeline variable as default",
    example='ParameterString(name="Output", default_value=Join(on="/", values=[bucket, "out"]))',
    source="V: TypeError; E 3123",
    moment="build",
)
def variable_default(context: Context) -> Iterator[Report]:
    """A default is a plain value: it is written into the definition before anything executes."""
    for parameter in context.model.parameters:
        if isinstance(parameter.default, Variable) and parameter.default_span is not None:
            what = described(parameter.default)
            yield Report(f"A default must be a plain value, and this is {what}.", parameter.default_span)


@rule(
    "P028",
    "error",
    "Name of a parameter",
    example='ParameterString(name="input data")',
    source="B PipelineParameterName; V: the SDK emits any name",
    moment="create",
)
def parameter_name(context: Context) -> Iterator[Report]:
    """Names of parameters are letters, digits, `-` and `_`, at most 256, each once in a pipeline."""
    for parameter in context.model.parameters:
        name = parameter.name.text
        if name is None or (_NAME.fullmatch(name) and len(name) <= _LONGEST_NAME):
            continue
        if not _NAME.fullmatch(name):
            better = re.sub(r"[^A-Za-z0-9\-_]+", "-", name).strip("-")
            literal = parameter.name.literal
            fixes = context.rename(literal, better) if literal is not None and better else ()
            message = f'"{name}" is no name for a parameter: only letters, digits, "-" and "_".'
            yield Report(message, parameter.name.span, fixes)
        else:
            yield Report(f"A parameter's name has at most {_LONGEST_NAME} characters.", parameter.name.span)
    for pipeline in context.pipelines:
        yield from _duplicate_names(pipeline)


def _duplicate_names(pipeline: Pipeline) -> Iterator[Report]:
    seen: dict[str, Parameter] = {}
    for parameter in pipeline.parameters:
        name = parameter.name.text
        if name is None:
            continue
        first = seen.setdefault(name, parameter)
        if first is not parameter and not _repeated(parameter.object):
            yield Report(
                f'Another parameter of the pipeline is called "{name}" too.',
                parameter.name.span,
                related=((first.name.span, "the first one"),),
            )


def _repeated(made: SdkObject | None) -> bool:
    return made is not None and (made.call.repeated or made.call.conditional)


@rule(
    "P029",
    "hint",
    "Variable and parameter of different names",
    example='rounds = ParameterInteger(name="Epochs")',
    source="habit of the SDK's examples",
    moment="never",
    default=False,
)
def variable_name(context: Context) -> Iterator[Report]:
    """A parameter is easier to follow where the Python name and the parameter's name agree."""
    for parameter in context.model.parameters:
        name, variable = parameter.name.text, parameter.variable
        if name is None or variable is None:
            continue
        plain = re.sub(r"[^a-z0-9]", "", name.lower())
        held = re.sub(r"[^a-z0-9]", "", variable.lower())
        if plain not in held and held not in plain:
            yield Report(f'The parameter "{name}" is held by "{variable}".', parameter.name.span)


# -- in a pipeline ---------------------------------------------------------------------------------


@rule(
    "P040",
    "error",
    "Parameter missing in the pipeline",
    example='Pipeline(name="p", parameters=[bucket], steps=[train])  # train uses rounds, too',
    source="V: definition() says nothing; D: all parameters used in step definitions must be defined",
    moment="create",
)
def missing_parameter(context: Context) -> Iterator[Report]:
    """Every parameter that a step uses stands in `Pipeline(parameters=[...])`."""
    for pipeline in context.pipelines:
        if pipeline.open_parameters or (pipeline.object and pipeline.object.call.open):
            continue
        listed = {id(parameter.object) for parameter in pipeline.parameters}
        names = {parameter.name.text for parameter in pipeline.parameters}
        reported: set[int] = set()
        for step in pipeline.walk():
            for use in step.uses:
                variable = use.variable
                if not isinstance(variable, ParameterVariable) or id(variable.object) in listed | reported:
                    continue
                parameter = context.model.parameter_of(variable.object)
                if parameter is None or (parameter.name.text in names and parameter.name.text):
                    continue
                reported.add(id(variable.object))
                span = use.span if context.own(use.span) else pipeline.parameters_span or pipeline.name.span
                yield Report(
                    f'The parameter "{parameter.name.shown}" is used here, and is missing in the pipeline\'s '
                    "parameters.",
                    span,
                    _listing(context, pipeline, parameter),
                    related=((pipeline.parameters_span or pipeline.span, "the pipeline's parameters"),),
                )


def _listing(context: Context, pipeline: Pipeline, parameter: Parameter) -> tuple[Fix, ...]:
    """Add the parameter to the pipeline's list, by the name that the program has for it."""
    made = pipeline.object
    if made is None or parameter.variable is None or not context.own(pipeline.span):
        return ()
    title = f"Add {parameter.variable} to the pipeline's parameters"
    argument = made.call.argument("parameters")
    if argument is None:
        at = made.call.arguments_span.end - 1
        inside = context.text(made.call.arguments_span)[1:-1]
        if "\n" in inside:
            last = inside.rstrip()
            at = made.call.arguments_span.start + 1 + len(last.encode())
            lines = last.split("\n")
            indent = lines[-1][: len(lines[-1]) - len(lines[-1].lstrip())]
            comma = "" if last.endswith(",") or not last.strip() else ","
            text = f"{comma}\n{indent}parameters=[{parameter.variable}],"
        else:
            comma = ", " if inside.strip() and not inside.rstrip().endswith(",") else ""
            text = f"{comma}parameters=[{parameter.variable}]"
        return (Fix(title, (TextEdit(Span(pipeline.span.document, at, at), text),)),)
    edit = context.append_to(argument.value, argument.span, parameter.variable)
    return (Fix(title, (edit,)),) if edit is not None else ()


@rule(
    "P041",
    "warning",
    "Parameter listed and never used",
    example='Pipeline(name="p", parameters=[bucket, unused], steps=[train])',
    source="V: accepted in silence",
    moment="never",
)
def unused_parameter(context: Context) -> Iterator[Report]:
    """The pipeline asks for a value that no step uses."""
    if not context.model.sees_all:
        return
    for pipeline in context.pipelines:
        if pipeline.open_steps:
            continue
        for parameter, span in zip(pipeline.parameters, pipeline.parameter_spans, strict=True):
            if parameter.uses or parameter.object is None or parameter.object.call.repeated:
                continue
            yield Report(f'No step uses the parameter "{parameter.name.shown}".', span, unnecessary=True)


@rule(
    "P042",
    "hint",
    "Parameter neither used nor listed",
    example='unused = ParameterString(name="Unused")',
    source="reading of the program",
    moment="never",
)
def idle_parameter(context: Context) -> Iterator[Report]:
    """The parameter is made, and nothing uses it."""
    if not context.model.sees_all or not context.pipelines:
        return
    listed = {id(parameter) for pipeline in context.pipelines for parameter in pipeline.parameters}
    if any(pipeline.open_parameters for pipeline in context.pipelines):
        return
    for parameter in context.model.parameters:
        if parameter.uses or id(parameter) in listed or parameter.variable is None:
            continue
        if parameter.object is not None and not _repeated(parameter.object):
            message = f'The parameter "{parameter.name.shown}" is neither used nor listed in a pipeline.'
            yield Report(message, parameter.span, unnecessary=True)


@rule(
    "P043",
    "error",
    "Listed twice",
    example='Pipeline(name="p", steps=[train, train])',
    source="V: steps twice raise ValueError, parameters twice pass in silence",
    moment="build",
)
def listed_twice(context: Context) -> Iterator[Report]:
    """A parameter or a step stands once in a pipeline's list."""
    for pipeline in context.pipelines:
        for what, items, spans in (
            ("parameter", pipeline.parameters, pipeline.parameter_spans),
            ("step", pipeline.steps, pipeline.step_spans),
        ):
            is_open = pipeline.open_parameters if what == "parameter" else pipeline.open_steps
            seen: dict[int, Span] = {}
            for item, span in zip(items, spans, strict=True):
                first = seen.setdefault(id(item), span)
                if first != span and not is_open:
                    related = ((first, "here for the first time"),)
                    yield Report(f"This {what} is listed twice.", span, related=related)


__all__ = ["Value", "missing_parameter"]
