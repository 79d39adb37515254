"""Programs of the SageMaker Python SDK v3 on the real service. Its own local pipelines fail at `create()`."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path

import pytest

from tests.support.dap_client import DapClient
from tests.support.docker_images import PYTHON as IMAGE
from tests.support.docker_images import missing
from tests.support.runs import Project, in_containers, in_processes
from tests.support.sdk_v3 import PYTHON, needs_sdk_v3

pytestmark = needs_sdk_v3
docker = [pytest.mark.docker, pytest.mark.skipif(bool(missing(IMAGE)), reason=missing(IMAGE) or "-")]
SUCCEEDED = {"Prepare": "Succeeded", "Three": "Succeeded", "Train": "Succeeded", "Odd": "Skipped"}


ENGINES = {
    "containers": pytest.param(in_containers(IMAGE), marks=docker, id="containers"),
    "processes": pytest.param(in_processes(), id="processes"),
}


@pytest.fixture(params=ENGINES.values())
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Project:
    root = tmp_path / "project"
    shutil.copytree(Path(__file__).parent / "sdk_v3", root, ignore=shutil.ignore_patterns("__pycache__"))
    return Project(root, ("--python", str(PYTHON), *request.param))


@pytest.mark.parametrize("project", [ENGINES["containers"]], indirect=True)
@pytest.mark.parametrize("session", ["cloud", "local"])
async def test_a_pipeline_of_both_sessions(project: Project, session: str) -> None:
    run, code = await project.run_to_end("--", session)

    assert (code, run.statuses()) == (0, SUCCEEDED), run.errors[-3000:]
    with tarfile.open(project.stored(run.finished("Train")["outputs"]["model"])) as model:
        assert "total.json" in {name.removeprefix("./") for name in model.getnames()}
    assert "total: 120" in run.log("Train")


async def test_a_breakpoint_behind_the_trainers_drivers(project: Project) -> None:
    """A shell script starts a driver, and that the user's script; only this one waits for the debugger."""
    script = project.root / "source" / "train.py"
    line = next(n for n, text in enumerate(script.read_text().splitlines(), 1) if text.startswith("model ="))
    async with project.run("--debug", "Train", "--", "cloud") as run:
        waiting = await run.debug_state("Train", "waiting")
        async with await DapClient.connect("127.0.0.1", waiting["port"]) as client:
            await client.attach(breakpoints={str(script): [line]})
            stopped = await client.stopped("breakpoint")
            frame = (await client.stack(stopped["threadId"]))[0]
            assert (frame["source"]["path"], frame["line"]) == (str(script), line)
            values = await client.local_variables(frame["id"])
            assert (values["factor"], values["total"]) == ("10", "120")
            await client.resume(stopped["threadId"])
        assert await run.end() == 0
    assert run.statuses() == SUCCEEDED


@pytest.mark.parametrize("project", [ENGINES["containers"]], indirect=True)
@pytest.mark.parametrize("mode", ["SAGEMAKER_TRAINING_JOB", "LOCAL_CONTAINER"])
async def test_a_trainer_without_a_pipeline(project: Project, mode: str) -> None:
    code, out, err = await project.command("run", "jobs.py", *project.options, "--", mode)

    assert code == 0, err[-3000:]
    assert "total: 60" in out
    assert out.splitlines()[-1] == "model model.tar.gz"


@pytest.mark.parametrize("project", [ENGINES["containers"]], indirect=True)
async def test_a_model_is_created_put_to_work_and_registered(project: Project) -> None:
    """With a function and a callback behind it: the other step types of SDK v3."""
    async with project.run(program="models.py") as run:
        await run.until(lambda event: event["event"] == "notice" and event.get("step") == "Approve")
        code, _, err = await project.command("callback", "Approve", "-o", "decision=yes")
        assert code == 0, err
        assert await run.end() == 0, run.errors[-3000:]
    steps = ("Create", "Register", "Transform", "Decide", "Approve")
    assert run.statuses() == dict.fromkeys(steps, "Succeeded")
    answers = project.stored(run.finished("Transform")["outputs"]["output"])
    assert (answers / "one.json.out").read_text() == "360"


@pytest.mark.parametrize("project", [ENGINES["processes"]], indirect=True)
async def test_a_breakpoint_in_a_function(project: Project) -> None:
    """`@step`, where this SDK is installed: in the interpreter that ran the program."""
    program = project.root / "functions.py"
    line = next(
        n for n, text in enumerate(program.read_text().splitlines(), 1) if "return number * 2" in text
    )
    async with project.run("--debug", "Double", program="functions.py") as run:
        waiting = await run.debug_state("Double", "waiting")
        async with await DapClient.connect("127.0.0.1", waiting["port"]) as client:
            await client.attach(breakpoints={str(program): [line]})
            path, stopped, frame, body = await client.where()
            assert (path, stopped, frame["name"]) == (str(program), line, "double")
            assert (await client.local_variables(frame["id"]))["number"] == "20"
            await client.resume(body["threadId"])
        assert await run.end() == 0, run.errors[-3000:]
    assert run.statuses() == {"Double": "Succeeded", "Add": "Succeeded"}
    assert "result 42 one" in run.errors.splitlines()


@pytest.mark.parametrize("project", [ENGINES["containers"]], indirect=True)
async def test_a_processor_and_an_endpoint_without_a_pipeline(project: Project) -> None:
    code, out, err = await project.command("run", "deploy.py", *project.options)

    assert code == 0, err[-3000:]
    assert "doubled ['2', '4', '6']" in out
    assert "answer 240" in out
