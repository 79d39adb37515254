"""Runs the real command on a copy of an example, as a user would, and reads its event stream."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.docker_images import SKLEARN

ROOT = Path(__file__).resolve().parents[2]
STEPBRIDGE = [sys.executable, "-m", "stepbridge"]
JSON = dict[str, Any]


def environment(**more: str) -> dict[str, str]:
    """This process's, without what would lead to a real AWS account."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    paths = os.pathsep.join([str(ROOT / "bridge"), str(ROOT / "lsp")])
    return {**kept, "PYTHONPATH": paths, "NO_COLOR": "1", **more}


@dataclass
class Run:
    """A `stepbridge run --json` that goes on."""

    process: asyncio.subprocess.Process
    events: list[JSON] = field(default_factory=list)
    errors: str = ""

    async def until(self, wanted: Callable[[JSON], bool]) -> JSON:
        """The next event that fits; fails when the run ends before."""
        async for event in self._read():
            if wanted(event):
                return event
        await self.process.wait()
        raise AssertionError(f"the run ended first: {self.events[-3:]}\n{await self._stderr()}")

    async def debug_state(self, step: str, state: str) -> JSON:
        return await self.until(
            lambda e: e["event"] == "step-debug" and e["step"] == step and e["state"] == state
        )

    async def end(self) -> int:
        """Read to the end; the exit code."""
        async for _ in self._read():
            pass
        self.errors += await self._stderr()
        return await self.process.wait()

    def finished(self, step: str) -> JSON:
        return [e for e in self.events if e["event"] == "step-finished" and e["step"] == step][-1]

    def statuses(self) -> dict[str, str]:
        return {e["step"]: e["status"] for e in self.events if e["event"] == "step-finished"}

    def log(self, step: str) -> list[str]:
        return [e["line"] for e in self.events if e["event"] == "step-log" and e["step"] == step]

    @property
    def id(self) -> str:
        return str(next(e["run"] for e in self.events if e["event"] == "run-started"))

    async def _read(self) -> AsyncIterator[JSON]:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            event = json.loads(line)
            self.events.append(event)
            yield event

    async def _stderr(self) -> str:
        assert self.process.stderr is not None
        return (await self.process.stderr.read()).decode()


@dataclass(frozen=True)
class Project:
    """A copy of an example in a folder of the test's own."""

    root: Path
    options: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)

    @asynccontextmanager
    async def run(self, *arguments: str, program: str = "pipeline.py") -> AsyncIterator[Run]:
        process = await asyncio.create_subprocess_exec(
            *STEPBRIDGE,
            "run",
            program,
            "--json",
            *self.options,
            *arguments,
            cwd=self.root,
            env=environment(**self.variables),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=2**22,
        )
        try:
            yield Run(process)
        finally:
            if process.returncode is None:
                process.terminate()
                await asyncio.wait_for(process.communicate(), 60)

    async def run_to_end(self, *arguments: str, program: str = "pipeline.py") -> tuple[Run, int]:
        async with self.run(*arguments, program=program) as run:
            return run, await run.end()

    async def command(self, *arguments: str) -> tuple[int, str, str]:
        """Any other command: (exit code, standard output, standard error)."""
        process = await asyncio.create_subprocess_exec(
            *STEPBRIDGE,
            *arguments,
            cwd=self.root,
            env=environment(**self.variables),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        return process.returncode or 0, out.decode(), err.decode()

    def stored(self, uri: str) -> Path:
        return self.root / ".stepbridge" / "s3" / uri.removeprefix("s3://")


def line_of(path: Path, text: str) -> int:
    """The number of the first line of a file that holds the text."""
    return next(number for number, line in enumerate(path.read_text().splitlines(), 1) if text in line)


def copy_example(name: str, folder: Path, *options: str) -> Project:
    """examples/<name> without its state."""
    root = folder / name
    shutil.copytree(
        ROOT / "examples" / name, root, ignore=shutil.ignore_patterns(".stepbridge", "__pycache__")
    )
    return Project(root, options)


def in_containers(image: str = SKLEARN) -> tuple[str, ...]:
    return ("--engine", "docker", "--image", f"*={image}")


def in_processes() -> tuple[str, ...]:
    return ("--engine", "process")
