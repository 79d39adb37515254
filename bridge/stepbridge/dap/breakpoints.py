"""The breakpoints of a session: those on steps (statements of the pipeline), and those in scripts.

Decides which steps stop and which step's code holds a breakpoint. Knows no run and no client.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

from stepbridge.debug import PathMapping

from .positions import Positions, StepPosition
from .types import Breakpoint, FunctionBreakpoint, Source, SourceBreakpoint

ONCE = "A step runs once: a hit count has no meaning here. Use a condition, for example Parameters.X == 1."
TRACING_FILTERS = frozenset({"raised", "userUnhandled"})  # work in an attached process only


class StepBreakpoint(Struct, frozen=True):
    """A breakpoint on a step: by its line in the program (`position`), or by name."""

    id: int
    position: StepPosition | None = None
    name: str = ""
    condition: str = ""
    log_message: str = ""

    @property
    def reason(self) -> str:
        return "breakpoint" if self.position else "function breakpoint"


class Breakpoints:
    """What the client has set, by source file; names; exception filters."""

    def __init__(self, positions: Positions) -> None:
        self._positions = positions
        self._lines: dict[Path, list[StepBreakpoint]] = {}
        self._functions: list[StepBreakpoint] = []
        self._scripts: dict[Path, list[SourceBreakpoint]] = {}
        self._ids = 0
        self.filters: frozenset[str] = frozenset({"uncaught"})

    def set_source(self, path: Path, given: Iterable[SourceBreakpoint]) -> list[Breakpoint]:
        """Replace the breakpoints of a file: lines of steps stop the pipeline, all others are for scripts."""
        text = self._positions.of(path)
        source = Source(name=path.name, path=str(path))
        steps, scripts, answers = [], [], []
        for wanted in given:
            self._ids += 1
            position = text.at(wanted.line)
            if position is None:
                scripts.append(wanted)
                answers.append(self._pending(wanted, source, makes_steps=bool(text.steps)))
                continue
            if wanted.hit_condition:
                answers.append(Breakpoint(id=self._ids, verified=False, message=ONCE, reason="failed"))
                continue
            steps.append(
                StepBreakpoint(
                    self._ids,
                    position,
                    condition=wanted.condition or "",
                    log_message=wanted.log_message or "",
                )
            )
            answers.append(Breakpoint(id=self._ids, verified=True, source=source, line=position.line))
        self._lines[path], self._scripts[path] = steps, scripts
        return answers

    def _pending(self, wanted: SourceBreakpoint, source: Source, *, makes_steps: bool) -> Breakpoint:
        message = "Set in each step that runs this file, as soon as the step starts."
        return Breakpoint(
            id=self._ids,
            verified=False,
            source=source,
            line=wanted.line,
            message=f"No step is made on this line. {message}" if makes_steps else message,
            reason="pending",
        )

    def set_functions(self, given: Iterable[FunctionBreakpoint], steps: Iterable[str]) -> list[Breakpoint]:
        """Replace the breakpoints by name. `steps`: names that are known, empty before the pipeline is."""
        known = set(steps)
        self._functions, answers = [], []
        for wanted in given:
            self._ids += 1
            self._functions.append(
                StepBreakpoint(
                    self._ids,
                    name=wanted.name,
                    condition=wanted.condition or "",
                )
            )
            if not known or wanted.name in known:
                answers.append(Breakpoint(id=self._ids, verified=True))
            else:
                text = f"The pipeline has no step {wanted.name}; scripts may have such a function."
                answers.append(Breakpoint(id=self._ids, verified=False, message=text, reason="failed"))
        return answers

    def on_step(self, name: str, position: StepPosition | None) -> list[StepBreakpoint]:
        """The breakpoints that a step hits; `position` is where the program makes it."""
        hit = [b for b in self._functions if b.name == name]
        if position is not None:
            lines = self._lines.get(position.path, ())
            hit += [b for b in lines if b.position and _same(b.position, position)]
        return hit

    @property
    def tracing(self) -> bool:
        """The user asked for exceptions that only an attached process reports."""
        return bool(self.filters & TRACING_FILTERS)

    def in_code(self, mappings: Iterable[PathMapping]) -> bool:
        """A breakpoint lies in a file that a step with this code can run."""
        return any(lines and covers(mappings, path) for path, lines in self._scripts.items())


def _same(one: StepPosition, other: StepPosition) -> bool:
    """The same place of a program, even where an edit has moved it since the breakpoint was set."""
    return (one.kind, one.pattern) == (other.kind, other.pattern)


def covers(mappings: Iterable[PathMapping], path: Path) -> bool:
    """The file is part of the code that `mappings` bring into a container."""
    real = Path(os.path.realpath(path))
    for mapping in mappings:
        local = Path(os.path.realpath(mapping.local))
        if real == local or local in real.parents:
            return True
    return False
