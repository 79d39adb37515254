"""The model of a pipeline document: what a pipeline is made of, and where in the source each part stands.

Python programs, notebooks, definition JSON and CloudFormation templates all become this model, so that rules
and features are written once. It holds values and places, and no way to compute them; it must not know
syntax trees, rules or the protocol.

Three kinds of "not there" are kept apart. `None` in place of an argument: the program does not give it.
`UNKNOWN` (`values.Unknown`): it is given, or may be given, and nothing can be said of it. `open` on a list:
it may hold more than what is seen. A rule that meets the last two is silent.

Shape:

    Document  -> Model -> pipelines (Pipeline)  -> parameters, steps (in nested order), calls of its methods
                       -> parameters (Parameter): every one that the document defines, listed or not
                       -> steps (Step): likewise
                       -> property_files, conditions, policies
                       -> calls (Call): every call to something of the SDK, with bound arguments
                       -> misuses: operations on pipeline variables that fail or mislead
                       -> symbols: definition and use sites of every name that a pipeline document can refer
                       to
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import StrEnum
from functools import cached_property
from typing import Any, Literal, Protocol

from msgspec import Struct, field

from .positions import LineIndex, Position, Range, Span
from .values import (
    UNKNOWN,
    Argument,
    Call,
    DictValue,
    ListValue,
    PropertyVariable,
    SdkObject,
    Unknown,
    Value,
    Variable,
    text_of,
)

__all__ = [
    "UNKNOWN",
    "Condition",
    "Dependency",
    "Document",
    "Import",
    "JobInput",
    "JobOutput",
    "Location",
    "Misuse",
    "Model",
    "Name",
    "Parameter",
    "Pipeline",
    "PropertyFile",
    "PropertyUse",
    "RetryPolicy",
    "Site",
    "Step",
    "Symbol",
    "SymbolKind",
    "Unknown",
    "Use",
]


class Location(Struct, frozen=True):
    """A range of a document as an editor knows it. For a notebook, `uri` is the cell's."""

    uri: str
    range: Range


class Document(Protocol):
    """A text that may hold pipelines. One object per open text; its model is computed when first asked for.

    Implementations: `documents.python.PythonDocument`, `documents.notebook.NotebookDocument`,
    `documents.definition.DefinitionDocument`, `documents.cloudformation.TemplateDocument`.
    """

    key: str  # what `Span.document` holds: absolute path, or URI where there is no file
    language: Literal["python", "notebook", "definition", "cloudformation"]

    @property
    def text(self) -> str: ...

    @property
    def lines(self) -> LineIndex: ...

    @property
    def model(self) -> Model: ...

    @property
    def dependencies(self) -> frozenset[str]:
        """Absolute paths of workspace files whose text the model depends on (imported modules)."""
        ...

    def locate(self, span: Span) -> Location:
        """Where an editor shows a span of this document."""
        ...

    def offset(self, position: Position, cell: str | None = None) -> int:
        """Byte offset of an editor's position; `cell` is the URI of a notebook's cell."""
        ...


class Name(Struct, frozen=True):
    """A name that a program gives to a part: a step, a parameter, an output.

    Attributes:
        text: the name; None when it is not known (a loop's variable, an argument of a function).
        span: the expression that gives it (where a message about the name belongs).
        literal: the characters of the name themselves, without quotes (what a rename replaces); it may lie in
            another document; None for computed names.
        likely: for an unknown name, the default of the argument it comes from; for display only.
    """

    text: str | None
    span: Span
    literal: Span | None = None
    likely: str | None = None

    @property
    def shown(self) -> str:
        return self.text or self.likely or "?"


class Use(Struct, frozen=True):
    """A pipeline variable that goes into a step, and the expression by which it does."""

    variable: Variable
    span: Span


