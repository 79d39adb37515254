"""`attach` as a user writes it: a step of a run that somebody else started, in this process or in another.

Finds the step and waits for it to start. How its session is served is for the caller.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from stepbridge.definition.values import did_you_mean
from stepbridge.errors import DebugError
from stepbridge.events import RunFinished, StepDebug, StepFinished
from stepbridge.remote import bridge_of
from stepbridge.settings import Workspace

from .debugged import DebuggedRun
from .launch import AttachArguments


def find_here(runs: Mapping[str, DebuggedRun], wanted: AttachArguments) -> str | None:
    """The id of the wanted run among those of this process, the newest last; None where it is not."""
    matching = [
        run
        for run, debugged in runs.items()
        if run in debugged.executions
        and wanted.execution in ("latest", run, debugged.executions[run].record.arn)
    ]
    return matching[-1] if matching else None


def sole_step(steps: Sequence[str]) -> str:
    """The step that an attach without "step" means: the only one that runs.

    Raises:
        DebugError: there is none, or there are several.
    """
    if len(steps) == 1:
        return steps[0]
    if steps:
        raise DebugError(f'Steps {", ".join(steps)} run: "step" must name one of them')
    raise DebugError("No step runs now", 'Name the "step" to wait for, or attach later.')


async def until_started(debugged: DebuggedRun, run: str, step: str) -> None:
    """Until the step has a process that can be debugged.

    Raises:
        DebugError: there is no such step, it has ended, or it ends without one.
    """
    steps = debugged.executions[run].steps
    if step not in steps:
        hint = did_you_mean(step, steps)
        raise DebugError(f'"step" is no step of the pipeline: {step!r}', hint)
    if steps[step].status.ended:
        raise DebugError(f"Step {step} has ended", "stepbridge/restartStep or restartFrame runs it again.")
    if debugged.bridge.debuggers.processes(run, step):
        return
    async for event in debugged.bridge.bus.stream(run):
        match event:
            case StepDebug(step=name, state=state) if name == step and state != "absent":
                return
            case StepFinished(step=name) if name == step:
                break
            case RunFinished():
                break
    raise DebugError(f"Step {step} ended and ran no Python that can be debugged")


async def find_elsewhere(wanted: AttachArguments, cwd: Path) -> int:
    """The loopback port of the step's debugger, where another process of this workspace runs it.

    Raises:
        StepBridgeError: no such run goes on, the step cannot be debugged now, or `sole_step` raises.
    """
    workspace = Workspace.find(Path(wanted.cwd) if wanted.cwd else cwd)

    def ask() -> int:
        run = wanted.execution.rpartition("/")[2]
        bridge, found = bridge_of(workspace, run)
        step = wanted.step or sole_step(bridge.get(f"runs/{found}/steps"))
        return int(bridge.get(f"runs/{found}/steps/{quote(step, safe='')}/debug")["port"])

    return await asyncio.to_thread(ask)
