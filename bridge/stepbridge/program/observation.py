"""What the payload wrote down while the program ran: one JSON file per process, merged here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec


class Failure(msgspec.Struct, frozen=True):
    """An uncaught error; `file` and `line` are the innermost of the user's own code, "" and 0 if none."""

    type: str
    message: str
    file: str = ""
    line: int = 0
    function: str = ""


class Candidate(msgspec.Struct, frozen=True):
    """Something in the program that makes a pipeline: kind "pipeline" (an object) or "function"."""

    name: str
    kind: str


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """One process, or all merged. `read` and `listed`: absolute path -> who asked ("program", "sdk")."""

    modules: tuple[str, ...] = ()
    read: dict[str, tuple[str, ...]] = {}
    listed: dict[str, tuple[str, ...]] = {}
    environment: dict[str, str | None] = {}  # variables that the program looked at
    interpreter: dict[str, str] = {}  # executable, version, prefix
    packages: dict[str, str] = {}  # "sagemaker" -> folder of its metadata
    candidates: tuple[Candidate, ...] = ()
    error: Failure | None = None
    problem: dict[str, Any] | None = None
    notices: tuple[str, ...] = ()


def read_observations(folder: Path, main_process: int | None = None) -> Observation:
    """Merge the records in `folder`, also while the program runs.

    Each process writes its own before it asks the service to run something, and at its end; one that was
    killed leaves no more than that. What belongs to one process comes from `main_process`.
    """
    decode = msgspec.json.Decoder(Observation).decode
    records = {int(path.stem): decode(path.read_bytes()) for path in sorted(folder.glob("*.json"))}
    merged = records.get(main_process or 0, Observation())
    for process, record in records.items():
        if process != main_process:
            merged = _merge(merged, record)
    return merged


def _merge(main: Observation, other: Observation) -> Observation:
    return msgspec.structs.replace(
        main,
        modules=tuple(sorted({*main.modules, *other.modules})),
        read=_merge_askers(main.read, other.read),
        listed=_merge_askers(main.listed, other.listed),
        environment={**other.environment, **main.environment},
        notices=(*main.notices, *other.notices),
    )


def _merge_askers(
    one: dict[str, tuple[str, ...]], two: dict[str, tuple[str, ...]]
) -> dict[str, tuple[str, ...]]:
    return {
        path: tuple(sorted({*one.get(path, ()), *two.get(path, ())})) for path in dict.fromkeys((*one, *two))
    }
