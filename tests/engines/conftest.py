"""Both engines behind one fixture: what a test says of `engine` holds for containers and local processes."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from stepbridge.engines.base import Container, ContainerSpec, Engine, OutputLine
from stepbridge.engines.docker import DockerEngine
from stepbridge.engines.process import ProcessEngine

from tests.support.docker_images import PYTHON, missing

_numbers = itertools.count()


def unique(name: str) -> str:
    """A container name that no other test, process or run uses."""
    return f"stepbridge-test-{name}-{os.getpid()}-{next(_numbers)}"


@pytest.fixture
async def docker() -> AsyncIterator[DockerEngine]:
    if reason := missing(PYTHON):
        pytest.skip(reason)
    engine = await DockerEngine.connect()
    yield engine
    await engine.close()


@pytest.fixture
async def process(tmp_path: Path) -> AsyncIterator[ProcessEngine]:
    if sys.platform != "linux":
        pytest.skip("local processes need the mount namespaces of Linux")
    engine = ProcessEngine(lambda reference: sys.executable, tmp_path / "processes")
    yield engine
    await engine.close()


@pytest.fixture(params=[pytest.param("docker", marks=pytest.mark.docker), "process"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """A real engine; what a test leaves running is removed."""
    chosen: Engine = request.getfixturevalue(request.param)
    return chosen


Python = Callable[..., ContainerSpec]


@pytest.fixture
async def python(engine: Engine) -> AsyncIterator[Python]:
    """python(code, *arguments, **fields of ContainerSpec): a spec that runs this Python code."""
    label = unique("of")

    def spec(code: str, *arguments: str, **fields: object) -> ContainerSpec:
        labels = {"stepbridge.test": label, **fields.pop("labels", {})}  # type: ignore[dict-item]
        command = ("python3", "-u", "-c", code, *arguments)
        return ContainerSpec(unique("python"), PYTHON, command=command, labels=labels, **fields)  # type: ignore[arg-type]

    yield spec
    for container in await engine.find({"stepbridge.test": label}):
        await container.remove()


async def output(container: Container) -> list[OutputLine]:
    return [line async for line in container.lines()]


async def texts(container: Container, stream: str = "stdout") -> list[str]:
    return [line.text async for line in container.lines() if line.stream == stream]


async def until(container: Container, text: str) -> None:
    """Read its output up to the line `text`."""
    async for line in container.lines():
        if line.text == text:
            return
    raise AssertionError(f"{container.spec.name} ended without saying {text!r}")
