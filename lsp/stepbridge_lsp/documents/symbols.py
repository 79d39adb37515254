"""Definition and use sites of the names that a pipeline program refers to: for rename, references, go to
definition.

A site is literal where the name's own characters stand there; else it is an expression that holds the object.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from stepbridge_lsp.model import Model, Name, Site, Step, Symbol, SymbolKind
from stepbridge_lsp.positions import Span
from stepbridge_lsp.values import Const, DictValue, FunctionVariable, Index, SdkObject, Value, text_of

if TYPE_CHECKING:
    from .evaluation import Findings

Key = tuple[SymbolKind, str, str | None]


class _Table:
    def __init__(self) -> None:
        self.symbols: dict[Key, Symbol] = {}

    def add(self, kind: SymbolKind, name: str, owner: str | None, site: Site) -> None:
        key = (kind, name, owner)
        symbol = self.symbols.get(key)
        if symbol is None:
            symbol = self.symbols[key] = Symbol(kind, name, owner)
        if site not in symbol.sites:
            symbol.sites.append(site)

    def define(self, kind: SymbolKind, name: Name | None, owner: str | None = None) -> None:
        if name is not None and name.text is not None and name.literal is not None:
            self.add(kind, name.text, owner, Site(name.literal, "definition", True))

    def use(self, kind: SymbolKind, value: Value | None, span: Span, owner: str | None = None) -> None:
        """A use by name: the literal itself, or the expression that holds it."""
        text = text_of(value)
        if text is None:
            return
        origin = value.origin if isinstance(value, Const) else None
        literal = origin is not None and origin.end - origin.start == len(text.encode())
        site = Site(origin, "use", True) if literal and origin is not None else Site(span, "use", False)
        self.add(kind, text, owner, site)


def collect(model: Model, found: Findings) -> Iterator[Symbol]:
    table = _Table()
    _definitions(model, table)
    _references(model, found, table)
    for step in model.steps:
        for dependency in step.dependencies:
            if dependency.name is not None and step.object is not None:
                _dependency_name(step.object, dependency.name, dependency.span, table)
    _properties(model, table)
    for made in model.objects:
        if made.cls.name == "JsonGet":
            _json_get(model, made, table)
        elif made.kind == "property-file":
            _output_of_file(model, made, table)
    for call in model.calls:
        if call.target.name == "Pipeline.start":
            _start_parameters(call.value("parameters"), table)
    yield from table.symbols.values()


def _definitions(model: Model, table: _Table) -> None:
    for parameter in model.parameters:
        table.define(SymbolKind.PARAMETER, parameter.name)
    for pipeline in model.pipelines:
        table.define(SymbolKind.PIPELINE, pipeline.name)
    for step in model.steps:
        table.define(SymbolKind.STEP, step.name)
        for output in step.outputs:
            table.define(SymbolKind.OUTPUT, output.name, step.name.text)
        for source in step.inputs:
            table.define(SymbolKind.INPUT, source.name, step.name.text)
        for file in step.property_files:
            table.define(SymbolKind.PROPERTY_FILE, file.name, step.name.text)


def _references(model: Model, found: Findings, table: _Table) -> None:
    for reference in found.references:
        made = reference.value
        if made.kind == "parameter" and (parameter := model.parameter_of(made)) is not None:
            _expression(table, SymbolKind.PARAMETER, parameter.name.text, None, reference.span)
        elif made.kind == "step" and (step := model.step_of(made)) is not None:
            _expression(table, SymbolKind.STEP, step.name.text, None, reference.span)
        elif made.kind == "property-file":
            name = text_of(made.call.value("name"))
            for step in _steps_with(model, made):
                _expression(table, SymbolKind.PROPERTY_FILE, name, step.name.text, reference.span)


def _expression(table: _Table, kind: SymbolKind, name: str | None, owner: str | None, span: Span) -> None:
    if name is not None:
        table.add(kind, name, owner, Site(span, "use", False))


def _steps_with(model: Model, file: SdkObject) -> Iterator[Step]:
    for candidate in model.property_files:
        if candidate.object is file:
            yield from candidate.steps


def _dependency_name(made: SdkObject, name: str, span: Span, table: _Table) -> None:
    argument = made.call.argument("depends_on")
    value: Value | None = None
    for candidate in [argument.value] if argument else []:
        for element in getattr(candidate, "items", ()):
            if element.span == span:
                value = element.value
    table.use(SymbolKind.STEP, value or Const(name), span)


def _properties(model: Model, table: _Table) -> None:
    for use in model.property_uses:
        if use.step is None:
            continue
        path, spans = use.variable.path, use.variable.spans
        for before, segment, span in zip(path, path[1:], spans[1:], strict=False):
            if before == "Outputs" and isinstance(segment, Index) and isinstance(segment.key, str):
                inner = Span(span.document, span.start + 1, span.end - 1)
                literal = inner.end - inner.start == len(segment.key.encode())
                site = Site(inner if literal else span, "use", literal)
                table.add(SymbolKind.OUTPUT, segment.key, use.step.name.text, site)


def _json_get(model: Model, made: SdkObject, table: _Table) -> None:
    call = made.call
    step_argument = call.argument("step_name", "step")
    owner = None
    if step_argument is not None:
        owner = text_of(step_argument.value)
        table.use(SymbolKind.STEP, step_argument.value, step_argument.span)
        if isinstance(step_argument.value, SdkObject):
            step = model.step_of(step_argument.value)
            owner = step.name.text if step else None
    file = call.argument("property_file")
    if file is not None:
        table.use(SymbolKind.PROPERTY_FILE, file.value, file.span, owner)


def _output_of_file(model: Model, made: SdkObject, table: _Table) -> None:
    argument = made.call.argument("output_name")
    if argument is not None:
        for step in _steps_with(model, made):
            table.use(SymbolKind.OUTPUT, argument.value, argument.span, step.name.text)


def _start_parameters(value: Value | None, table: _Table) -> None:
    if isinstance(value, DictValue):
        for entry in value.entries:
            table.use(SymbolKind.PARAMETER, entry.key, entry.key_span)


__all__ = ["FunctionVariable", "collect"]
