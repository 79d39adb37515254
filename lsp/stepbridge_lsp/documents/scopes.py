"""Names of a Python program and what they hold while it is evaluated: scopes, functions, classes, instances.

The user's own functions and classes live here; what the SDK offers lives in `values`. No evaluation happens
in this module.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct, field

from stepbridge_lsp.positions import Span
from stepbridge_lsp.values import Call, SdkObject, Value

from . import syntax as s


class Scope(Struct, eq=False):
    """Names of a module, class body or function call. `parent` is the enclosing function's scope, if any.

    `poisoned` holds names of a module that some function declares `global`: their value depends on who was
    called.
    """

    document: str
    names: dict[str, Value] = field(default_factory=dict)
    parent: Scope | None = None
    module: Scope | None = None
    poisoned: set[str] = field(default_factory=set)
    start: int = 0
    end: int = 0

    def lookup(self, name: str) -> Value | None:
        """The value of a name as this scope sees it; None if nothing here binds it."""
        scope: Scope | None = self
        while scope is not None:
            if (found := scope.names.get(name)) is not None:
                return found
            scope = scope.parent
        module = self.module or self
        return module.names.get(name)

    def visible(self) -> Iterator[tuple[str, Value]]:
        """All names that code here may use, inner ones first; a name may come twice."""
        scope: Scope | None = self
        while scope is not None:
            yield from scope.names.items()
            scope = scope.parent
        if self.module is not None:
            yield from self.module.names.items()


class FunctionValue(Value, Struct, eq=False):
    """A function of the user. `base` is its statement's offset in `document`; `scope` where it was defined.

    `decorators` holds what the decorators evaluated to, outermost first; `step` the decorator call if
    `@step` is among them.
    """

    node: s.FunctionDef
    document: str
    base: int
    scope: Scope
    owner: ClassValue | None = None
    decorators: tuple[Value, ...] = ()
    kind: str = "function"  # or "static", "class", "property", "opaque" (a decorator we do not know)
    step: Call | None = None
    called: bool = False

    @property
    def name(self) -> str:
        return self.node.name

    @property
    def name_span(self) -> Span:
        return Span(self.document, self.base + self.node.name_start, self.base + self.node.name_end)


class LambdaValue(Value, Struct, eq=False):
    node: s.LambdaNode
    document: str
    base: int
    scope: Scope


class ClassValue(Value, Struct, eq=False):
    """A class of the user. `open`: it has bases or decorators that we do not know."""

    node: s.ClassDef
    document: str
    base: int
    names: dict[str, Value]
    bases: tuple[Value, ...] = ()
    open: bool = False
    dataclass: bool = False
    fields: tuple[str, ...] = ()  # of a data class, in order
    contested: frozenset[str] = frozenset()  # attributes that several methods assign
    called: bool = False

    def find(self, name: str) -> Value | None:
        """A class attribute, its own or inherited."""
        if name in self.names:
            return self.names[name]
        for base in self.bases:
            if isinstance(base, ClassValue) and (found := base.find(name)) is not None:
                return found
        return None

    @property
    def uncertain(self) -> bool:
        """It may have attributes that we do not see."""
        return self.open or any(isinstance(b, ClassValue) and b.uncertain for b in self.bases)

    def all_fields(self) -> tuple[str, ...]:
        inherited = [f for base in self.bases if isinstance(base, ClassValue) for f in base.all_fields()]
        return (*inherited, *(f for f in self.fields if f not in inherited))


class Instance(Value, Struct, eq=False):
    """An object of a user's class. `generic`: made up to look into methods that nothing calls."""

    cls: ClassValue
    attributes: dict[str, Value] = field(default_factory=dict)
    generic: bool = False


class BoundMethod(Value, Struct, eq=False):
    receiver: Value
    function: FunctionValue


class SuperValue(Value, Struct, eq=False):
    """`super()` within a method of `cls`, for the instance `receiver`."""

    cls: ClassValue
    receiver: Value


class UserModule(Value, Struct, eq=False):
    """A module of the workspace. `scope` holds its names."""

    path: str
    scope: Scope


class MethodValue(Value, Struct, eq=False):
    """A method of a builtin value: `"x".join`, `items.append`, `path.joinpath`."""

    receiver: Value
    name: str


class StepMethod(Value, Struct, eq=False):
    """A method of an SDK object or pipeline variable, not yet called."""

    receiver: SdkObject
    name: str
