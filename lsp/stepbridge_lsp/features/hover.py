"""What an editor shows of the thing under the pointer, in programs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from stepbridge.definition.service import shape

from stepbridge_lsp.documents.python import PythonDocument
from stepbridge_lsp.model import Model, Parameter, PropertyFile, Step, items_of
from stepbridge_lsp.positions import Span
from stepbridge_lsp.rules.context import Context
from stepbridge_lsp.rules.paths import local_paths, resolve
from stepbridge_lsp.rules.properties import kind_of
from stepbridge_lsp.values import (
    Call,
    Const,
    EnumMember,
    ExecutionVariable,
    FunctionVariable,
    Index,
    ListValue,
    ParameterVariable,
    PropertyVariable,
    SdkObject,
    Text,
    TextVariable,
    Unknown,
    Value,
    text_of,
)

from . import words
from .choices import described, shown
from .places import argument_named_at, as_modelled, bound_to, call_named_at, expressions_at, property_at
from .shapes import last_member, parts_of


@dataclass(frozen=True)
class Hover:
    """Markdown on the text of `span`."""

    text: str
    span: Span


def hover(document: PythonDocument, offset: int) -> Hover | None:
    """What there is to say of a byte offset; None for nothing."""
    for look in _LOOKS:
        found = look(document, offset)
        if found is not None and found.text:
            return found
    return None


# -- arguments and calls ---------------------------------------------------------------------------


def _keyword(document: PythonDocument, offset: int) -> Hover | None:
    found = argument_named_at(document, offset)
    if found is None:
        return None
    call, argument, formal = found
    if formal is None or argument.name_span is None:
        return None
    annotation, text = words.argument(call.target, formal)
    head = f"```python\n{formal}{f'  # {annotation}' if annotation else ''}\n```"
    return Hover("\n\n".join(part for part in (head, text) if part), argument.name_span)


def _callee(document: PythonDocument, offset: int) -> Hover | None:
    call = call_named_at(document, offset)
    if call is None:
        return None
    parts = [f"```python\n{words.signature(call.target)}\n```", words.summary(call.target)]
    return Hover("\n\n".join(part for part in parts if part), call.name_span)


# -- properties ------------------------------------------------------------------------------------


def _property(document: PythonDocument, offset: int) -> Hover | None:
    found = property_at(document, offset)
    if found is None:
        return None
    use, index = found
    if use.step is None:
        return None
    span = use.variable.spans[index]
    path = use.variable.path[: index + 1]
    segment = path[-1]
    if isinstance(segment, Index) and isinstance(segment.key, str):
        return Hover(_output(use.step, segment.key), span)
    kind = kind_of(use.step)
    member = last_member(kind or "", parts_of(path))
    if member is None:
        return None
    text = words.member(member.owner, member.name, member.shape) if member.owner else f"**{member.name}**"
    return Hover(f"{text}\n\nOf step `{use.step.name.shown}`: `{_dotted(path)}`", span)


def _dotted(path: tuple[str | Index, ...]) -> str:
    text = ""
    for segment in path:
        text += str(segment) if isinstance(segment, Index) else f".{segment}" if text else segment
    return text


def _output(step: Step, name: str) -> str:
    for output in step.outputs:
        if output.name is not None and output.name.text == name:
            lines = [f"**{name}**: output of step `{step.name.shown}`"]
            for word, value in (("from", output.source), ("to", output.destination)):
                if (text := _value_text(value)) is not None:
                    lines.append(f"{word} `{text}`")
            return "  \n".join(lines)
    return ""


# -- parts of the pipeline -------------------------------------------------------------------------


def _symbol(document: PythonDocument, offset: int) -> Hover | None:
    """A name that stands for a part of the pipeline, as a string."""
    found = document.model.symbol_at(offset)
    if found is None or not found[1].literal:
        return None
    symbol, site = found
    text = ""
    model = document.model
    if symbol.kind == "parameter":
        text = next((_parameter(p, model) for p in model.parameters if p.name.text == symbol.name), "")
    elif symbol.kind == "step":
        text = next((step_words(document, s) for s in model.steps_named(symbol.name)), "")
    elif symbol.kind == "output":
        text = next((_output(step, symbol.name) for step in model.steps_named(symbol.owner or "")), "")
    elif symbol.kind == "property file":
        files = [file for file in model.property_files if file.name.text == symbol.name]
        text = _property_file(files[0]) if files else ""
    return Hover(text, site.span) if text else None


def _parameter(parameter: Parameter, model: Model) -> str:
    lines = [f"**{parameter.name.shown}**: pipeline parameter, {described(parameter)}"]
    values = [text for value, _ in items_of(parameter.enum)[0] if (text := text_of(value)) is not None]
    if values:
        lines.append(f"One of {', '.join(f'`{value}`' for value in values)}.")
    if parameter.required:
        lines.append("Without default: it must be given when the pipeline starts.")
    users = [
        step.name.shown
        for step in model.steps
        if any(_is_parameter(use.variable, parameter) for use in step.uses)
    ]
    if users:
        lines.append(f"Used by {', '.join(f'`{name}`' for name in dict.fromkeys(users))}.")
    return "\n\n".join(lines)


def _is_parameter(value: Value, parameter: Parameter) -> bool:
    inner = value.of if isinstance(value, TextVariable) else value
    return isinstance(inner, ParameterVariable) and inner.object is parameter.object


def step_words(document: PythonDocument, step: Step) -> str:
    """A step in a few lines: its kind, what it waits for, its script, inputs and outputs."""
    lines = [f"**{step.name.shown}**: {step.type or 'step'}"]
    others = [name for name in step.service_names if name != step.name.text]
    if others:
        lines.append(f"The service calls it {', '.join(f'`{name}`' for name in others)}.")
    if step.branch is not None:
        holds = "holds" if step.branch[1] else "does not hold"
        lines.append(f"Runs when `{step.branch[0].name.shown}` {holds}.")
    waits = dict.fromkeys(
        [
            *(s.name.shown for s in step.data_dependencies),
            *(d.name or _named(d.step) for d in step.dependencies),
        ]
    )
    if waits:
        lines.append(f"After {', '.join(f'`{name}`' for name in waits)}.")
    if (script := script_of(document, step)) is not None:
        lines.append(f"Runs `{script}`.")
    for word, parts in (("Inputs", step.inputs), ("Outputs", step.outputs)):
        names = [part.name.shown for part in parts if part.name is not None]
        if names:
            lines.append(f"{word}: {', '.join(f'`{name}`' for name in names)}")
    return "\n\n".join(lines)


def _named(step: Step | None) -> str:
    return step.name.shown if step is not None else "?"


def script_of(document: PythonDocument, step: Step) -> str | None:
    """The script that a step runs, as a path below the program's folder or in full; None if not known."""
    context = Context(document)
    for call in calls_of(step):
        for path in local_paths(call):
            if path.name in ("source_dir", "dependencies"):
                continue
            found = resolve(context, path)
            if found is not None:
                folder = f"{document.folder}/" if document.folder is not None else ""
                return str(found).removeprefix(folder)
    return None


