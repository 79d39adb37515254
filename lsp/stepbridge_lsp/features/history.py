"""The last run of a pipeline, read from `.stepbridge/history.sqlite`: what became of it, its steps and their
results. Read only; a missing, locked or foreign file is no run.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_FILE = "history.sqlite"
_PATIENCE = 0.05  # seconds; an editor's request does not wait for a writer


@dataclass(frozen=True)
class StepRun:
    """A step of a run. `properties` is the Describe response that property paths read, where there is one."""

    status: str
    seconds: float | None = None
    properties: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class LastRun:
    """The last execution of a pipeline: its id, status ("Executing", "Succeeded" ...) and steps by name."""

    run: str
    status: str
    seconds: float | None
    steps: Mapping[str, StepRun] = field(default_factory=dict)

    @property
    def live(self) -> bool:
        return self.status in ("Executing", "Stopping")


def history_of(path: Path) -> Path | None:
    """The history that holds the runs of a program: of the state folder at or above it; None if none."""
    chosen = os.environ.get("STEPBRIDGE_STATE")
    if chosen:
        file = Path(chosen) / _FILE
        return file if file.is_file() else None
    for folder in path.parents:
        file = folder / ".stepbridge" / _FILE
        if file.is_file():
            return file
    return None


def stamp_of(history: Path) -> tuple[int, ...]:
    """Changes whenever the history does."""
    found: list[int] = []
    for name in (history, history.with_name(f"{_FILE}-wal")):
        try:
            status = name.stat()
            found += [status.st_mtime_ns, status.st_size]
        except OSError:
            found.append(0)
    return tuple(found)


def last_run(history: Path, pipeline: str) -> LastRun | None:
    """The last run of the pipeline of that name; None where there is none that can be read."""
    try:
        with closing(sqlite3.connect(f"{history.as_uri()}?mode=ro", uri=True, timeout=_PATIENCE)) as db:
            return _read(db, pipeline)
    except (sqlite3.Error, ValueError):
        return None


def _read(db: sqlite3.Connection, pipeline: str) -> LastRun | None:
    row = db.execute(
        "SELECT run, status, started, ended FROM executions WHERE pipeline = ?"
        " ORDER BY started DESC, rowid DESC LIMIT 1",
        (pipeline,),
    ).fetchone()
    if row is None:
        return None
    run, status, started, ended = row
    steps = {
        str(name): _step(json.loads(state))
        for name, state in db.execute("SELECT name, state FROM steps WHERE run = ? ORDER BY position", (run,))
    }
    return LastRun(str(run), str(status), _seconds(started, ended), steps)


def _step(state: Any) -> StepRun:
    if not isinstance(state, dict):
        return StepRun("")
    properties = state.get("properties")
    return StepRun(
        str(state.get("status", "")),
        _seconds(state.get("started"), state.get("ended")),
        properties if isinstance(properties, dict) else None,
    )


def _seconds(started: Any, ended: Any) -> float | None:
    if isinstance(started, int | float) and isinstance(ended, int | float):
        return max(0.0, ended - started)
    return None


def status_words(status: str, seconds: float | None) -> str:
    """A status as a lens shows it: `✓ succeeded in 12 s`."""
    mark = {"Succeeded": "✓", "Failed": "✗", "Stopped": "◼", "Executing": "▶"}.get(status, "•")
    words = f"{mark} {status.lower()}"
    if seconds is None:
        return words
    shown = f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s" if seconds < 120 else _minutes(seconds)
    return f"{words} in {shown}"


def _minutes(seconds: float) -> str:
    return f"{int(seconds // 60)} min {int(seconds % 60)} s"
