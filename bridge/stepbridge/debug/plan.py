"""What is wanted of the debugger in one container, as values; and how the payload is told.

Knows no container and no pipeline: a `DebugPlan` is made from settings and the command line, a `ScriptTarget`
and `PathMapping`s from a job.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import ClassVar, Literal

from msgspec import Struct

from stepbridge.settings import DebugSettings

VARIABLE = "STEPBRIDGE_DEBUG"  # read by payload/stepbridge_payload/settings.py

Mode = Literal["off", "arm", "wait"]


class DebugPlan(Struct, frozen=True):
    """How a step is debugged.

    mode: "wait" holds the script until an editor is there, "arm" lets an editor come at any time and costs
    nothing until then, "off" does neither. post_mortem: a crash holds for an editor, in any mode.
    stop_on_entry: in mode "wait", stop at the script's first line. Times are seconds.
    """

    mode: Mode = "off"
    post_mortem: bool = False
    stop_on_entry: bool = False
    just_my_code: bool = True
    wait_seconds: float = 3600.0
    post_mortem_seconds: float = 600.0

    @property
    def active(self) -> bool:
        return self.mode != "off" or self.post_mortem


class DebugChoice(Struct, frozen=True):
    """What a person wants of the debugger, of all steps of a run: `wait` names those that wait, or ALL."""

    ALL: ClassVar = "all"

    wait: frozenset[str]
    arm: bool
    post_mortem: bool
    settings: DebugSettings

    @property
    def named(self) -> frozenset[str]:
        """Steps that the pipeline must have."""
        return self.wait - {self.ALL}

    def plan(self, step: str, code: tuple[PathMapping, ...]) -> DebugPlan:
        waits = step in self.wait or self.ALL in self.wait
        return DebugPlan(
            mode="wait" if waits else "arm" if self.arm else "off",
            post_mortem=self.post_mortem,
            just_my_code=self.settings.just_my_code,
            wait_seconds=self.settings.wait_seconds,
            post_mortem_seconds=self.settings.post_mortem_seconds,
        )


class ScriptTarget(Struct, frozen=True):
    """Which Python processes of a step run the user's code.

    files: container paths, absolute or the last parts of one ("train.py"), of the step's own script.
    modules: what `python -m` names when the script is a module.
    prefixes: container folders; a process whose script lies below one runs the user's code too. It can be
    attached (never waits), unless no file and no module is given: then it counts as the step's script.
    servers: the files are model servers; what they start or fork last runs the user's code.
    """

    files: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ("/opt/ml/code", "/opt/ml/processing", "/opt/ml/input")
    servers: bool = False


class PathMapping(Struct, frozen=True, order=True):
    """A file or folder of this machine and where the step sees it."""

    local: Path  # absolute
    remote: str  # absolute, in the container

    def __post_init__(self) -> None:
        if not self.local.is_absolute() or not self.remote.startswith("/"):
            raise ValueError(f"both paths of a mapping are absolute: {self.local} -> {self.remote}")

    def as_dap(self) -> dict[str, str]:
        """An entry of `pathMappings` in debugpy's attach arguments."""
        return {"localRoot": str(self.local), "remoteRoot": self.remote}


def to_local(mappings: Iterable[PathMapping], remote: str) -> Path | None:
    """The local file for a container path, by the mapping with the longest match; None where none matches."""
    path = PurePosixPath(remote)
    best: tuple[int, Path] | None = None
    for mapping in mappings:
        root = PurePosixPath(mapping.remote)
        if path == root or root in path.parents:
            length = len(root.parts)
            if best is None or length > best[0]:
                best = (length, mapping.local / path.relative_to(root))
    return best[1] if best else None


def encode(plan: DebugPlan, target: ScriptTarget, control: str, debugpy: str) -> str:
    """The value of STEPBRIDGE_DEBUG. `control` is the address of the bridge's socket in the container,
    `debugpy` the folder there which holds debugpy's versions."""
    pairs = [
        ("mode", plan.mode),
        ("control", control),
        ("debugpy", debugpy),
        ("wait", f"{plan.wait_seconds:g}"),
    ]
    if plan.post_mortem:
        pairs.append(("post-mortem", f"{plan.post_mortem_seconds:g}"))
    if plan.stop_on_entry:
        pairs.append(("stop-on-entry", "1"))
    pairs += [("file", name) for name in target.files]
    pairs += [("module", name) for name in target.modules]
    pairs += [("prefix", name) for name in target.prefixes]
    return ";".join(f"{key}={_escaped(value)}" for key, value in pairs)


def _escaped(value: str) -> str:
    return value.replace("%", "%25").replace(";", "%3B").replace("=", "%3D")
