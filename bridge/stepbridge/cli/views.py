"""What listens to a run on the command line's behalf; the view of programs, which is JSON lines.

The views of persons are in `progress`: it stands on rich, which a run that writes JSON need not load.
"""

from __future__ import annotations

import sys
from typing import Protocol, TextIO

from stepbridge import events
from stepbridge.events import AnyEvent


class View(Protocol):
    """Listens to the events of runs; `close` once at the end."""

    def __call__(self, event: AnyEvent) -> None: ...
    def begin(self, program: str) -> None:
        """The program is about to run; nothing is known of its pipeline yet."""
        ...

    def program_output(self, stream: str, line: str) -> None: ...
    def close(self) -> None: ...


class JsonView:
    """One event a line on standard output, as `events` defines them."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout

    def begin(self, program: str) -> None:
        return None

    def __call__(self, event: AnyEvent) -> None:
        self._stream.write(events.encode(event).decode() + "\n")
        self._stream.flush()

    def program_output(self, stream: str, line: str) -> None:
        sys.stderr.write(line + "\n")

    def close(self) -> None:
        return None
