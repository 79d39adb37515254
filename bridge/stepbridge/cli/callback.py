"""`callback`: answers a callback step, as the service outside would that got its message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from stepbridge.definition.values import did_you_mean
from stepbridge.errors import StepBridgeError
from stepbridge.remote import RemoteBridge, bridges
from stepbridge.settings import Workspace

from .run import pairs


@click.command()
@click.argument("step", required=False)
@click.option(
    "-o",
    "--output",
    "outputs",
    multiple=True,
    metavar="NAME=VALUE",
    help="An output of the step; repeatable.",
)
@click.option("--fail", "failure", metavar="REASON", help="The step failed, for this reason.")
def callback(step: str | None, outputs: tuple[str, ...], failure: str | None) -> None:
    """Answer a callback step that waits. Without arguments: list those that wait.

    STEP is the step's name, or its token.

    \b
    stepbridge callback
    stepbridge callback Approve -o decision=yes
    stepbridge callback Approve --fail "nobody was there"
    """
    waiting = [
        (bridge, item) for bridge in bridges(Workspace.find(Path.cwd())) for item in bridge.get("callbacks")
    ]
    if step is None:
        for _, item in waiting:
            click.echo(f"{item['step']} of run {item['run']} waits with the token {item['token']}")
        return
    if failure is not None and outputs:
        raise click.UsageError("a step that failed has no outputs: give -o or --fail")
    bridge, item = _chosen(step, waiting)
    given = pairs(outputs, "-o")
    answer = {"outputs": given} if failure is None else {"failure": failure}
    if failure is None:
        _refuse_other_outputs(given, item)
    bridge.post(f"callbacks/{item['token']}", answer)
    click.echo(f"{item['step']} {'goes on' if failure is None else 'fails'}")


def _chosen(
    step: str, waiting: Sequence[tuple[RemoteBridge, Mapping[str, Any]]]
) -> tuple[RemoteBridge, Mapping[str, Any]]:
    found = [(bridge, item) for bridge, item in waiting if step in (item["step"], item["token"])]
    if not found:
        names = [str(item["step"]) for _, item in waiting]
        hint = did_you_mean(step, names) if names else "A step waits only while its run goes on."
        raise StepBridgeError(f"No callback step {step} waits", hint)
    if len(found) > 1:
        raise StepBridgeError(
            f"{len(found)} runs wait for {step}", "Name the token instead; stepbridge callback lists them."
        )
    return found[0]


def _refuse_other_outputs(given: Mapping[str, str], item: Mapping[str, Any]) -> None:
    """Raises StepBridgeError where the answer is not what later steps may refer to."""
    declared = list(item["outputs"])
    for name in given:
        if name not in declared:
            raise StepBridgeError(f"{item['step']} has no output {name}", did_you_mean(name, declared))
    missing = [name for name in declared if name not in given]
    if missing:
        raise StepBridgeError(
            f"{item['step']} needs its output {', '.join(missing)}",
            "Add " + " ".join(f"-o {name}=VALUE" for name in missing),
        )
