"""What a person sees while a run goes on: a live table in a terminal, plain lines elsewhere."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

from msgspec import Struct, field
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from stepbridge import events
from stepbridge.events import AnyEvent, StepStatus

from .console import STYLES, duration, local_path, outputs_text, plain_table, status_text

PHASES = {
    "pull": "pulling the image",
    "stage": "laying out its files",
    "start": "starting the container",
    "debug": "waiting for the debugger",
    "run": "",
    "collect": "collecting outputs",
    "breakpoint": "stopped in the debugger",
}

DEBUGGING = {
    "waiting": "waiting for a debugger",
    "attached": "in the debugger",
    "crashed": "crashed, waiting for a debugger",
}


class _Row(Struct):
    name: str
    type: str
    status: StepStatus = StepStatus.WAITING
    started: float = 0.0
    seconds: float = 0.0
    phase: str = ""
    last_line: str = ""
    cached: bool = False
    failure: str = ""
    outputs: dict[str, str] = field(default_factory=dict)


class Board:
    """The state of one run as its events tell it; the final table and the live one both read it."""

    def __init__(self) -> None:
        self.pipeline = ""
        self.run = ""
        self.rows: dict[str, _Row] = {}
        self.finished: events.RunFinished | None = None

    def take(self, event: AnyEvent) -> None:
        match event:
            case events.RunStarted():
                self.pipeline, self.run, self.finished = event.pipeline, event.run, None
                self.rows = {step.name: _Row(step.name, step.type) for step in event.steps}
            case events.StepStarted(step=step) if step in self.rows:
                row = self.rows[step]
                row.status, row.started, row.phase, row.last_line = StepStatus.EXECUTING, event.time, "", ""
            case events.StepPhase(step=step) if step in self.rows:
                text = PHASES.get(event.phase, event.phase)
                self.rows[step].phase = f"{text} {event.detail}".strip()
            case events.StepDebug(step=step) if step in self.rows:
                self.rows[step].phase = DEBUGGING.get(event.state, "")
            case events.StepLog(step=step) if step in self.rows and event.line.strip():
                self.rows[step].last_line = event.line.strip()
            case events.StepFinished(step=step) if step in self.rows:
                row = self.rows[step]
                row.status, row.seconds, row.cached = event.status, event.seconds, event.cached
                row.failure, row.outputs = event.failure, event.outputs
            case events.RunFinished():
                self.finished = event

    def table(self, store: Path) -> Table:
        """The closing table: status, duration, outputs."""
        table = plain_table("STEP", "TYPE", "STATUS", "TIME", "OUTPUTS")
        for row in self.rows.values():
            seconds = duration(row.seconds) if row.seconds or row.outputs else ""
            shown = outputs_text(row.outputs, store) if not row.failure else Text(row.failure, "red")
            table.add_row(row.name, row.type, status_text(row.status, cached=row.cached), seconds, shown)
        return table


class Boards:
    """The boards of the runs that go on: a program may start several, and a step another pipeline."""

    def __init__(self) -> None:
        self._boards: dict[str, Board] = {}

    def take(self, event: AnyEvent) -> Board:
        """The board of the event's run, with the event on it. A run that has ended is forgotten."""
        board = self._boards.setdefault(event.run, Board())
        board.take(event)
        if isinstance(event, events.RunFinished):
            del self._boards[event.run]
        return board

    def running(self) -> list[Board]:
        """Those that have steps; jobs outside of pipelines have none."""
        return [board for board in self._boards.values() if board.rows]


