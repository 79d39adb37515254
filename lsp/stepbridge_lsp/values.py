"""What an expression of a pipeline program is known to be, without running it.

The smallest lattice that serves: constants, texts known in part, containers, objects of the SDK, pipeline
variables, functions and classes of the user, and `Unknown`. Unknown is a value like any other: a rule that
meets it says nothing. This module knows neither syntax nor rules; `documents/` makes values, `rules/` and
`features/` read them.

Values are compared by identity. Containers and SDK objects grow while a program is evaluated (append,
add_depends_on) and are left alone afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct, field

from .positions import Span

if TYPE_CHECKING:
    from .catalog import Callable_, SdkClass

Primitive = str | int | float | bool | bytes | None


class Value:
    """Base of all values."""

    __slots__ = ()


class Unknown(Value):
    """Nothing is known. `likely` is what it is unless someone decided otherwise: the default of a function's
    argument, of `os.environ.get`. Rules ignore `likely`; names shown to a person may use it."""

    __slots__ = ("likely",)

    def __init__(self, likely: Value | None = None) -> None:
        self.likely = likely

    def __repr__(self) -> str:
        return f"Unknown(likely={self.likely!r})" if self.likely else "Unknown"


UNKNOWN = Unknown()


class Volatile(Unknown):
    """Another value at every run of the program: `datetime.now()`, `uuid.uuid4()`. `source` is the call's
    name.
    """

    __slots__ = ("source",)

    def __init__(self, source: str) -> None:
        super().__init__()
        self.source = source


class ImageUri(Unknown):
    """What `image_uris.retrieve(...)` returns: a URI that depends on the region."""

    __slots__ = ("call",)

    def __init__(self, call: Call) -> None:
        super().__init__()
        self.call = call


class Const(Value, Struct, eq=False):
    """A literal, or what computing with literals gave.

    `origin` is where the literal itself is written (quotes included); None for a computed one. It may lie in
    another document than the expression that led here.
    """

    value: Primitive
    origin: Span | None = None

    def __repr__(self) -> str:
        return f"Const({self.value!r})"


class Text(Value, Struct, eq=False):
    """A string of which some parts are unknown: `f"s3://{bucket}/data"`. Known parts are `str`."""

    parts: tuple[str | Value, ...]

    @property
    def prefix(self) -> str:
        """What the string surely starts with."""
        return self.parts[0] if self.parts and isinstance(self.parts[0], str) else ""


class EnumMember(Value, Struct, eq=False):
    """`StepExceptionTypeEnum.THROTTLING`: a member of an enumeration of the SDK."""

    cls: SdkClass
    name: str

    @property
    def value(self) -> Any:
        return self.cls.members[self.name]


class JsonText(Value, Struct, eq=False):
    """`json.dumps(content)`."""

    content: Value


class PathValue(Value, Struct, eq=False):
    """A `pathlib.Path` whose text is known."""

    path: str


class Element(Struct, eq=False):
    """One item of a list, with the place where it was put in."""

    value: Value
    span: Span


class ListValue(Value, Struct, eq=False):
    """A list, tuple or set. `open`: it may hold more items, or fewer, than these."""

    kind: Literal["list", "tuple", "set"]
    items: list[Element]
    span: Span
    open: bool = False
    context: object = None  # branch of the program in which it was made; an append elsewhere opens it

    def __iter__(self) -> Iterator[Element]:
        return iter(self.items)

    def __repr__(self) -> str:
        return f"{self.kind}({[element.value for element in self.items]}{', ...' if self.open else ''})"


class Entry(Struct, eq=False):
    """One pair of a dictionary. `key` is a constant's value where it is known."""

    key: Value
    key_span: Span
    value: Value
    span: Span

    @property
    def name(self) -> str | None:
        """The key, if it is a known string."""
        return self.key.value if isinstance(self.key, Const) and isinstance(self.key.value, str) else None


class DictValue(Value, Struct, eq=False):
    """A dictionary. `open`: it may hold other pairs than these."""

    entries: list[Entry]
    span: Span
    open: bool = False
    context: object = None

    def get(self, key: str) -> Entry | None:
        """The last entry of that name."""
        for entry in reversed(self.entries):
            if entry.name == key:
                return entry
        return None

    def __repr__(self) -> str:
        pairs = ", ".join(f"{entry.name}: {entry.value!r}" for entry in self.entries)
        return f"dict({pairs}{', ...' if self.open else ''})"


class Argument(Struct, eq=False):
    """One argument as it is written in a call, or came out of `*args` and `**kwargs` of known content.

    `span` is the value's expression, `name_span` the keyword's name (None for a positional argument).
    """

    name: str | None
    value: Value
    span: Span
    name_span: Span | None = None
    unpacked: bool = False

    def __repr__(self) -> str:
        return f"{self.name or ''}={self.value!r}"


