"""A pipeline definition in JSON as a document: the same model as a program's, with places in the text.

The rules on definitions live in `stepbridge.definition.rules` and report pointers; this module finds their
places.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal, cast

from stepbridge.definition.references import parse_get
from stepbridge.definition.rules import Memory
from stepbridge.definition.values import JSON, UNKNOWN, Pointer

from stepbridge_lsp.model import (
    Dependency,
    JobInput,
    JobOutput,
    Location,
    Model,
    Name,
    Parameter,
    Pipeline,
    PropertyFile,
    Site,
    Step,
    Symbol,
    SymbolKind,
)
from stepbridge_lsp.positions import LineIndex, Position, Range, Span
from stepbridge_lsp.values import UNKNOWN as UNKNOWN_VALUE
from stepbridge_lsp.values import Const, Value

from .json_text import JsonText
from .python import encode, key_of
from .remembered import Remembered

_TYPES = ("String", "Integer", "Float", "Boolean")
_BRANCHES = (("IfSteps", True), ("ElseSteps", False))
_BRANCHES_OF = frozenset({("Arguments", "IfSteps"), ("Arguments", "ElseSteps")})
_DEEPEST = 60


@dataclass
class DefinitionDocument:
    """An open definition document."""

    uri: str
    source: bytes
    key: str = ""
    language: Literal["definition"] = "definition"
    memory: Memory = field(default_factory=Memory)  # of the rules on definitions
    _json: JsonText | None = None
    _lines: LineIndex | None = None
    _model: Model | None = None
    _references: _References = field(default_factory=lambda: _References())

    def __post_init__(self) -> None:
        self.key = self.key or key_of(self.uri)

    @property
    def text(self) -> str:
        return self.source.decode("utf-8", "replace")

    @property
    def json(self) -> JsonText:
        if self._json is None:
            self._json = JsonText(self.source, self.memory.reader)
        return self._json

    @property
    def lines(self) -> LineIndex:
        if self._lines is None:
            self._lines = LineIndex.of(self.source)
        return self._lines

    def replace(self, text: str) -> None:
        self.source = encode(text)
        self._json = self._lines = self._model = None

    def edit(self, start: Position, end: Position, text: str) -> None:
        first, last = sorted((self.lines.offset(start), self.lines.offset(end)))
        lines = self.lines.edited(first, last, encode(text))
        self._json = self.json.edit(first, last, encode(text))
        self.source = self._json.source
        self._lines, self._model = lines, None

    def invalidate(self) -> None:
        self._model = None

    @property
    def dependencies(self) -> frozenset[str]:
        return frozenset()

    @property
    def model(self) -> Model:
        if self._model is None:
            self._model = _Builder(self.key, self.json, self._references).build()
        return self._model

    def reference_texts(self) -> Iterator[str]:
        """The texts of all references, `Parameters.Count`, each as often as it stands there."""
        root = self.json.value
        return (text for _, text in self._references.of_all(root if isinstance(root, dict) else {}))

    def span(self, pointer: Pointer, *, at_key: bool = False) -> Span:
        """Where a pointer leads; of a place that is not there, the nearest value around it."""
        found = self.json.locate(pointer, at_key=at_key)
        while found is None and pointer:
            pointer = pointer[:-1]
            found = self.json.locate(pointer)
        start, end = found or (0, 0)
        return Span(self.key, start, end)

    def locate(self, span: Span) -> Location:
        first, last = self.lines.range(span.start, span.end)
        return Location(self.uri, Range(first, last))

    def offset(self, position: Position, cell: str | None = None) -> int:
        return self.lines.offset(position)


def looks_like_definition(source: bytes) -> bool:
    """Whether a JSON text is, or is meant to be, a pipeline definition."""
    head = source[:200_000]
    return b'"Steps"' in head and (b'"Version"' in head or b'"Arguments"' in head)


@dataclass
class _Builder:
    """Makes the model of a definition."""

    key: str
    json: JsonText
    references: _References

    def build(self) -> Model:
        root = self.json.value
        model = Model(document=self.key, broken=not self.json.valid)
        if not isinstance(root, dict):
            return model
        parameters = tuple(self._parameters(root.get("Parameters")))
        steps = tuple(self._steps(root.get("Steps"), ("Steps",), 0))
        every = [inner for step in steps for inner in step.walk()]
        self._link(every)
        spans = tuple(parameter.span for parameter in parameters)
        pipeline = Pipeline(
            name=Name(None, self._span(())),
            span=self._span(()),
            parameters=parameters,
            parameter_spans=spans,
            open_parameters=model.broken,
            steps=steps,
            step_spans=tuple(step.span for step in steps),
            open_steps=model.broken,
            raw=root,
        )
        model.pipelines = (pipeline,)
        model.parameters = parameters
        model.steps = tuple(every)
        model.property_files = tuple(file for step in every for file in step.property_files)
        model.make_symbols = lambda: self._symbols(root, parameters, every)
        return model

    def _span(self, pointer: Pointer) -> Span:
        start, end = self.json.locate(pointer) or (0, 0)
        return Span(self.key, start, end)

    def _name(self, raw: dict[Any, JSON], member: str, pointer: Pointer) -> Name:
        place = (*pointer, member)
        text = raw.get(member)
        found = self.json.locate(place)
        span = Span(self.key, *(found or self.json.locate(pointer) or (0, 0)))
        if not isinstance(text, str):
            return Name(None, span)
        literal = Span(self.key, span.start + 1, span.end - 1) if found else None
        plain = literal is not None and literal.end - literal.start == len(text.encode("utf-8", "replace"))
        return Name(text, span, literal if plain else None)

    def _parameters(self, raw: JSON) -> Iterator[Parameter]:
        for index, item in enumerate(raw if isinstance(raw, list) else []):
            if not isinstance(item, dict):
                continue
            pointer = ("Parameters", index)
            default = item.get("DefaultValue")
            kind = item.get("Type", "String")
            value: Value | None = None
            if "DefaultValue" in item:
                scalar = isinstance(default, str | int | float | bool)
                value = Const(default) if scalar else UNKNOWN_VALUE
            typed = cast(Literal["String", "Integer", "Float", "Boolean"], kind) if kind in _TYPES else None
            yield Parameter(
                name=self._name(item, "Name", pointer),
                type=typed,
                span=self._span(pointer),
                default=value,
                default_span=self._span((*pointer, "DefaultValue")) if value is not None else None,
                raw=item,
            )

    def _steps(self, raw: JSON, pointer: Pointer, depth: int) -> Iterator[Step]:
        for index, item in enumerate(raw if isinstance(raw, list) else []):
            if isinstance(item, dict) and depth < _DEEPEST:
                yield self._step(item, (*pointer, index), depth)

    def _step(self, raw: dict[Any, JSON], pointer: Pointer, depth: int) -> Step:
        arguments = raw.get("Arguments")
        arguments = arguments if isinstance(arguments, dict) else {}
        kind = raw.get("Type")
        step = Step(
            name=self._name(raw, "Name", pointer),
            type=kind if isinstance(kind, str) else None,
            span=self._span(pointer),
            raw=raw,
            pointer=pointer,
        )
        step.service_names = (step.name.text,) if step.name.text is not None else ()
        depends = raw.get("DependsOn")
        step.dependencies = tuple(
            Dependency(self._span((*pointer, "DependsOn", index)), None, name)
            for index, name in enumerate(depends if isinstance(depends, list) else [])
            if isinstance(name, str)
        )
        step.inputs = tuple(self._inputs(arguments, pointer))
        step.outputs = tuple(self._outputs(raw, arguments, pointer))
        step.property_files = tuple(self._files(raw.get("PropertyFiles"), (*pointer, "PropertyFiles"), step))
        if kind == "Condition":
            for member, taken in _BRANCHES:
                nested = tuple(self._steps(arguments.get(member), (*pointer, "Arguments", member), depth + 1))
                for inner in nested:
                    inner.branch = (step, taken)
                if taken:
                    step.if_steps = nested
                else:
                    step.else_steps = nested
        return step

    def _inputs(self, arguments: dict[Any, JSON], pointer: Pointer) -> Iterator[JobInput]:
        for member, name in (("ProcessingInputs", "InputName"), ("InputDataConfig", "ChannelName")):
            items = arguments.get(member)
            for index, item in enumerate(items if isinstance(items, list) else []):
                if isinstance(item, dict):
                    place = (*pointer, "Arguments", member, index)
                    yield JobInput(self._name(item, name, place), self._span(place))

    def _outputs(
        self, raw: dict[Any, JSON], arguments: dict[Any, JSON], pointer: Pointer
    ) -> Iterator[JobOutput]:
        config = arguments.get("ProcessingOutputConfig")
        groups: tuple[tuple[JSON, Pointer], ...] = (
            (
                config.get("Outputs") if isinstance(config, dict) else None,
                (*pointer, "Arguments", "ProcessingOutputConfig", "Outputs"),
            ),
            (raw.get("OutputParameters"), (*pointer, "OutputParameters")),
        )
        for items, place in groups:
            for index, item in enumerate(items if isinstance(items, list) else []):
                if isinstance(item, dict):
                    yield JobOutput(
                        self._name(item, "OutputName", (*place, index)), self._span((*place, index))
                    )

    def _files(self, raw: JSON, pointer: Pointer, step: Step) -> Iterator[PropertyFile]:
        for index, item in enumerate(raw if isinstance(raw, list) else []):
            if not isinstance(item, dict):
                continue
            place = (*pointer, index)
            path = item.get("FilePath")
            yield PropertyFile(
                name=self._name(item, "PropertyFileName", place),
                span=self._span(place),
                output_name=self._name(item, "OutputName", place),
                path=Const(path) if isinstance(path, str) else None,
                steps=[step],
            )

    def _link(self, steps: list[Step]) -> None:
        """Dependencies by name become the steps that they name; references become data dependencies."""
        by_name: dict[str | None, Step] = {s.name.text: s for s in steps if s.name.text is not None}
        for step in steps:
            step.dependencies = tuple(
                Dependency(found.span, by_name.get(found.name), found.name) for found in step.dependencies
            )
            sources: dict[int, Step] = {}
            for _, text in self.references.of_one(step.raw):
                reference = parse_get(text)
                source = by_name.get(reference.name) if reference is not None else None
                if (
                    reference is not None
                    and reference.kind in ("step", "property-file")
                    and source is not None
                ):
                    sources[id(source)] = source
            step.data_dependencies = tuple(s for s in sources.values() if s is not step)

    def _symbols(
        self, root: dict[Any, JSON], parameters: tuple[Parameter, ...], steps: list[Step]
    ) -> Iterator[Symbol]:
        table: dict[tuple[SymbolKind, str, str | None], Symbol] = {}

        def add(kind: SymbolKind, name: str, owner: str | None, site: Site) -> None:
            symbol = table.setdefault((kind, name, owner), Symbol(kind, name, owner))
            symbol.sites.append(site)

        def define(kind: SymbolKind, name: Name | None, owner: str | None = None) -> None:
            if name is not None and name.text is not None and name.literal is not None:
                add(kind, name.text, owner, Site(name.literal, "definition", True))

        for parameter in parameters:
            define(SymbolKind.PARAMETER, parameter.name)
        for step in steps:
            define(SymbolKind.STEP, step.name)
            for output in step.outputs:
                define(SymbolKind.OUTPUT, output.name, step.name.text)
            for source in step.inputs:
                define(SymbolKind.INPUT, source.name, step.name.text)
            for file in step.property_files:
                define(SymbolKind.PROPERTY_FILE, file.name, step.name.text)
                if file.output_name is not None and file.output_name.literal is not None:
                    site = Site(file.output_name.literal, "use", True)
                    add(SymbolKind.OUTPUT, file.output_name.text or "", step.name.text, site)
            for dependency in step.dependencies:
                if dependency.name is not None:
                    inner = Span(self.key, dependency.span.start + 1, dependency.span.end - 1)
                    add(SymbolKind.STEP, dependency.name, None, Site(inner, "use", True))
        for pointer, text in self.references.of_all(root):
            for kind, name, owner, span in self._mentions(pointer, text):
                add(kind, name, owner, Site(span, "use", True))
        yield from table.values()

    def _mentions(self, pointer: Pointer, text: str) -> Iterator[tuple[SymbolKind, str, str | None, Span]]:
        """The names within a reference, `Steps.Train.Outputs['x']`, with their places."""
        reference = parse_get(text)
        found = self.json.locate(pointer)
        if reference is None or found is None or found[1] - found[0] != len(text.encode()) + 2:
            return
        start = found[0] + 1

        def place(part: str, after: int) -> Span | None:
            at = text.find(part, after)
            if at < 0:
                return None
            first = start + len(text[:at].encode())
            return Span(self.key, first, first + len(part.encode()))

        if reference.kind == "parameter":
            span = place(reference.name, len("Parameters."))
            if span is not None:
                yield SymbolKind.PARAMETER, reference.name, None, span
            return
        if reference.kind not in ("step", "property-file"):
            return
        span = place(reference.name, len("Steps."))
        if span is not None:
            yield SymbolKind.STEP, reference.name, None, span
        path = reference.path
        for before, part in pairwise(path):
            if before == "Outputs" and isinstance(part, str):
                span = place(part, len("Steps.") + len(reference.name))
                if span is not None:
                    yield SymbolKind.OUTPUT, part, reference.name, span
        if reference.kind == "property-file" and path and isinstance(path[-1], str):
            span = place(path[-1], text.rfind("PropertyFiles."))
            if span is not None:
                yield SymbolKind.PROPERTY_FILE, path[-1], reference.name, span


class _References:
    """The references of a definition; those of a step are remembered."""

    def __init__(self) -> None:
        self._steps = Remembered(lambda step: tuple(_gets(step, ())))

    def of_one(self, step: JSON) -> Iterator[tuple[Pointer, str]]:
        """Those of a step without those of the steps in its branches."""
        condition = isinstance(step, dict) and step.get("Type") == "Condition"
        for pointer, text in self._steps.of(step):
            if not (condition and pointer[:2] in _BRANCHES_OF):
                yield pointer, text

    def of_all(self, root: dict[Any, JSON]) -> Iterator[tuple[Pointer, str]]:
        """Those of a whole definition."""
        steps = root.get("Steps")
        rest = {key: value for key, value in root.items() if key != "Steps"}
        yield from _gets(rest if isinstance(steps, list) else root, ())
        for index, step in enumerate(steps if isinstance(steps, list) else []):
            for pointer, text in self._steps.of(step):
                yield ("Steps", index, *pointer), text


def _gets(root: JSON, pointer: Pointer) -> Iterator[tuple[Pointer, str]]:
    """Pointers to the texts of all `{"Get": "..."}` objects."""
    queue: list[tuple[JSON, Pointer]] = [(root, pointer)]
    while queue:
        value, place = queue.pop()
        if isinstance(value, dict):
            text = value.get("Get")
            if isinstance(text, str):
                yield (*place, "Get"), text
            queue += [
                (item, (*place, key))
                for key, item in value.items()
                if isinstance(item, dict | list) and key is not UNKNOWN
            ]
        elif isinstance(value, list):
            queue += [
                (item, (*place, index)) for index, item in enumerate(value) if isinstance(item, dict | list)
            ]
