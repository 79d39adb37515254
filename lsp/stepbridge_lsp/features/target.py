"""Which call of the SDK a cursor is in, and which of its arguments is being written.

The call is looked up by evaluating the callee's text where it stands, so that it is known before the program
parses; where the model has the call too, its other arguments are at hand.
"""

from __future__ import annotations

from dataclasses import dataclass

from stepbridge_lsp.catalog import Callable_, Formal, SdkClass, SdkFunction
from stepbridge_lsp.documents.python import PythonDocument
from stepbridge_lsp.documents.scopes import StepMethod
from stepbridge_lsp.model import Step
from stepbridge_lsp.values import Call, SdkObject, StepArguments, SymbolValue, Value

from .cursor import Cursor, Frame
from .places import object_of

_CLOSERS = {"(": ")", "[": "]", "{": "}"}
_LONGEST = 4_000  # bytes of a callee's text that are evaluated again


@dataclass(frozen=True)
class Target:
    """A call of the SDK.

    Attributes:
        callable: what is called.
        cls: the class that it makes, or whose method it is.
        receiver: the object whose method it is.
        call: the call as the model has it; None while it does not parse.
    """

    callable: Callable_
    cls: SdkClass | None
    receiver: SdkObject | None
    call: Call | None

    @property
    def method(self) -> str:
        """The method's name; "" for a constructor or function."""
        return self.callable.name.rpartition(".")[2] if "." in self.callable.name else ""

    @property
    def kind(self) -> str:
        """The family of the class: "processor", "step" ...; "" for a function."""
        return self.cls.kind if self.cls is not None else ""

    def value(self, name: str) -> Value | None:
        """The value of another argument, as far as the model has the call."""
        return self.call.value(name) if self.call is not None else None


def target_of(document: PythonDocument, frames: tuple[Frame, ...]) -> Target | None:
    """The call whose bracket is the first of `frames` (the others are inside); None if it is none of the
    SDK.
    """
    frame = frames[0]
    if frame.kind != "(" or not frame.base or len(frame.base) > _LONGEST:
        return None
    call = call_starting(document, frame.offset) or _unfinished(document, frames)
    if call is not None:
        made = call.receiver or object_of(call.result)
        return Target(call.target, made.cls if made is not None else None, call.receiver, call)
    return _evaluated(document.evaluate(frame.base, frame.offset))


def _unfinished(document: PythonDocument, frames: tuple[Frame, ...]) -> Call | None:
    """The call as far as it was finished before the item that is being written."""
    written = document.source[frames[0].offset : frames[-1].item].decode("utf-8", "replace")
    if len(written) > _LONGEST:
        return None
    text = frames[0].base + written.rstrip() + "".join(_CLOSERS[frame.kind] for frame in reversed(frames))
    value = document.evaluate(text, frames[0].offset)
    if isinstance(value, StepArguments):
        return value.call
    made = object_of(value)
    return made.call if made is not None else None


def _evaluated(value: Value) -> Target | None:
    match value:
        case SymbolValue(symbol=SdkClass() as cls):
            return Target(cls.init, cls, None, None)
        case SymbolValue(symbol=SdkFunction() as function):
            return Target(function.callable, None, None, None)
        case StepMethod(receiver=receiver, name=name):
            method = receiver.cls.method(name)
            return Target(method, receiver.cls, receiver, None) if method is not None else None
    return None


def call_starting(document: PythonDocument, offset: int) -> Call | None:
    """The call whose parentheses begin at an offset, as the model has it."""
    for call in document.model.calls:
        span = call.arguments_span
        if span.start == offset and span.document == document.key:
            return call
    return None


def formal_of(target: Target, frame: Frame) -> Formal | None:
    """The formal parameter that the argument with the cursor reaches."""
    if frame.keyword is not None:
        return target.callable.by_name.get(frame.keyword)
    positional = target.callable.positional
    return positional[frame.index] if frame.index < len(positional) else None


@dataclass(frozen=True)
class Slot:
    """The argument that is being written: of which call, under which name, and how deep in containers.

    `inner` are the brackets between the call and the cursor, outermost first.
    """

    target: Target
    formal: Formal
    frame: Frame
    inner: tuple[Frame, ...] = ()

    @property
    def name(self) -> str:
        return self.formal.name

    def inside(self, *kinds: str) -> bool:
        """Whether the cursor is in containers of just these kinds: `inside("[")`."""
        return tuple(frame.kind for frame in self.inner) == kinds


def slot_at(document: PythonDocument, cursor: Cursor) -> Slot | None:
    """The argument of an SDK call that holds the cursor."""
    for index in range(len(cursor.frames) - 1, -1, -1):
        frame = cursor.frames[index]
        if frame.kind == "(" and frame.base:
            target = target_of(document, cursor.frames[index:])
            formal = formal_of(target, frame) if target is not None else None
            if target is None or formal is None:
                return None
            return Slot(target, formal, frame, cursor.frames[index + 1 :])
    return None


def step_around(document: PythonDocument, offset: int) -> Step | None:
    """The innermost step whose call holds an offset."""
    inside = [
        step
        for step in document.model.steps
        if step.span.document == document.key and step.span.start <= offset <= step.span.end
    ]
    return min(inside, key=lambda step: step.span.end - step.span.start, default=None)
