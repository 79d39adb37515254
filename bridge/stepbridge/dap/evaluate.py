"""What a person may type at a stopped pipeline: references, JSON pointers, the program's own variables.

    Parameters.Trees                             a parameter's value
    Steps.Train.ModelArtifacts.S3ModelArtifacts  a property of a finished step
    train.properties.ModelArtifacts              the same, by the program's variable
    /HyperParameters/epochs                      a place in the stopped step's arguments
    HyperParameters.epochs                       the same
    Parameters.Trees >= 100                      a comparison, for conditions

Reads; changes nothing but a copy of arguments (`assign`). Knows no session and runs no Python.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from msgspec import Struct, field

from stepbridge.definition.references import Scope, follow, parse_path, resolve
from stepbridge.definition.values import JSON, Pointer, did_you_mean, kind, pointer_text, shown
from stepbridge.errors import StepBridgeError

_COMPARISON = re.compile(r"^(?P<left>.+?)\s*(?P<op>==|!=|<=|>=|<|>)\s*(?P<right>.+)$", re.DOTALL)
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")
_STEP_WORDS = ("properties", "outputs", "arguments", "name")  # attributes of a step's variable


class EvaluationError(StepBridgeError):
    """The expression names nothing, or the value does not fit the place it is to go to."""


class View(Struct, frozen=True):
    """What can be seen from a stack frame.

    arguments: of the frame's step, resolved. results: step -> {"Status", "Outputs", "Properties" ...} of the
    steps that ended. variables: names of the program's text -> the reference they stand for.
    """

    scope: Scope
    parameters: Mapping[str, Any]
    results: Mapping[str, Mapping[str, Any]]
    steps: tuple[str, ...]
    arguments: JSON = None
    environment: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)


def evaluate(expression: str, view: View) -> JSON:
    """The value of an expression.

    Raises:
        StepBridgeError: it names nothing; the message says what is missing.
    """
    text = expression.strip()
    comparison = _COMPARISON.match(text)
    if comparison and not text.startswith(("/", "{", '"')):
        left, right = _operand(comparison["left"], view), _operand(comparison["right"], view)
        return _compare(left, comparison["op"], right)
    return _value(text, view)


def is_true(expression: str, view: View) -> bool:
    """A breakpoint's condition. Raises StepBridgeError as `evaluate`."""
    return bool(evaluate(expression, view))


def interpolate(message: str, view: View) -> str:
    """A log point's message: `{expression}` becomes its value, or what is wrong with it."""

    def replace(match: re.Match[str]) -> str:
        try:
            value = evaluate(match[1], view)
        except StepBridgeError as error:
            return f"{{{match[1]}: {error.message}}}"
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

    return _PLACEHOLDER.sub(replace, message)


def place(expression: str, view: View) -> Pointer | None:
    """The place in the arguments that an expression names, or None where it names something else."""
    text = expression.strip()
    parts: tuple[str | int, ...]
    if text.startswith("/"):
        parts = _pointer(text)
    else:
        try:
            parts = parse_path(text.removeprefix("Arguments."))
        except ValueError:
            return None
    try:
        return _locate(view.arguments, parts)
    except StepBridgeError:
        return None


def assign(arguments: JSON, pointer: Pointer, text: str) -> JSON:
    """Put what a person typed at a place of `arguments` (in place); returns the new value.

    The kind of the value stays what it was: a job's request is typed, and `epochs` of HyperParameters is the
    string "5" whether one types 5 or "5".

    Raises:
        EvaluationError: there is no such place, or the text is not of that kind.
    """
    if not pointer:
        raise EvaluationError("The arguments as a whole cannot be replaced", "Change a member of them.")
    holder = _walk(arguments, pointer[:-1])
    last = pointer[-1]
    try:
        old = holder[last]
    except (KeyError, IndexError, TypeError):
        raise EvaluationError(f"The arguments have no {pointer_text(pointer)}") from None
    holder[last] = converted(text, old, pointer_text(pointer))
    return holder[last]


def converted(text: str, old: JSON, name: str) -> JSON:
    """Typed text as a value of the same kind as `old`.

    Raises:
        EvaluationError: it is not of that kind.
    """
    if isinstance(old, str):
        return _string(text)
    try:
        value = _json({"True": "true", "False": "false", "None": "null"}.get(text.strip(), text))
    except EvaluationError:
        if old is None:
            raise
    else:
        if old is None or kind(value) == kind(old):
            return value
    raise EvaluationError(f"{name} is {kind(old)}, and {shown(text)} is not")


def names(view: View) -> list[str]:
    """What an expression may begin with, for completion."""
    found = [f"Parameters.{name}" for name in view.parameters]
    found += [f"Steps.{step}" for step in view.steps]
    found += list(view.variables)
    found += [pointer_text(p) for p in _pointers(view.arguments, (), 3)]
    return found


def _operand(text: str, view: View) -> JSON:
    try:
        return json.loads(text)
    except ValueError:
        if len(text) > 1 and text[0] == text[-1] == "'":
            return text[1:-1]
        return _value(text, view)


def _compare(left: JSON, op: str, right: JSON) -> bool:
    if isinstance(left, str) and isinstance(right, int | float) and not isinstance(right, bool):
        try:
            left = float(left)  # hyperparameters are strings on the wire
        except ValueError:
            pass
    try:
        return _OPERATORS[op](left, right)
    except TypeError:
        raise EvaluationError(f"{kind(left)} and {kind(right)} have no order") from None


