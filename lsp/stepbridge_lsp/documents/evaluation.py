"""What a pipeline program makes, found by walking its syntax with abstract values; nothing is ever run.

Statements are taken in order, both branches of every `if`; a name that branches leave different is unknown,
and so is whatever a loop assigns. Calls of the program's own functions are followed (`calls.py`), imports of
the workspace's own modules too. Functions that nothing calls are looked into once with unknown arguments, so
that a file with only a `get_pipeline()` is understood. A budget of steps ends any walk.

The walk collects calls to the SDK, objects, misuses of pipeline variables and references; `building.py`
makes the model of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from msgspec import Struct, field

from stepbridge_lsp.catalog import MAJORS, Catalog, Major, catalog
from stepbridge_lsp.model import ForeignCall, Import, MissingAttribute, Misuse, MisuseKind
from stepbridge_lsp.positions import Span, make_span
from stepbridge_lsp.values import (
    UNKNOWN,
    Call,
    Const,
    DictValue,
    Element,
    Entry,
    ForeignValue,
    ListValue,
    ModuleValue,
    ParameterVariable,
    PropertyVariable,
    SdkObject,
    SymbolValue,
    Value,
    Variable,
)

from . import calls, operations
from . import syntax as s
from .reading import Reader
from .scopes import ClassValue, FunctionValue, LambdaValue, Scope, UserModule
from .workspace import Workspace

_BUDGET = 250_000
_new = tuple.__new__  # as `make_span`, in the places that make most
_DEPTH = 180
_MODULE_DEPTH = 12


class Reference(NamedTuple):
    """A Python expression (a name or attribute) that gave a parameter, a step or another SDK object."""

    value: SdkObject
    span: Span


class Findings(Struct):
    """What a walk collects, of all documents it went through; spans say of which."""

    calls: list[Call] = field(default_factory=list)
    objects: list[SdkObject] = field(default_factory=list)
    misuses: dict[tuple[MisuseKind, Span], Misuse] = field(default_factory=dict)
    references: list[Reference] = field(default_factory=list)
    properties: dict[Span, PropertyVariable] = field(default_factory=dict)
    imports: list[Import] = field(default_factory=list)
    foreign_calls: list[ForeignCall] = field(default_factory=list)
    scopes: list[Scope] = field(default_factory=list)
    defaults_read: dict[Span, ParameterVariable] = field(default_factory=dict)  # `parameter.default_value`
    missing_attributes: list[MissingAttribute] = field(default_factory=list)
    exhausted: bool = False


class Evaluation:
    """One walk through a program.

    Args:
        document: key of the document, an absolute path where it has one.
        block: its statements.
        reader: parses the workspace's modules that the program imports.
        record: remember the value of every expression (for hover and completion; costs time).
    """

    def __init__(
        self, document: str, block: s.Block, workspace: Workspace, reader: Reader, *, record: bool = False
    ) -> None:
        self.main = document
        self.workspace = workspace
        self.reader = reader
        self.block = block
        self.found = Findings()
        self.values: dict[tuple[str, int, int], Value] | None = {} if record else None
        self.modules: dict[str, UserModule] = {}
        self.dependencies: set[str] = set()
        self.functions: list[FunctionValue] = []
        self.classes: list[ClassValue] = []
        self.majors: tuple[Major, ...] = _majors_of(block)
        # where the walk is
        self.document = document
        self.base = 0
        self.scope = Scope(document)
        self.context: object = object()
        self.repeated = False
        self.conditional = False
        self.generic = False
        self.guarded = False
        self.budget = _BUDGET
        self.depth = 0
        self.calls_open: list[Any] = []  # functions being followed, innermost last
        self.returns: list[Value] = []
        self._expressions = {
            s.Name: self._name,
            s.Literal: self._literal,
            s.Formatted: self._formatted,
            s.Sequence: self._sequence,
            s.Mapping: self._mapping,
            s.CallNode: self._call,
            s.Attribute: self._attribute,
            s.Subscript: self._attribute,
            s.Binary: self._binary,
            s.Unary: self._unary,
            s.Compare: self._compare,
            s.Conditional: self._conditional,
            s.Comprehension: self._comprehension,
            s.LambdaNode: self._lambda,
            s.Walrus: self._walrus,
            s.Starred: self._starred,
            s.Other: self._other,
        }
        self._statements = {
            s.Expression: self._expression,
            s.Assign: self._assign,
            s.AugmentedAssign: self._augmented,
            s.ImportModules: self._import_modules,
            s.ImportFrom: self._import_from,
            s.FunctionDef: self._function,
            s.ClassDef: self._class,
            s.If: self._if,
            s.Loop: self._loop,
            s.With: self._with,
            s.Try: self._try,
            s.Return: self._return,
            s.Leave: self._leave,
            s.Evaluate: self._evaluate,
            s.Broken: self._broken,
        }

    # -- the walk ----------------------------------------------------------------------------------

    def run(self) -> Findings:
        """Walk the whole program, then what nothing called."""
        self.scope.names["__file__"] = Const(self.main) if self.main.startswith("/") else UNKNOWN
        self.scope.names["__name__"] = UNKNOWN
        self.found.scopes.append(self.scope)
        self.block_of(self.block, 0)
        module = self.scope
        index = 0
        while index < len(self.functions):  # grows while it is walked
            function = self.functions[index]
            index += 1
            if not function.called:
                calls.look_into(self, function)
        for cls in self.classes:
            calls.look_into_class(self, cls)
        self.scope = module
        return self.found

    def block_of(self, block: s.Block, base: int) -> None:
        """Evaluate statements whose offsets count from `base`."""
        handlers = self._statements
        outer = self.base
        for offset, statement in block.items:
            self.base = base + offset
            handlers[type(statement)](statement)  # type: ignore[operator]
        self.base = outer

    def evaluate(self, node: s.Node) -> Value:
        """The value of an expression."""
        kind = type(node)
        if kind is s.Literal:
            value = self._literal(node)  # type: ignore[arg-type]
        elif kind is s.Name:
            value = self._name(node)  # type: ignore[arg-type]
        elif self.budget <= 0 or self.depth > _DEPTH:
            self.found.exhausted = True
            return UNKNOWN
        else:
            self.budget -= 1
            self.depth += 1
            value = self._expressions[kind](node)  # type: ignore[operator]
            self.depth -= 1
        if self.values is not None:
            self.values[(self.document, self.base + node.start, self.base + node.end)] = value
        return value

    def span(self, node: Any) -> Span:
        base = self.base
        return _new(Span, (self.document, base + node.start, base + node.end))

    def place(self, start: int, end: int) -> Span:
        return make_span(self.document, self.base + start, self.base + end)

    def catalog_for(self, module: str) -> Catalog | None:
        """The SDK major that has a module, the program's own major first."""
        for major in (*self.majors, *(m for m in MAJORS if m not in self.majors)):
            if module in catalog(major).modules:
                return catalog(major)
        return None

    @contextmanager
    def branch(self, *, conditional: bool = True, repeated: bool = False) -> Iterator[None]:
        """Code that may not run, or many times: lists made outside are open once it touches them."""
        saved = self.context, self.conditional, self.repeated
        self.context = object()
        self.conditional = self.conditional or conditional
        self.repeated = self.repeated or repeated
        yield
        self.context, self.conditional, self.repeated = saved

    @contextmanager
    def place_of(self, document: str, base: int, scope: Scope) -> Iterator[None]:
        """Code of another function or module."""
        saved = self.document, self.base, self.scope
        self.document, self.base, self.scope = document, base, scope
        yield
        self.document, self.base, self.scope = saved

    def misuse(self, kind: MisuseKind, variable: Value, span: Span, whole: Span, detail: str = "") -> None:
        """Note an operation on a pipeline variable; other values are none of our business."""
        if isinstance(variable, Variable):
            self.found.misuses.setdefault((kind, span), Misuse(kind, variable, span, whole, detail))

    def truth(self, node: s.Node) -> Value:
        """The value of an expression whose truth is asked."""
        value = self.evaluate(node)
        if isinstance(value, Variable):
            self.misuse("truth", value, self.span(node), self.span(node))
        return value

    # -- expressions -------------------------------------------------------------------------------

    def _name(self, node: s.Name) -> Value:
        scope = self.scope
        module = scope.module or scope
        name = node.id
        if module.poisoned and name in module.poisoned:
            return UNKNOWN
        value = scope.names.get(name) or scope.lookup(name)
        if value is None:
            return operations.builtin(name)
        kind = type(value)
        if kind is SdkObject or kind is ParameterVariable:
            self.refer(value, node)
        return value

    def refer(self, value: Value, node: s.Node) -> None:
        """Note that an expression gave a parameter, a step or another SDK object."""
        made = value.object if isinstance(value, ParameterVariable) else value
        if isinstance(made, SdkObject):
            self.found.references.append(_new(Reference, (made, self.span(node))))

    def _literal(self, node: s.Literal) -> Value:
        known = node.known
        if known is not None and known[1] == self.base and known[0] == self.document:
            return known[2]  # type: ignore[no-any-return]
        value = Const(node.value, self.origin(node) if isinstance(node.value, str) else None)
        node.known = (self.document, self.base, value)
        return value

    def origin(self, node: s.Literal) -> Span:
        """The place of a string's own characters; of the whole literal where escapes make them differ."""
        start, end = node.inner or (node.start, node.end)
        return _new(Span, (self.document, self.base + start, self.base + end))

    def _formatted(self, node: s.Formatted) -> Value:
        parts: list[str | Value] = []
        for part in node.parts:
            if isinstance(part, str):
                parts.append(part)
                continue
            value = self.evaluate(part.value)
            if isinstance(value, Variable):
                shows = part.conversion in ("r", "a") or (part.debug and not part.conversion)
                self.misuse("repr" if shows else "format", value, self.span(part.value), self.span(node))
                return UNKNOWN
            parts.append(UNKNOWN if part.conversion or part.spec else value)
        return operations.join_text(parts)

    def _sequence(self, node: s.Sequence) -> Value:
        items: list[Element] = []
        result = ListValue(node.kind, items, self.span(node), context=self.context)
        for item in node.items:
            if isinstance(item, s.Starred):
                self.spread(result, self.evaluate(item.value))
                continue
            value = self.evaluate(item)
            span = self.span(item)
            if node.kind == "set":
                self.misuse("key", value, span, result.span, "set")
            items.append(Element(value, span))
        return result

    def spread(self, target: ListValue, value: Value) -> None:
        """Put the items of `value` into a list."""
        if isinstance(value, ListValue):
            target.items += value.items
            target.open = target.open or value.open
        else:
            target.open = True

    def _mapping(self, node: s.Mapping) -> Value:
        result = DictValue([], self.span(node), context=self.context)
        for key_node, value_node in node.entries:
            value = self.evaluate(value_node)
            if key_node is None:
                if isinstance(value, DictValue):
                    result.entries += value.entries
                    result.open = result.open or value.open
                else:
                    result.open = True
                continue
            key = self.evaluate(key_node)
            key_span = self.span(key_node)
            self.misuse("key", key, key_span, result.span, "dict")
            result.entries.append(Entry(key, key_span, value, self.span(value_node)))
        return result

    def _call(self, node: s.CallNode) -> Value:
        return calls.call(self, node)

    def _attribute(self, node: s.Attribute | s.Subscript) -> Value:
        value = self.chain(node)
        if isinstance(value, PropertyVariable):
            self.found.properties[self.span(node)] = value
        elif isinstance(value, ParameterVariable | SdkObject):
            self.refer(value, node)
        return value

    def chain(self, node: s.Node) -> Value:
        """`a.b['c'].d` from the inside out, noting nothing on the way."""
        if self.depth > _DEPTH:
            self.found.exhausted = True
            return UNKNOWN
        if isinstance(node, s.Attribute):
            self.depth += 1
            inner = self.chain(node.value)
            self.depth -= 1
            value = operations.attribute(self, inner, node)
        elif isinstance(node, s.Subscript):
            self.depth += 1
            inner = self.chain(node.value)
            self.depth -= 1
            value = operations.subscript(self, inner, node)
        else:
            return self.evaluate(node)
        if self.values is not None:
            self.values[(self.document, self.base + node.start, self.base + node.end)] = value
        return value

    def _binary(self, node: s.Binary) -> Value:
        return operations.binary(self, node)

    def _unary(self, node: s.Unary) -> Value:
        if node.operator == "not":
            self.truth(node.operand)
            return UNKNOWN
        value = self.evaluate(node.operand)
        self.misuse("number", value, self.span(node.operand), self.span(node), node.operator)
        if isinstance(value, Const) and type(value.value) in (int, float) and node.operator == "-":
            return Const(-value.value)  # type: ignore[operator]
        return UNKNOWN

    def _compare(self, node: s.Compare) -> Value:
        return operations.compare(self, node)

    def _conditional(self, node: s.Conditional) -> Value:
        self.truth(node.test)
        with self.branch():
            first = self.evaluate(node.body)
            second = self.evaluate(node.otherwise)
        return operations.merge(first, second)

    def _comprehension(self, node: s.Comprehension) -> Value:
        scope = Scope(self.document, {}, self.scope, self.scope.module or self.scope)
        with self.branch(repeated=True), self.place_of(self.document, self.base, scope):
            for target, source in node.clauses:
                value = self.evaluate(source)
                self.misuse("iterate", value, self.span(source), self.span(node))
                operations.touch_items(value)
                self.bind(target, UNKNOWN)
            for condition in node.conditions:
                self.truth(condition)
            for element in node.elements:
                self.evaluate(element)
        if node.kind == "dict":
            return DictValue([], self.span(node), open=True, context=self.context)
        if node.kind == "generator":
            return UNKNOWN
        return ListValue("list", [], self.span(node), open=True, context=self.context)

    def _lambda(self, node: s.LambdaNode) -> Value:
        value = LambdaValue(node, self.document, self.base, self.scope)
        calls.look_into_lambda(self, value)
        return value

    def _walrus(self, node: s.Walrus) -> Value:
        value = self.evaluate(node.value)
        self.assign_name(node.name, value)
        return value

    def _starred(self, node: s.Starred) -> Value:
        self.evaluate(node.value)
        return UNKNOWN

    def _other(self, node: s.Other) -> Value:
        for part in node.parts:
            self.evaluate(part)
        return UNKNOWN

    # -- statements --------------------------------------------------------------------------------

    def _expression(self, statement: s.Expression) -> None:
        self.evaluate(statement.value)

    def _assign(self, statement: s.Assign) -> None:
        if statement.value is None:
            return
        value = self.evaluate(statement.value)
        for target in statement.targets:
            self.bind(target, value)

    def bind(self, target: s.Node, value: Value) -> None:
        """Assign to whatever stands left of `=`."""
        match target:
            case s.Name(id=name):
                self.assign_name(name, value)
            case s.Sequence(items=items):
                self._unpack(items, value, target)
            case s.Attribute():
                operations.set_attribute(self, self.chain(target.value), target.name, value)
            case s.Subscript():
                operations.set_item(self, self.chain(target.value), target, value)
            case s.Starred(value=inner):
                self.bind(inner, UNKNOWN)
            case _:
                self.evaluate(target)

    def assign_name(self, name: str, value: Value) -> None:
        self.scope.names[name] = value
        inner = value.object if isinstance(value, ParameterVariable) else value
        if isinstance(inner, SdkObject) and inner.variable is None:
            inner.variable = name

    def _unpack(self, targets: list[s.Node], value: Value, whole: s.Node) -> None:
        items: list[Value] = []
        self.misuse("iterate", value, self.span(whole), self.span(whole), "unpack")
        if (
            isinstance(value, ListValue)
            and not value.open
            and not any(isinstance(t, s.Starred) for t in targets)
        ):
            items = [element.value for element in value.items]
        if len(items) != len(targets):
            items = [UNKNOWN] * len(targets)
        for target, item in zip(targets, items, strict=True):
            self.bind(target, item)

    def _augmented(self, statement: s.AugmentedAssign) -> None:
        target = statement.target
        left = self.evaluate(target)
        right = self.evaluate(statement.value)
        whole = Span(self.document, self.base, self.base + statement.length)
        if statement.operator == "+" and isinstance(left, ListValue):
            operations.extend(self, left, right)
            return
        places = (self.span(target), self.span(statement.value), whole)
        self.bind(target, operations.arithmetic(self, statement.operator, left, right, places))

    def _import_modules(self, statement: s.ImportModules) -> None:
        for item in statement.names:
            span = self.place(item.start, item.end)
            path = self.workspace.find_module(item.name, self.document)
            resolved = str(path) if path else None
            self.found.imports.append(Import(item.name, None, item.alias, span, span, resolved, self.guarded))
            if path is not None and (item.alias or "." not in item.name):
                value: Value = self.load(str(path)) or UNKNOWN
            else:
                value = ModuleValue(item.name if item.alias else item.name.split(".")[0])
            self.assign_name(item.alias or item.name.split(".")[0], value)

    def _import_from(self, statement: s.ImportFrom) -> None:
        module_span = self.place(statement.module_start, statement.module_end)
        path = self.workspace.find_module(statement.module, self.document)
        module = self.load(str(path)) if path is not None else None
        if statement.star:
            self._import_star(statement, module, module_span)
            return
        for item in statement.names:
            span = self.place(item.start, item.end)
            value, resolved = self._imported(statement.module, item.name, path, module)
            found = Import(statement.module, item.name, item.alias, span, module_span, resolved, self.guarded)
            self.found.imports.append(found)
            self.assign_name(item.alias or item.name, value)

    def _imported(
        self, module_name: str, name: str, path: Any, module: UserModule | None
    ) -> tuple[Value, str | None]:
        if path is not None:
            value = module.scope.names.get(name) if module is not None else None
            if value is None:  # a submodule of a package
                separator = "" if module_name.endswith(".") else "."
                sub = self.workspace.find_module(f"{module_name}{separator}{name}", self.document)
                if sub is not None:
                    return self.load(str(sub)) or UNKNOWN, str(sub)
            return value or UNKNOWN, str(path)
        if module_name.startswith("."):
            sub = self.workspace.find_module(f"{module_name}{name}", self.document)
            return (self.load(str(sub)) or UNKNOWN, str(sub)) if sub else (UNKNOWN, None)
        return self.foreign_import(module_name, name)

    def foreign_import(self, module: str, name: str) -> tuple[Value, str | None]:
        """A name of a module outside of the workspace: a symbol of the SDK, a module, or just its name."""
        dotted = f"{module}.{name}"
        for major in (*self.majors, *(m for m in MAJORS if m not in self.majors)):
            found = catalog(major).resolve(module, name)
            if found is not None:
                return SymbolValue(found), found.dotted
        if self.catalog_for(dotted) is not None:
            return ModuleValue(dotted), dotted
        if module == "sagemaker" or module.startswith("sagemaker."):
            return UNKNOWN, None
        return ForeignValue(dotted), None

    def _import_star(self, statement: s.ImportFrom, module: UserModule | None, module_span: Span) -> None:
        span = Span(self.document, self.base, self.base + statement.length)
        self.found.imports.append(Import(statement.module, "*", None, span, module_span, None, self.guarded))
        if module is not None:
            public = {n: v for n, v in module.scope.names.items() if not n.startswith("_")}
            self.scope.names.update(public)
            return
        sdk = self.catalog_for(statement.module)
        for name in sdk.names(statement.module) or () if sdk is not None else ():
            if not name.startswith("_"):
                self.scope.names[name] = self.foreign_import(statement.module, name)[0]

    def load(self, path: str) -> UserModule | None:
        """A module of the workspace, evaluated at its first import; None where it cannot be read."""
        if path in self.modules:
            return self.modules[path]
        if path == self.main:
            return UserModule(path, self.scope.module or self.scope)
        self.dependencies.add(path)
        source = self.workspace.text(path)
        if source is None or len(self.modules) >= 200 or self.depth > _MODULE_DEPTH * 10:
            return None
        scope = Scope(path)
        scope.names["__file__"] = Const(path)
        scope.names["__name__"] = Const(path.rpartition("/")[2].removesuffix(".py"))
        module = self.modules[path] = UserModule(path, scope)
        saved = self.context, self.conditional, self.repeated, self.generic, self.depth
        self.context, self.conditional, self.repeated, self.generic = object(), False, False, False
        self.depth += 10
        with self.place_of(path, 0, scope):
            self.block_of(self.reader.read(source).block, 0)
        self.context, self.conditional, self.repeated, self.generic, self.depth = saved
        return module

    def _function(self, statement: s.FunctionDef) -> None:
        calls.define_function(self, statement)

    def _class(self, statement: s.ClassDef) -> None:
        calls.define_class(self, statement)

    def _if(self, statement: s.If) -> None:
        branches = statement.branches
        if len(branches) == 1 and branches[0][0] is not None and _always(branches[0][0]):
            self.block_of(branches[0][1], self.base)
            return
        names = self.scope.names
        touched = {name for _, block in branches for name in block.assigned} | set(statement.binds)
        before = {name: names.get(name) for name in touched}
        outcomes: list[dict[str, Value | None]] = []
        for test, block in branches:
            if test is not None:
                self.truth(test)
            _restore(names, before)
            for name in statement.binds:
                names[name] = UNKNOWN
            with self.branch():
                self.block_of(block, self.base)
            if not block.ends:
                outcomes.append({name: names.get(name) for name in touched})
        if all(test is not None for test, _ in branches):
            outcomes.append(before)
        _restore(names, _merged(outcomes, touched) if outcomes else before)

    def _loop(self, statement: s.Loop) -> None:
        names = self.scope.names
        if statement.target is None:
            self.truth(statement.source)
        else:
            source = self.evaluate(statement.source)
            self.misuse("iterate", source, self.span(statement.source), self.span(statement.source), "for")
            operations.touch_items(source)
        touched = statement.body.assigned | set(s.target_names(statement.target) if statement.target else ())
        for name in touched:
            names[name] = UNKNOWN
        with self.branch(repeated=True):
            self.block_of(statement.body, self.base)
        for name in touched:
            names[name] = UNKNOWN
        with self.branch():
            self.block_of(statement.otherwise, self.base)

    def _with(self, statement: s.With) -> None:
        for item, target in statement.items:
            value = self.evaluate(item)
            if target is not None:
                self.bind(target, value if isinstance(value, SdkObject) else UNKNOWN)
        self.block_of(statement.body, self.base)

    def _try(self, statement: s.Try) -> None:
        names = self.scope.names
        touched = {n for _, block in statement.handlers for n in block.assigned}
        before = {name: names.get(name) for name in touched | statement.body.assigned}
        saved, self.guarded = self.guarded, self.guarded or bool(statement.handlers)
        self.block_of(statement.body, self.base)
        self.guarded = saved
        self.block_of(statement.otherwise, self.base)
        outcomes = [{name: names.get(name) for name in before}]
        for bound, block in statement.handlers:
            _restore(names, before)
            if bound:
                names[bound] = UNKNOWN
            with self.branch():
                self.block_of(block, self.base)
            if not block.ends:
                outcomes.append({name: names.get(name) for name in before})
        _restore(names, _merged(outcomes, set(before)))
        self.block_of(statement.final, self.base)

    def _return(self, statement: s.Return) -> None:
        value = self.evaluate(statement.value) if statement.value is not None else Const(None)
        self.returns.append(value)

    def _leave(self, statement: s.Leave) -> None:
        for part in statement.parts:
            self.evaluate(part)

    def _evaluate(self, statement: s.Evaluate) -> None:
        for part in statement.parts:
            self.evaluate(part)
        for name in statement.forgets:
            self.scope.names[name] = UNKNOWN

    def _broken(self, statement: s.Broken) -> None:
        for name in statement.forgets:
            self.scope.names[name] = UNKNOWN
        for block in statement.blocks:
            names = dict.fromkeys(block.assigned, UNKNOWN)
            with self.branch():
                self.block_of(block, self.base)
            self.scope.names.update(names)


