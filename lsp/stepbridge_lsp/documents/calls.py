"""Calls: of the SDK's classes and methods (bound to their signatures), of the program's own functions
(followed), and of the few library functions that pipeline programs compute paths and texts with.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from stepbridge_lsp.catalog import Callable_, SdkClass, SdkFunction
from stepbridge_lsp.positions import Span, make_span
from stepbridge_lsp.values import (
    UNKNOWN,
    Argument,
    Call,
    Const,
    DictValue,
    ForeignValue,
    FunctionVariable,
    ImageUri,
    JsonText,
    ListValue,
    ModuleValue,
    ParameterVariable,
    PathValue,
    PropertyVariable,
    ReturnVariable,
    SdkObject,
    StepArguments,
    SymbolValue,
    Text,
    TextVariable,
    Unknown,
    Value,
    Variable,
    Volatile,
)

from . import foreign, operations
from . import syntax as s
from .scopes import (
    BoundMethod,
    ClassValue,
    FunctionValue,
    Instance,
    LambdaValue,
    MethodValue,
    Scope,
    StepMethod,
    SuperValue,
)

if TYPE_CHECKING:
    from .evaluation import Evaluation

_FOLLOW_DEPTH = 8
# (kind of the receiver, method): calls whose result is a step's `step_args`
_STEP_ARGUMENTS = frozenset(
    {
        ("processor", "run"),
        ("estimator", "fit"),
        ("estimator", "train"),
        ("estimator", "register"),
        ("transformer", "transform"),
        ("transformer", "transform_with_monitoring"),
        ("tuner", "fit"),
        ("tuner", "tune"),
        ("automl", "fit"),
        ("model", "create"),
        ("model", "register"),
        ("model", "build"),
        ("pipeline-model", "create"),
        ("pipeline-model", "register"),
    }
)


def call(run: Evaluation, node: s.CallNode) -> Value:
    """The value of a call expression."""
    function = run.evaluate(node.function)
    if isinstance(function, ForeignValue) and function.name == "builtins.super":
        return _super(run)
    arguments, is_open = evaluate_arguments(run, node)
    match function:
        case SymbolValue(symbol=SdkClass() as cls):
            return construct(run, cls, node, arguments, is_open)
        case SymbolValue(symbol=SdkFunction() as symbol):
            return _call_function(run, symbol, node, arguments, is_open)
        case StepMethod(receiver=receiver, name=name):
            return _call_method(run, receiver, name, node, arguments, is_open)
        case FunctionValue():
            return follow(run, function, arguments, None, is_open, run.span(node))
        case BoundMethod(receiver=instance, function=method):
            return follow(run, method, arguments, instance, is_open, run.span(node))
        case LambdaValue():
            _escape_all(arguments)
            return UNKNOWN
        case ClassValue():
            return instantiate(run, function, arguments, is_open)
        case MethodValue(receiver=Variable() as variable, name="to_string"):
            return _to_string(variable)
        case MethodValue():
            return foreign.call_method(run, function, node, arguments)
        case ForeignValue():
            return foreign.call_function(run, function, node, arguments)
        case Call():
            return UNKNOWN
    if isinstance(function, Volatile):
        return function
    _escape_all(arguments)
    return UNKNOWN


def _escape_all(arguments: Iterable[Argument]) -> None:
    for argument in arguments:
        operations.escape(argument.value)


def _to_string(variable: Variable) -> Variable:
    """Join, execution variables and text parameters are texts already."""
    if isinstance(variable, ParameterVariable) and variable.object.cls.name != "ParameterString":
        return TextVariable(variable)
    return TextVariable(variable) if isinstance(variable, PropertyVariable | ReturnVariable) else variable


# -- arguments -------------------------------------------------------------------------------------


def evaluate_arguments(run: Evaluation, node: s.CallNode) -> tuple[list[Argument], bool]:
    """The arguments of a call in order, `*` and `**` of known content spread; and whether there may be
    others.
    """
    arguments: list[Argument] = []
    is_open = False
    document, base = run.document, run.base
    for arg in node.arguments:
        known = arg.known
        if known is not None and known[1] == base and known[0] == document and run.values is None:
            arguments.append(known[2])
            continue
        value = run.evaluate(arg.value)
        if arg.stars == 0:
            name_span = None
            if arg.name is not None:
                name_span = make_span(document, base + arg.name_start, base + arg.name_end)
            span = make_span(document, base + arg.start, base + arg.end)
            argument = Argument(arg.name, value, span, name_span)
            arguments.append(argument)
            if type(arg.value) is s.Literal:
                arg.known = (document, base, argument)
        elif arg.stars == 1:
            run.misuse("iterate", value, run.span(arg), run.span(arg), "*")
            if isinstance(value, ListValue):
                arguments += [Argument(None, e.value, e.span, unpacked=True) for e in value.items]
            is_open = is_open or not isinstance(value, ListValue) or value.open
        elif isinstance(value, DictValue):
            is_open = is_open or value.open or any(entry.name is None for entry in value.entries)
            named = {e.name: e for e in value.entries if e.name is not None}  # the last of a name wins
            arguments += [Argument(n, e.value, e.span, e.key_span, True) for n, e in named.items()]
        else:
            is_open = True
    return arguments, is_open


def _bind_again(target: Callable_, made: Call, node: s.CallNode) -> None:
    """`bind`, sooner where the same arguments came to the same target before."""
    known = node.binding
    if known is not None and known[0] is target:
        made.bound = dict(zip(known[1], made.arguments, strict=True))
        return
    bind(target, made)
    if len(made.bound) == len(made.arguments) and not any(arg.stars for arg in node.arguments):
        node.binding = target, tuple(made.bound)


def bind(target: Callable_, made: Call) -> None:
    """Bring arguments to their formal parameters; what reaches none is surplus."""
    surplus: list[Argument] = []
    position = 0
    for argument in made.arguments:
        if argument.name is not None:
            formal = target.by_name.get(argument.name)
        else:
            formal = target.positional[position] if position < len(target.positional) else None
            position += 1
        if formal is None:
            if argument.name is not None or not target.takes_many:
                surplus.append(argument)
        elif formal.name in made.bound:
            surplus.append(argument)
        else:
            made.bound[formal.name] = argument
    made.surplus = tuple(surplus)


def make_call(
    run: Evaluation,
    target: Callable_,
    node: s.CallNode,
    arguments: list[Argument],
    is_open: bool,
    receiver: SdkObject | None = None,
) -> Call:
    function = node.function
    if isinstance(function, s.Attribute):
        name_span = run.place(function.name_start, function.name_end)
    else:
        name_span = run.span(function)
    made = Call(
        target=target,
        span=run.span(node),
        name_span=name_span,
        arguments_span=run.place(node.arguments_start, node.arguments_end),
        arguments=tuple(arguments),
        receiver=receiver,
        open=is_open,
        repeated=run.repeated,
        conditional=run.conditional,
        generic=run.generic,
        order=len(run.found.calls),
    )
    _bind_again(target, made, node)
    run.found.calls.append(made)
    return made


# -- the SDK ---------------------------------------------------------------------------------------


def construct(
    run: Evaluation, cls: SdkClass, node: s.CallNode, arguments: list[Argument], is_open: bool
) -> Value:
    """An object of an SDK class."""
    made = make_call(run, cls.init, node, arguments, is_open)
    made_object = SdkObject(cls, made)
    run.found.objects.append(made_object)
    result: Value = made_object
    if cls.kind == "parameter":
        result = ParameterVariable(made_object)
    elif cls.kind == "function":
        result = FunctionVariable(made_object)
    elif cls.members or cls.kind == "execution-variables":
        result = UNKNOWN
    made.result = result
    return result


def _call_function(
    run: Evaluation, symbol: SdkFunction, node: s.CallNode, arguments: list[Argument], is_open: bool
) -> Value:
    made = make_call(run, symbol.callable, node, arguments, is_open)
    if is_step_decorator(symbol):
        wrapped = made.value("_func")
        if isinstance(wrapped, FunctionValue):
            made.result = _as_step(wrapped, made)
        else:
            made.result = SymbolValue(_Decorator(made))
    elif symbol.name == "retrieve" and "image_uris" in symbol.dotted:
        made.result = ImageUri(made)
    return made.result


def is_step_decorator(symbol: Any) -> bool:
    return isinstance(symbol, SdkFunction) and symbol.dotted.endswith("workflow.function_step.step")


class _Decorator:
    """`step(name=...)`, waiting for its function."""

    def __init__(self, made: Call) -> None:
        self.call = made


def _as_step(function: FunctionValue, made: Call) -> FunctionValue:
    return FunctionValue(
        function.node,
        function.document,
        function.base,
        function.scope,
        function.owner,
        function.decorators,
        "step",
        made,
        called=True,
    )


def _call_method(
    run: Evaluation,
    receiver: SdkObject,
    name: str,
    node: s.CallNode,
    arguments: list[Argument],
    is_open: bool,
) -> Value:
    method = receiver.cls.method(name)
    assert method is not None
    made = make_call(run, method, node, arguments, is_open, receiver)
    receiver.calls.append(made)
    if (receiver.kind, name) in _STEP_ARGUMENTS:
        made.result = StepArguments(made)
    elif name == "get_run_args" and receiver.kind == "processor":
        made.result = SdkObject(_run_args_class(receiver.cls), made)
    elif name == "get_top_model_s3_uri" and receiver.kind == "step":
        made.result = TextVariable(PropertyVariable(receiver, ("TrainingJobSummaries",), (made.span,)))
    elif name.startswith("with_") and receiver.kind == "estimator":  # ModelTrainer's methods return itself
        made.result = receiver
    return made.result


def _run_args_class(cls: SdkClass) -> SdkClass:
    return SdkClass(
        "RunArgs", "", cls.major, "run-args", (), cls.init, {}, {}, frozenset(), True, cls.catalog
    )


# -- functions of the program ----------------------------------------------------------------------


def define_function(run: Evaluation, statement: s.FunctionDef) -> None:
    decorators = [(node, run.evaluate(node)) for node in statement.decorators]
    function = FunctionValue(
        statement,
        run.document,
        run.base,
        run.scope,
        decorators=tuple(value for _, value in decorators),
    )
    module = run.scope.module or run.scope
    module.poisoned.update(statement.body.declared)
    _define_defaults(run, statement)
    value: Value = function
    for node, decorator in reversed(decorators):
        value = _decorated(run, function, value, node, decorator)
    if run.document == run.main:
        run.functions.append(function)
    run.scope.names[statement.name] = value


def _define_defaults(run: Evaluation, statement: s.FunctionDef) -> None:
    for formal in statement.parameters.formals:
        if formal.default is not None:
            run.evaluate(formal.default)


def _decorated(
    run: Evaluation, function: FunctionValue, value: Value, node: s.Node, decorator: Value
) -> Value:
    if not isinstance(value, FunctionValue):
        return UNKNOWN
    match decorator:
        case ForeignValue(name="builtins.property") | ForeignValue(name="functools.cached_property"):
            function.kind = "property"
        case ForeignValue(name="builtins.staticmethod"):
            function.kind = "static"
        case ForeignValue(name="builtins.classmethod"):
            function.kind = "class"
        case SymbolValue(symbol=_Decorator() as pending):
            return _as_step(value, pending.call)
        case SymbolValue(symbol=symbol) if is_step_decorator(symbol):
            bare = s.CallNode(node.start, node.end, node, [], node.end, node.end)
            return _as_step(value, make_call(run, symbol.callable, bare, [], False))
        case _ if isinstance(node, s.Name) and node.id in ("property", "staticmethod", "classmethod"):
            function.kind = {"property": "property", "staticmethod": "static", "classmethod": "class"}[
                node.id
            ]
        case _:
            function.kind = "opaque"
    return function


def follow(
    run: Evaluation,
    function: FunctionValue,
    arguments: Iterable[Argument],
    receiver: Value | None = None,
    is_open: bool = False,
    span: Span | None = None,
) -> Value:
    """Call a function of the program: walk its body with these arguments."""
    if function.kind == "step":
        return _call_step(run, function, list(arguments), is_open, span)
    recursive = any(open_node is function.node for open_node in run.calls_open)
    if function.kind == "opaque" or recursive or len(run.calls_open) >= _FOLLOW_DEPTH:
        _escape_all(arguments)
        return UNKNOWN
    function.called = True
    bound = list(arguments)
    if receiver is not None and function.kind != "static":
        bound.insert(0, Argument(None, receiver, span or Span(function.document, 0, 0)))
    return _walk_body(run, function, bound, is_open)


def _walk_body(run: Evaluation, function: FunctionValue, arguments: list[Argument], is_open: bool) -> Value:
    scope = new_scope(function)
    _bind_formals(run, function, scope, arguments, is_open)
    saved_returns, run.returns = run.returns, []
    run.calls_open.append(function.node)
    with run.place_of(function.document, function.base, scope):
        run.block_of(function.node.body, function.base)
    run.calls_open.pop()
    returns, run.returns = run.returns, saved_returns
    if function.document == run.main:
        run.found.scopes.append(scope)
    if not returns:
        return Const(None)
    result = returns[0]
    for other in returns[1:]:
        result = operations.merge(result, other)
    return result


def new_scope(function: FunctionValue) -> Scope:
    outer = function.scope
    module = outer.module or outer
    parent = outer if outer is not module else None
    node = function.node
    return Scope(function.document, {}, parent, module, start=function.base, end=function.base + node.length)


def _bind_formals(
    run: Evaluation, function: FunctionValue, scope: Scope, arguments: list[Argument], is_open: bool
) -> None:
    formals = function.node.parameters.formals
    names = scope.names
    positional = [formal.name for formal in formals if formal.kind == "positional"]
    keyword = {formal.name for formal in formals if formal.kind in ("positional", "keyword")}
    many: list[Argument] = []
    others: list[Argument] = []
    position = 0
    for argument in arguments:
        if argument.name is None and position < len(positional):
            names[positional[position]] = argument.value
            position += 1
        elif argument.name is None:
            many.append(argument)
        elif argument.name in keyword:
            names[argument.name] = argument.value
        else:
            others.append(argument)
    for formal in formals:
        if formal.kind == "many":
            names[formal.name] = _as_list(run, many, is_open)
        elif formal.kind == "keywords":
            names[formal.name] = _as_dict(run, others, is_open)
        elif formal.name not in names:
            default = _default(run, function, formal)
            names[formal.name] = Unknown(default) if is_open else default or UNKNOWN


def _default(run: Evaluation, function: FunctionValue, formal: s.Formal) -> Value | None:
    """A default as it was when the function was defined. A list or dictionary is fresh for each call here."""
    if formal.default is None:
        return None
    with run.place_of(function.document, function.base, function.scope):
        before = len(run.found.references)
        value = run.evaluate(formal.default)
        del run.found.references[before:]
    return value


def _as_list(run: Evaluation, arguments: list[Argument], is_open: bool) -> ListValue:
    from stepbridge_lsp.values import Element

    items = [Element(argument.value, argument.span) for argument in arguments]
    span = arguments[0].span if arguments else Span(run.document, run.base, run.base)
    return ListValue("tuple", items, span, open=is_open, context=run.context)


def _as_dict(run: Evaluation, arguments: list[Argument], is_open: bool) -> DictValue:
    from stepbridge_lsp.values import Entry

    entries = [Entry(Const(a.name), a.name_span or a.span, a.value, a.span) for a in arguments]
    span = arguments[0].span if arguments else Span(run.document, run.base, run.base)
    return DictValue(entries, span, open=is_open, context=run.context)


def _call_step(
    run: Evaluation, function: FunctionValue, arguments: list[Argument], is_open: bool, span: Span | None
) -> Value:
    """A call of a function under `@step` makes a step; the body runs in a job of its own."""
    decorator = function.step
    assert decorator is not None
    target = decorator.target
    made = Call(
        target=target,
        span=span or decorator.span,
        name_span=decorator.name_span,
        arguments_span=decorator.arguments_span,
        arguments=tuple(arguments),
        bound=dict(decorator.bound),
        surplus=decorator.surplus,
        open=decorator.open or is_open,
        repeated=run.repeated,
        conditional=run.conditional,
        generic=run.generic,
        order=len(run.found.calls),
    )
    step = SdkObject(_step_class(target, function), made, attributes={"__function__": function})
    run.found.objects.append(step)
    made.result = ReturnVariable(step)
    return made.result


def _step_class(target: Callable_, function: FunctionValue) -> SdkClass:
    from stepbridge_lsp.catalog import catalog

    return SdkClass(
        "FunctionStep",
        "",
        target.major,
        "step",
        (),
        target,
        {},
        {},
        frozenset({"properties"}),
        True,
        catalog(target.major),
    )


def look_into(run: Evaluation, function: FunctionValue) -> None:
    """Walk a function that nothing calls, with unknown arguments."""
    if function.called:
        return
    function.called = True
    if function.owner is not None:
        return  # its class is looked into as a whole
    if not concerns_pipelines(run, function):
        return
    saved = run.generic
    run.generic = True
    with run.branch(conditional=False):
        _walk_unknown(run, function, None)
    run.generic = saved


_PLAIN = (Const, Text, PathValue, ForeignValue, Unknown, JsonText, LambdaValue)


def concerns_pipelines(run: Evaluation, function: FunctionValue, depth: int = 0) -> bool:
    """Whether a function that gets unknown arguments can have to do with pipelines at all: it names
    something that is more than a plain value, or imports something that may be."""
    if function.node.mentions is None:
        return True
    for name in function.node.mentions:
        if name.startswith("import "):
            if _is_concerned_module(run, function, name.removeprefix("import ")):
                return True
            continue
        value = function.scope.lookup(name)
        if value is None or isinstance(value, _PLAIN):
            continue
        if isinstance(value, ModuleValue) and value.name.split(".")[0] not in ("sagemaker", "boto3"):
            continue
        if isinstance(value, FunctionValue):
            if value.node is function.node or value.kind == "step":
                continue
            if depth < 4 and not concerns_pipelines(run, value, depth + 1):
                continue
        return True
    return False


def _is_concerned_module(run: Evaluation, function: FunctionValue, module: str) -> bool:
    if module.split(".")[0] in ("sagemaker", "boto3"):
        return True
    return run.workspace.find_module(module, function.document) is not None


def _walk_unknown(run: Evaluation, function: FunctionValue, receiver: Value | None) -> Value:
    scope = new_scope(function)
    for index, formal in enumerate(function.node.parameters.formals):
        if formal.kind == "many":
            scope.names[formal.name] = _as_list(run, [], True)
        elif formal.kind == "keywords":
            scope.names[formal.name] = _as_dict(run, [], True)
        elif index == 0 and receiver is not None and function.kind != "static":
            scope.names[formal.name] = receiver
        else:
            scope.names[formal.name] = Unknown(_default(run, function, formal))
    saved_returns, run.returns = run.returns, []
    run.calls_open.append(function.node)
    with run.place_of(function.document, function.base, scope):
        run.block_of(function.node.body, function.base)
    run.calls_open.pop()
    run.returns = saved_returns
    run.found.scopes.append(scope)
    return UNKNOWN


def look_into_lambda(run: Evaluation, value: LambdaValue) -> None:
    scope = Scope(run.document, {}, run.scope, run.scope.module or run.scope)
    for formal in value.node.parameters.formals:
        scope.names[formal.name] = UNKNOWN
    with run.branch(repeated=True), run.place_of(run.document, run.base, scope):
        run.evaluate(value.node.body)


# -- classes of the program ------------------------------------------------------------------------


def define_class(run: Evaluation, statement: s.ClassDef) -> None:
    decorators = [run.evaluate(node) for node in statement.decorators]
    bases = [run.evaluate(arg.value) for arg in statement.bases if arg.name is None]
    is_dataclass = any(
        isinstance(d, ForeignValue) and d.name.startswith("dataclasses.dataclass") for d in decorators
    )
    known = [base for base in bases if isinstance(base, ClassValue) or _is_object(base)]
    cls = ClassValue(
        statement,
        run.document,
        run.base,
        {},
        tuple(bases),
        open=len(known) != len(bases) or (bool(decorators) and not is_dataclass),
        dataclass=is_dataclass,
        fields=tuple(_annotated(statement.body)) if is_dataclass else (),
        contested=_contested(statement.body),
    )
    module = run.scope.module or run.scope
    scope = Scope(run.document, cls.names, run.scope if run.scope is not module else None, module)
    defined = len(run.functions)
    base = run.base
    with run.place_of(run.document, base, scope):
        run.block_of(statement.body, base)
    for value in cls.names.values():
        if isinstance(value, FunctionValue):
            value.owner = value.owner or cls
            value.scope = run.scope  # methods do not see the names of their class
    for function in run.functions[defined:]:
        function.owner = function.owner or cls
        function.scope = run.scope if function.scope is scope else function.scope
    if run.document == run.main:
        run.classes.append(cls)
    run.scope.names[statement.name] = cls


def _is_object(base: Value) -> bool:
    return isinstance(base, ForeignValue) and base.name in ("builtins.object", "abc.ABC")


def _annotated(block: s.Block) -> Iterable[str]:
    for _, statement in block.items:
        if isinstance(statement, s.Assign) and statement.annotated:
            yield from s.target_names(statement.targets[0])


def _contested(body: s.Block) -> frozenset[str]:
    """Attributes of `self` that more than one method assigns."""
    counts: dict[str, int] = {}
    for _, statement in body.items:
        if isinstance(statement, s.FunctionDef):
            for name in _attributes_set(statement.body):
                counts[name] = counts.get(name, 0) + 1
    return frozenset(name for name, count in counts.items() if count > 1)


def _attributes_set(block: s.Block) -> set[str]:
    names: set[str] = set()
    for _, statement in block.items:
        match statement:
            case s.Assign(targets=targets):
                names |= {t.name for t in targets if isinstance(t, s.Attribute)}
            case s.AugmentedAssign(target=s.Attribute(name=name)):
                names.add(name)
            case s.If(branches=branches):
                for _, inner in branches:
                    names |= _attributes_set(inner)
            case s.Loop(body=inner) | s.With(body=inner) | s.Try(body=inner):
                names |= _attributes_set(inner)
    return names


def instantiate(run: Evaluation, cls: ClassValue, arguments: list[Argument], is_open: bool) -> Value:
    """An instance of a class of the program."""
    cls.called = True
    instance = Instance(cls)
    if cls.dataclass:
        _fill_fields(instance, cls, arguments, is_open)
        return instance
    init = cls.find("__init__")
    if isinstance(init, FunctionValue):
        follow(run, init, arguments, instance, is_open)
    elif cls.uncertain:  # a model of pydantic or the like: what is passed may be changed on its way
        _escape_all(arguments)
        for argument in arguments:
            if argument.name is not None:
                instance.attributes[argument.name] = UNKNOWN
    return instance


def _fill_fields(instance: Instance, cls: ClassValue, arguments: list[Argument], is_open: bool) -> None:
    fields = cls.all_fields()
    position = 0
    for argument in arguments:
        name = argument.name
        if name is None and position < len(fields):
            name = fields[position]
            position += 1
        if name is not None:
            instance.attributes[name] = argument.value
    for name in fields:
        if name not in instance.attributes:
            default = cls.find(name)
            known = isinstance(default, Const) and not is_open
            instance.attributes[name] = default if known and default else Unknown(default)


def look_into_class(run: Evaluation, cls: ClassValue) -> None:
    """Walk the methods of a class that nothing called."""
    methods = [
        value for value in cls.names.values() if isinstance(value, FunctionValue) and value.owner is cls
    ]
    pending = [method for method in methods if not _is_walked(run, method)]
    if not pending:
        return
    instance = Instance(cls, generic=True)
    saved = run.generic
    run.generic = True
    with run.branch(conditional=False):
        init = cls.find("__init__")
        if isinstance(init, FunctionValue):
            _walk_unknown(run, init, instance)
        for method in pending:
            if method is not init and not _is_walked(run, method):
                first = UNKNOWN if method.kind == "class" else instance
                _walk_unknown(run, method, first)
    run.generic = saved


def _is_walked(run: Evaluation, method: FunctionValue) -> bool:
    start = method.base
    return any(scope.start == start and scope.end > start for scope in run.found.scopes)


def _super(run: Evaluation) -> Value:
    receiver = next(iter(run.scope.names.values()), None)
    if isinstance(receiver, Instance):
        for cls in _lineage(receiver.cls):
            if any(
                isinstance(value, FunctionValue) and value.node is run.calls_open[-1]
                for value in cls.names.values()
                if run.calls_open
            ):
                return SuperValue(cls, receiver)
    return UNKNOWN


def _lineage(cls: ClassValue) -> Iterable[ClassValue]:
    yield cls
    for base in cls.bases:
        if isinstance(base, ClassValue):
            yield from _lineage(base)
