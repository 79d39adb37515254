"""What a stopped pipeline shows: stack frames, scopes, variables, and changing them.

The frames of a stop are the step that is held, the steps it waited for (the last one to end first) and the
pipeline itself. Numbers given out are good until their stop goes on. Knows no client.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec import Struct

from stepbridge.definition.values import JSON, Pointer, pointer_text
from stepbridge.execution.execution import Execution
from stepbridge.execution.state import StepState
from stepbridge.storage.objects import ObjectStore

from .connection import RequestError
from .evaluate import EvaluationError, View, assign, evaluate, place
from .facts import EXECUTION_FACTS, environment_of, result_of, waited_for
from .positions import Positions, StepPosition
from .statements import FIRST_ID, Stop
from .types import Evaluated, Scope, Source, StackFrame, Variable

TEXT_LIMIT = 300  # characters of a container's value on one line


class Frame(Struct, frozen=True):
    """state: None for the frame of the pipeline itself. held: it is the step that the stop holds."""

    id: int
    stop: Stop
    state: StepState | None
    held: bool


class Node(Struct, frozen=True):
    """A container whose members a client may ask for.

    path: of its members, in an expression that `evaluate` reads. editable: members are part of the held
    step's arguments, at `pointer`.
    """

    stop: Stop
    value: JSON
    path: Callable[[str | int], str]
    pointer: Pointer = ()
    editable: bool = False


class Program:
    """The text that the pipeline was made by."""

    def __init__(self, positions: Positions, files: list[Path]) -> None:
        self._positions = positions
        self.files = files

    def place(self, state: StepState) -> StepPosition | None:
        return self._positions.find(state.plan.name, state.plan.type, self.files)

    def variables(self) -> dict[str, str]:
        return {
            name: text for file in reversed(self.files) for name, text in self._positions.of(file).variables
        }


class Inspection:
    """Frames and variables of all stops of one program."""

    def __init__(self, program: Program, store: ObjectStore, line_out: Callable[[int], int]) -> None:
        self._program = program
        self._store = store
        self._line_out = line_out
        self._ids = itertools.count(FIRST_ID)
        self._frames: dict[int, Frame] = {}
        self._nodes: dict[int, Node] = {}
        self._stacks: dict[int, list[Frame]] = {}  # by thread

    def forget(self, stop: Stop) -> None:
        """The stop goes on: its numbers mean nothing any more."""
        self._stacks.pop(stop.thread.id, None)
        self._frames = {key: f for key, f in self._frames.items() if f.stop is not stop}
        self._nodes = {key: n for key, n in self._nodes.items() if n.stop is not stop}

    # frames

    def stack(self, stop: Stop) -> list[StackFrame]:
        frames = self._stacks.get(stop.thread.id)
        if frames is None:
            states: list[StepState | None] = [stop.state, *waited_for(stop.execution, stop.step), None]
            frames = [
                Frame(next(self._ids), stop, state, held=index == 0) for index, state in enumerate(states)
            ]
            self._stacks[stop.thread.id] = frames
            self._frames.update((frame.id, frame) for frame in frames)
        return [self._shown(frame) for frame in frames]

    def _shown(self, frame: Frame) -> StackFrame:
        if frame.state is None:
            record = frame.stop.execution.record
            name, place, step = f"{record.pipeline} (run {record.run})", None, False
        else:
            plan = frame.state.plan
            note = plan.type if frame.held else frame.state.status
            name, place, step = f"{plan.name} ({note})", self._program.place(frame.state), True
        source, line = None, 0
        if place is not None:
            source = Source(name=place.path.name, path=str(place.path))
            # no end: VS Code would select the statement, and the next key press would replace it
            line = self._line_out(place.line)
        elif self._program.files:
            file = self._program.files[0]
            source, line = Source(name=file.name, path=str(file)), self._line_out(1)
        return StackFrame(
            id=frame.id,
            name=name,
            line=line,
            column=self._line_out(1),
            source=source,
            can_restart=step,
            presentation_hint=None if step else "subtle",
        )

    def frame(self, frame_id: int | None) -> Frame | None:
        """None for an id that was never given out, or whose stop went on."""
        return self._frames.get(frame_id) if frame_id is not None else None

    def need(self, frame_id: int) -> Frame:
        frame = self.frame(frame_id)
        if frame is None:
            raise RequestError("That stack frame is gone: the pipeline went on.")
        return frame

    def owns(self, number: int) -> bool:
        return number in self._nodes or number in self._frames

    # scopes and variables

    def scopes(self, frame: Frame) -> list[Scope]:
        stop = frame.stop
        parameters = dict(stop.execution.parameters)
        found = [self._scope("Parameters", stop, parameters, lambda key: f"Parameters.{key}")]
        if frame.state is None:
            facts = {name: stop.execution.scope.execution(name) for name in EXECUTION_FACTS}
            return [*found, self._scope("Execution", stop, facts, lambda key: f"Execution.{key}")]
        arguments = frame.stop.arguments if frame.held else frame.state.arguments
        members = arguments if isinstance(arguments, dict | list) else {}
        paths = _members_path("", pointer=True)
        found.append(self._scope("Arguments", stop, members, paths, editable=frame.held, hint="arguments"))
        if not frame.held:
            name = frame.state.plan.name
            result = result_of(frame.state, self._store)
            found.append(self._scope("Result", stop, result, _result_path(name), hint="returnValue"))
        earlier = waited_for(stop.execution, frame.state.plan.name)
        upstream = {state.plan.name: result_of(state, self._store) for state in earlier}
        found.append(self._scope("Upstream", stop, upstream, lambda key: f"Steps.{key}"))
        environment = environment_of(stop.execution, frame.state, arguments, held=frame.held)
        found.append(self._scope("Environment", stop, environment, lambda key: f"Environment.{key}"))
        return found

    def _scope(
        self,
        name: str,
        stop: Stop,
        value: JSON,
        path: Callable[[str | int], str],
        *,
        editable: bool = False,
        hint: str | None = None,
    ) -> Scope:
        pointer: Pointer = ()
        if name == "Environment" and isinstance(stop.arguments, dict) and value is stop.arguments.get(name):
            editable, pointer = True, (name,)
        node = Node(stop, value, path, pointer, editable)
        return Scope(
            name=name,
            variables_reference=self._give(node),
            expensive=False,
            presentation_hint=hint,
            named_variables=len(value),
        )

    def variables(self, reference: int, start: int | None, count: int | None) -> list[Variable]:
        node = self._nodes.get(reference)
        if node is None:
            raise RequestError("Those variables are gone: the pipeline went on.")
        members = list(_members(node.value))
        first = start or 0
        return [
            self._variable(node, key, value)
            for key, value in members[first : first + (count or len(members))]
        ]

    def _variable(self, node: Node, key: str | int, value: JSON) -> Variable:
        path = node.path(key)
        reference = self._reference(node, key, value) if isinstance(value, dict | list) and value else 0
        return Variable(
            name=str(key),
            value=text_of(value),
            type=type_of(value),
            variables_reference=reference,
            evaluate_name=path or None,
            named_variables=len(value) if reference and isinstance(value, dict) else None,
            indexed_variables=len(value) if reference and isinstance(value, list) else None,
            presentation_hint=None if node.editable and not reference else {"attributes": ["readOnly"]},
        )

    def _reference(self, node: Node, key: str | int, value: JSON) -> int:
        inner = _members_path(node.path(key), pointer=node.editable)
        return self._give(Node(node.stop, value, inner, (*node.pointer, key), node.editable))

    def _give(self, node: Node) -> int:
        number = next(self._ids)
        self._nodes[number] = node
        return number

    # changing

    def set_variable(self, reference: int, name: str, text: str) -> Evaluated:
        """Change a member of the held step's arguments.

        Raises:
            RequestError, StepBridgeError: it is not one, or the text does not fit.
        """
        node = self._nodes.get(reference)
        if node is None:
            raise RequestError("Those variables are gone: the pipeline went on.")
        if not node.editable:
            raise EvaluationError(
                f"{name} cannot be changed: its value is settled for this run",
                "Arguments of the step that is about to start can be changed.",
            )
        key: str | int = int(name) if isinstance(node.value, list) else name
        return self._assign(node.stop, (*node.pointer, key), text)

    def set_expression(self, expression: str, text: str, frame: Frame | None) -> Evaluated:
        if frame is None or not frame.held:
            raise EvaluationError("Only arguments of the step that is about to start can be changed.")
        pointer = place(expression, self.view(frame))
        if pointer is None:
            raise EvaluationError(f"{expression} is no place in the arguments", "Try /HyperParameters/NAME.")
        return self._assign(frame.stop, pointer, text)

    def _assign(self, stop: Stop, pointer: Pointer, text: str) -> Evaluated:
        value = assign(stop.arguments, pointer, text)
        stop.edited = True
        inner = _members_path(pointer_text(pointer), pointer=True)
        return self._evaluated(Node(stop, value, inner, pointer, editable=True))

    # evaluating

    def evaluate(self, expression: str, frame: Frame) -> Evaluated:
        view = self.view(frame)
        value = evaluate(expression, view)
        pointer = place(expression, view) if frame.held else None
        if pointer is not None:
            inner = _members_path(pointer_text(pointer), pointer=True)
            return self._evaluated(Node(frame.stop, value, inner, pointer, editable=True))
        return self._evaluated(Node(frame.stop, value, _members_path(expression, pointer=False)))

    def _evaluated(self, node: Node) -> Evaluated:
        value = node.value
        container = isinstance(value, dict | list) and bool(value)
        return Evaluated(
            result=text_of(value),
            type=type_of(value),
            variables_reference=self._give(node) if container else 0,
            named_variables=len(value) if container and isinstance(value, dict) else None,
            indexed_variables=len(value) if container and isinstance(value, list) else None,
        )

    def view(self, frame: Frame) -> View:
        state = frame.state
        arguments = None if state is None else frame.stop.arguments if frame.held else state.arguments
        execution = frame.stop.execution
        environment = environment_of(execution, state, arguments, held=frame.held) if state else {}
        return self.view_of(execution, arguments, environment)

    def view_of(self, execution: Execution, arguments: JSON, environment: Mapping[str, str]) -> View:
        ended = {name: state for name, state in execution.steps.items() if state.status.ended}
        return View(
            scope=execution.scope,
            parameters=execution.parameters,
            results={name: result_of(state, self._store) for name, state in ended.items()},
            steps=tuple(execution.steps),
            arguments=arguments,
            environment=environment,
            variables=self._program.variables(),
        )


# how values look


def text_of(value: JSON) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, dict | list) and len(text) > TEXT_LIMIT:
        return text[:TEXT_LIMIT] + "…"
    return text


def type_of(value: JSON) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "string"
        case list() | tuple():
            return f"array ({len(value)})"
        case dict():
            return f"object ({len(value)})"
    return type(value).__name__


def _members(value: JSON) -> list[tuple[str | int, JSON]]:
    return list(value.items()) if isinstance(value, Mapping) else list(enumerate(value))


def _members_path(base: str, *, pointer: bool) -> Callable[[str | int], str]:
    """How members of the value at `base` are written in an expression."""
    if pointer:
        root = "" if base == "/" else base
        return lambda key: root + pointer_text((key,))

    def member(key: str | int) -> str:
        if isinstance(key, int):
            return f"{base}[{key}]"
        return f"{base}.{key}" if key.replace("_", "a").replace("-", "a").isalnum() else f"{base}['{key}']"

    return member


def _result_path(step: str) -> Callable[[str | int], str]:
    return lambda key: f"Steps.{step}" if key == "Properties" else f"Steps.{step}.{key}"
