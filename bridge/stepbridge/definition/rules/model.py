"""A definition as the rules see it: one tolerant walk over the JSON collects all sites that rules look at.

Nothing is reported here and nothing raises: what has the wrong kind is noted as a mismatch and passed over,
and UNKNOWN values are passed over in silence. The walk follows the service's shapes through the Arguments of
steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache
from typing import Any, Literal, TypeAlias

from msgspec import Struct, field

from stepbridge.definition.document import BRANCHES, PARAMETER_TYPES
from stepbridge.definition.kinds import KINDS, StepKind, needed, request_shape
from stepbridge.definition.reading import Duplicates
from stepbridge.definition.references import JOIN, JSON_GET, Reference, parse_get
from stepbridge.definition.service import Shape
from stepbridge.definition.values import JSON, UNKNOWN, Pointer, is_open, near, templated

MAX_DEPTH = 60  # of any value; real definitions have half of that
MAX_SUGGESTIONS = 200  # looking for near names costs a millisecond

MismatchKind = Literal[
    "container", "member", "required", "type", "enum", "pattern", "range", "length", "size"
]


class ParameterView(Struct):
    """An entry of Parameters. `type` is None where it is unknown or no type."""

    pointer: Pointer
    raw: dict[Any, JSON]
    name: str | None
    type: str | None


class StepView(Struct, eq=False):
    """A step. `branch` is the Condition step it is nested in and whether it is in its IfSteps."""

    pointer: Pointer
    raw: dict[Any, JSON]
    name: str | None
    type: str | None
    branch: tuple[StepView, bool] | None
    kind: StepKind | None
    references: list[ReferenceSite] = field(default_factory=list)

    @property
    def arguments(self) -> dict[Any, JSON]:
        """Arguments where they are an object, else an empty one."""
        arguments = self.raw.get("Arguments")
        return arguments if isinstance(arguments, dict) else {}

    @property
    def label(self) -> str:
        """The step as messages name it."""
        return f'Step "{self.name}"' if self.name is not None else "This step"

    @property
    def branches(self) -> tuple[tuple[int, bool], ...]:
        """The branches that this step is in, outermost first, as (identity of the Condition step, taken)."""
        found = []
        branch = self.branch
        while branch is not None:
            found.append((id(branch[0]), branch[1]))
            branch = branch[0].branch
        return tuple(reversed(found))


class ReferenceSite(Struct):
    """A `Get` object.

    `expected` is the parameter type that its place wants: "container" for objects and arrays, None where any
    will do. `reference` is None where the text makes none.
    """

    pointer: Pointer
    text: JSON
    reference: Reference | None
    expected: str | None
    step: StepView | None
    raw: dict[Any, JSON]
    in_property_file: bool = False


class FunctionSite(Struct):
    """A `Std:...` object; `argument` is what the function is given, `expected` as for references."""

    pointer: Pointer
    name: str
    argument: JSON
    expected: str | None
    step: StepView | None
    raw: dict[Any, JSON]


class ConditionSite(Struct):
    """One condition, at any depth of Not and Or."""

    pointer: Pointer
    raw: JSON
    step: StepView


class Mismatch(Struct):
    """A value that does not fit its place.

    `expected` says in words what would; `shape` is set within Arguments; `at_key` when it is about the key
    (of a map, or an unknown member).
    """

    kind: MismatchKind
    pointer: Pointer
    value: JSON
    expected: str
    shape: Shape | None = None
    step: StepView | None = None
    at_key: bool = False


class Part(Struct, eq=False, dict=True):
    """What a walk found in one part of a definition: in an item of `Steps` with the steps nested in it, or in
    all that is no step.

    A part depends on nothing but its value and its place, so that it serves again while others are edited.
    """

    root: JSON
    pointer: Pointer = ()
    steps: list[StepView] = field(default_factory=list)
    references: list[ReferenceSite] = field(default_factory=list)
    functions: list[FunctionSite] = field(default_factory=list)
    conditions: list[ConditionSite] = field(default_factory=list)
    mismatches: list[Mismatch] = field(default_factory=list)
    parameters: list[ParameterView] = field(default_factory=list)
    addresses: list[tuple[Pointer, str]] = field(default_factory=list)
    hides_names: bool = False  # some reference names what only another tool will know
    hides_steps: bool = False  # there may be steps that are not seen, or seen without a name

    def nodes(self) -> Iterator[tuple[Pointer, JSON]]:
        """Every value of the part with its pointer."""
        pending: list[tuple[Pointer, JSON]] = [(self.pointer, self.root)]
        while pending:
            pointer, node = pending.pop()
            yield pointer, node
            if isinstance(node, dict):
                pending += [((*pointer, key), value) for key, value in node.items()]
            elif isinstance(node, list):
                steps = pointer == ("Steps",)  # which are parts of their own
                pending += [
                    ((*pointer, i), value) for i, value in enumerate(node) if not steps or value is UNKNOWN
                ]

    @cached_property
    def has_unknowns(self) -> bool:
        return any(
            node is UNKNOWN or (isinstance(node, dict) and UNKNOWN in node) for _, node in self.nodes()
        )


class Pipeline:
    """All sites of a definition, in document order.

    Args:
        duplicates: keys that objects have twice, where the reader knows.
        known: the parts of an earlier state of the definition; those whose very object stands at its place
            again are taken over.
    """

    def __init__(self, root: JSON, duplicates: Duplicates | None = None, known: Sequence[Part] = ()) -> None:
        self.root = root
        self.document: dict[Any, JSON] = root if isinstance(root, dict) else {}
        self.duplicates = duplicates or {}
        self.parts = tuple(_parts(root, known))
        self.parameters = [view for part in self.parts for view in part.parameters]
        self.steps = [view for part in self.parts for view in part.steps]
        self.addresses = [found for part in self.parts for found in part.addresses]
        self.parameters_open = is_open(root) or is_open(self.document.get("Parameters"))
        self.parameters_open |= any(_hidden(p.raw, "Name") for p in self.parameters)
        self.steps_open = is_open(root) or is_open(self.document.get("Steps"))
        self.steps_open |= any(part.hides_steps for part in self.parts)
        self.suggested: dict[tuple[str, int], tuple[str, ...]] = {}

    @cached_property
    def parameters_by_name(self) -> dict[str, ParameterView]:
        """The first parameter of each name."""
        found: dict[str, ParameterView] = {}
        for parameter in self.parameters:
            if parameter.name is not None:
                found.setdefault(parameter.name, parameter)
        return found

    @cached_property
    def steps_by_name(self) -> dict[str, StepView]:
        """The first step of each name."""
        found: dict[str, StepView] = {}
        for step in self.steps:
            if step.name is not None:
                found.setdefault(step.name, step)
        return found

    @cached_property
    def used_parameters(self) -> frozenset[str]:
        """The names of all parameters that something refers to."""
        references = (site.reference for part in self.parts for site in part.references)
        return frozenset(r.name for r in references if r is not None and r.kind == "parameter")

    @cached_property
    def referred_steps(self) -> frozenset[str]:
        """The names of all steps that something refers to."""
        references = (site.reference for part in self.parts for site in part.references)
        return frozenset(r.name for r in references if r is not None and r.kind in ("step", "property-file"))

    @cached_property
    def has_unknowns(self) -> bool:
        """Whether there is any UNKNOWN: then something may be used that nobody sees."""
        return any(part.hides_names or part.has_unknowns for part in self.parts)

    def near(self, word: str, candidates: Any) -> tuple[str, ...]:
        """Up to three candidates close to `word`; remembers, and gives up after many mistakes."""
        known = tuple(candidates)
        key = (word, hash(known))
        found = self.suggested.get(key)
        if found is None:
            found = _near(word, known) if len(self.suggested) < MAX_SUGGESTIONS else ()
            self.suggested[key] = found
        return found


@lru_cache(maxsize=1024)
def _near(word: str, known: tuple[str, ...]) -> tuple[str, ...]:
    """A mistake stays for many keystrokes; finding what was meant may cost 15 ms."""
    return near(word, known, 3)


def _hidden(raw: dict[Any, JSON], key: str) -> bool:
    value = raw.get(key)
    return value is UNKNOWN or templated(value) or (value is None and UNKNOWN in raw)


_NESTED = (dict, list, str)
_OTHER_SCOPES = ("ForEach.", "ChildOutput.")  # SDK v3: inside of a ForEach step
_Rest: TypeAlias = Iterator[tuple[Any, JSON]]


def _parts(root: JSON, known: Sequence[Part]) -> Iterator[Part]:
    """The part that is no step, then one for each item of `Steps`."""
    yield _walked(Part(root))
    steps = root.get("Steps") if isinstance(root, dict) else None
    earlier = {part.pointer: part for part in known}
    for index, item in enumerate(steps if isinstance(steps, list) else ()):
        if item is not UNKNOWN:
            pointer: Pointer = ("Steps", index)
            part = earlier.get(pointer)
            yield part if part is not None and part.root is item else _walked(Part(item, pointer))


def _walked(part: Part) -> Part:
    walk = _Walk(part)
    if part.pointer:
        walk.one_step(part.root, part.pointer, None, 0)
    else:
        walk.rest()
    # a step of unknown type may be a Condition with steps of its own
    part.hides_steps |= any(_hidden(s.raw, "Name") or _hidden(s.raw, "Type") for s in part.steps)
    return part


class _Walk:
    """The walk through one part. `step` is the step that it is in."""

    def __init__(self, part: Part) -> None:
        self.into = part
        self.step: StepView | None = None

    # -- the document
    # ------------------------------------------------------------------------------------------

    def rest(self) -> None:
        """All that is no step."""
        root = self.into.root
        if root is UNKNOWN:
            return
        if not isinstance(root, dict):
            self.mismatch("container", (), root, "an object")
            return
        for index, item in self.items(root.get("Parameters"), ("Parameters",)):
            self.parameter(item, ("Parameters", index))
        experiment = root.get("PipelineExperimentConfig")
        if isinstance(experiment, dict):
            self.free(experiment, ("PipelineExperimentConfig",))
        steps = root.get("Steps")
        if not isinstance(steps, list) and steps is not None and steps is not UNKNOWN:
            self.mismatch("container", ("Steps",), steps, "an array")

    def items(self, value: JSON, pointer: Pointer) -> _Rest:
        """The items of an array that are known; anything but an array is a mismatch."""
        if isinstance(value, list):
            for index, item in enumerate(value):
                if item is not UNKNOWN:
                    yield index, item
        elif value is not None and value is not UNKNOWN:
            self.mismatch("container", pointer, value, "an array")

    def parameter(self, item: JSON, pointer: Pointer) -> None:
        if not isinstance(item, dict):
            self.mismatch("container", pointer, item, "an object")
            return
        name, type_ = item.get("Name"), item.get("Type", UNKNOWN if UNKNOWN in item else "String")
        self.into.parameters.append(
            ParameterView(
                pointer,
                item,
                name if isinstance(name, str) else None,
                type_ if isinstance(type_, str) and type_ in PARAMETER_TYPES else None,
            )
        )

    def one_step(
        self, item: JSON, pointer: Pointer, branch: tuple[StepView, bool] | None, depth: int
    ) -> None:
        if not isinstance(item, dict):
            self.mismatch("container", pointer, item, "an object")
            return
        name, type_ = item.get("Name"), item.get("Type")
        step = StepView(
            pointer,
            item,
            name if isinstance(name, str) else None,
            type_ if isinstance(type_, str) else None,
            branch,
            KINDS.get(type_) if isinstance(type_, str) else None,
        )
        self.into.steps.append(step)
        self.step = step
        self.fields(step)
        arguments = item.get("Arguments")
        if isinstance(arguments, dict):
            self.arguments(step, arguments, (*pointer, "Arguments"), depth)
        elif arguments is not None and arguments is not UNKNOWN:
            self.mismatch("container", (*pointer, "Arguments"), arguments, "an object")

    def fields(self, step: StepView) -> None:
        """References in the keys beside Arguments."""
        kind = step.kind
        for name, expected in kind.fields if kind is not None else ():
            value = step.raw.get(name)
            if isinstance(value, dict):
                self.object(value, (*step.pointer, name), expected or None, 0)

    def arguments(self, step: StepView, arguments: dict[Any, JSON], pointer: Pointer, depth: int) -> None:
        if step.type == "Condition":
            self.condition_arguments(step, arguments, pointer, depth)
            return
        if step.type == "ForEach":
            self.for_each_arguments(step, arguments, pointer, depth)
            return
        kind = step.kind
        shape = request_shape(_request(kind, arguments)) if kind is not None else None
        if shape is None:
            self.free(arguments, pointer)
        else:
            self.structure(arguments, shape, pointer, 0)

    def condition_arguments(
        self, step: StepView, arguments: dict[Any, JSON], pointer: Pointer, depth: int
    ) -> None:
        for index, item in self.items(arguments.get("Conditions"), (*pointer, "Conditions")):
            self.condition(item, (*pointer, "Conditions", index), step, 0)
        for key, taken in BRANCHES:
            for index, item in self.items(arguments.get(key), (*pointer, key)):
                if depth < MAX_DEPTH:
                    self.one_step(item, (*pointer, key, index), (step, taken), depth + 1)
        if UNKNOWN in arguments or any(is_open(arguments.get(key)) for key, _ in BRANCHES):
            self.into.hides_steps = True
        self.step = step

    def for_each_arguments(
        self, step: StepView, arguments: dict[Any, JSON], pointer: Pointer, depth: int
    ) -> None:
        """SDK v3: a step that runs the steps of its body once for each item."""
        for key, value in arguments.items():
            if key != "ForEachBody":
                self.free(value, (*pointer, key))
        for index, item in self.items(arguments.get("ForEachBody"), (*pointer, "ForEachBody")):
            if depth < MAX_DEPTH:
                self.one_step(item, (*pointer, "ForEachBody", index), (step, True), depth + 1)
        if UNKNOWN in arguments or is_open(arguments.get("ForEachBody")):
            self.into.hides_steps = True
        self.step = step

    def condition(self, item: JSON, pointer: Pointer, step: StepView, depth: int) -> None:
        self.step = step
        self.into.conditions.append(ConditionSite(pointer, item, step))
        if not isinstance(item, dict) or depth > MAX_DEPTH:
            return
        for key, value in item.items():
            if key in ("Condition", "Expression") and isinstance(value, dict):
                self.condition(value, (*pointer, key), step, depth + 1)
            elif key == "Conditions" and isinstance(value, list):
                for index, inner in enumerate(value):
                    if inner is not UNKNOWN:
                        self.condition(inner, (*pointer, key, index), step, depth + 1)
            else:
                self.free(value, (*pointer, key))

    # -- values without a shape
    # --------------------------------------------------------------------------------

    def free(self, value: JSON, pointer: Pointer, depth: int = 0) -> None:
        """Finds references and functions in a value that the service has no shape for."""
        if depth > MAX_DEPTH:
            return
        if isinstance(value, dict):
            if not self.object(value, pointer, None, depth):
                for key, item in value.items():
                    if isinstance(item, _NESTED):
                        self.free(item, (*pointer, key), depth + 1)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                if isinstance(item, _NESTED):
                    self.free(item, (*pointer, index), depth + 1)
        elif isinstance(value, str) and value.startswith("s3://") and odd_address(value):
            self.into.addresses.append((pointer, value))

    def object(self, value: dict[Any, JSON], pointer: Pointer, expected: str | None, depth: int) -> bool:
        """Takes an object as a reference or a function, if it is one."""
        if "Get" in value:
            text = value["Get"]
            if len(value) == 1 or (isinstance(text, str) and parse_get(text) is not None):
                self.reference(value, text, pointer, expected)
                return True
        name = _function_name(value)
        if name:
            self.function(value, name, pointer, expected, depth)
        return bool(name)

    def reference(
        self, raw: dict[Any, JSON], text: JSON, pointer: Pointer, expected: str | None, file: bool = False
    ) -> None:
        if text is UNKNOWN or templated(text):
            self.into.hides_names = True
            return
        if isinstance(text, str) and text.startswith(_OTHER_SCOPES):
            return
        reference = parse_get(text) if isinstance(text, str) else None
        site = ReferenceSite(pointer, text, reference, expected, self.step, raw, file)
        self.into.references.append(site)
        if self.step is not None:
            self.step.references.append(site)

    def function(
        self, raw: dict[Any, JSON], name: str, pointer: Pointer, expected: str | None, depth: int
    ) -> None:
        argument = raw[name]
        self.into.functions.append(FunctionSite(pointer, name, argument, expected, self.step, raw))
        if not isinstance(argument, dict) or depth > MAX_DEPTH:
            return
        inside = (*pointer, name)
        if name == JOIN:
            values = argument.get("Values")
            for index, item in enumerate(values if isinstance(values, list) else ()):
                if isinstance(item, dict):
                    self.object(item, (*inside, "Values", index), None, depth + 1)
        elif name == JSON_GET:
            file, uri = argument.get("PropertyFile"), argument.get("S3Uri")
            if isinstance(file, dict) and "Get" in file:
                self.reference(file, file["Get"], (*inside, "PropertyFile"), None, file=True)
            if isinstance(uri, dict):
                self.object(uri, (*inside, "S3Uri"), "String", depth + 1)

    # -- values with a shape
    # -----------------------------------------------------------------------------------

    def shaped(self, value: JSON, shape: Shape, pointer: Pointer, depth: int) -> None:
        if value is None or value is UNKNOWN:
            return  # the SDK writes null for "not given"
        if isinstance(value, dict):
            plain = len(value) != 1 and "Get" not in value and JOIN not in value and JSON_GET not in value
            if plain and shape.type == "structure" and depth <= MAX_DEPTH:
                self.structure(value, shape, pointer, depth)
            else:
                self.shaped_object(value, shape, pointer, depth)
        elif isinstance(value, list) and shape.type == "list":
            self.array(value, shape, pointer, depth)
        elif shape.scalar:
            self.scalar(value, shape, pointer)
        elif not templated(value):
            self.mismatch("container", pointer, value, _container(shape), shape)

    def shaped_object(self, value: dict[Any, JSON], shape: Shape, pointer: Pointer, depth: int) -> None:
        if depth > MAX_DEPTH:
            return
        expected = shape.parameter_type if shape.scalar else "container"
        if shape.type == "structure" and "Get" in value and "Get" not in shape.members:
            self.reference(value, value["Get"], pointer, expected)
            if _gives_scalar(value):
                self.mismatch("container", pointer, value, "an object", shape)
        elif self.object(value, pointer, expected, depth):
            if not shape.scalar and _gives_scalar(value):
                self.mismatch("container", pointer, value, _container(shape), shape)
        elif shape.type == "structure":
            self.structure(value, shape, pointer, depth)
        elif shape.type == "map":
            self.map(value, shape, pointer, depth)
        elif shape.type == "any":
            self.free(value, pointer, depth)
        elif shape.type == "list":
            self.mismatch("container", pointer, value, "an array", shape)
        else:
            self.mismatch("type", pointer, value, _article(shape), shape)

    def structure(self, value: dict[Any, JSON], shape: Shape, pointer: Pointer, depth: int) -> None:
        members = shape.members
        for key, item in value.items():
            member = members.get(key)
            if member is None:
                if key is not UNKNOWN:
                    self.mismatch("member", (*pointer, key), item, "", shape, at_key=True)
                    self.free(item, (*pointer, key), depth + 1)
            elif type(item) is not str or item not in member.accepted:
                self.shaped(item, member, (*pointer, key), depth + 1)
        for key in needed(shape):
            if value.get(key) is None and UNKNOWN not in value:
                self.mismatch("required", pointer, key, "", shape)

    def map(self, value: dict[Any, JSON], shape: Shape, pointer: Pointer, depth: int) -> None:
        key_shape, item_shape = shape.key, shape.item
        if UNKNOWN not in value:
            self.size(len(value), value, shape, pointer)
        for key, item in value.items():
            if key is UNKNOWN:
                continue
            if key not in key_shape.accepted:
                self.text(key, key_shape, (*pointer, key), at_key=True)
            if type(item) is not str or item not in item_shape.accepted:
                self.shaped(item, item_shape, (*pointer, key), depth + 1)

    def array(self, value: list[JSON], shape: Shape, pointer: Pointer, depth: int) -> None:
        item_shape = shape.item
        if UNKNOWN not in value:
            self.size(len(value), value, shape, pointer)
        for index, item in enumerate(value):
            if type(item) is not str or item not in item_shape.accepted:
                self.shaped(item, item_shape, (*pointer, index), depth + 1)

    def size(self, count: int, value: JSON, shape: Shape, pointer: Pointer) -> None:
        # a minimum of 1 says "leave it out", and the SDK writes empty lists for "none": no harm is known
        if shape.maximum is not None and count > shape.maximum:
            self.mismatch("size", pointer, value, f"at most {shape.maximum}", shape)
        elif shape.minimum is not None and 0 < count < shape.minimum:
            self.mismatch("size", pointer, value, f"at least {shape.minimum}", shape)

    def scalar(self, value: JSON, shape: Shape, pointer: Pointer) -> None:
        if isinstance(value, str):
            if shape.type in ("string", "timestamp", "blob", "any"):
                self.text(value, shape, pointer)
            elif not templated(value):
                self.mismatch("type", pointer, value, _article(shape), shape)
        elif isinstance(value, bool):
            if shape.type not in ("boolean", "any"):
                self.mismatch("type", pointer, value, _article(shape), shape)
        elif isinstance(value, int | float):
            self.number(value, shape, pointer)
        elif shape.type == "any":
            self.free(value, pointer)
        else:
            self.mismatch("type", pointer, value, _article(shape), shape)

    def number(self, value: float, shape: Shape, pointer: Pointer) -> None:
        whole = isinstance(value, int) or value.is_integer()
        if shape.type in ("float", "double", "timestamp", "any") or (
            whole and shape.type in ("integer", "long")
        ):
            low, high = shape.minimum, shape.maximum
            if (low is not None and value < low) or (high is not None and value > high):
                self.mismatch("range", pointer, value, _between(low, high), shape)
        else:
            self.mismatch("type", pointer, value, _article(shape), shape)

    def text(self, value: str, shape: Shape, pointer: Pointer, at_key: bool = False) -> None:
        """A string against enum, length and pattern; strings that pass are remembered with the shape."""
        if templated(value):
            return
        fault = text_fault(value, shape)
        if fault is not None:
            self.mismatch(fault[0], pointer, value, fault[1], shape, at_key)
        if not at_key and value.startswith("s3://") and odd_address(value):
            self.into.addresses.append((pointer, value))
        elif fault is None and len(shape.accepted) < 5000:
            shape.accepted.add(value)

    def mismatch(
        self,
        kind: MismatchKind,
        pointer: Pointer,
        value: JSON,
        expected: str,
        shape: Shape | None = None,
        at_key: bool = False,
    ) -> None:
        self.into.mismatches.append(Mismatch(kind, pointer, value, expected, shape, self.step, at_key))


def text_fault(value: str, shape: Shape) -> tuple[MismatchKind, str] | None:
    """What is wrong with a string in a place of that shape, and what would be right; None when nothing is."""
    if shape.enum:
        return None if value in shape.enum else ("enum", "")
    low, high = shape.minimum, shape.maximum
    if shape.type == "string" and high is not None and len(value) > high:
        return "length", f"at most {high}"
    pattern = shape.expression
    checked = pattern is not None and len(value) <= 4096 and not value.startswith("file://")  # local mode's
    if checked and pattern is not None and not pattern.fullmatch(value):
        return "pattern", str(shape.pattern)
    if shape.type == "string" and low is not None and len(value) < low:
        return "length", f"at least {low}"
    return None


def odd_address(address: str) -> bool:
    """Whether rule J136 has anything to say on an S3 address."""
    bucket, _, key = address[5:].partition("/")
    legal = 3 <= len(bucket) <= 63 and bucket == bucket.lower() and "_" not in bucket and bucket.isascii()
    return not legal or "//" in f"/{key}"


def _request(kind: StepKind, arguments: dict[Any, JSON]) -> str:
    if kind.request == "CreateAutoMLJobRequest" and (
        "AutoMLProblemTypeConfig" in arguments or "AutoMLJobInputDataConfig" in arguments
    ):
        return "CreateAutoMLJobV2Request"
    return kind.request


def _function_name(value: dict[Any, JSON]) -> str:
    """The function that an object calls, or ""."""
    if JOIN in value:
        return JOIN
    if JSON_GET in value:
        return JSON_GET
    if len(value) == 1:
        (key,) = value
        if isinstance(key, str) and key.startswith("Std:"):
            return key
    return ""


def _gives_scalar(value: dict[Any, JSON]) -> bool:
    """Whether it gives a single value for sure: a parameter, an execution variable, a Join."""
    text = value.get("Get")
    if isinstance(text, str):
        return text.startswith(("Parameters.", "Execution."))
    return JOIN in value


def _container(shape: Shape) -> str:
    return "an array" if shape.type == "list" else "an object"


def _article(shape: Shape) -> str:
    words = {
        "string": "a string",
        "boolean": "a boolean",
        "integer": "a whole number",
        "long": "a whole number",
    }
    return words.get(shape.type, "a number")


def _between(low: int | None, high: int | None) -> str:
    if low is None:
        return f"at most {high}"
    return f"at least {low}" if high is None else f"between {low} and {high}"
