"""How the command line looks: colours that respect NO_COLOR, errors, durations, tables."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from stepbridge.errors import StepBridgeError

PIPE_WIDTH = 200  # columns, where output goes to a file or a pipe

STYLES = {
    "Succeeded": "green",
    "Failed": "bold red",
    "Stopped": "yellow",
    "Stopping": "yellow",
    "Executing": "cyan",
    "Starting": "cyan",
    "Skipped": "dim",
    "Waiting": "dim",
}
SIGNS = {
    "Succeeded": "✓",
    "Failed": "✗",
    "Stopped": "■",
    "Stopping": "■",
    "Executing": "▶",
    "Starting": "▶",
    "Skipped": "–",
    "Waiting": "·",
}


def out() -> Console:
    """Standard output. Not folded where no terminal sets a width."""
    console = Console(highlight=False, markup=False, soft_wrap=True)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = PIPE_WIDTH
    return console


def lines_to(file: IO[str]) -> Console:
    """Plain lines, for a place that is neither a terminal nor a notebook's own display."""
    return Console(
        file=file, force_jupyter=False, highlight=False, markup=False, soft_wrap=True, width=PIPE_WIDTH
    )


def err() -> Console:
    """Standard error: progress and complaints, so that standard output stays machine-readable."""
    return Console(stderr=True, highlight=False, markup=False, soft_wrap=True)


def print_error(error: StepBridgeError) -> None:
    console = err()
    console.print(Text.assemble(("error: ", "bold red"), error.message))
    if error.hint:
        console.print(Text("  " + error.hint, "dim"))


def duration(seconds: float) -> str:
    """`0.4 s`, `12 s`, `3 min 05 s`, `2 h 04 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def status_text(status: str, *, cached: bool = False) -> Text:
    text = Text(f"{SIGNS.get(status, '?')} {status}", STYLES.get(status, ""))
    return text.append(" (cached)", "dim") if cached else text


def plain_table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def outputs_text(outputs: Mapping[str, str], store: Path) -> Text:
    """Each output as the file or folder it is on this machine, relative to where we are."""
    lines = [f"{name}: {local_path(uri, store)}" for name, uri in outputs.items()]
    return Text("\n".join(lines))


def local_path(uri: str, store: Path) -> str:
    """An object's plain file, relative to the current folder where it lies below it."""
    if not uri.startswith("s3://"):
        return uri.removeprefix("file://")
    path = store / uri.removeprefix("s3://")
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
