"""Which engine runs the steps here: the one that was asked for, or the best that answers."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from msgspec import Struct

from stepbridge.errors import EngineError

from .base import Engine
from .process import Interpreters, ProcessEngine

ANSWER_SECONDS = 3.0


class Choice(Struct, frozen=True):
    engine: Engine
    reason: str  # one line for a person
    version: str = ""  # of a container engine


async def choose(
    setting: Literal["auto", "docker", "process"] = "auto",
    *,
    interpreters: Interpreters | None = None,
    folder: Path | None = None,
) -> Choice:
    """The engine for `setting`; "auto": containers where an engine answers within a few seconds.

    Args:
        interpreters, folder: see ProcessEngine.

    Raises:
        EngineError: the one that was asked for is not to be had, or none at all is.
    """
    if setting == "process":
        return Choice(ProcessEngine(interpreters, folder), "local processes, as asked for")
    from .docker import DockerEngine

    try:
        docker = await DockerEngine.connect(ANSWER_SECONDS)
    except EngineError as error:
        if setting == "docker":
            raise
        return Choice(ProcessEngine(interpreters, folder), f"local processes: {error.message}")
    return Choice(docker, f"{docker.name} {docker.version} answers", docker.version)
