"""`doctor`: whether this machine can run pipelines, and what to do where it cannot."""

from __future__ import annotations

import asyncio
import json
import platform
import shutil
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Literal

import click
from msgspec import Struct, field
from msgspec.structs import asdict
from rich.text import Text

from stepbridge import __version__
from stepbridge.errors import StepBridgeError
from stepbridge.settings import Workspace

from .console import out

FREE_GIGABYTES = 5
SUBJECTS = ("engine", "program", "debugpy", "disk")
ENGINES = ("auto", "docker", "process")
Setting = Literal["auto", "docker", "process"]


class Finding(Struct, frozen=True):
    subject: str
    state: str  # "ok" | "note" | "missing"
    text: str
    advice: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)  # for programs; engine: name and version


@click.command()
@click.argument("subjects", metavar="[SUBJECT]...", nargs=-1, type=click.Choice(SUBJECTS))
@click.option("--engine", type=click.Choice(ENGINES), help="Look for this one, not for the settings'.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
def doctor(subjects: tuple[str, ...], engine: Setting | None, as_json: bool) -> int:
    """Look whether this machine can run pipelines; says what to do where it cannot.

    SUBJECT: engine, program, debugpy or disk; all of them where none is named. Exit code 1 when something is
    missing.

    \b
    stepbridge doctor
    stepbridge doctor engine --engine docker
    """
    findings = asyncio.run(examine(Path.cwd(), subjects, engine))
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        _print(findings)
    return 1 if any(finding.state == "missing" for finding in findings) else 0


async def examine(
    folder: Path, subjects: tuple[str, ...] = (), engine: Setting | None = None
) -> list[Finding]:
    workspace = Workspace.find(folder)
    found = [
        Finding("stepbridge", "ok", f"{__version__}, Python {platform.python_version()} ({sys.executable})"),
        Finding("workspace", "ok", f"{workspace.root} (state in {workspace.state})"),
    ]
    checks: Mapping[str, Callable[[], Awaitable[list[Finding]]]] = {
        "engine": lambda: _engine(workspace, engine or workspace.settings.engine),
        "program": lambda: _interpreter(workspace),
        "debugpy": _debugpy,
        "disk": lambda: _disk(workspace),
    }
    for subject in subjects or SUBJECTS:
        found += await checks[subject]()
    return found


async def _engine(workspace: Workspace, setting: Setting) -> list[Finding]:
    from stepbridge.engines.select import choose

    try:
        choice = await choose(setting)
    except StepBridgeError as error:
        return [Finding("engine", "missing", error.message, error.hint)]
    name = choice.engine.name
    facts = {"name": name, "version": choice.version}
    found = [Finding("engine", "ok", f"{name}: {choice.reason}", facts=facts)]
    for glob, image in workspace.settings.images.items():
        if name == "process":
            continue
        if await choice.engine.image(image) is None:
            text = f"{image} (for {glob}) is not on this machine"
            found.append(Finding("image", "missing", text, "Build or pull it."))
        else:
            found.append(Finding("image", "ok", f"{image} (for {glob})"))
    await choice.engine.close()
    return found


_ASK = "import importlib.metadata as m, platform; print(platform.python_version(), m.version('sagemaker'))"


async def _interpreter(workspace: Workspace) -> list[Finding]:
    from stepbridge.program.interpreter import find_interpreter

    found = find_interpreter(
        workspace.root / "pipeline.py", setting=workspace.settings.python, root=workspace.root
    )
    python = str(found.path)
    asked = await asyncio.to_thread(
        subprocess.run,
        [
            python,
            "-c",
            _ASK,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if asked.returncode:
        return [
            Finding(
                "program",
                "note",
                f"{python} has no SageMaker SDK",
                "Activate your pipeline's environment, or name it: `python` in stepbridge.toml.",
            )
        ]
    version, sdk = asked.stdout.split()
    return [Finding("program", "ok", f"{python}: Python {version}, SageMaker SDK {sdk}")]


async def _debugpy() -> list[Finding]:
    from stepbridge.debug import DebugpyCache

    absent = [release.version for release in DebugpyCache().missing()]
    if absent:
        return [
            Finding(
                "debugpy",
                "note",
                f"not fetched yet: {', '.join(absent)}",
                "They are fetched at the first debug run, which needs the package index once.",
            )
        ]
    return [Finding("debugpy", "ok", "in the cache for every Python from 3.6 up")]


async def _disk(workspace: Workspace) -> list[Finding]:
    free = shutil.disk_usage(workspace.root).free / 2**30
    if free < FREE_GIGABYTES:
        return [Finding("disk", "missing", f"{free:.1f} GB free", "stepbridge clean removes old runs.")]
    return [Finding("disk", "ok", f"{free:.0f} GB free")]


def _print(findings: list[Finding]) -> None:
    signs = {"ok": ("✓", "green"), "note": ("!", "yellow"), "missing": ("✗", "bold red")}
    console = out()
    for finding in findings:
        sign, style = signs[finding.state]
        console.print(Text.assemble((sign, style), f" {finding.subject:<11}{finding.text}"))
        if finding.advice:
            console.print(Text(f"  {'':<11}{finding.advice}", "dim"))
