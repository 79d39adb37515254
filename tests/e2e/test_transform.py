"""Batch transforms as a user does them: a model and its inference script, with and without a debugger."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.dap_client import DapClient
from tests.support.docker_images import PYTHON, TOOLKIT, missing
from tests.support.runs import Project, in_containers, in_processes, line_of

docker = [pytest.mark.docker, pytest.mark.skipif(bool(missing(PYTHON)), reason=missing(PYTHON) or "-")]
toolkit = [pytest.mark.docker, pytest.mark.skipif(bool(missing(TOOLKIT)), reason=missing(TOOLKIT) or "-")]
ENGINES = [
    pytest.param(in_containers(PYTHON), marks=docker, id="containers"),
    pytest.param(in_processes(), id="processes"),
]


@pytest.fixture
def scores(tmp_path: Path) -> Project:
    root = tmp_path / "scores"
    shutil.copytree(Path(__file__).parent / "transform", root)
    return Project(root)


def answers(project: Project, output: str) -> dict[str, str]:
    folder = project.stored(output)
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("options", ENGINES)
async def test_every_record_gets_its_answer(scores, options):
    run, code = await Project(scores.root, options).run_to_end()
    assert (code, run.statuses()) == (0, {"Scores-CreateModel": "Succeeded", "Score": "Succeeded"})
    assert answers(scores, run.finished("Score")["outputs"]["output"]) == {
        "may.csv.out": "a,321.0\nb,10.0\n",
        "june/first.csv.out": "c,1.0\n",
    }


@pytest.mark.parametrize("options", ENGINES)
async def test_breakpoints_in_the_functions_of_the_inference_script(scores, options):
    script = scores.root / "inference.py"
    stops = [line_of(script, text) for text in ("return json.loads", "return rows", "return scores")]
    async with Project(scores.root, options).run("--debug", "Score") as run:
        waiting = await run.debug_state("Score", "waiting")
        async with await DapClient.connect("127.0.0.1", waiting["port"]) as client:
            await client.attach(breakpoints={str(script): stops})
            for line in stops:
                stopped = await client.stopped("breakpoint")
                frame = (await client.stack(stopped["threadId"]))[0]
                assert (frame["source"]["path"], frame["line"]) == (str(script), line)
                if line == stops[-1]:
                    assert "[1.0]" in (await client.local_variables(frame["id"]))["scores"]
                    await client.set_breakpoints(str(script), [])
                await client.resume(stopped["threadId"])
        assert await run.end() == 0


async def test_a_wrong_record_is_named_with_the_place_where_it_failed(scores):
    (scores.root / "records" / "may.csv").write_text("a,1,2\nb,x,1\n")
    run, code = await Project(scores.root, in_processes()).run_to_end()
    assert code == 1
    failure = run.finished("Score")["failure"]
    assert "/invocations answered 500 for may.csv: ValueError" in failure
    assert "(inference.py:" in failure


async def test_an_edit_of_the_inference_script_needs_no_new_model(scores):
    project = Project(scores.root, in_processes())
    await project.run_to_end()
    script = scores.root / "inference.py"
    script.write_text(script.read_text().replace("    return scores", "    return [-s for s in scores]"))
    run, code = await project.run_to_end("--from", "Score")
    assert code == 0
    found = answers(scores, run.finished("Score")["outputs"]["output"])
    assert found["june/first.csv.out"] == "c,-1.0\n"


@pytest.mark.parametrize("options", ENGINES)
async def test_answers_are_used_again_until_the_inference_script_changes(scores, options):
    """The script lies inside of the model's archive, which stays what it is."""
    project = Project(scores.root, options)
    assert (await project.run_to_end())[1] == 0
    again, code = await project.run_to_end("--cache")
    assert (code, again.finished("Score")["cached"]) == (0, True)
    assert again.finished("Score")["outputs"]["output"].endswith("/scores/answers")
    script = scores.root / "inference.py"
    script.write_text(script.read_text().replace("    return scores", "    return [-s for s in scores]"))
    edited, code = await project.run_to_end("--cache")
    assert (code, edited.finished("Score")["cached"]) == (0, False)
    found = answers(scores, edited.finished("Score")["outputs"]["output"])
    assert found["june/first.csv.out"] == "c,-1.0\n"
    records = scores.root / ".stepbridge" / "s3"
    (stored,) = records.glob("*/scores/records/may.csv")
    assert (
        await project.command(
            "data",
            "put",
            str(scores.root / "records" / "june" / "first.csv"),
            f"s3://{stored.relative_to(records).as_posix()}",
        )
    )[0] == 0
    other, code = await project.run_to_end("--cache")
    assert (code, other.finished("Score")["cached"]) == (0, False)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(in_containers(TOOLKIT), marks=toolkit, id="toolkit"),
        pytest.param(in_processes(), id="processes"),
    ],
)
async def test_a_model_is_deployed_and_asked(scores, options):
    """No pipeline at all: deploy(), predict(), delete_endpoint(), transform()."""
    code, out, err = await Project(scores.root).command("run", "deploy.py", *options)
    assert code == 0, err
    for said in (
        "answers [['21.0'], ['43.0']]",
        "could not convert string to float: 'a'",
        "status InService AllTraffic",
        "left []",
        "transformed Completed",
    ):
        assert said in out + err
    (written,) = (scores.root / ".stepbridge" / "s3").glob("*/answers/first.csv.out")
    assert written.read_text() == "1.0\n"


