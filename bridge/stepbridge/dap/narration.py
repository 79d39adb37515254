"""What a run tells its editor: logs and news as output, slow phases as progress.

Lines that come in one go leave in one message. An editor that does not keep up loses lines, never the server
its memory; the step's log file has them all. Knows events and the shapes of output; knows no debugger.
"""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from stepbridge import events
from stepbridge.debug import PathMapping
from stepbridge.debug.plan import to_local
from stepbridge.events import AnyEvent, StepStatus

from .positions import StepPosition

BACKLOG_LIMIT = 16 * 1024 * 1024  # bytes an editor may be behind

_PHASES = {
    "pull": "Pulling the image",
    "stage": "Laying out files",
    "start": "Starting the container",
    "debug": "Waiting for the debugger",
    "collect": "Collecting outputs",
}
_IN_TRACEBACK = re.compile(r'^\s*File "(?P<file>[^"]+)", line (?P<line>\d+)')


class Client(Protocol):
    """Where the telling goes."""

    def event(self, name: str, body: Any = None) -> None: ...
    @property
    def backlog(self) -> int: ...


class _Line(Struct, frozen=True):
    """A line of output and what it belongs to."""

    category: str
    text: str
    step: str = ""
    host: str = ""
    path: str = ""
    line: int = 0

    @property
    def group(self) -> tuple[str, str, str, str, int]:
        return (self.category, self.step, self.host, self.path, self.line)


