"""`stop`, `attach` and following a log: talk to a run that another command started."""

from __future__ import annotations

import json
from pathlib import Path

import click

from stepbridge.events import shown_name
from stepbridge.execution.journal import ExecutionRecord
from stepbridge.remote import bridge_of
from stepbridge.settings import Workspace

from .completions import complete_run, complete_step


@click.command()
@click.argument("run", default="latest", shell_complete=complete_run)
def stop(run: str) -> None:
    """Stop a run: its containers get TERM, then KILL.

    \b
    stepbridge stop
    stepbridge stop 4k2j
    """
    bridge, found = bridge_of(Workspace.find(Path.cwd()), run)
    bridge.post(f"runs/{found}/stop")
    click.echo(f"stopping {found}")


@click.command()
@click.argument("step", shell_complete=complete_step)
@click.option("--run", "run_id", default="latest", show_default=True, help="The run: an id, or `latest`.")
@click.option("--json", "as_json", is_flag=True, help="Port, processes and path mappings as JSON.")
def attach(step: str, run_id: str, as_json: bool) -> None:
    """Attach a debugger to a step that runs: prints the loopback port for any DAP client.

    The run must have been started with --debug, --arm or --post-mortem. Nothing is published from the
    container.

    \b
    stepbridge attach Train
    stepbridge attach Train --json
    """
    workspace = Workspace.find(Path.cwd())
    bridge, found = bridge_of(workspace, run_id)
    answer = bridge.get(f"runs/{found}/steps/{step}/debug")
    if as_json:
        click.echo(json.dumps(answer, indent=2))
        return
    for host, port in answer["ports"].items():
        click.echo(f"{shown_name(step, host)} of run {found} can be debugged on 127.0.0.1:{port}")
        for process in answer["processes"]:
            if process["host"] == host:
                click.echo(f"  process {process['pid']} ({process['state']}): {' '.join(process['argv'])}")


def follow_log(workspace: Workspace, record: ExecutionRecord, step: str) -> None:
    """Print what a step has written so far and writes from now on, until its run ends."""
    path = workspace.runs / record.run / step / "log.txt"
    bridge, found = bridge_of(workspace, record.run)
    stream = bridge.lines(f"runs/{found}/events")
    shown = path.read_text("utf-8", "replace") if path.is_file() else ""
    click.echo(shown, nl=False)
    for event in stream:
        if event["event"] == "step-log" and event["step"] == step:
            click.echo(event["line"])
        if event["event"] == "step-finished" and event["step"] == step:
            return
