"""Library functions and builtin methods that a reader of a pipeline program computes in their head.

Paths (`os.path.join`, `Path(...).parent`), texts (`format`, `join`, `strip`), containers (`append`,
`update`). What is not here gives an unknown value, and what is handed to it is taken as changed.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from stepbridge_lsp.model import ForeignCall
from stepbridge_lsp.values import (
    UNKNOWN,
    Argument,
    Const,
    DictValue,
    Element,
    Entry,
    ForeignValue,
    JsonText,
    ListValue,
    PathValue,
    Text,
    Unknown,
    Value,
    Variable,
    Volatile,
    text_of,
)

from . import operations
from . import syntax as s
from .scopes import MethodValue

if TYPE_CHECKING:
    from .evaluation import Evaluation

Arguments = list[Argument]

# Functions that look at what they are given and leave it alone.
_HARMLESS = (
    "logging.",
    "json.",
    "pprint.",
    "warnings.",
    "boto3.",
    "IPython.",
    "rich.",
    "os.",
    "pathlib.",
    "typing.",
    "click.",
    "builtins.",
)
VOLATILE = frozenset(
    {
        "datetime.datetime.now",
        "datetime.datetime.utcnow",
        "datetime.datetime.today",
        "datetime.date.today",
        "datetime.now",
        "datetime.utcnow",
        "time.time",
        "time.time_ns",
        "time.strftime",
        "time.gmtime",
        "time.localtime",
        "uuid.uuid4",
        "uuid.uuid1",
        "random.randint",
        "random.random",
    }
)


def call_function(run: Evaluation, function: ForeignValue, node: s.CallNode, arguments: Arguments) -> Value:
    """A function of a library, known by its dotted name."""
    run.found.foreign_calls.append(ForeignCall(function.name, tuple(arguments), run.span(node)))
    handler = _FUNCTIONS.get(function.name)
    if handler is not None:
        return handler(run, node, arguments)
    if function.name in VOLATILE:
        return Volatile(function.name)
    if not function.name.startswith(_HARMLESS):
        for argument in arguments:
            operations.escape(argument.value)
    if function.name.startswith(("boto3.", "builtins.open")):
        return ForeignValue(f"{function.name}()")
    return UNKNOWN


def call_method(run: Evaluation, method: MethodValue, node: s.CallNode, arguments: Arguments) -> Value:
    """A method of a text, container or path."""
    receiver = method.receiver
    if isinstance(receiver, ListValue):
        return _list_method(run, receiver, method.name, node, arguments)
    if isinstance(receiver, DictValue):
        return _dict_method(run, receiver, method.name, arguments)
    if isinstance(receiver, PathValue):
        return _path_method(receiver, method.name, arguments)
    if isinstance(receiver, Const | Text):
        return _text_method(run, receiver, method.name, node, arguments)
    return UNKNOWN


# -- containers ------------------------------------------------------------------------------------


def _list_method(
    run: Evaluation, receiver: ListValue, name: str, node: s.CallNode, arguments: Arguments
) -> Value:
    if name == "append" and len(arguments) == 1:
        operations.append(run, receiver, arguments[0])
    elif name == "extend" and len(arguments) == 1:
        operations.extend(run, receiver, arguments[0].value)
    elif name == "insert" and len(arguments) == 2:
        operations.append(run, receiver, arguments[1])
    elif name == "copy":
        return ListValue(receiver.kind, list(receiver.items), run.span(node), receiver.open, run.context)
    elif name in ("remove", "pop", "clear", "add", "discard", "update", "difference_update"):
        receiver.open = True
        receiver.items = list(receiver.items) if name in ("add", "update") else []
        if name == "add":
            run.misuse(
                "key", arguments[0].value, arguments[0].span, run.span(node), "set"
            ) if arguments else None
    return Const(None) if name in ("append", "extend", "insert", "sort", "reverse") else UNKNOWN


def _dict_method(run: Evaluation, receiver: DictValue, name: str, arguments: Arguments) -> Value:
    if name == "get" and arguments:
        key = text_of(arguments[0].value)
        entry = receiver.get(key) if key is not None else None
        if entry is not None:
            return entry.value
        if key is None or receiver.open:
            return UNKNOWN
        return arguments[1].value if len(arguments) > 1 else Const(None)
    if name == "update":
        for argument in arguments:
            if argument.name is None:
                operations.update(run, receiver, argument.value)
            else:
                place = argument.name_span or argument.span
                operations.put(run, receiver, Const(argument.name), place, argument.value)
        return Const(None)
    if name == "copy":
        return DictValue(list(receiver.entries), receiver.span, receiver.open, run.context)
    if name in ("pop", "popitem", "clear", "setdefault"):
        receiver.open = True
        receiver.entries = [Entry(e.key, e.key_span, UNKNOWN, e.span) for e in receiver.entries]
    if name == "values":
        items = [Element(entry.value, entry.span) for entry in receiver.entries]
        return ListValue("list", items, receiver.span, receiver.open, run.context)
    return UNKNOWN


# -- paths -----------------------------------------------------------------------------------------


def _path_method(receiver: PathValue, name: str, arguments: Arguments) -> Value:
    path = receiver.path
    if name in ("resolve", "absolute", "expanduser"):
        return PathValue(posixpath.normpath(path))
    if name == "joinpath":
        parts = [operations.text_or_path(argument.value) for argument in arguments]
        known = [part for part in parts if part is not None]
        return PathValue(posixpath.join(path, *known)) if len(known) == len(parts) else UNKNOWN
    if name in ("as_posix", "__str__"):
        return Const(path)
    if name == "with_name" and arguments and (new := text_of(arguments[0].value)) is not None:
        return PathValue(posixpath.join(posixpath.dirname(path), new))
    if name == "as_uri":
        return Const(f"file://{path}")
    return UNKNOWN


def _join(run: Evaluation, node: s.CallNode, arguments: Arguments) -> Value:
    _library(run, node, arguments, "os.path.join")
    parts = [operations.text_or_path(argument.value) for argument in arguments]
    known = [part for part in parts if part is not None]
    if len(known) == len(parts) and parts:
        return Const(posixpath.join(*known))
    pieces: list[str | Value] = []
    for index, argument in enumerate(arguments):
        pieces += ["/"] if index else []
        pieces.append(argument.value)
    return operations.join_text(pieces)


def _on_path(change: Callable[[str], str]) -> Callable[[Evaluation, s.CallNode, Arguments], Value]:
    def handler(run: Evaluation, node: s.CallNode, arguments: Arguments) -> Value:
        _library(run, node, arguments, "os.path")
        path = operations.text_or_path(arguments[0].value) if len(arguments) == 1 else None
        return Const(change(path)) if path is not None else UNKNOWN

    return handler


def _path(run: Evaluation, node: s.CallNode, arguments: Arguments) -> Value:
    _library(run, node, arguments, "Path")
    parts = [operations.text_or_path(argument.value) for argument in arguments]
    known = [part for part in parts if part is not None]
    return PathValue(posixpath.join(*known) if known else ".") if len(known) == len(parts) else UNKNOWN


# -- texts -----------------------------------------------------------------------------------------


def _text_method(
    run: Evaluation, receiver: Const | Text, name: str, node: s.CallNode, arguments: Arguments
) -> Value:
    if name == "format":
        return _format(run, receiver, node, arguments)
    if name == "join" and len(arguments) == 1:
        return _join_items(run, receiver, node, arguments[0])
    text = text_of(receiver)
    if text is None:
        return UNKNOWN
    known = [text_of(argument.value) for argument in arguments]
    if any(part is None for part in known):
        for argument in arguments:
            run.misuse("library", argument.value, argument.span, run.span(node), f"str.{name}")
        return UNKNOWN
    return _fold_text(text, name, [part for part in known if part is not None])


def _fold_text(text: str, name: str, known: list[str]) -> Value:
    match name, len(known):
        case (("lower" | "upper" | "title" | "strip" | "capitalize" | "lstrip" | "rstrip"), 0):
            return Const(getattr(text, name)())
        case (("strip" | "lstrip" | "rstrip" | "removeprefix" | "removesuffix"), 1):
            return Const(getattr(text, name)(known[0]))
        case "replace", 2 if len(text) < 2_000 and len(known[1]) < 2_000 and known[0]:
            return Const(text.replace(known[0], known[1]))
    return UNKNOWN


def _format(run: Evaluation, receiver: Const | Text, node: s.CallNode, arguments: Arguments) -> Value:
    for argument in arguments:
        run.misuse("format", argument.value, argument.span, run.span(node), "format")
    template = text_of(receiver)
    if template is None or any(isinstance(argument.value, Variable) for argument in arguments):
        return UNKNOWN
    fields = re.split(r"(\{\w*\})", template)
    positional = [argument.value for argument in arguments if argument.name is None]
    named = {argument.name: argument.value for argument in arguments if argument.name}
    parts: list[str | Value] = []
    for index, field in enumerate(fields):
        if index % 2 == 0:
            if "{" in field or "}" in field:
                return UNKNOWN
            parts.append(field)
            continue
        key = field[1:-1]
        place = int(key) if key.isdigit() and len(key) < 4 else (index - 1) // 2
        value = named.get(key) if key and not key.isdigit() else None
        if value is None and (not key or key.isdigit()) and place < len(positional):
            value = positional[place]
        parts.append(value or UNKNOWN)
    return operations.join_text(parts)


def _join_items(run: Evaluation, receiver: Value, node: s.CallNode, argument: Argument) -> Value:
    separator = text_of(receiver)
    run.misuse("library", argument.value, argument.span, run.span(node), "str.join")
    if not isinstance(argument.value, ListValue):
        return UNKNOWN
    failing = False
    for element in argument.value.items:
        run.misuse("library", element.value, element.span, run.span(node), "str.join")
        failing = failing or isinstance(element.value, Variable)
    if separator is None or failing or argument.value.open:
        return UNKNOWN
    pieces: list[str | Value] = []
    for index, element in enumerate(argument.value.items):
        pieces += [separator] if index else []
        pieces.append(element.value)
    return operations.join_text(pieces)


# -- builtins --------------------------------------------------------------------------------------


def _library(run: Evaluation, node: s.CallNode, arguments: Arguments, name: str) -> None:
    for argument in arguments:
        run.misuse("library", argument.value, argument.span, run.span(node), name)


def _str(run: Evaluation, node: s.CallNode, arguments: Arguments) -> Value:
    if not arguments:
        return Const("")
    value = arguments[0].value
    run.misuse("format", value, arguments[0].span, run.span(node), "str")
    if isinstance(value, Const):
        return Const(str(value.value))
    if isinstance(value, PathValue):
        return Const(value.path)
    return value if isinstance(value, Text | Volatile) else UNKNOWN


def _repr(run: Evaluation, node: s.CallNode, arguments: Arguments) -> Value:
    for argument in arguments:
        run.misuse("repr", argument.value, argument.span, run.span(node), "repr")
    return UNKNOWN


def _number(name: str) -> Callable[[Evaluation, s.CallNode, Arguments], Value]:
    def handler(run: Evaluation, node: s.CallNode, arguments: Arguments) -> Value:
        for argument in arguments:
            run.misuse("number", argument.value, argument.span, run.span(node), name)
        value = arguments[0].value if len(arguments) == 1 else UNKNOWN
        if name == "len" and isinstance(value, ListValue) and not value.open:
            return Const(len(value.items))
        if isinstance(value, Const) and type(value.value) in (int, float, str, bool):
            try:
                if name == "int":
                    return Const(int(value.value))  # type: ignore[arg-type]
                if name == "float":
                    return Const(float(value.value))  # type: ignore[arg-type]
            except (ValueError, OverflowError):
                return UNKNOWN
        return UNKNOWN

    return handler


def _bool(run: Evaluation, node: s.CallNode, arguments: Arguments) -> Value:
    for argument in arguments:
        run.misuse("truth", argument.value, argument.span, run.span(node), "bool")
    return UNKNOWN


def _print(run: Evaluation, node: s.CallNode, arguments: Arguments) -> Value:
    for argument in arguments:
        run.misuse("format", argument.value, argument.span, run.span(node), "print")
    return Const(None)


def _hash(run: Evaluation, node: s.CallNode, arguments: Arguments) -> Value:
    for argument in arguments:
        run.misuse("key", argument.value, argument.span, run.span(node), "hash")
    return UNKNOWN


def _iterated(run: Evaluation, node: s.CallNode, arguments: Arguments) -> Value:
    for argument in arguments:
        run.misuse("iterate", argument.value, argument.span, run.span(node), "iterate")
        operations.touch_items(argument.value)
    return UNKNOWN


def _collection(kind: str) -> Callable[[Evaluation, s.CallNode, Arguments], Value]:
    def handler(run: Evaluation, node: s.CallNode, arguments: Arguments) -> Value:
        made = ListValue(kind, [], run.span(node), context=run.context)  # type: ignore[arg-type]
        for argument in arguments[:1]:
            run.misuse("iterate", argument.value, argument.span, run.span(node), kind)
            run.spread(made, argument.value)
        return made

    return handler


def _sorted(run: Evaluation, node: s.CallNode, arguments: Arguments) -> Value:
    source = arguments[0].value if arguments else UNKNOWN
    if not isinstance(source, ListValue):
        return UNKNOWN
    return ListValue("list", list(source.items), run.span(node), open=True, context=run.context)


def _dict(run: Evaluation, node: s.CallNode, arguments: Arguments) -> Value:
    made = DictValue([], run.span(node), context=run.context)
    for argument in arguments:
        if argument.name is None:
            operations.update(run, made, argument.value)
        else:
            place = argument.name_span or argument.span
            operations.put(run, made, Const(argument.name), place, argument.value)
    return made


def _dumps(run: Evaluation, node: s.CallNode, arguments: Arguments) -> Value:
    if not arguments:
        return UNKNOWN
    for argument in arguments[:1]:
        _refuse_within(run, argument.value, argument, node)
    return JsonText(arguments[0].value)


def _refuse_within(
    run: Evaluation, value: Value, argument: Argument, node: s.CallNode, depth: int = 0
) -> None:
    """`json.dumps` fails on a pipeline variable anywhere inside."""
    run.misuse("library", value, argument.span, run.span(node), "json.dumps")
    if depth > 6:
        return
    if isinstance(value, DictValue):
        for entry in value.entries:
            inner = Argument(None, entry.value, entry.span)
            _refuse_within(run, entry.value, inner, node, depth + 1)
    elif isinstance(value, ListValue):
        for element in value.items:
            _refuse_within(run, element.value, Argument(None, element.value, element.span), node, depth + 1)


def _environment(run: Evaluation, node: s.CallNode, arguments: Arguments) -> Value:
    return Unknown(arguments[1].value) if len(arguments) > 1 else UNKNOWN


def _getattr(run: Evaluation, node: s.CallNode, arguments: Arguments) -> Value:
    return UNKNOWN


def _harmless(run: Evaluation, node: s.CallNode, arguments: Arguments) -> Value:
    return UNKNOWN


_FUNCTIONS: dict[str, Callable[[Evaluation, s.CallNode, Arguments], Value]] = {
    "os.path.join": _join,
    "posixpath.join": _join,
    "os.path.dirname": _on_path(lambda path: posixpath.dirname(path)),
    "os.path.basename": _on_path(lambda path: posixpath.basename(path)),
    "os.path.abspath": _on_path(lambda path: posixpath.normpath(path)),
    "os.path.realpath": _on_path(lambda path: posixpath.normpath(path)),
    "os.path.normpath": _on_path(lambda path: posixpath.normpath(path)),
    "os.path.expanduser": _harmless,
    "os.fspath": _on_path(lambda path: path),
    "os.environ.get": _environment,
    "os.getenv": _environment,
    "os.environ.setdefault": _environment,
    "pathlib.Path": _path,
    "pathlib.PurePath": _path,
    "pathlib.PosixPath": _path,
    "pathlib.PurePosixPath": _path,
    "json.dumps": _dumps,
    "builtins.str": _str,
    "builtins.format": _str,
    "builtins.ascii": _repr,
    "builtins.repr": _repr,
    "builtins.int": _number("int"),
    "builtins.float": _number("float"),
    "builtins.len": _number("len"),
    "builtins.range": _number("range"),
    "builtins.abs": _number("abs"),
    "builtins.round": _number("round"),
    "builtins.bool": _bool,
    "builtins.print": _print,
    "builtins.hash": _hash,
    "builtins.list": _collection("list"),
    "builtins.tuple": _collection("tuple"),
    "builtins.set": _collection("set"),
    "builtins.sorted": _sorted,
    "builtins.reversed": _sorted,
    "builtins.dict": _dict,
    "builtins.enumerate": _iterated,
    "builtins.zip": _iterated,
    "builtins.iter": _iterated,
    "builtins.getattr": _getattr,
}