@pytest.mark.parametrize("options", ENGINES)
async def test_breakpoints_in_the_inference_script_of_an_endpoint(scores, options):
    """The endpoint has its own name; a request waits for as long as somebody looks at it."""
    script = scores.root / "inference.py"
    stops = [line_of(script, text) for text in ("return json.loads", "return scores")]
    project = Project(scores.root, options)
    async with project.run("--debug", "scores", program="deploy.py") as run:
        waiting = await run.debug_state("scores", "waiting")
        async with await DapClient.connect("127.0.0.1", waiting["port"]) as client:
            await client.attach(breakpoints={str(script): stops})
            for line in stops:
                stopped = await client.stopped("breakpoint")
                frame = (await client.stack(stopped["threadId"]))[0]
                assert (frame["source"]["path"], frame["line"]) == (str(script), line)
                if line == stops[-1]:
                    assert await client.evaluate("rows", frame["id"]) == "[[1.0, 2.0], [3.0, 4.0]]"
                    await client.set_breakpoints(str(script), [])
                await client.resume(stopped["threadId"])
            assert await run.end() == 0
    assert "answers [['21.0'], ['43.0']]" in run.errors


async def test_a_model_that_cannot_be_loaded_fails_its_step_with_the_reason(scores):
    script = scores.root / "inference.py"
    script.write_text(script.read_text().replace('"weights.json"', '"wights.json"'))
    run, code = await Project(scores.root, in_processes()).run_to_end()
    assert code == 1
    assert "FileNotFoundError" in run.finished("Score")["failure"]


@pytest.mark.docker
@pytest.mark.skipif(bool(missing(TOOLKIT)), reason=missing(TOOLKIT) or "-")
async def test_a_breakpoint_in_a_worker_of_the_images_own_server(scores):
    """gunicorn forks its worker: an editor gets it as a session of its own."""
    script = scores.root / "inference.py"
    line = line_of(script, "return scores")
    async with Project(scores.root, in_containers(TOOLKIT)).run("--debug", "Score") as run:
        port = (await run.debug_state("Score", "waiting"))["port"]
        async with await DapClient.connect("127.0.0.1", port) as server:
            await server.attach(breakpoints={str(script): [line]})
            configuration = await server.event("debugpyAttach")
            async with await DapClient.connect("127.0.0.1", port) as worker:
                await worker.attach(configuration, breakpoints={str(script): [line]})
                stopped = await worker.stopped("breakpoint")
                frame = (await worker.stack(stopped["threadId"]))[0]
                assert (frame["source"]["path"], frame["line"]) == (str(script), line)
                assert await worker.evaluate("scores", frame["id"]) == "[1.0]"
                await worker.set_breakpoints(str(script), [])
                await worker.resume(stopped["threadId"])
                assert await run.end() == 0
