"""The pipeline of a program, compiled and not started: for commands that only look at it."""

from __future__ import annotations

from pathlib import Path

from stepbridge.bridge import Bridge
from stepbridge.definition.document import PipelineDefinition, parse
from stepbridge.errors import ProgramError
from stepbridge.run_request import RunRequest
from stepbridge.settings import Workspace

from .console import err


async def compiled(target: str) -> tuple[str, PipelineDefinition]:
    """(name, definition) of the first pipeline that a program declares; its output goes to standard error.

    Raises:
        ProgramError: the program failed, or declares none.
    """
    path = Path(target.partition(":")[0])
    bridge = await Bridge.open(Workspace.find(path if path.exists() else Path.cwd()))
    try:
        console = err()
        records = await bridge.compile(RunRequest(target), lambda stream, line: console.print(line))
        if not records:
            raise ProgramError(f"{target} declares no pipeline", "Call pipeline.upsert() or create().")
        return records[0].name, parse(records[0].definition_text)
    finally:
        await bridge.close()