class Parameter(Struct, eq=False):
    """A pipeline parameter. `type` is one of String, Integer, Float, Boolean; None when not known.

    `default` and `enum` follow the module's rule for absence. `variable` is the Python name that holds it.
    `uses` are the places where its value goes into something (an argument, a Join, a condition), the listing
    in `Pipeline(parameters=...)` not counted.
    """

    name: Name
    type: Literal["String", "Integer", "Float", "Boolean"] | None
    span: Span
    default: Value | None = None
    default_span: Span | None = None
    enum: Value | None = None
    enum_span: Span | None = None
    variable: str | None = None
    object: SdkObject | None = None
    uses: list[Span] = field(default_factory=list)
    raw: Any = None  # the JSON of a definition document

    @property
    def required(self) -> bool:
        """Without default: it must be given when the pipeline starts."""
        return self.default is None


class Dependency(Struct, frozen=True):
    """One entry of `depends_on`: a step of the document, or a name, or neither (unknown)."""

    span: Span
    step: Step | None = None
    name: str | None = None


class JobInput(Struct, frozen=True):
    """An input or channel of a step's job: ProcessingInput, TrainingInput, one entry of `inputs={...}`."""

    name: Name | None
    span: Span
    source: Value | None = None
    destination: Value | None = None
    object: SdkObject | None = None


class JobOutput(Struct, frozen=True):
    """An output of a processing job, or of a Lambda or Callback step."""

    name: Name | None
    span: Span
    source: Value | None = None
    destination: Value | None = None
    object: SdkObject | None = None


class PropertyFile(Struct, eq=False):
    """A property file; `steps` are those whose `property_files` list it."""

    name: Name
    span: Span
    output_name: Name | None = None
    path: Value | None = None
    object: SdkObject | None = None
    steps: list[Step] = field(default_factory=list)
    mentions: list[Span] = field(default_factory=list)


class RetryPolicy(Struct, eq=False):
    span: Span
    object: SdkObject


class Condition(Struct, eq=False):
    """One condition. `kind` is the definition's type ("LessThanOrEqualTo", "Or" ...), `operands` in order."""

    kind: str
    span: Span
    object: SdkObject | None = None
    operands: tuple[Argument, ...] = ()
    nested: tuple[Condition, ...] = ()


class Step(Struct, eq=False):
    """A step, wherever it stands.

    Attributes:
        name: the name given in the program. A step collection (ModelStep, RegisterModel) makes several steps
        of
            the service from it: `service_names` lists what the service will call them.
        type: type of the definition: "Processing", "Training", "Condition" ...; for collections "ModelStep",
            "RegisterModel"; None when not known.
        span: the whole call, or JSON object.
        object: the Python object; None for JSON documents.
        job: the processor, estimator, transformer, tuner, model ... that the step's job is made of.
        job_call: the call that gave `step_args` (`processor.run(...)`), or the step's own call in the old
        style
            (`ProcessingStep(processor=..., inputs=...)`): where inputs, outputs, code and arguments are
            bound.
        dependencies: explicit ones only; `data_dependencies` those from references in arguments.
        uses: the pipeline variables that its arguments hold, however deep (those of its branches are theirs).
        mentions: where the program names the step's object, its assignment not counted.
        branch: (condition step, True for if_steps) where it lies in a branch.
        open_*: the list of that name may hold more than what is seen.
    """

    name: Name
    type: str | None
    span: Span
    object: SdkObject | None = None
    job: SdkObject | None = None
    job_call: Call | None = None
    dependencies: tuple[Dependency, ...] = ()
    open_dependencies: bool = False
    inputs: tuple[JobInput, ...] = ()
    open_inputs: bool = False
    outputs: tuple[JobOutput, ...] = ()
    open_outputs: bool = False
    property_files: tuple[PropertyFile, ...] = ()
    open_property_files: bool = False
    conditions: tuple[Condition, ...] = ()
    if_steps: tuple[Step, ...] = ()
    else_steps: tuple[Step, ...] = ()
    open_branches: bool = False
    branch: tuple[Step, bool] | None = None
    retry_policies: tuple[RetryPolicy, ...] = ()
    cache: SdkObject | None = None
    uses: tuple[Use, ...] = ()
    data_dependencies: tuple[Step, ...] = ()
    mentions: list[Span] = field(default_factory=list)
    variable: str | None = None
    raw: Any = None
    pointer: tuple[str | int, ...] = ()

    service_names: tuple[str, ...] = ()

    @property
    def conditional(self) -> bool:
        """Made in a branch or loop of the program: it may exist never, or many times."""
        return self.object is not None and (self.object.call.conditional or self.object.call.repeated)

    def walk(self) -> Iterator[Step]:
        """This step and those nested in its branches."""
        yield self
        for nested in (*self.if_steps, *self.else_steps):
            yield from nested.walk()


