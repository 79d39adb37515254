"""`launch-config`: attach configurations of VS Code's Python debugger, without running anything."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

import click

from stepbridge.debug.launch_json import AttachEntry, configurations, write
from stepbridge.definition.values import did_you_mean
from stepbridge.errors import StepBridgeError
from stepbridge.settings import Workspace

from .compile import compiled

DEBUGGABLE = ("Processing", "Training", "Transform", "Lambda")


@click.command("launch-config")
@click.argument("target", metavar="PROGRAM")
@click.option("--debug", "steps", multiple=True, metavar="STEP", help="Only this step; repeatable.")
@click.option(
    "--debug-port",
    default=5678,
    show_default=True,
    help="Port of the first step; then +1.",
)
@click.option("--write", "write_file", is_flag=True, help="Put them into .vscode/launch.json.")
def launch_config(target: str, steps: tuple[str, ...], debug_port: int, write_file: bool) -> None:
    """Print or write VS Code launch configurations for a pipeline's steps.

    They are of type debugpy, for a stock VS Code. Run the pipeline with the same --debug and --debug-port,
    then press F5. Your own configurations stay as they are.

    \b
    stepbridge launch-config pipeline.py --debug Train --write
    stepbridge run pipeline.py --debug Train --debug-port 5678
    """
    _, definition = asyncio.run(compiled(target))
    known = [step.name for step in definition.walk() if step.type in DEBUGGABLE]
    entries = [AttachEntry(step, debug_port + place) for place, step in enumerate(_chosen(steps, known))]
    root = Workspace.find(Path(target.partition(":")[0])).root
    if write_file:
        click.echo(f"wrote {len(entries)} configurations to {write(root, entries)}")
    else:
        click.echo(json.dumps(configurations(entries, root), indent=4))


def _chosen(wanted: Sequence[str], known: Sequence[str]) -> list[str]:
    for name in wanted:
        if name not in known:
            raise StepBridgeError(f"The pipeline has no step {name} to debug", did_you_mean(name, known))
    return [name for name in known if not wanted or name in wanted]
