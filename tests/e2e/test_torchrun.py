"""PyTorch's own launcher on two instances: gloo over the job's network, and a breakpoint in one rank."""

from __future__ import annotations

import asyncio
import shutil
import tarfile
from pathlib import Path

import pytest

from tests.support.dap_client import DapClient
from tests.support.docker_images import TORCH, missing
from tests.support.runs import Project, Run, in_containers, line_of

pytestmark = [
    pytest.mark.docker,
    pytest.mark.skipif(bool(missing(TORCH)), reason=missing(TORCH) or "-"),
]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    root = tmp_path / "torchrun"
    shutil.copytree(Path(__file__).parent / "torchrun", root, ignore=shutil.ignore_patterns("__pycache__"))
    return Project(root, in_containers(TORCH))


def found(run: Run) -> list[str]:
    """What the ranks said; torchrun puts the name of the process before it."""
    said = [line.partition("]:")[2] for line in run.log("Train")]
    return sorted(line for line in said if line.startswith("rank "))


async def test_two_containers_average_their_gradients(project: Project) -> None:
    run, code = await project.run_to_end()

    assert code == 0, (run.events[-4:], run.errors[-2000:])
    assert found(run) == ["rank 0 of 2 has 3.000", "rank 1 of 2 has 3.000"]
    with tarfile.open(project.stored(run.finished("Train")["outputs"]["model"])) as model:
        names = sorted(name.removeprefix("./") for name in model.getnames())
    assert names == ["rank-0.pt", "rank-1.pt"]


async def followed(port: int, breakpoints: dict[str, list[int]]) -> list[DapClient]:
    """Attached to a host's launcher, the torchrun that it starts, and its worker, as an editor does it."""
    clients = [await DapClient.connect("127.0.0.1", port)]
    await clients[0].attach(breakpoints=breakpoints)
    for _ in range(2):
        child = await clients[-1].event("debugpyAttach")
        clients.append(await DapClient.connect("127.0.0.1", port))
        await clients[-1].attach(child, breakpoints=breakpoints)
    return clients


async def test_a_breakpoint_in_rank_1(project: Project) -> None:
    """Three processes deep in the second container: the launcher, torchrun, its worker. Rank 0 waits."""
    script = project.root / "source" / "train.py"
    line = line_of(script, "return summed / world")
    async with project.run("--debug", "Train") as run:
        ports: dict[str, int] = {}
        while len(ports) < 2:
            event = await run.debug_state("Train", "waiting")
            ports[event["host"]] = event["port"]
        first, second = await asyncio.gather(  # torchrun starts no worker before both hosts are there
            followed(ports["algo-1"], {}), followed(ports["algo-2"], {str(script): [line]})
        )
        worker = second[-1]
        path, stopped, frame, body = await worker.where()
        assert (path, stopped, frame["name"]) == (str(script), line, "average")
        values = await worker.local_variables(frame["id"])
        assert values["world"] == "2"
        assert await worker.evaluate("dist.get_rank()", frame["id"]) == "1"
        # the mean gradient of both ranks at weight 0: -6 * mean(x**2), summed
        assert await worker.evaluate("round(summed.item(), 3)", frame["id"]) == "-54.0"
        await worker.set_breakpoints(str(script), [])
        await worker.resume(body["threadId"])
        assert await run.end() == 0, run.errors[-3000:]
        for client in reversed(first + second):
            await client.close()
    assert found(run) == ["rank 0 of 2 has 3.000", "rank 1 of 2 has 3.000"]
