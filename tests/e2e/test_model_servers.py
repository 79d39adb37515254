"""The servers of SageMaker's own images, multi-model-server and TorchServe: Java with Python workers."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import pytest

from tests.support.dap_client import follow
from tests.support.docker_images import INFERENCE, missing
from tests.support.runs import Project, in_containers, line_of

pytestmark = [
    pytest.mark.docker,
    pytest.mark.skipif(bool(missing(INFERENCE)), reason=missing(INFERENCE) or "-"),
]
SERVERS = pytest.mark.parametrize("server", ["mms", "torchserve"])


def project(folder: Path, **environment: str) -> Project:
    """The scores of `transform`, in the image with the servers; with more in its model's environment."""
    root = folder / "scores"
    shutil.copytree(Path(__file__).parent / "transform", root)
    return Project(root, in_containers(INFERENCE), {"MODEL_ENVIRONMENT": json.dumps(environment)})


@SERVERS
async def test_breakpoints_in_the_functions_of_a_transform(tmp_path, server):
    scores = project(tmp_path, MODEL_SERVER=server)
    script = scores.root / "inference.py"
    stops = [line_of(script, text) for text in ("return json.loads", "return rows", "return scores")]
    async with scores.run("--debug", "Score") as run:
        port = (await run.debug_state("Score", "waiting"))["port"]
        async with follow("127.0.0.1", port, {str(script): stops}) as editor:
            for line in stops:
                client, stopped = await editor.stopped()
                frame = (await client.stack(stopped["threadId"]))[0]
                assert (frame["source"]["path"], frame["line"]) == (str(script), line)
                if line == stops[-1]:
                    assert await client.evaluate("scores", frame["id"]) == "[1.0]"
                    await client.set_breakpoints(str(script), [])
                await client.resume(stopped["threadId"])
            assert await run.end() == 0


# The servers' own limits, as a model's environment sets them, in seconds: what is held longer is ended.
SHORT = {
    "mms": {"SAGEMAKER_MODEL_SERVER_TIMEOUT_SECONDS": "3"},
    "torchserve": {"SAGEMAKER_TS_RESPONSE_TIMEOUT": "3", "TS_DEFAULT_STARTUP_TIMEOUT": "3"},
}


@SERVERS
async def test_an_endpoint_s_worker_may_be_held_for_longer_than_its_server_waits(tmp_path, server):
    scores = project(tmp_path, MODEL_SERVER=server, **SHORT[server])
    script = scores.root / "inference.py"
    stops = [line_of(script, text) for text in ("return json.loads", "return scores")]
    async with scores.run("--debug", "scores", program="deploy.py") as run:
        port = (await run.debug_state("scores", "waiting"))["port"]
        async with follow("127.0.0.1", port, {str(script): stops}) as editor:
            held = set()
            for line in stops:
                client, stopped = await editor.stopped()
                await asyncio.sleep(5)
                frame = (await client.stack(stopped["threadId"]))[0]
                assert (frame["source"]["path"], frame["line"]) == (str(script), line)
                held.add(client)
                if line == stops[-1]:
                    assert await client.evaluate("rows", frame["id"]) == "[[1.0, 2.0], [3.0, 4.0]]"
                    await client.set_breakpoints(str(script), [])
                await client.resume(stopped["threadId"])
            assert await run.end() == 0
            assert len(held) == 1  # the same worker
    assert "answers [['21.0'], ['43.0']]" in run.errors


@SERVERS
async def test_many_models_in_one_container(tmp_path, server):
    """Mode MultiModel: a model is loaded when a request names it, and debugged like any other."""
    root = tmp_path / "many"
    shutil.copytree(Path(__file__).parent / "many_models", root)
    many = Project(root, in_containers(INFERENCE), {"MODEL_SERVER": server})
    script = root / "inference.py"
    lines = [line_of(script, text) for text in ("return factor", "return product")]
    async with many.run("--debug", "many", program="ask.py") as run:
        port = (await run.debug_state("many", "waiting"))["port"]
        async with follow("127.0.0.1", port, {str(script): lines}) as editor:
            for line, name, value in ((lines[0], "factor", "2"), (lines[1], "product", "14")):
                client, stopped = await editor.stopped()
                frame = (await client.stack(stopped["threadId"]))[0]
                assert frame["line"] == line
                if (
                    server == "mms"
                ):  # TorchServe runs models in links to their folders: no file of this machine
                    assert frame["source"]["path"] == str(script)
                assert await client.evaluate(name, frame["id"]) == value
                if line == lines[1]:
                    for each in editor.clients:
                        await each.set_breakpoints(str(script), [])
                    editor.breakpoints = {}  # of the workers to come
                await client.resume(stopped["threadId"])
            assert await run.end() == 0
    for said in (
        "two.tar.gz 14",
        "deep/three.tar.gz 21",
        "late.tar.gz 35",
        "there is nothing at s3://models/all/none.tar.gz",
        "the request must name a model",
    ):
        assert said in run.errors
