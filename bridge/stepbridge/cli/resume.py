"""`resume`: a run that ended early goes on."""

from __future__ import annotations

from typing import Any

import click

from stepbridge.bridge import Bridge
from stepbridge.execution.journal import ExecutionRecord

from .completions import complete_run
from .history import find_run, open_journal
from .run import HOW, request_of, show, with_options
from .views import View


@click.command(epilog="Exit code: 0 when the execution succeeded, 1 otherwise, 2 for wrong usage.")
@click.argument("run", default="latest", shell_complete=complete_run)
@with_options(HOW)
def resume(run: str, **options: Any) -> int:
    """Go on with a run that failed, was stopped, or whose process died.

    Steps that succeeded keep their results; all others run, with their scripts as they are now. RUN is an id,
    the beginning of one, or `latest`. Give --engine and --image again where the run was started with them.

    \b
    stepbridge resume
    stepbridge resume 4k2j --post-mortem
    """
    workspace, journal = open_journal()
    record = find_run(journal, run)
    options["target"] = record.program
    request = request_of(workspace, options)

    async def start(bridge: Bridge, view: View) -> tuple[ExecutionRecord, ...]:
        return (await bridge.resume(record.run, request),)

    return show(workspace, start, options)
