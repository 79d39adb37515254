"""Condition and Fail: steps without a container."""

from __future__ import annotations

from typing import Any

from stepbridge.definition.conditions import evaluate

from .base import StepContext, StepFailure, StepResult


async def run_condition(context: StepContext, arguments: Any) -> StepResult:
    """Evaluates the conditions; the scheduler takes the branch that `outcome` names."""
    outcome = evaluate(context.step.arguments["Conditions"], context.scope)
    return StepResult(properties={"Outcome": outcome}, outcome="True" if outcome else "False")


async def run_fail(context: StepContext, arguments: Any) -> StepResult:
    message = str(arguments.get("ErrorMessage", "")) if isinstance(arguments, dict) else ""
    raise StepFailure(message, metadata={"Fail": {"ErrorMessage": message}})
