"""Rules on conditions (P130 to P132)."""

from __future__ import annotations

from collections.abc import Iterator

from stepbridge_lsp.values import (
    Const,
    DictValue,
    ListValue,
    ParameterVariable,
    SdkObject,
    Value,
    Variable,
)

from .context import Context
from .findings import Report
from .registry import rule


@rule(
    "P130",
    "warning",
    "Operands of a condition",
    example="ConditionEquals(left=True, right=train)",
    source="E 2843; V: a step or list is accepted and fails later",
    moment="build",
)
def operands(context: Context) -> Iterator[Report]:
    """A condition compares pipeline variables and plain values. A step itself is none of them (its
    properties are), and two plain values always take the same branch."""
    for condition in context.model.conditions:
        if condition.kind in ("In", "Not", "Or"):
            continue
        for operand in condition.operands:
            words = _no_operand(operand.value)
            if words is not None:
                yield Report(f"A condition cannot compare {words}.", operand.span)
        values = [operand.value for operand in condition.operands]
        if len(values) == 2 and all(isinstance(value, Const) for value in values):
            yield Report("Both sides are plain values: the branch is always the same.", condition.span)


def _no_operand(value: Value) -> str | None:
    if isinstance(value, SdkObject):
        return "a step: compare one of its properties" if value.kind == "step" else f"a {value.cls.name}"
    if isinstance(value, ListValue | DictValue):
        return f"a {getattr(value, 'kind', 'dictionary')}: use ConditionIn"
    return None


@rule(
    "P131",
    "hint",
    "ConditionNot",
    example='ConditionNot(ConditionEquals(left=mode, right="fast"))',
    source="E 2746: the service refused what SDKs before 2.72 wrote",
    moment="create",
    default=False,
)
def negation(context: Context) -> Iterator[Report]:
    """Old SDKs (before 2.72) wrote ConditionNot in a form that the service refuses."""
    for condition in context.model.conditions:
        if condition.kind == "Not" and condition.object is not None:
            yield Report("SDKs before 2.72 write ConditionNot wrongly.", condition.object.call.name_span)


@rule(
    "P132",
    "error",
    "Values of ConditionIn",
    example='ConditionIn(value=mode, in_values="fast")',
    source="K conditions.py",
    moment="build",
)
def in_values(context: Context) -> Iterator[Report]:
    """`in_values` is a list."""
    for made in context.made("ConditionIn"):
        argument = made.call.argument("in_values")
        if argument is None:
            continue
        if isinstance(argument.value, Const | DictValue | ParameterVariable | SdkObject | Variable):
            text = context.text(argument.span)
            fixes = context.replace(argument.span, f"[{text}]", "Put it into a list") if text else ()
            yield Report("in_values is a list.", argument.span, fixes)
