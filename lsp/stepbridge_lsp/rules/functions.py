"""Rules on functions under `@step` (P164)."""

from __future__ import annotations

from collections.abc import Iterator

from stepbridge_lsp.values import ReturnVariable

from .context import Context
from .findings import Report
from .registry import rule


@rule(
    "P164",
    "error",
    "Result of a step taken apart",
    example="for part in split(data):  # split is a function under @step",
    source="K function_step.py: NotImplementedError: DelayedReturn object is not iterable.",
    moment="build",
)
def delayed_return(context: Context) -> Iterator[Report]:
    """What a function under `@step` returns exists only when the pipeline executes: it can be indexed
    (`result[0]`, `result["key"]`), but not iterated or unpacked."""
    for misuse in context.model.misuses:
        if misuse.kind != "iterate" or not isinstance(misuse.variable, ReturnVariable):
            continue
        if misuse.detail == "unpack":
            message = "The result of a step cannot be unpacked: take its items by index, result[0]."
        else:
            message = "The result of a step cannot be iterated: take its items by index, result[0]."
        yield Report(message, misuse.span)
