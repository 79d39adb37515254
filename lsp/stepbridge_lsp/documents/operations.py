"""What Python's operators, attributes and subscripts give for abstract values, and which of them fail on a
pipeline variable.

Constants are folded as far as pipeline programs need it: texts, numbers, paths. Everything else is unknown.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any

from stepbridge_lsp.catalog import SdkClass
from stepbridge_lsp.model import MissingAttribute
from stepbridge_lsp.values import (
    UNKNOWN,
    Argument,
    Const,
    DictValue,
    Element,
    Entry,
    EnumMember,
    ExecutionVariable,
    ForeignValue,
    FunctionVariable,
    Index,
    ListValue,
    ModuleValue,
    ParameterVariable,
    PathValue,
    PropertyVariable,
    ReturnVariable,
    SdkObject,
    SymbolValue,
    Text,
    TextVariable,
    Unknown,
    Value,
    Variable,
    Volatile,
)

from . import syntax as s
from .scopes import (
    BoundMethod,
    ClassValue,
    FunctionValue,
    Instance,
    MethodValue,
    StepMethod,
    SuperValue,
    UserModule,
)

if TYPE_CHECKING:
    from stepbridge_lsp.positions import Span

    from .evaluation import Evaluation

_LONGEST = 20_000
_BUILTINS = frozenset(
    [
        "str",
        "int",
        "float",
        "bool",
        "len",
        "range",
        "repr",
        "print",
        "list",
        "tuple",
        "set",
        "dict",
        "sorted",
        "isinstance",
        "hash",
        "format",
        "getattr",
        "zip",
        "enumerate",
        "map",
        "filter",
        "any",
        "all",
        "sum",
        "min",
        "max",
        "abs",
        "round",
        "iter",
        "next",
        "reversed",
        "open",
        "super",
        "type",
        "vars",
        "id",
        "callable",
        "hasattr",
        "setattr",
        "frozenset",
        "bytes",
        "ascii",
        "input",
        "exit",
        "quit",
    ]
)
_PATH_TEXT = frozenset({"name", "stem", "suffix"})


def builtin(name: str) -> Value:
    if name in _BUILTINS:
        return ForeignValue(f"builtins.{name}")
    return UNKNOWN


def merge(first: Value, second: Value) -> Value:
    """A value that is either of two."""
    if first is second:
        return first
    if isinstance(first, Const) and isinstance(second, Const):
        same = first.value == second.value and type(first.value) is type(second.value)
        return first if same else UNKNOWN
    return UNKNOWN


def same_value(first: Value, second: Value) -> bool:
    return merge(first, second) is not UNKNOWN


# -- texts -----------------------------------------------------------------------------------------


def join_text(parts: list[str | Value]) -> Value:
    """The string that pieces make together: constant, known in part, or unknown."""
    flat: list[str | Value] = []
    for part in parts:
        for piece in _pieces(part):
            if isinstance(piece, str) and flat and isinstance(flat[-1], str):
                flat[-1] += piece
            elif piece != "":
                flat.append(piece)
    if sum(len(piece) for piece in flat if isinstance(piece, str)) > _LONGEST:
        return UNKNOWN
    if not flat:
        return Const("")
    if len(flat) == 1 and isinstance(flat[0], str):
        return Const(flat[0])
    return Text(tuple(flat))


def _pieces(part: str | Value) -> tuple[str | Value, ...]:
    if isinstance(part, str):
        return (part,)
    if isinstance(part, Const):
        return (part,) if isinstance(part.value, bytes) else (str(part.value),)
    if isinstance(part, Text):
        return part.parts
    if isinstance(part, PathValue):
        return (part.path,)
    return (part,)


def is_texty(value: Value) -> bool:
    return isinstance(value, Text) or (isinstance(value, Const) and isinstance(value.value, str))


# -- operators -------------------------------------------------------------------------------------


def binary(run: Evaluation, node: s.Binary) -> Value:
    if node.operator in ("and", "or"):
        return _boolean(run, node)
    left = run.evaluate(node.left)
    right = run.evaluate(node.right)
    return arithmetic(
        run, node.operator, left, right, (run.span(node.left), run.span(node.right), run.span(node))
    )


def _boolean(run: Evaluation, node: s.Binary) -> Value:
    left = run.truth(node.left)
    with run.branch():
        right = run.evaluate(node.right)
    if node.operator == "or" and isinstance(left, Const) and not left.value:
        return right
    if isinstance(left, Variable) and node.operator == "or":
        return left
    likely = right if node.operator == "or" and isinstance(left, Unknown) else None
    return Unknown(likely) if likely is not None else UNKNOWN


def arithmetic(
    run: Evaluation, operator: str, left: Value, right: Value, places: tuple[Span, Span, Span]
) -> Value:
    _, right_span, whole = places
    if isinstance(left, Variable) or isinstance(right, Variable):
        return _on_variable(run, operator, left, right, places)
    if operator == "%" and is_texty(left):
        return _percent(run, right, right_span, whole)
    if operator == "+":
        if is_texty(left) or is_texty(right):
            return join_text([left, right])
        if isinstance(left, ListValue):
            return concatenation(run, left, right, whole)
        if isinstance(left, Volatile) or isinstance(right, Volatile):
            return left if isinstance(left, Volatile) else right
    if operator == "/" and isinstance(left, PathValue):
        tail = text_or_path(right)
        return PathValue(posixpath.join(left.path, tail)) if tail is not None else UNKNOWN
    if operator == "*" and isinstance(left, ListValue):
        return ListValue(left.kind, list(left.items), whole, open=True, context=run.context)
    if operator == "|" and isinstance(left, DictValue):
        result = DictValue([*left.entries], whole, open=left.open, context=run.context)
        update(run, result, right)
        return result
    if isinstance(left, Const) and isinstance(right, Const):
        return _fold(operator, left.value, right.value)
    return UNKNOWN


def _on_variable(
    run: Evaluation, operator: str, left: Value, right: Value, places: tuple[Span, Span, Span]
) -> Value:
    left_span, right_span, whole = places
    if operator == "%" and is_texty(left):
        run.misuse("format", right, right_span, whole, "%")
        return UNKNOWN
    kind: Any = "add" if operator == "+" else "number"
    if isinstance(left, Variable):
        run.misuse(kind, left, left_span, whole, operator)
    else:
        run.misuse(kind, right, right_span, whole, operator)
    return UNKNOWN


def _percent(run: Evaluation, right: Value, span: Span, whole: Span) -> Value:
    if isinstance(right, ListValue):
        for element in right.items:
            run.misuse("format", element.value, element.span, whole, "%")
    return UNKNOWN


def _fold(operator: str, left: Any, right: Any) -> Value:
    if type(left) not in (int, float) or type(right) not in (int, float):
        return UNKNOWN
    if abs(left) > 1e12 or abs(right) > 1e12:
        return UNKNOWN
    match operator:
        case "+":
            return Const(left + right)
        case "-":
            return Const(left - right)
        case "*":
            return Const(left * right)
        case "/" if right:
            return Const(left / right)
        case "//" if right:
            return Const(left // right)
    return UNKNOWN


_ORDERING = frozenset({"<", ">", "<=", ">="})


def compare(run: Evaluation, node: s.Compare) -> Value:
    values = [run.evaluate(operand) for operand in node.operands]
    for index, operator in enumerate(node.operators):
        if index + 1 >= len(values):
            break
        left, right = values[index], values[index + 1]
        left_node, right_node = node.operands[index], node.operands[index + 1]
        if operator in _ORDERING:
            target, place = (left, left_node) if isinstance(left, Variable) else (right, right_node)
            run.misuse("number", target, run.span(place), run.span(node), operator)
        elif operator in ("==", "!=", "<>"):
            if isinstance(left, Variable) != isinstance(right, Variable):
                target, place = (left, left_node) if isinstance(left, Variable) else (right, right_node)
                run.misuse("compare", target, run.span(place), run.span(node), operator)
        elif operator in ("in", "not in"):
            if isinstance(right, Variable):
                run.misuse("iterate", right, run.span(right_node), run.span(node), operator)
            elif isinstance(right, ListValue) and not any(
                isinstance(element.value, Variable | Unknown) for element in right.items
            ):
                run.misuse("compare", left, run.span(left_node), run.span(node), operator)
    return UNKNOWN


# -- attributes ------------------------------------------------------------------------------------


def attribute(run: Evaluation, value: Value, node: s.Attribute) -> Value:
    """`value.name`."""
    handler = _ATTRIBUTES.get(type(value))
    return handler(run, value, node) if handler is not None else UNKNOWN


def _of_module(run: Evaluation, value: ModuleValue, node: s.Attribute) -> Value:
    dotted = f"{value.name}.{node.name}"
    found, _ = run.foreign_import(value.name, node.name)
    if isinstance(found, Unknown) and run.catalog_for(dotted) is not None:
        return ModuleValue(dotted)
    if isinstance(found, ForeignValue) and value.name in ("os", "importlib", "concurrent"):
        return ForeignValue(dotted)
    return found


def _of_user_module(run: Evaluation, value: UserModule, node: s.Attribute) -> Value:
    if node.name in value.scope.poisoned:
        return UNKNOWN
    return value.scope.names.get(node.name, UNKNOWN)


def _of_foreign(run: Evaluation, value: ForeignValue, node: s.Attribute) -> Value:
    return ForeignValue(f"{value.name}.{node.name}")


def _of_symbol(run: Evaluation, value: SymbolValue, node: s.Attribute) -> Value:
    symbol = value.symbol
    if not isinstance(symbol, SdkClass):
        return UNKNOWN
    if node.name in symbol.members:
        return EnumMember(symbol, node.name)
    if symbol.kind == "execution-variables" and node.name in symbol.constants:
        return ExecutionVariable(node.name)
    constant = symbol.constant(node.name)
    return Const(constant) if constant is not None else UNKNOWN


def _of_enum_member(run: Evaluation, value: EnumMember, node: s.Attribute) -> Value:
    if node.name == "value" and isinstance(value.value, str | int | float | bool):
        return Const(value.value)
    return Const(value.name) if node.name == "name" else UNKNOWN


def _of_object(run: Evaluation, value: SdkObject, node: s.Attribute) -> Value:
    if node.name in value.attributes:
        return value.attributes[node.name]
    if node.name == "properties" and value.kind == "step":
        return PropertyVariable(value)
    if value.cls.method(node.name) is not None:
        return StepMethod(value, node.name)
    if value.kind == "run-args":
        return _of_run_args(value, node)
    if value.kind == "step" and node.name in ("arguments", "steps", "outputs"):
        return UNKNOWN
    if node.name in value.cls.init.by_name and node.name not in value.cls.properties:
        given = value.call.argument(node.name)
        if given is not None:
            return given.value
        return _default(run, value, node)
    if node.name not in value.cls.attributes and not node.name.startswith("_"):
        place = run.place(node.name_start, node.name_end)
        run.found.missing_attributes.append(MissingAttribute(value, node.name, place))
    return UNKNOWN


def _default(run: Evaluation, value: SdkObject, node: s.Attribute) -> Value:
    """`pipeline.steps` of a pipeline made without steps is a list to append to."""
    if value.kind == "pipeline" and node.name in ("steps", "parameters") and not value.call.open:
        made = ListValue("list", [], value.call.span, context=run.context)
        value.attributes[node.name] = made
        return made
    return UNKNOWN


def _of_run_args(value: SdkObject, node: s.Attribute) -> Value:
    """`processor.get_run_args(...)` keeps outputs and arguments, and adds the code to the inputs."""
    if node.name in ("outputs", "arguments"):
        return value.call.value(node.name) or Const(None)
    return UNKNOWN


def _of_parameter(run: Evaluation, value: ParameterVariable, node: s.Attribute) -> Value:
    if node.name == "to_string":
        return MethodValue(value, node.name)
    if node.name == "default_value":
        run.found.defaults_read[run.span(node)] = value
    if node.name in ("name", "default_value", "enum_values"):
        return value.object.call.value(node.name) or Const(None)
    return _of_variable(run, value, node)


_VARIABLE_ATTRIBUTES = frozenset(
    {"to_string", "expr", "to_request", "parameter_type", "values", "on", "name"}
)


def _of_variable(run: Evaluation, value: Variable, node: s.Attribute) -> Value:
    if node.name == "to_string":
        return MethodValue(value, node.name)
    known = node.name in _VARIABLE_ATTRIBUTES or node.name.startswith("_")
    if isinstance(value, FunctionVariable | ParameterVariable):
        known = known or node.name in value.object.cls.attributes
    if not known and hasattr(str, node.name):
        run.misuse("string-method", value, run.span(node.value), run.span(node), node.name)
    return UNKNOWN


_PROPERTY_ATTRIBUTES = frozenset({"to_string", "expr", "path", "step_name", "to_request"})


def _of_property(run: Evaluation, value: PropertyVariable, node: s.Attribute) -> Value:
    if node.name == "to_string":
        return MethodValue(value, node.name)
    if node.name in _PROPERTY_ATTRIBUTES or node.name.startswith("_"):
        return UNKNOWN
    span = run.place(node.name_start, node.name_end)
    return PropertyVariable(value.step, (*value.path, node.name), (*value.spans, span), value.root)


def _of_class(run: Evaluation, value: ClassValue, node: s.Attribute) -> Value:
    found = value.find(node.name)
    if isinstance(found, FunctionValue):
        return found
    return Unknown(found) if value.open and found is not None else found or UNKNOWN


def _of_instance(run: Evaluation, value: Instance, node: s.Attribute) -> Value:
    from . import calls

    if node.name in value.attributes:
        if value.generic and node.name in value.cls.contested:
            return UNKNOWN
        return value.attributes[node.name]
    found = value.cls.find(node.name)
    if isinstance(found, FunctionValue):
        if found.kind == "property":
            return calls.follow(run, found, (), value)
        return found if found.kind == "static" else BoundMethod(value, found)
    if found is None:
        return UNKNOWN
    return Unknown(found) if value.cls.uncertain or value.generic else found


def _of_super(run: Evaluation, value: SuperValue, node: s.Attribute) -> Value:
    for base in value.cls.bases:
        if isinstance(base, ClassValue):
            found = base.find(node.name)
            if isinstance(found, FunctionValue):
                return BoundMethod(value.receiver, found)
    return UNKNOWN


def _of_builtin(run: Evaluation, value: Value, node: s.Attribute) -> Value:
    return MethodValue(value, node.name)


def _of_path(run: Evaluation, value: PathValue, node: s.Attribute) -> Value:
    if node.name == "parent":
        return PathValue(posixpath.dirname(value.path) or ".")
    if node.name in _PATH_TEXT:
        base = posixpath.basename(value.path)
        stem, suffix = posixpath.splitext(base)
        return Const({"name": base, "stem": stem, "suffix": suffix}[node.name])
    if node.name == "parents":
        return MethodValue(value, "parents")
    return MethodValue(value, node.name)


def _of_unknown(run: Evaluation, value: Unknown, node: s.Attribute) -> Value:
    return value if isinstance(value, Volatile) else UNKNOWN


_ATTRIBUTES: dict[type, Any] = {
    ModuleValue: _of_module,
    UserModule: _of_user_module,
    ForeignValue: _of_foreign,
    SymbolValue: _of_symbol,
    EnumMember: _of_enum_member,
    SdkObject: _of_object,
    ParameterVariable: _of_parameter,
    PropertyVariable: _of_property,
    FunctionVariable: _of_variable,
    ExecutionVariable: _of_variable,
    TextVariable: _of_variable,
    ReturnVariable: _of_variable,
    ClassValue: _of_class,
    Instance: _of_instance,
    SuperValue: _of_super,
    Const: _of_builtin,
    Text: _of_builtin,
    ListValue: _of_builtin,
    DictValue: _of_builtin,
    PathValue: _of_path,
    Volatile: _of_unknown,
}


def set_attribute(run: Evaluation, target: Value, name: str, value: Value) -> None:
    """`target.name = value`."""
    if isinstance(target, Instance):
        before = target.attributes.get(name)
        if before is not None and run.conditional and not same_value(before, value):
            value = UNKNOWN
        target.attributes[name] = value
    elif isinstance(target, SdkObject):
        target.attributes[name] = UNKNOWN if run.conditional or run.repeated else value
        if value is UNKNOWN or run.conditional:
            target.changed = True
    elif isinstance(target, ClassValue):
        target.names[name] = UNKNOWN
    elif isinstance(target, UserModule):
        target.scope.names[name] = UNKNOWN
    else:
        escape(value)


# -- subscripts ------------------------------------------------------------------------------------


def subscript(run: Evaluation, value: Value, node: s.Subscript) -> Value:
    """`value[index]`."""
    if node.index is None:
        for part in node.inner:
            run.evaluate(part)
        return _sliced(run, value, node)
    index = run.evaluate(node.index)
    run_misuse_key(run, value, index, node)
    key = index.value if isinstance(index, Const) and isinstance(index.value, str | int) else None
    if isinstance(value, PropertyVariable):
        span = run.span(node.index)
        return PropertyVariable(value.step, (*value.path, Index(key)), (*value.spans, span), value.root)
    if isinstance(value, ReturnVariable):
        return ReturnVariable(value.step, (*value.path, key))
    if isinstance(value, Variable):
        run.misuse("subscript", value, run.span(node.value), run.span(node))
        return UNKNOWN
    if isinstance(value, DictValue) and isinstance(key, str):
        entry = value.get(key)
        return entry.value if entry is not None else UNKNOWN
    if isinstance(value, ListValue) and isinstance(key, int) and not value.open and value.kind != "set":
        return value.items[key].value if -len(value.items) <= key < len(value.items) else UNKNOWN
    if isinstance(value, MethodValue) and value.name == "parents" and isinstance(key, int) and 0 <= key < 40:
        path = value.receiver.path if isinstance(value.receiver, PathValue) else ""
        for _ in range(key + 1):
            path = posixpath.dirname(path)
        return PathValue(path)
    return value if isinstance(value, Volatile) else UNKNOWN


def run_misuse_key(run: Evaluation, value: Value, index: Value, node: s.Subscript) -> None:
    if isinstance(value, DictValue) and node.index is not None:
        run.misuse("key", index, run.span(node.index), run.span(node), "dict")


def _sliced(run: Evaluation, value: Value, node: s.Subscript) -> Value:
    if isinstance(value, ListValue):
        return ListValue(value.kind, [], run.span(node), open=True, context=run.context)
    if isinstance(value, Variable) and not isinstance(value, PropertyVariable | ReturnVariable):
        run.misuse("subscript", value, run.span(node.value), run.span(node))
    return value if isinstance(value, Volatile) else UNKNOWN


def set_item(run: Evaluation, target: Value, node: s.Subscript, value: Value) -> None:
    """`target[index] = value`."""
    parts = [run.evaluate(part) for part in node.inner]
    if isinstance(target, DictValue) and node.index is not None:
        run.misuse("key", parts[0], run.span(node.index), run.span(node), "dict")
        put(run, target, parts[0], run.span(node.index), value)
    elif isinstance(target, ListValue):
        target.open = True
        target.items = []
    else:
        escape(value)


def put(run: Evaluation, target: DictValue, key: Value, span: Span, value: Value) -> None:
    """Set an entry; outside of the branch that made the dictionary it becomes uncertain."""
    name = key.value if isinstance(key, Const) and isinstance(key.value, str) else None
    if name is None:
        target.open = True
        target.entries = [Entry(e.key, e.key_span, UNKNOWN, e.span) for e in target.entries]
        return
    if target.context is not run.context:
        target.open = True
        before = target.get(name)
        if before is None or not same_value(before.value, value):
            value = UNKNOWN
    target.entries = [entry for entry in target.entries if entry.name != name]
    target.entries.append(Entry(key, span, value, span))


# -- containers ------------------------------------------------------------------------------------


def extend(run: Evaluation, target: ListValue, value: Value) -> None:
    """`target += value` and `target.extend(value)`."""
    if target.context is not run.context:
        target.open = True
    run.spread(target, value)


def append(run: Evaluation, target: ListValue, argument: Argument) -> None:
    if target.context is not run.context:
        target.open = True
    target.items.append(Element(argument.value, argument.span))


def concatenation(run: Evaluation, left: ListValue, right: Value, span: Span) -> ListValue:
    result = ListValue(left.kind, list(left.items), span, open=left.open, context=run.context)
    run.spread(result, right)
    return result


def update(run: Evaluation, target: DictValue, value: Value) -> None:
    """`target.update(value)`."""
    if target.context is not run.context or not isinstance(value, DictValue) or value.open:
        target.open = True
    if isinstance(value, DictValue):
        names = {entry.name for entry in value.entries}
        target.entries = [entry for entry in target.entries if entry.name not in names] + value.entries
    elif not isinstance(value, DictValue):
        target.entries = [Entry(e.key, e.key_span, UNKNOWN, e.span) for e in target.entries]


def touch_items(value: Value) -> None:
    """Items that a loop goes over may be changed there, unseen."""
    if isinstance(value, ListValue):
        for element in value.items:
            if isinstance(element.value, SdkObject):
                element.value.changed = True


def escape(value: Value) -> None:
    """A value was handed to code that we do not see, which may change it."""
    if isinstance(value, ListValue | DictValue):
        value.open = True
    elif isinstance(value, SdkObject):
        value.changed = True


def text_or_path(value: Value) -> str | None:
    if isinstance(value, Const) and isinstance(value.value, str):
        return value.value
    return value.path if isinstance(value, PathValue) else None