class Pipeline(Struct, eq=False, dict=True):
    """One pipeline. `parameters` and `steps` are what it lists, in order; `steps` holds top-level steps
    only.
    """

    name: Name
    span: Span
    object: SdkObject | None = None
    parameters: tuple[Parameter, ...] = ()
    parameter_spans: tuple[Span, ...] = ()
    open_parameters: bool = False
    parameters_span: Span | None = None
    steps: tuple[Step, ...] = ()
    step_spans: tuple[Span, ...] = ()
    open_steps: bool = False
    steps_span: Span | None = None
    calls: tuple[Call, ...] = ()  # pipeline.upsert(...), .start(...), ...
    raw: Any = None

    def walk(self) -> Iterator[Step]:
        """All steps, those in branches too, in document order; each once."""
        return iter(self._all)

    @cached_property
    def _all(self) -> tuple[Step, ...]:
        return tuple({id(step): step for top in self.steps for step in top.walk()}.values())

    @cached_property
    def complete(self) -> bool:
        """All its steps and parameters are seen."""
        return not (
            self.open_parameters or self.open_steps or any(step.open_branches for step in self.walk())
        )


class PropertyUse(Struct, frozen=True):
    """A property path as written: `step_process.properties.ProcessingOutputConfig...`, each segment's
    place.
    """

    variable: PropertyVariable
    step: Step | None
    span: Span


MisuseKind = Literal[
    "format",  # f-string, %, str.format, str(), print
    "repr",  # {p!r}, repr(p)
    "add",
    "number",  # int(), float(), range(), len(), arithmetic, ordering
    "compare",  # ==, !=, in
    "truth",
    "string-method",
    "subscript",
    "iterate",
    "library",  # os.path.join, json.dumps, "".join
    "key",  # dictionary key, hash()
]


class Misuse(Struct, frozen=True):
    """An operation on a pipeline variable that raises, or silently gives the wrong answer.

    `span` is the variable's expression, `whole` the operation around it (what a quick fix rewrites).
    """

    kind: MisuseKind
    variable: Variable
    span: Span
    whole: Span
    detail: str = ""  # the operator, method or function


class MissingAttribute(Struct, frozen=True):
    """An attribute that an object of the SDK does not have, read or called. `span` is its name."""

    object: SdkObject
    name: str
    span: Span


class Import(Struct, frozen=True):
    """One imported name. `module` as written (dots of relative imports included); `name` None for `import
    x`.
    """

    module: str
    name: str | None
    alias: str | None
    span: Span
    module_span: Span
    resolved: str | None = None  # absolute path of a workspace file, or the dotted name of an SDK symbol
    guarded: bool = False  # in a `try` with handlers: the program provides for its failing


class ForeignCall(Struct, frozen=True):
    """A call to a library that we know by name only: `boto3.client().create_pipeline`."""

    name: str
    arguments: tuple[Argument, ...]
    span: Span

    def argument(self, name: str) -> Argument | None:
        return next((argument for argument in self.arguments if argument.name == name), None)


class SymbolKind(StrEnum):
    PIPELINE = "pipeline"
    PARAMETER = "parameter"
    STEP = "step"
    INPUT = "input"
    OUTPUT = "output"
    PROPERTY_FILE = "property file"


class Site(Struct, frozen=True):
    """A place where a symbol is defined or used.

    `literal`: the span is the name's own characters, which a rename replaces; otherwise it is an expression
    that refers to the symbol (a Python name).
    """

    span: Span
    role: Literal["definition", "use"]
    literal: bool


class Symbol(Struct, eq=False):
    """A name that other places refer to. `owner` is the step's name for inputs, outputs and property
    files.
    """

    kind: SymbolKind
    name: str
    owner: str | None = None
    sites: list[Site] = field(default_factory=list)


