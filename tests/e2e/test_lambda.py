"""Lambda steps as a user writes them: the SDK's helper creates the function, the run calls it here."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.dap_client import DapClient
from tests.support.docker_images import PYTHON, missing
from tests.support.runs import Project, in_containers, in_processes

docker = [pytest.mark.docker, pytest.mark.skipif(bool(missing(PYTHON)), reason=missing(PYTHON) or "-")]
ENGINES = [
    pytest.param(in_containers(PYTHON), marks=docker, id="containers"),
    pytest.param(in_processes(), id="processes"),
]


@pytest.fixture
def walk(tmp_path: Path) -> Project:
    root = tmp_path / "walk"
    shutil.copytree(Path(__file__).parent / "function", root)
    return Project(root)


async def test_the_answer_of_the_function_decides(walk):
    project = Project(walk.root, in_processes())
    run, code = await project.run_to_end()
    assert (code, run.statuses()) == (0, {"Decide": "Succeeded", "Near": "Succeeded", "TooFar": "Skipped"})
    run, code = await project.run_to_end("-p", "Distance=60")  # not compiled again: the function is kept
    assert code == 1
    assert "Too far, says decide" in run.events[-1]["failure"]
    handler = walk.root / "handler.py"
    handler.write_text(handler.read_text().replace('"steps": steps', '"steps": steps - 19'))
    run, code = await project.run_to_end("-p", "Distance=60")
    assert code == 0


async def test_the_function_is_called_again_where_its_code_or_its_event_changed(walk):
    program = walk.root / "pipeline.py"
    text = program.read_text().replace(
        "    inputs={", "    cache_config=CacheConfig(enable_caching=True),\n    inputs={"
    )
    program.write_text("from sagemaker.workflow.steps import CacheConfig\n" + text)
    handler = walk.root / "handler.py"
    project, used = Project(walk.root, in_processes()), []

    async def run(*arguments: str) -> None:
        run, _ = await project.run_to_end(*arguments)
        decided = run.finished("Decide")
        used.append((decided["status"], decided["cached"], run.statuses()["Near"]))

    await run()
    await run()
    await run("-p", "Distance=15")
    handler.write_text(handler.read_text().replace('"steps": steps', '"steps": -steps'))
    await run("-p", "Distance=15")
    await run("-p", "Distance=15")
    assert used == [("Succeeded", cached, "Succeeded") for cached in (False, True, False, False, True)]


@pytest.mark.parametrize("options", ENGINES)
async def test_a_breakpoint_in_the_handler(walk, options):
    handler = walk.root / "handler.py"
    lines = handler.read_text().splitlines()
    line = next(number for number, text in enumerate(lines, 1) if "return answer" in text)
    async with Project(walk.root, options).run("--debug", "Decide") as run:
        waiting = await run.debug_state("Decide", "waiting")
        async with await DapClient.connect("127.0.0.1", waiting["port"]) as client:
            await client.attach(breakpoints={str(handler): [line]})
            stopped = await client.stopped("breakpoint")
            frame = (await client.stack(stopped["threadId"]))[0]
            assert (frame["source"]["path"], frame["line"]) == (str(handler), line)
            assert (await client.local_variables(frame["id"]))["steps"] == "4"
            await client.resume(stopped["threadId"])
        assert await run.end() == 0


async def test_what_the_handler_raises_is_the_steps_failure(walk):
    handler = walk.root / "handler.py"
    handler.write_text(handler.read_text().replace('["distance"]', '["distanse"]'))
    run, code = await Project(walk.root, in_processes()).run_to_end()
    assert code == 1
    assert "KeyError: 'distanse' (handler.py:" in run.finished("Decide")["failure"]


async def test_an_output_that_the_function_does_not_return_is_named(walk):
    handler = walk.root / "handler.py"
    handler.write_text(handler.read_text().replace('"who":', '"whom":'))
    run, code = await Project(walk.root, in_processes()).run_to_end()
    assert code == 1
    assert "the function returned no who" in run.finished("Decide")["failure"]