class Call(Struct, eq=False):
    """One evaluation of a call to something the catalog knows.

    Attributes:
        target: what is called: the constructor of an SDK class, a method, or a function.
        receiver: the object whose method it is.
        span: the whole call; `name_span` the callee's last name; `arguments_span` the parentheses.
        arguments: as written, in order.
        bound: arguments by the name of the formal parameter they reach.
        surplus: arguments that reach none (unknown keyword, too many positions, given twice).
        open: `*args` or `**kwargs` of unknown content: absent arguments may be given after all.
        repeated: inside a loop or comprehension: it may happen many times, or never.
        conditional: inside a branch that may not run.
        generic: inside a function that was evaluated with unknown arguments because nothing calls it.
        result: what it returned.
    """

    target: Callable_
    span: Span
    name_span: Span
    arguments_span: Span
    arguments: tuple[Argument, ...] = ()
    receiver: SdkObject | None = None
    bound: dict[str, Argument] = field(default_factory=dict)
    surplus: tuple[Argument, ...] = ()
    open: bool = False
    repeated: bool = False
    conditional: bool = False
    generic: bool = False
    result: Value = UNKNOWN
    order: int = 0

    def argument(self, name: str, *others: str) -> Argument | None:
        """The first of these formal parameters that got an argument."""
        found = self.bound.get(name)
        if found is None:
            for other in others:
                if (found := self.bound.get(other)) is not None:
                    return found
        return found

    def value(self, name: str, *others: str) -> Value | None:
        """The argument's value; None where it is not given, UNKNOWN where it might be given unseen."""
        found = self.bound.get(name)
        if found is None and others:
            found = self.argument(*others)
        if found is not None:
            return found.value
        return UNKNOWN if self.open else None

    def __repr__(self) -> str:
        return f"Call({self.target.name}, {', '.join(self.bound)})"


class SdkObject(Value, Struct, eq=False):
    """An instance of a class of the SDK (a step, a processor, a parameter, a pipeline, a session ...).

    `kind` is the catalog's family: "parameter", "step", "pipeline", "processor", "estimator" and so on.
    `attributes` are those that the program set after construction. `changed`: it was handed to code that we
    do not see or had attributes set, so that its arguments may not be the whole truth.
    """

    cls: SdkClass
    call: Call
    variable: str | None = None  # the first name it was assigned to
    attributes: dict[str, Value] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)  # of its methods
    changed: bool = False

    @property
    def kind(self) -> str:
        return self.cls.kind

    def get(self, name: str) -> Value | None:
        """Attribute set later, else constructor argument; None: not given; UNKNOWN: cannot be known."""
        if name in self.attributes:
            return self.attributes[name]
        return self.call.value(name)

    def __repr__(self) -> str:
        return f"{self.cls.name}@{self.call.span.start}"


class Variable(Value):
    """A pipeline variable: a value that exists only while the pipeline executes."""

    __slots__ = ()


class ParameterVariable(Variable, Struct, eq=False):
    """A pipeline parameter used as a value; `object` was made by ParameterString(...) and its like."""

    object: SdkObject


class PropertyVariable(Variable, Struct, eq=False):
    """`step.properties.A.B['x'].C`.

    `path` holds member names (str) and indexes (`Index`); `spans` the place of each. `step` is None for the
    properties of a value that we cannot see.
    """

    step: SdkObject
    path: tuple[str | Index, ...] = ()
    spans: tuple[Span, ...] = ()
    root: str = "properties"

    def dotted(self) -> str:
        """The path as a person writes it: `ProcessingOutputConfig.Outputs['train'].S3Output.S3Uri`."""
        text = ""
        for segment in self.path:
            text += str(segment) if isinstance(segment, Index) else f".{segment}" if text else segment
        return text


class Index(Struct, frozen=True):
    """A subscript of a property path: a name, a number, or unknown (None)."""

    key: str | int | None

    def __str__(self) -> str:
        return f"[{self.key!r}]" if self.key is not None else "[...]"


class FunctionVariable(Variable, Struct, eq=False):
    """`Join(...)` or `JsonGet(...)`; `object` holds the call."""

    object: SdkObject


class ExecutionVariable(Variable, Struct, eq=False):
    """`ExecutionVariables.PIPELINE_NAME`. `name` is the constant's name, "PIPELINE_NAME"."""

    name: str


class TextVariable(Variable, Struct, eq=False):
    """What `.to_string()` of a pipeline variable gives: the same variable as text."""

    of: Variable


class ReturnVariable(Variable, Struct, eq=False):
    """The result of a function under `@step`, and items of it. `step` is that call's step."""

    step: SdkObject
    path: tuple[str | int | None, ...] = ()


class StepArguments(Value, Struct, eq=False):
    """What `processor.run(...)`, `estimator.fit(...)`, `model.create(...)` return under a pipeline
    session.
    """

    call: Call

    def __repr__(self) -> str:
        return f"StepArguments({self.call!r})"


class ModuleValue(Value, Struct, eq=False):
    """A module outside of the workspace, by its dotted name: `sagemaker.workflow.steps`, `os.path`."""

    name: str


class SymbolValue(Value, Struct, eq=False):
    """A class, function or constant of the SDK that the catalog knows, not yet called."""

    symbol: Any  # SdkClass | SdkFunction
    receiver: SdkObject | None = None


class ForeignValue(Value, Struct, eq=False):
    """Something of a library that we know by name only (`json.dumps`, `os.path.join`, `boto3.client`)."""

    name: str
    receiver: Value | None = None


def text_of(value: Value | None) -> str | None:
    """The string, if it is wholly known."""
    return value.value if isinstance(value, Const) and isinstance(value.value, str) else None


def is_known(value: Value | None) -> bool:
    """Whether something definite can be said of the value."""
    return value is not None and not isinstance(value, Unknown)


def is_none(value: Value | None) -> bool:
    return isinstance(value, Const) and value.value is None