class Narrator:
    """Of one session.

    place: where the program makes a step, None where that is not known. mappings: of the code of a step that
    runs (run, step). raw: the client shows events itself and gets each one as `stepbridge/event`.
    """

    def __init__(
        self,
        client: Client,
        *,
        place: Callable[[str], StepPosition | None],
        mappings: Callable[[str, str], Iterable[PathMapping]],
        line_out: Callable[[int], int],
        progress: bool,
        raw: bool,
    ) -> None:
        self._client = client
        self._place = place
        self._mappings = mappings
        self._line_out = line_out
        self._progress = Progress(client) if progress else None
        self._raw = raw
        self._pending: list[_Line] = []
        self._lost = 0
        self._seen: set[tuple[str, str]] = set()  # steps whose image pull was announced

    def take(self, event: AnyEvent) -> None:
        if self._raw and not (isinstance(event, events.StepLog) and self._behind()):
            self._client.event("stepbridge/event", msgspec.to_builtins(event))
        match event:
            case events.RunStarted():
                self._news(f"Run {event.run} of pipeline {event.pipeline}")
            case events.StepStarted():
                again = f" (attempt {event.attempt})" if event.attempt > 1 else ""
                self._news(f"{event.step}: started{again}", event.step)
            case events.StepPhase():
                self._phase(event)
            case events.StepLog():
                self._log(event)
            case events.StepDebug():
                self._debug(event)
            case events.StepFinished():
                self._finished(event)
            case events.Notice():
                self._news(f"{event.step}: {event.message}" if event.step else event.message, event.step)
            case events.RunFinished():
                self._run_finished(event)

    # kinds of events

    def _phase(self, event: events.StepPhase) -> None:
        key = f"{event.run}/{event.step}"
        title = _PHASES.get(event.phase)
        if self._progress is not None:
            if title is None:
                self._progress.end(key)
            else:
                self._progress.show(key, f"{event.step}: {title}", event.detail, event.progress)
        elif event.phase == "pull" and (event.run, event.step) not in self._seen:
            self._seen.add((event.run, event.step))
            self._news(f"{event.step}: pulling its image {event.detail}".rstrip(), event.step)

    def _log(self, event: events.StepLog) -> None:
        path, line = self._position(event.step)
        found = _IN_TRACEBACK.match(event.line)
        if found:
            local = to_local(self._mappings(event.run, event.step), found["file"])
            if local is not None:
                path, line = str(local), int(found["line"])
        host = "" if event.host == "algo-1" else f" {event.host}"
        text = f"[{event.step}{host}] {event.line}\n"
        self._put(_Line(event.stream, text, event.step, event.host, path, line))

    def _debug(self, event: events.StepDebug) -> None:
        if event.state == "crashed":
            where = f" at {event.file}:{event.line}" if event.file else ""
            self._put(
                _Line(
                    "stderr",
                    f"{event.step} crashed{where}: {event.error}\n",
                    event.step,
                    event.host,
                    event.file,
                    event.line,
                )
            )

    def _finished(self, event: events.StepFinished) -> None:
        if self._progress is not None:
            self._progress.end(f"{event.run}/{event.step}")
        if event.status is StepStatus.SKIPPED:
            return
        cached = " (cached)" if event.cached else ""
        outcome = f": {event.outcome}" if event.outcome else ""
        text = f"{event.step}: {event.status}{cached}{outcome} after {event.seconds:.1f} s"
        if event.failure:
            self.complain(f"{text}: {event.failure}", event.step)
        else:
            self._news(text, event.step)

    def _run_finished(self, event: events.RunFinished) -> None:
        text = f"Run {event.run}: {event.status} after {event.seconds:.1f} s"
        if event.failure:
            self.complain(f"{text}. {event.failure}")
        else:
            self._news(text)

    # what others say

    def program(self, stream: str, line: str) -> None:
        """A line of the user's pipeline program."""
        self._put(_Line(stream, line + "\n"))

    def complain(self, text: str, step: str = "") -> None:
        self._put(_Line("stderr", text + "\n", step, "", *self._position(step)))

    def begin(self, key: str, title: str) -> None:
        """A phase of the run itself; `end` it."""
        if self._progress is not None:
            self._progress.show(key, title, "", None)

    def end(self, key: str) -> None:
        if self._progress is not None:
            self._progress.end(key)

    def log_point(self, step: str, text: str) -> None:
        self._put(_Line("console", text + "\n", step, "", *self._position(step)))

    # out

    def _news(self, text: str, step: str = "") -> None:
        self._put(_Line("console", text + "\n", step, "", *self._position(step)))

    def _position(self, step: str) -> tuple[str, int]:
        place = self._place(step) if step else None
        return (str(place.path), place.line) if place else ("", 0)

    def _put(self, line: _Line) -> None:
        if not self._pending:
            asyncio.get_running_loop().call_soon(self.flush)
        self._pending.append(line)

    def _behind(self) -> bool:
        return self._client.backlog > BACKLOG_LIMIT

    def flush(self) -> None:
        """Send what has come in since the last time."""
        pending, self._pending = self._pending, []
        if self._behind():
            self._lost += len(pending)
            return
        if self._lost:
            text = f"({self._lost} lines left out: the editor did not keep up; the log files have them)\n"
            self._lost = 0
            self._client.event("output", {"category": "console", "output": text})
        for _, lines in itertools.groupby(pending, key=lambda line: line.group):
            self._send(list(lines))

    def _send(self, lines: list[_Line]) -> None:
        first = lines[0]
        body: dict[str, Any] = {
            "category": first.category,
            "output": "".join(line.text for line in lines),
        }
        if first.path:
            body["source"] = {"name": Path(first.path).name, "path": first.path}
            body["line"] = self._line_out(first.line)
        if first.step:
            body["data"] = {"step": first.step, "host": first.host or None}
        self._client.event("output", body)


class Progress:
    """The protocol's progress events; one bar for each key at a time."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._numbers = itertools.count(1)
        self._open: dict[str, tuple[str, str]] = {}  # key -> (progress id, title)

    def show(self, key: str, title: str, message: str, share: float | None) -> None:
        known = self._open.get(key)
        if known is not None and known[1] != title:
            self.end(key)
            known = None
        percentage = {} if share is None else {"percentage": round(100 * share)}
        if known is None:
            progress_id = f"stepbridge-{next(self._numbers)}"
            self._open[key] = (progress_id, title)
            body = {"progressId": progress_id, "title": title, "cancellable": False}
            self._client.event("progressStart", body | _message(message) | percentage)
        else:
            body = {"progressId": known[0]}
            self._client.event("progressUpdate", body | _message(message) | percentage)

    def end(self, key: str) -> None:
        known = self._open.pop(key, None)
        if known is not None:
            self._client.event("progressEnd", {"progressId": known[0]})


def _message(text: str) -> dict[str, str]:
    return {"message": text} if text else {}