def _value(text: str, view: View) -> JSON:
    if text.startswith("/"):
        return _walk(view.arguments, _locate(view.arguments, _pointer(text)))
    if text.startswith("{"):
        return resolve(_json(text), view.scope)
    head, _, rest = text.partition(".")
    match head:
        case "Parameters" | "Execution" | "Steps" if rest:
            return _reference(head, rest, view)
        case "Parameters":
            return dict(view.parameters)
        case "Steps":
            return {name: dict(result) for name, result in view.results.items()}
        case "Arguments":
            return _path(view.arguments, rest, text) if rest else view.arguments
        case "Environment":
            return _path(dict(view.environment), rest, text) if rest else dict(view.environment)
    stands_for = re.match(r"[A-Za-z_]\w*", text)
    if stands_for and stands_for[0] in view.variables:
        return _variable(view.variables[stands_for[0]], text[stands_for.end() :], view)
    if view.arguments is None:
        raise _unknown(text, view)
    try:
        return _path(view.arguments, text, text)
    except StepBridgeError:
        raise _unknown(text, view) from None


def _reference(head: str, rest: str, view: View) -> JSON:
    if head == "Steps":
        name, _, tail = rest.partition(".")
        if name not in view.steps:
            raise EvaluationError(f'There is no step "{name}"', did_you_mean(name, view.steps))
        if not tail:
            return dict(view.results.get(name, {"Status": "Waiting"}))
        for key in ("Outputs", "Files"):  # what the definition cannot say, and a person wants to know
            if tail.partition(".")[0] == key and name in view.results:
                return _path(view.results[name], tail, rest)
    if head == "Parameters" and rest not in view.parameters:
        raise EvaluationError(f'There is no parameter "{rest}"', did_you_mean(rest, view.parameters))
    return resolve({"Get": f"{head}.{rest}"}, view.scope)


def _variable(reference: str, tail: str, view: View) -> JSON:
    """`train`, `train.properties.ModelArtifacts`, `train.outputs.model` where train = TrainingStep(...)."""
    word, _, path = tail.lstrip(".").partition(".")
    if reference.startswith("Parameters.") or not word:
        return _value(reference, view)
    if word not in _STEP_WORDS:
        raise EvaluationError(f"A step has no {word!r} here", did_you_mean(word, _STEP_WORDS))
    if word == "name":
        return reference.removeprefix("Steps.")
    section = {"properties": "", "outputs": "Outputs.", "arguments": "Arguments."}[word]
    if path or section:
        return _value(f"{reference}.{section}{path}".rstrip("."), view)
    return view.results.get(reference.removeprefix("Steps."), {}).get("Properties")


def _path(value: JSON, path: str, text: str) -> JSON:
    try:
        parts = parse_path(path)
    except ValueError:
        raise EvaluationError(f"{shown(text)} is no path") from None
    return follow(value, parts, text, named_items=True)


def _pointer(text: str) -> Pointer:
    """RFC 6901; an array's index stays text until the array is known."""
    if text == "/":
        return ()
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in text[1:].split("/"))


def _locate(value: JSON, parts: Iterable[str | int]) -> Pointer:
    """The exact place of `parts`: indexes become numbers, names of list items their index."""
    found: list[str | int] = []
    for part in parts:
        if isinstance(value, list):
            index = _index(value, part)
            if index is None:
                raise EvaluationError(f"{pointer_text(tuple(found))} has no item {shown(part)}")
            part = index
        elif not isinstance(value, Mapping) or part not in value:
            keys = [key for key in value if isinstance(key, str)] if isinstance(value, Mapping) else []
            where = f"{pointer_text(tuple(found))} of the arguments" if found else "The arguments"
            raise EvaluationError(f"{where} have no {shown(part)}", did_you_mean(str(part), keys))
        found.append(part)
        value = value[part]
    return tuple(found)


def _index(items: list[JSON], part: str | int) -> int | None:
    if isinstance(part, str) and not part.isdigit():
        names = ("OutputName", "InputName", "ChannelName", "MetricName", "Name")
        for index, item in enumerate(items):
            if isinstance(item, Mapping) and any(item.get(key) == part for key in names):
                return index
        return None
    index = int(part)
    return index if index < len(items) else None


def _walk(value: JSON, pointer: Pointer) -> JSON:
    for part in pointer:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            raise EvaluationError(f"The arguments have no {pointer_text(pointer)}") from None
    return value


def _string(text: str) -> str:
    """Typed text for a string: with or without quotes."""
    stripped = text.strip()
    if len(stripped) > 1 and stripped[0] == stripped[-1] == '"':
        try:
            return str(json.loads(stripped))
        except ValueError:
            return text
    if len(stripped) > 1 and stripped[0] == stripped[-1] == "'":
        return stripped[1:-1]
    return text


def _json(text: str) -> JSON:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise EvaluationError(
            f"{shown(text)} is not JSON", 'Strings stand in double quotes: "text".'
        ) from None


def _pointers(value: JSON, pointer: Pointer, depth: int) -> list[Pointer]:
    if depth == 0 or not isinstance(value, dict):
        return []
    found: list[Pointer] = []
    for key, item in value.items():
        found.append((*pointer, key))
        found += _pointers(item, (*pointer, key), depth - 1)
    return found


def _unknown(text: str, view: View) -> EvaluationError:
    candidates = [*view.variables, *view.steps, *view.parameters]
    hint = did_you_mean(text, candidates) if candidates else ""
    if not hint.startswith("Did"):
        hint = "Try Parameters.NAME, Steps.NAME.PROPERTY, or a pointer into the arguments such as /RoleArn."
    return EvaluationError(f"{shown(text)} names nothing here", hint)