class Model(Struct, eq=False, dict=True):
    """Everything that is known of one document.

    Attributes:
        broken: the text has syntax errors, so that nothing may be concluded from something being absent.
        exhausted: the evaluation's budget ran out; same consequence.
        sdk: "v2" or "v3", from the imports; None when neither or both.
        objects: every SDK object in order of construction.
        dependencies: workspace files that were read.
    """

    document: str
    broken: bool = False
    exhausted: bool = False
    sdk: Literal["v2", "v3"] | None = None
    pipelines: tuple[Pipeline, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    steps: tuple[Step, ...] = ()
    property_files: tuple[PropertyFile, ...] = ()
    property_uses: tuple[PropertyUse, ...] = ()
    conditions: tuple[Condition, ...] = ()
    retry_policies: tuple[RetryPolicy, ...] = ()
    calls: tuple[Call, ...] = ()
    objects: tuple[SdkObject, ...] = ()
    misuses: tuple[Misuse, ...] = ()
    imports: tuple[Import, ...] = ()
    foreign_calls: tuple[ForeignCall, ...] = ()
    missing_attributes: tuple[MissingAttribute, ...] = ()
    make_symbols: Callable[[], Iterable[Symbol]] = tuple
    dependencies: frozenset[str] = frozenset()

    @property
    def sees_all(self) -> bool:
        """Absence may be concluded from what is not seen."""
        return not (self.broken or self.exhausted)

    @cached_property
    def symbols(self) -> tuple[Symbol, ...]:
        """Every name that other places refer to, with its sites; made when first asked for."""
        return tuple(self.make_symbols())

    @cached_property
    def _steps_of(self) -> dict[int, Step]:
        return {id(step.object): step for step in self.steps if step.object is not None}

    @cached_property
    def _parameters_of(self) -> dict[int, Parameter]:
        return {id(item.object): item for item in self.parameters if item.object is not None}

    def step_of(self, object: SdkObject | None) -> Step | None:  # noqa: A002
        """The step that an SDK object is."""
        return self._steps_of.get(id(object))

    def parameter_of(self, object: SdkObject | None) -> Parameter | None:  # noqa: A002
        return self._parameters_of.get(id(object))

    def steps_named(self, name: str) -> Sequence[Step]:
        return [step for step in self.steps if step.name.text == name]

    def symbol(self, kind: SymbolKind, name: str, owner: str | None = None) -> Symbol | None:
        for symbol in self.symbols:
            if symbol.kind == kind and symbol.name == name and owner in (None, symbol.owner):
                return symbol
        return None

    def symbol_at(self, offset: int) -> tuple[Symbol, Site] | None:
        """The symbol whose site covers a byte offset of this document; the shortest site wins."""
        found: tuple[Symbol, Site] | None = None
        for symbol in self.symbols:
            for site in symbol.sites:
                if site.span.document != self.document or not site.span.holds(offset):
                    continue
                if found is None or _length(site.span) < _length(found[1].span):
                    found = symbol, site
        return found

    def calls_to(self, *names: str) -> Iterator[Call]:
        """Calls whose target has one of these names (class, function, or `Class.method` names)."""
        wanted = frozenset(names)
        return (call for call in self.calls if call.target.name in wanted)

    def call_at(self, offset: int) -> Call | None:
        """The innermost call whose parentheses hold a byte offset."""
        inside: Iterable[Call] = (
            call
            for call in self.calls
            if call.span.document == self.document and call.arguments_span.holds(offset)
        )
        return min(inside, key=lambda call: _length(call.arguments_span), default=None)


def _length(span: Span) -> int:
    return span.end - span.start


def items_of(value: Value | None) -> tuple[list[tuple[Value, Span]], bool]:
    """Items of a list value with their places, and whether there may be others.

    Nothing given is an empty, closed list; anything that is not a list is an open one.
    """
    if value is None or text_of(value) == "":
        return [], False
    if isinstance(value, ListValue):
        return [(element.value, element.span) for element in value.items], value.open
    if isinstance(value, DictValue):
        return [(entry.value, entry.span) for entry in value.entries], value.open
    return [], True
