"""Shapes of the Debug Adapter Protocol's arguments and bodies, as far as this server takes part in them.

Names and meanings are the specification's (camelCase on the wire). No behaviour, no pipeline.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec


class ArgumentsError(Exception):
    """The arguments of a request do not have the specification's shape."""


class Arguments(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Base of request arguments; unknown members are ignored, as the specification wants."""


class Body(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Base of what we send; members that have their default value are left out."""


A = TypeVar("A", bound=Arguments)


def read_arguments(shape: type[A], values: dict[str, Any] | None) -> A:
    """Raises ArgumentsError, naming the member."""
    try:
        return msgspec.convert(values or {}, shape)
    except msgspec.ValidationError as error:
        raise ArgumentsError(str(error).replace("`", "")) from None


class Source(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    name: str | None = None
    path: str | None = None
    source_reference: int | None = None
    presentation_hint: str | None = None


# requests


class NoArguments(Arguments, frozen=True, kw_only=True):
    pass


class InitializeArguments(Arguments, frozen=True, kw_only=True):
    client_id: str | None = msgspec.field(name="clientID", default=None)
    adapter_id: str = msgspec.field(name="adapterID", default="stepbridge")
    lines_start_at1: bool = True
    columns_start_at1: bool = True
    path_format: str | None = "path"
    supports_variable_type: bool = False
    supports_variable_paging: bool = False
    supports_progress_reporting: bool = False
    supports_start_debugging_request: bool = False
    token: str = msgspec.field(name="__token", default="")

    def as_given(self) -> dict[str, Any]:
        """The client's own words, for another adapter; without our token."""
        given: dict[str, Any] = msgspec.to_builtins(self)
        given.pop("__token")
        return {name: value for name, value in given.items() if value is not None}


class SourceBreakpoint(Arguments, frozen=True, kw_only=True):
    line: int
    condition: str | None = None
    hit_condition: str | None = None
    log_message: str | None = None


class SetBreakpointsArguments(Arguments, frozen=True, kw_only=True):
    source: Source
    breakpoints: list[SourceBreakpoint] | None = None


class FunctionBreakpoint(Arguments, frozen=True, kw_only=True):
    name: str
    condition: str | None = None
    hit_condition: str | None = None


class SetFunctionBreakpointsArguments(Arguments, frozen=True, kw_only=True):
    breakpoints: list[FunctionBreakpoint] | None = None


class ExceptionFilterOptions(Arguments, frozen=True, kw_only=True):
    filter_id: str
    condition: str | None = None


class SetExceptionBreakpointsArguments(Arguments, frozen=True, kw_only=True):
    filters: list[str] | None = None
    filter_options: list[ExceptionFilterOptions] | None = None


class BreakpointLocationsArguments(Arguments, frozen=True, kw_only=True):
    source: Source
    line: int
    end_line: int | None = None


class ThreadArguments(Arguments, frozen=True, kw_only=True):
    """continue, next, stepIn, stepOut, pause."""

    thread_id: int


class StackTraceArguments(Arguments, frozen=True, kw_only=True):
    thread_id: int
    start_frame: int | None = None
    levels: int | None = None


class FrameArguments(Arguments, frozen=True, kw_only=True):
    """scopes, restartFrame."""

    frame_id: int


class VariablesArguments(Arguments, frozen=True, kw_only=True):
    variables_reference: int
    filter: str | None = None
    start: int | None = None
    count: int | None = None


class SetVariableArguments(Arguments, frozen=True, kw_only=True):
    variables_reference: int
    name: str
    value: str


class SetExpressionArguments(Arguments, frozen=True, kw_only=True):
    expression: str
    value: str
    frame_id: int | None = None


class EvaluateArguments(Arguments, frozen=True, kw_only=True):
    expression: str
    frame_id: int | None = None
    context: str | None = None


class CompletionsArguments(Arguments, frozen=True, kw_only=True):
    text: str
    column: int
    line: int | None = None
    frame_id: int | None = None


class StepArguments(Arguments, frozen=True, kw_only=True):
    """stepbridge/restartStep: a step of the run; of the only one where `run` is not given."""

    step: str
    run: str = ""


class DisconnectArguments(Arguments, frozen=True, kw_only=True):
    restart: bool = False
    terminate_debuggee: bool | None = True  # null is how Emacs writes false


class RestartArguments(Arguments, frozen=True, kw_only=True):
    arguments: dict[str, Any] | None = None


class CancelArguments(Arguments, frozen=True, kw_only=True):
    request_id: int | None = None
    progress_id: str | None = None


# what goes back


class Breakpoint(Body, frozen=True, kw_only=True):
    id: int
    verified: bool
    message: str | None = None
    source: Source | None = None
    line: int | None = None
    end_line: int | None = None
    reason: str | None = None  # "pending" or "failed"


class Thread(Body, frozen=True, kw_only=True):
    id: int
    name: str


class StackFrame(Body, frozen=True, kw_only=True):
    id: int
    name: str
    line: int
    column: int
    source: Source | None = None
    end_line: int | None = None
    can_restart: bool | None = None
    presentation_hint: str | None = None


class Scope(Body, frozen=True, kw_only=True):
    name: str
    variables_reference: int
    expensive: bool
    presentation_hint: str | None = None
    named_variables: int | None = None


class Variable(Body, frozen=True, kw_only=True):
    name: str
    value: str
    variables_reference: int
    type: str | None = None
    evaluate_name: str | None = None
    named_variables: int | None = None
    indexed_variables: int | None = None
    presentation_hint: dict[str, Any] | None = None


class Evaluated(Body, frozen=True, kw_only=True):
    """Response of evaluate; setVariable and setExpression carry `value` in place of `result`."""

    result: str
    variables_reference: int
    type: str | None = None
    named_variables: int | None = None
    indexed_variables: int | None = None
