from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from stepbridge.program.runner import Endpoint as Address
from stepbridge.program.runner import ProgramResult, run_program
from stepbridge.program.target import ProgramTarget

from .endpoint import ACCOUNT, ROLE, Endpoint, serving

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[Endpoint]:
    with serving(tmp_path / "objects") as server:
        yield server


@dataclass
class Runner:
    """Runs programs of one workspace against `aws`; `output` holds what they printed, (stream, line)."""

    aws: Endpoint
    workspace: Path
    python: Path = Path(sys.executable)
    environment: dict[str, str] = field(default_factory=dict)  # for every program
    output: list[tuple[str, str]] = field(default_factory=list)

    @property
    def address(self) -> Address:
        role = f"arn:aws:iam::{ACCOUNT}:role/{ROLE}"
        return Address(self.aws.url, "run-key", "run-secret", "eu-west-3", role)

    def write(self, name: str, text: str) -> Path:
        path = self.workspace / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def start(self, target: str, **options: Any) -> asyncio.Task[ProgramResult]:
        options.setdefault("cwd", self.workspace)
        options["environment"] = {**self.environment, **options.get("environment", {})}
        program = run_program(
            ProgramTarget.parse(target, self.workspace),
            python=self.python,
            endpoint=options.pop("endpoint", self.address),
            workspace=self.workspace,
            calls=self.aws,
            on_output=lambda stream, line: self.output.append((stream, line)),
            **options,
        )
        return asyncio.create_task(program)

    async def run(self, target: str, **options: Any) -> ProgramResult:
        self.output.clear()
        return await self.start(target, **options)

    def printed(self, stream: str = "stdout") -> list[str]:
        return [line for name, line in self.output if name == stream]


@pytest.fixture
def runner(aws: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runner:
    """Runs programs as from a shell with no AWS account configured."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "SAGEMAKER_"))]:
        monkeypatch.delenv(name)
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    return Runner(aws, workspace)


@pytest.fixture
def make_program(runner: Runner) -> Callable[[str], str]:
    def make(text: str) -> str:
        runner.write("program.py", text)
        return "program.py"

    return make
