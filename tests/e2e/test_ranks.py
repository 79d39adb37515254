"""A training job on two instances: two containers on one network, a launcher and a worker in each."""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.support.dap_client import DapClient
from tests.support.docker_images import PYTHON, TOOLKIT, missing
from tests.support.runs import Project, Run, in_containers, in_processes, line_of

docker = [pytest.mark.docker, pytest.mark.skipif(bool(missing(PYTHON)), reason=missing(PYTHON) or "-")]
toolkit = [pytest.mark.docker, pytest.mark.skipif(bool(missing(TOOLKIT)), reason=missing(TOOLKIT) or "-")]
CONTAINERS = pytest.param(in_containers(PYTHON), marks=docker, id="containers")
ENGINES = [CONTAINERS, pytest.param(in_processes(), id="processes")]


def copied(name: str, folder: Path) -> Project:
    shutil.copytree(Path(__file__).parent / name, folder / name)
    return Project(folder / name)


@pytest.fixture
def ranks(tmp_path: Path) -> Project:
    return copied("ranks", tmp_path)


def left_in_docker(run: Run) -> list[str]:
    """Containers and networks of that run which still exist."""
    asked = [
        ["docker", "ps", "-aq", "--filter", f"label=stepbridge.run={run.id}"],
        ["docker", "network", "ls", "-q", "--filter", f"name={run.id}"],
    ]
    return [
        name
        for command in asked
        for name in subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    ]


def by_host(run: Run) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for event in run.events:
        if event["event"] == "step-log":
            found.setdefault(event["host"], []).append(event["line"])
    return found


@pytest.mark.parametrize(
    "options", [*ENGINES, pytest.param(in_containers(TOOLKIT), marks=toolkit, id="toolkit")]
)
async def test_the_hosts_share_the_data_and_talk_to_each_other(ranks, options):
    run, code = await Project(ranks.root, options).run_to_end()
    assert code == 0, (run.events[-4:], run.errors[-2000:])
    said = by_host(run)
    assert {"shards a.txt c.txt", "rank 0 of 2 has 101", "all have 1111"} <= set(said["algo-1"])
    assert {"shards b.txt d.txt", "rank 1 of 2 has 1010"} <= set(said["algo-2"])
    with tarfile.open(ranks.stored(run.finished("Train")["outputs"]["model"])) as tar:
        models = {name.removeprefix("./"): json.load(tar.extractfile(name)) for name in tar.getnames()}
    assert models == {
        "rank-0.json": {"rank": 0, "total": 1111, "host": "algo-1"},
        "rank-1.json": {"rank": 1, "total": 1010, "host": "algo-2"},
    }
    if "docker" in options:
        assert left_in_docker(run) == []


@pytest.mark.parametrize(
    "options", [*ENGINES, pytest.param(in_containers(TOOLKIT), marks=toolkit, id="toolkit")]
)
async def test_instance_groups_have_channels_and_types_of_their_own(tmp_path, options):
    project = Project(copied("groups", tmp_path).root, options)
    run, code = await project.run_to_end()
    assert code == 0, (run.events[-4:], run.errors[-2000:])
    said = by_host(run)
    assert {"load algo-1 ml.c5.xlarge ['names', 'shards']", "algo-1 loads a.txt c.txt"} <= set(said["algo-1"])
    assert {"load algo-2 ml.c5.xlarge ['names', 'shards']", "algo-2 loads b.txt"} <= set(said["algo-2"])
    assert {"fit algo-3 ml.m5.large ['names']", "algo-3 fits 111"} <= set(said["algo-3"])


async def held(run: Run) -> dict[str, int]:
    """Relay port of each host, once all hold for a debugger."""
    ports: dict[str, int] = {}
    while len(ports) < 2:
        event = await run.debug_state("Train", "waiting")
        ports[event["host"]] = event["port"]
    return ports


async def at_worker(port: int, script: Path, line: int) -> tuple[DapClient, DapClient, dict]:
    """Attach to a host's launcher, follow debugpy to its worker; both clients, and where that stopped."""
    launcher = await DapClient.connect("127.0.0.1", port)
    await launcher.attach(breakpoints={str(script): [line]})
    configuration = await launcher.event("debugpyAttach")
    worker = await DapClient.connect("127.0.0.1", port)
    await worker.attach(configuration, breakpoints={str(script): [line]})
    return launcher, worker, await worker.stopped("breakpoint")


@pytest.mark.parametrize("options", ENGINES)
async def test_a_breakpoint_in_rank_1_and_in_rank_0(ranks, options):
    script = ranks.root / "source" / "worker.py"
    line = line_of(script, "total = own_sum()")
    async with Project(ranks.root, options).run("--debug", "Train") as run:
        ports = await held(run)
        written = json.loads((ranks.root / ".vscode" / "launch.json").read_text())["configurations"]
        assert {entry["name"]: entry["connect"]["port"] for entry in written} == {
            "StepBridge: Train": ports["algo-1"],
            "StepBridge: Train (algo-2)": ports["algo-2"],
        }
        _, found, _ = await ranks.command("attach", "Train", "--json")
        assert json.loads(found)["ports"] == ports
        clients = []
        for rank, host in ((1, "algo-2"), (0, "algo-1")):  # rank 1 stops first, and stays so meanwhile
            launcher, worker, stopped = await at_worker(ports[host], script, line)
            clients.append((launcher, worker, stopped["threadId"]))
            frame = (await worker.stack(stopped["threadId"]))[0]
            assert (frame["source"]["path"], frame["line"]) == (str(script), line)
            values = await worker.local_variables(frame["id"])
            assert (values["rank"], values["world"], values["master"]) == (str(rank), "2", "'algo-1'")
            name = await worker.evaluate("os.environ['SM_CURRENT_HOST']", frame["id"])
            assert name == f"'{host}'"
        for _, worker, thread in clients:
            await worker.resume(thread)
        assert await run.end() == 0
        for launcher, worker, _ in clients:
            await worker.close()
            await launcher.close()
    assert "all have 1111" in by_host(run)["algo-1"]


@pytest.mark.docker
@pytest.mark.skipif(bool(missing(PYTHON)), reason=missing(PYTHON) or "-")
async def test_a_host_that_fails_ends_the_others_and_names_itself(ranks):
    script = ranks.root / "source" / "worker.py"
    script.write_text(
        script.read_text().replace("        send(total", "        {}['lost']\n        send(total")
    )
    run, code = await Project(ranks.root, in_containers(PYTHON)).run_to_end()
    assert code == 1
    failure = run.finished("Train")["failure"]
    assert "KeyError: 'lost' (worker.py:" in failure
    assert failure.endswith("exit code: 1 on algo-2")
    assert "all have" not in " ".join(run.log("Train"))
    assert left_in_docker(run) == []
