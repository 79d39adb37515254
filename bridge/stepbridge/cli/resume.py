"""`resume`: a run that ended early goes on."""

from __future__ import annotations

from typing import Any

import click

from stepbridge.bridge import Bridge
from stepbridge.execution.journal import ExecutionRecord
from stepbridge.run_request import HowRun

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
    the beginning of one, or `latest`. Engine, images and interpreter are those of the run, unless given here.

    \b
    stepbridge resume
    stepbridge resume 4k2j --post-mortem
    """
    workspace, journal = open_journal()
    record = find_run(journal, run)
    options["target"] = record.program
    how = HowRun.of(workspace, record.run)
    options["engine"] = options["engine"] or how.engine
    options["python"] = options["python"] or how.python
    options["aws"] = how.aws if options["aws"] is None else options["aws"]
    options["images"] = (*(f"{glob}={image}" for glob, image in how.images.items()), *options["images"])
    request = request_of(workspace, options)

    async def start(bridge: Bridge, view: View) -> tuple[ExecutionRecord, ...]:
        return (await bridge.resume(record.run, request),)

    return show(workspace, start, options)