class LiveView:
    """A table that stays in place while lines scroll above it. For terminals."""

    def __init__(self, console: Console, store: Path, *, show_logs: bool) -> None:
        self._console = console
        self._store = store
        self._show_logs = show_logs
        self._program = ""
        self._boards = Boards()
        self._live = Live(console=console, get_renderable=self._render, refresh_per_second=8, transient=True)

    def begin(self, program: str) -> None:
        self._program = program
        self._live.start()

    def __call__(self, event: AnyEvent) -> None:
        board = self._boards.take(event)
        match event:
            case events.RunStarted():
                self._live.start()
            case events.StepLog() if self._show_logs:
                self._console.print(Text.assemble((f"{event.step} │ ", "dim"), Text.from_ansi(event.line)))
            case events.StepDebug():
                _print_debug(self._console, event)
            case events.Notice():
                self._console.print(Text(f"note: {event.step} {event.message}".replace("  ", " "), "yellow"))
            case events.RunFinished():
                if not self._boards.running():
                    self._live.stop()
                _print_end(self._console, board, self._store)

    def program_output(self, stream: str, line: str) -> None:
        self._console.print(Text.from_ansi(line))

    def close(self) -> None:
        self._live.stop()

    def _render(self) -> RenderableType:
        boards = self._boards.running()
        if not boards:
            return Spinner("dots", Text(f" running {self._program} to learn its pipeline", "dim"))
        return Group(*itertools.chain.from_iterable(_shown(board) for board in boards))


def _shown(board: Board) -> tuple[RenderableType, ...]:
    """A run that goes on: its name, and a line for each step."""
    now = time.time()
    table = Table(box=None, pad_edge=False, show_header=False, expand=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, justify="right")
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    for row in board.rows.values():
        running = row.status is StepStatus.EXECUTING
        seconds = now - row.started if running else row.seconds
        doing = row.phase or row.last_line if running else row.failure
        name = Text(f"{status_text(row.status).plain[0]} {row.name}", STYLES.get(row.status, ""))
        table.add_row(name, duration(seconds) if seconds else "", Text(doing, "dim"))
    return Text(f"{board.pipeline}  {board.run}", "bold"), table


class PlainView:
    """One line an event, no control characters. For pipes and CI logs."""

    def __init__(self, console: Console, store: Path) -> None:
        self._console = console
        self._store = store
        self._boards = Boards()

    def begin(self, program: str) -> None:
        return None

    def __call__(self, event: AnyEvent) -> None:
        board = self._boards.take(event)
        match event:
            case events.RunStarted():
                self._console.print(f"run {event.run} of pipeline {event.pipeline}")
            case events.StepStarted():
                again = f" (attempt {event.attempt})" if event.attempt > 1 else ""
                self._console.print(f"{event.step}: started{again}")
            case events.StepPhase() if event.phase == "pull" and event.progress is None:
                self._console.print(f"{event.step}: pulling the image {event.detail}")
            case events.StepLog():
                self._console.print(Text(f"{event.step} | {event.line}"))
            case events.StepDebug():
                _print_debug(self._console, event)
            case events.Notice():
                self._console.print(Text(f"note: {event.step} {event.message}".replace("  ", " ")))
            case events.StepFinished():
                cached = " (cached)" if event.cached else ""
                line = f"{event.step}: {event.status}{cached} after {duration(event.seconds)}"
                self._console.print(line + (f": {event.failure}" if event.failure else ""))
            case events.RunFinished():
                _print_end(self._console, board, self._store)

    def program_output(self, stream: str, line: str) -> None:
        self._console.print(Text(line))

    def close(self) -> None:
        return None


def _print_debug(console: Console, event: events.StepDebug) -> None:
    step = events.shown_name(event.step, event.host)
    match event.state:
        case "waiting":
            text = f"{step} waits for a debugger on 127.0.0.1:{event.port}"
        case "listening" if event.port:
            text = f"{step} can be debugged on 127.0.0.1:{event.port}"
        case "attached":
            text = f"{step}: debugger attached"
        case "crashed":
            where = f" at {event.file}:{event.line}" if event.file else ""
            port = f"127.0.0.1:{event.port}"
            text = f"{step} crashed{where} and waits for a debugger on {port}: {event.error}"
        case "absent":
            text = f"{step} never started Python with the debugger in it (never checked in)"
        case _:
            return
    console.print(Text(text, "magenta"))


def _print_end(console: Console, board: Board, store: Path) -> None:
    finished = board.finished
    assert finished is not None
    console.print(board.table(store))
    console.print(
        Text.assemble(
            f"{board.pipeline} ", status_text(finished.status), f" after {duration(finished.seconds)}"
        )
    )
    for row in board.rows.values():
        if "model" in row.outputs and row.type == "Training":
            console.print(f"model: {local_path(row.outputs['model'], store)}")