def calls_of(step: Step) -> Iterator[Call]:
    """The calls that a step's job is made by: the one that gave `step_args`, and its receiver's."""
    if step.job_call is not None:
        yield step.job_call
    if step.job is not None:
        yield step.job.call
    if step.object is not None and step.job_call is None:
        yield step.object.call


def _property_file(file: PropertyFile) -> str:
    output = file.output_name.shown if file.output_name is not None else "?"
    text = f"**{file.name.shown}**: property file, `{text_of(file.path) or '?'}` in output `{output}`"
    steps = ", ".join(f"`{step.name.shown}`" for step in file.steps)
    return f"{text}\n\nDeclared by {steps}." if steps else text


# -- values ----------------------------------------------------------------------------------------


def _value(document: PythonDocument, offset: int) -> Hover | None:
    for written in expressions_at(document, offset)[:3]:
        text = _words(document, written.value)
        if text:
            return Hover(text, written.span)
        if isinstance(written.value, Const):
            literal = written.value.origin is not None and _covers(written.value.origin, written.span)
            return _constant(document, offset, written.value, written.span, literal)
        if not isinstance(written.value, Unknown):
            return None
    return None


def _covers(origin: Span, span: Span) -> bool:
    return origin.document == span.document and span.start <= origin.start and origin.end <= span.end


