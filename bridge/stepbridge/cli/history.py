"""`runs`, `show`, `logs`: what ran, read from the journal and the run's folder. Starts nothing."""

from __future__ import annotations

import json
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from stepbridge.definition.values import did_you_mean
from stepbridge.errors import StepBridgeError
from stepbridge.events import RunStatus
from stepbridge.execution.executions import is_alive
from stepbridge.execution.journal import ExecutionRecord, Journal
from stepbridge.settings import Workspace

from .completions import complete_run, complete_step
from .console import duration, out, outputs_text, plain_table, status_text


def open_journal() -> tuple[Workspace, Journal]:
    workspace = Workspace.find(Path.cwd())
    if not (workspace.state / "history.sqlite").is_file():
        raise StepBridgeError(
            f"Nothing has run in {workspace.root} yet", "Start with: stepbridge run pipeline.py"
        )
    return workspace, Journal(workspace.state / "history.sqlite")


def find_run(journal: Journal, run: str) -> ExecutionRecord:
    """A run by id, ARN, unique beginning of an id, or "latest"."""
    records = journal.executions()
    if run == "latest" and records:
        return records[0]
    found = [r for r in records if r.run == run or r.arn == run] or [
        r for r in records if r.run.startswith(run)
    ]
    if len(found) == 1:
        return found[0]
    problem = "There is no run" if not found else "More than one run starts with"
    raise StepBridgeError(f"{problem} {run}", "stepbridge runs lists them; `latest` names the last one.")


def run_json(record: ExecutionRecord) -> dict[str, Any]:
    """A run as `runs --json` shows it."""
    return {
        "run": record.run,
        "arn": record.arn,
        "pipeline": record.pipeline,
        "status": shown_status(record),
        "started": record.started,
        "seconds": seconds_of(record),
        "parameters": dict(record.parameters),
        "program": record.program,
        "failure": record.failure,
    }


def shown_status(record: ExecutionRecord) -> str:
    """The status; a run whose bridge is gone counts as stopped."""
    if not record.status.ended and not is_alive(record.owner):
        return str(RunStatus.STOPPED)
    return str(record.status)


def seconds_of(record: ExecutionRecord) -> float | None:
    """How long it took, or has taken so far; None where that is not known."""
    if record.ended is None and not is_alive(record.owner):
        return None
    return (record.ended or time.time()) - record.started


def steps_json(journal: Journal, record: ExecutionRecord, runs: Path) -> list[dict[str, Any]]:
    return [
        {
            "name": state["name"],
            "type": state["type"],
            "needs": state["needs"],
            "branch": state["branch"],
            "status": state["status"],
            "attempt": state["attempt"],
            "started": state["started"],
            "seconds": _seconds(state),
            "failure": state["failure"],
            "cached": bool(state["cached_from"]),
            "outcome": state["outcome"],
            "outputs": state["outputs"],
            "log": str(runs / record.run / state["name"] / "log.txt"),
        }
        for state in journal.steps(record.run)
    ]


def _seconds(state: dict[str, Any]) -> float | None:
    if state["started"] is None:
        return None
    return float((state["ended"] or time.time()) - state["started"])


@click.command()
@click.option("--pipeline", help="Only runs of this pipeline.")
@click.option("-n", "--limit", default=20, show_default=True, help="How many, newest first.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
def runs(pipeline: str | None, limit: int, as_json: bool) -> None:
    """List runs, newest first.

    \b
    stepbridge runs
    stepbridge runs --pipeline wine --json
    """
    _, journal = open_journal()
    records = journal.executions(pipeline, limit)
    if as_json:
        click.echo(json.dumps([run_json(record) for record in records], indent=2))
        return
    table = plain_table("RUN", "PIPELINE", "STATUS", "STARTED", "TIME")
    for record in records:
        started = datetime.fromtimestamp(record.started).strftime("%Y-%m-%d %H:%M:%S")
        seconds = seconds_of(record)
        shown = "" if seconds is None else duration(seconds)
        table.add_row(record.run, record.pipeline, status_text(shown_status(record)), started, shown)
    out().print(table)


@click.command()
@click.argument("run", default="latest", shell_complete=complete_run)
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
def show(run: str, as_json: bool) -> None:
    """Show one run: its steps, how long each took, what each wrote.

    RUN is an id, the beginning of one, or `latest`.

    \b
    stepbridge show
    stepbridge show 4k2j --json
    """
    workspace, journal = open_journal()
    record = find_run(journal, run)
    steps = steps_json(journal, record, workspace.runs)
    if as_json:
        click.echo(json.dumps({**run_json(record), "steps": steps}, indent=2))
        return
    console = out()
    console.print(Text(record.pipeline, "bold"), record.run, status_text(shown_status(record)))
    for name, value in record.parameters.items():
        console.print(f"  {name} = {value}", style="dim")
    table = plain_table("STEP", "TYPE", "STATUS", "TIME", "OUTPUTS")
    for step in steps:
        shown = step["failure"] or outputs_text(step["outputs"], workspace.s3)
        seconds = "" if step["seconds"] is None else duration(step["seconds"])
        status = status_text(step["status"], cached=step["cached"])
        table.add_row(step["name"], step["type"], status, seconds, shown)
    console.print(table)


@click.command()
@click.argument("run", shell_complete=complete_run)
@click.argument("step", shell_complete=complete_step)
@click.option("-f", "--follow", is_flag=True, help="Go on until the step ends.")
def logs(run: str, step: str, follow: bool) -> None:
    """Print the log of a step.

    \b
    stepbridge logs latest Train
    stepbridge logs latest Train -f
    """
    workspace, journal = open_journal()
    record = find_run(journal, run)
    names = [state["name"] for state in journal.steps(record.run)]
    if step not in names:
        raise StepBridgeError(f"Run {record.run} has no step {step}", did_you_mean(step, names))
    path = workspace.runs / record.run / step / "log.txt"
    if follow and not record.status.ended:
        from .live import follow_log

        follow_log(workspace, record, step)
        return
    if not path.is_file():
        raise StepBridgeError(f"Step {step} of run {record.run} has written no log")
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            click.echo(line, nl=False)
