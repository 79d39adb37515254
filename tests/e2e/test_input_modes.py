"""Training channels as streams and as files, as a script in its container reads them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.dap_client import DapClient
from tests.support.docker_images import PYTHON, missing
from tests.support.runs import Project, in_containers, in_processes, line_of

docker = [pytest.mark.docker, pytest.mark.skipif(bool(missing(PYTHON)), reason=missing(PYTHON) or "-")]
ENGINES = [
    pytest.param(in_containers(PYTHON), marks=docker, id="containers"),
    pytest.param(in_processes(), id="processes"),
]


@pytest.fixture
def modes(tmp_path: Path) -> Project:
    root = tmp_path / "modes"
    shutil.copytree(Path(__file__).parent / "modes", root)
    return Project(root)


@pytest.mark.parametrize("options", ENGINES)
async def test_a_pipe_for_each_epoch_and_files_beside_it(modes, options):
    run, code = await Project(modes.root, options).run_to_end()
    assert code == 0, (run.events[-3:], run.errors[-2000:])
    said = {host: [e["line"] for e in run.events if e.get("host") == host and "line" in e] for host in HOSTS}
    for host, (first, second) in HOSTS.items():
        epoch = f"{first}100000 {second}100000"
        assert [line for line in said[host] if line.startswith(("enough", "epoch", "words", "modes"))] == [
            f"enough after {first} 100000",
            f"epoch 1 {epoch}",
            f"epoch 2 {epoch}",
            "words hello",
            "modes Pipe File",
        ]
    assert [path for path in (modes.root / ".stepbridge").rglob("*") if path.is_fifo()] == []


HOSTS = {"algo-1": "ac", "algo-2": "bd"}


@pytest.mark.docker
@pytest.mark.skipif(bool(missing(PYTHON)), reason=missing(PYTHON) or "-")
async def test_a_breakpoint_in_the_middle_of_an_epoch(modes):
    script = modes.root / "source" / "train.py"
    line = line_of(script, "pipe.read(-length % 4)")
    pipeline = modes.root / "pipeline.py"
    pipeline.write_text(pipeline.read_text().replace("instance_count=2", "instance_count=1"))
    async with Project(modes.root, in_containers(PYTHON)).run("--debug", "Train") as run:
        port = (await run.debug_state("Train", "waiting"))["port"]
        async with await DapClient.connect("127.0.0.1", port) as client:
            condition = {"line": line, "condition": "length == 100000"}
            await client.attach(breakpoints={str(script): [condition]})
            stopped = await client.stopped("breakpoint")
            frame = (await client.stack(stopped["threadId"]))[0]
            assert await client.evaluate("pipe.name", frame["id"]) == "'/opt/ml/input/data/records_1'"
            await client.set_breakpoints(str(script), [])
            await client.resume(stopped["threadId"])
        assert await run.end() == 0
    assert "epoch 2 a100000 b100000 c100000 d100000" in run.log("Train")


async def test_objects_that_are_not_compressed_fail_the_job_and_are_named(modes):
    pipeline = modes.root / "pipeline.py"
    pipeline.write_text(pipeline.read_text().replace("gzip.compress(name.encode() * 100_000)", "b'plain'"))
    run, code = await Project(modes.root, in_processes()).run_to_end()
    assert code == 1
    failure = run.finished("Train")["failure"]
    assert failure.startswith("ClientError: channel records of pipelines-")
    assert ".gz cannot be read: Not a gzipped file (b'pl'). Set CompressionType to None" in failure