def _words(document: PythonDocument, value: Value) -> str:
    model = document.model
    match value:
        case ParameterVariable(object=made):
            parameter = model.parameter_of(as_modelled(document, made))
            return _parameter(parameter, model) if parameter is not None else ""
        case SdkObject(kind="step"):
            step = model.step_of(as_modelled(document, value))
            return step_words(document, step) if step is not None else ""
        case SdkObject(kind="property-file"):
            own = as_modelled(document, value)
            return next((_property_file(f) for f in model.property_files if f.object is own), "")
        case ExecutionVariable(name=name):
            return f"Execution variable `{name}`: known when the pipeline executes."
        case FunctionVariable() | PropertyVariable() | TextVariable():
            return f"When the pipeline executes:\n\n```\n{template(value)}\n```"
    return ""


def _constant(document: PythonDocument, offset: int, value: Const, span: Span, literal: bool) -> Hover | None:
    """A text that was put together, an image, or what a literal means for the argument it is given to."""
    text = value.value
    if isinstance(text, str) and not literal:
        return Hover(f"```\n{text}\n```", span)
    bound = bound_to(document, offset)
    if isinstance(text, str) and bound is not None:
        return _instance(bound[0], text, span)
    return None


def _instance(call: Call, text: str, span: Span) -> Hover | None:
    if not text.startswith("ml."):
        return None
    kinds = [
        word
        for word, name in (
            ("training", "TrainingInstanceType"),
            ("processing", "ProcessingInstanceType"),
            ("transform", "TransformInstanceType"),
            ("hosting", "ProductionVariantInstanceType"),
        )
        if text in shape(name).enum
    ]
    return Hover(f"**{text}**: for {', '.join(kinds)}", span) if kinds else None


def template(value: Value | str, depth: int = 0) -> str:
    """A value with its variables in braces: `s3://{Bucket}/data`."""
    if isinstance(value, str):
        return value
    if depth > 8:
        return "{…}"
    match value:
        case Const(value=text):
            return text if isinstance(text, str) else shown(text)
        case Text(parts=parts):
            return "".join(template(part, depth + 1) for part in parts)
        case ParameterVariable(object=made):
            return f"{{{text_of(made.call.value('name')) or 'parameter'}}}"
        case TextVariable(of=inner):
            return template(inner, depth + 1)
        case ExecutionVariable(name=name):
            return f"{{{name}}}"
        case PropertyVariable(step=step):
            return f"{{{text_of(step.call.value('name')) or 'step'}.{value.dotted()}}}"
        case FunctionVariable(object=made):
            return _function(made, depth)
        case EnumMember(name=name):
            return name
    return "{…}"


def _function(made: SdkObject, depth: int) -> str:
    if made.cls.name == "Join":
        values = made.call.value("values")
        separator = text_of(made.call.value("on")) or ""
        if isinstance(values, ListValue):
            return separator.join(template(item.value, depth + 1) for item in values)
        return "{…}"
    if made.cls.name == "JsonGet":
        path = text_of(made.call.value("json_path")) or "?"
        file = made.call.value("property_file")
        name = text_of(file.call.value("name")) if isinstance(file, SdkObject) else text_of(file)
        return f"{{{name or 'property file'}: {path}}}"
    return f"{{{made.cls.name}}}"


def _value_text(value: Value | None) -> str | None:
    return template(value) if value is not None and not isinstance(value, Unknown) else None


_LOOKS: tuple[Callable[[PythonDocument, int], Hover | None], ...] = (
    _keyword,
    _callee,
    _symbol,
    _property,
    _value,
)
