"""The engine that a run gets, and the line that says why."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from stepbridge.engines.select import choose
from stepbridge.errors import EngineError

from .fake_engine import PODMAN, FakeEngine


@pytest.fixture
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    socket = f"unix://{tmp_path}/nobody"
    monkeypatch.setenv("DOCKER_HOST", socket)
    return socket


@pytest.mark.skipif(sys.platform != "linux", reason="local processes are Linux")
async def test_without_an_engine_steps_are_local_processes_and_one_line_says_so(
    nobody: str, tmp_path: Path
) -> None:
    choice = await choose("auto", folder=tmp_path / "steps")
    assert choice.engine.name == "process"
    assert nobody in choice.reason
    assert "\n" not in choice.reason
    await choice.engine.close()


async def test_who_asks_for_containers_gets_no_processes(nobody: str) -> None:
    with pytest.raises(EngineError, match=nobody):
        await choose("docker")


async def test_an_engine_that_answers_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with FakeEngine({"GET /version": (200, PODMAN)}).serve(tmp_path / "s") as url:
        monkeypatch.setenv("DOCKER_HOST", url)
        choice = await choose("auto")
    assert choice.engine.name == "podman"
    assert choice.reason == "podman 4.9.3 answers"
    assert choice.version == "4.9.3"


@pytest.mark.skipif(sys.platform != "linux", reason="local processes are Linux")
async def test_processes_ask_no_engine(nobody: str, tmp_path: Path) -> None:
    choice = await choose("process", interpreters=lambda image: sys.executable, folder=tmp_path)
    assert choice.engine.name == "process"
    assert nobody not in choice.reason
    await choice.engine.close()
