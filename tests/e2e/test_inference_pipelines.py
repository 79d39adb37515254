"""Models of several containers: a request goes through them in their order, an editor into each of them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.dap_client import DapClient
from tests.support.docker_images import PYTHON, missing
from tests.support.runs import Project, in_containers, in_processes, line_of

docker = [pytest.mark.docker, pytest.mark.skipif(bool(missing(PYTHON)), reason=missing(PYTHON) or "-")]
ENGINES = pytest.mark.parametrize(
    "options",
    [
        pytest.param(in_containers(PYTHON), marks=docker, id="containers"),
        pytest.param(in_processes(), id="processes"),
    ],
)


@pytest.fixture
def words(tmp_path: Path) -> Path:
    root = tmp_path / "words"
    shutil.copytree(Path(__file__).parent / "pipeline_of_containers", root)
    return root


async def asked(root: Path, options: tuple[str, ...], *what: str) -> str:
    code, out, err = await Project(root).command("run", *options, "ask.py", "--", *what)
    assert code == 0, err
    return out + err


@ENGINES
async def test_a_request_goes_through_the_containers_in_their_order(words, options):
    """Each answer, with its type, is the next request; what the client accepts is asked of the last one."""
    said = await asked(words, options, "deploy", "transform")
    assert "answer [1, 2, 3]" in said
    assert "limit None" in said  # of the answer's time: the model may stand at a breakpoint
    assert "batch Completed" in said
    (written,) = (words / ".stepbridge" / "s3").glob("models/out/words.csv.out")
    assert written.read_text() == "[1, 2]\n[3]\n"


async def test_an_error_names_its_container_and_one_may_be_asked_directly(words):
    said = await asked(words, in_processes(), "errors")
    assert "(500) from cleaner with message" in said
    assert "clean found a !" in said
    assert "(500) from container-2 with message" in said
    assert "score found a ?" in said
    assert "score reads application/json, not text/csv" in said  # `Direct`: the first one was not asked
    assert "TargetContainerHostname to one of cleaner, container-2" in said


@ENGINES
async def test_a_breakpoint_in_each_container(words, options):
    places = {"cleaner": ("clean", "return cleaned"), "container-2": ("score", "return lengths")}
    async with Project(words, options).run("--debug", "batch", "--", "transform", program="ask.py") as run:
        waiting = [await run.debug_state("batch", "waiting") for _ in places]
        ports = {event["host"]: event["port"] for event in waiting}
        clients = {}
        for host, (folder, text) in places.items():
            clients[host] = await DapClient.connect("127.0.0.1", ports[host])
            script = words / folder / "inference.py"
            await clients[host].attach(breakpoints={str(script): [line_of(script, text)]})
        for host, expression, value in (
            ("cleaner", "cleaned", "['a', 'bb']"),
            ("container-2", "lengths", "[1, 2]"),
        ):
            stopped = await clients[host].stopped("breakpoint")
            frame = (await clients[host].stack(stopped["threadId"]))[0]
            assert frame["source"]["path"] == str(words / places[host][0] / "inference.py")
            assert await clients[host].evaluate(expression, frame["id"]) == value
            await clients[host].set_breakpoints(frame["source"]["path"], [])
            await clients[host].resume(stopped["threadId"])
        assert await run.end() == 0
        for client in clients.values():
            await client.close()