def _restore(names: dict[str, Value], state: dict[str, Value | None]) -> None:
    for name, value in state.items():
        if value is None:
            names.pop(name, None)
        else:
            names[name] = value


def _merged(outcomes: list[dict[str, Value | None]], touched: set[str]) -> dict[str, Value | None]:
    """What a name is after branches: the same in all, or unknown. A branch that does not bind it is passed
    over, because using the name there would fail."""
    result: dict[str, Value | None] = {}
    for name in touched:
        values = [value for outcome in outcomes if (value := outcome[name]) is not None]
        merged: Value | None = values[0] if values else None
        for value in values[1:]:
            merged = operations.merge(merged or UNKNOWN, value)
        result[name] = merged
    return result


def _always(test: s.Node) -> bool:
    """`if __name__ == "__main__"` and `if TYPE_CHECKING` are taken as given."""
    match test:
        case s.Compare(operands=[s.Name(id="__name__"), s.Literal(value="__main__")], operators=["=="]):
            return True
        case s.Name(id="TYPE_CHECKING") | s.Attribute(name="TYPE_CHECKING"):
            return True
    return False


def _majors_of(block: s.Block) -> tuple[Major, ...]:
    """The SDK majors that the program's own top-level imports speak of, found before anything is
    evaluated.
    """
    found: list[Major] = []
    for _, statement in block.items:
        modules: list[str] = []
        if isinstance(statement, s.ImportFrom):
            modules = [statement.module]
        elif isinstance(statement, s.ImportModules):
            modules = [item.name for item in statement.names]
        for module in modules:
            if not module.startswith("sagemaker."):
                continue
            having: list[Major] = [major for major in MAJORS if module in catalog(major).modules]
            if len(having) == 1 and having[0] not in found:
                found.append(having[0])
    return tuple(found)
