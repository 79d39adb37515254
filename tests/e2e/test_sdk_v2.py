"""Programs of the SageMaker Python SDK v2 that do more than the examples: model steps and the registry, the
SDK's local mode with its `file://` places, functions as steps, and jobs without a pipeline."""

from __future__ import annotations

import shutil
import sys
import tarfile
from pathlib import Path

import pytest

from tests.support.dap_client import DapClient
from tests.support.docker_images import PYTHON, PYTHON_39, SDK, missing
from tests.support.runs import Project, in_containers, in_processes, line_of

docker = [pytest.mark.docker, pytest.mark.skipif(bool(missing(PYTHON)), reason=missing(PYTHON) or "-")]
CONTAINERS = pytest.param(in_containers(PYTHON), marks=docker, id="containers")
PROCESSES = pytest.param(in_processes(), id="processes")


@pytest.fixture(params=[CONTAINERS, PROCESSES])
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Project:
    return _copy(tmp_path, request.param)


def _copy(folder: Path, options: tuple[str, ...]) -> Project:
    root = folder / "project"
    shutil.copytree(Path(__file__).parent / "sdk_v2", root, ignore=shutil.ignore_patterns("__pycache__"))
    return Project(root, options)


def members(archive: Path) -> set[str]:
    with tarfile.open(archive) as tar:
        return {name.removeprefix("./") for name in tar.getnames()}


async def test_models_are_repacked_created_and_registered(project: Project) -> None:
    """The SDK inserts a hidden training step that puts the inference script into the model's archive."""
    run, code = await project.run_to_end(program="models.py")

    assert (code, run.statuses()) == (
        0,
        {
            "Prepare": "Succeeded",
            "Train": "Succeeded",
            "Create-RepackModel-0": "Succeeded",
            "Create-CreateModel": "Succeeded",
            "Register-RepackModel-0": "Succeeded",
            "Register-RegisterModel": "Succeeded",
        },
    ), run.errors[-3000:]
    model = project.stored(run.finished("Create-CreateModel")["outputs"]["model"])
    assert {"total.json", "code/inference.py"} <= members(model)
    said = [line for line in run.errors.splitlines() if line.startswith(("package", "metrics", "approved"))]
    assert said == ["package 1 PendingManualApproval", "metrics report.json", "approved 1"]


async def test_local_mode_keeps_inputs_and_outputs_local(project: Project) -> None:
    """The SDK's own executor sends inputs to S3, and outputs too, without a word."""
    run, code = await project.run_to_end(program="local_mode.py")

    assert (code, run.statuses()) == (
        0,
        {"Prepare": "Succeeded", "Three": "Succeeded", "Train": "Succeeded", "Odd": "Skipped"},
    ), run.errors[-3000:]
    assert (project.root / "prepared" / "numbers.txt").read_text().split() == ["2", "4", "6"]
    (archive,) = (project.root / "models").glob("*/output/model.tar.gz")
    assert members(archive) == {"total.json"}
    uploaded = {path.name for path in (project.root / ".stepbridge" / "s3").rglob("*") if path.is_file()}
    assert uploaded == {"prepare.py", "report.json"}  # a processor's script, an output without a place


@pytest.mark.parametrize(
    ("project", "kind"),
    [(CONTAINERS.values[0], "cloud"), (PROCESSES.values[0], "local")],
    indirect=["project"],
)
async def test_jobs_without_a_pipeline(project: Project, kind: str) -> None:
    code, out, err = await project.command("run", "jobs.py", *project.options, "--", kind)

    assert code == 0, err[-3000:]
    answers = [line.rpartition("!")[2] for line in out.splitlines()]
    assert [line for line in answers if line.startswith(("model", "answer", "transformed"))] == [
        "model model.tar.gz",
        "answer 240",
        "transformed 360",
    ]


def needs(image: str) -> list[pytest.MarkDecorator]:
    return [pytest.mark.docker, pytest.mark.skipif(bool(missing(image)), reason=missing(image) or "-")]


WITH_SDK = [pytest.param(in_containers(SDK), marks=needs(SDK), id="containers"), PROCESSES]


@pytest.mark.parametrize("project", WITH_SDK, indirect=True)
async def test_functions_are_steps(project: Project) -> None:
    """`@step`: it runs where the SDK is installed: in the image, or in the user's own interpreter."""
    run, code = await project.run_to_end(program="functions.py")

    assert (code, run.statuses()) == (0, {"Double": "Succeeded", "Add": "Succeeded"}), run.errors[-3000:]
    assert "doubling 20" in run.log("Double")
    assert "result 42 one" in run.errors.splitlines()
    assert any("No dependencies to install" in line for line in run.log("Double")), "the SDK is there already"


@pytest.mark.parametrize("project", WITH_SDK, indirect=True)
async def test_a_breakpoint_in_a_function(project: Project) -> None:
    """Its source is the program, which the container sees where the pickled function says that it is."""
    program = project.root / "functions.py"
    line = line_of(program, "return number * 2")
    async with project.run("--debug", "Double", program="functions.py") as run:
        waiting = await run.debug_state("Double", "waiting")
        async with await DapClient.connect("127.0.0.1", waiting["port"]) as client:
            await client.attach(breakpoints={str(program): [line]})
            stopped = await client.stopped("breakpoint")
            frame = (await client.stack(stopped["threadId"]))[0]
            assert (frame["source"]["path"], frame["line"], frame["name"]) == (str(program), line, "double")
            assert (await client.local_variables(frame["id"]))["number"] == "20"
            await client.resume(stopped["threadId"])
        assert await run.end() == 0, run.errors[-3000:]
    assert run.statuses() == {"Double": "Succeeded", "Add": "Succeeded"}


@pytest.mark.parametrize("project", WITH_SDK, indirect=True)
async def test_a_breakpoint_in_a_module_that_a_function_takes_along(project: Project) -> None:
    helper = project.root / "source" / "helper.py"
    line = line_of(helper, "yield from")
    async with project.run("--debug", "Sum", program="workdir.py") as run:
        waiting = await run.debug_state("Sum", "waiting")
        async with await DapClient.connect("127.0.0.1", waiting["port"]) as client:
            await client.attach(breakpoints={str(helper): [line]})
            path, stopped, frame, body = await client.where()
            assert (path, stopped, frame["name"]) == (str(helper), line, "numbers")
            await client.resume(body["threadId"])
        assert await run.end() == 0, run.errors[-3000:]
    assert "result 6" in run.errors.splitlines()


@pytest.mark.parametrize("project", WITH_SDK, indirect=True)
async def test_an_exception_in_a_function_stops_where_it_leaves_the_users_code(project: Project) -> None:
    """The SDK catches it: for Python it is no crash, for debugpy one that the user's code did not handle."""
    program = project.root / "functions.py"
    line = line_of(program, "raise ValueError")
    options = ("--debug", "Double", "-p", "Start=-1")
    async with project.run(*options, program="functions.py") as run:
        waiting = await run.debug_state("Double", "waiting")
        async with await DapClient.connect("127.0.0.1", waiting["port"]) as client:
            await client.attach(exceptions=["userUnhandled"])
            path, stopped, frame, body = await client.where()
            assert (body["reason"], path, stopped) == ("exception", str(program), line)
            assert (await client.local_variables(frame["id"]))["number"] == "-1"
            await client.resume(body["threadId"])
        assert await run.end() == 1
    assert "ValueError: -1 is too little" in run.finished("Double")["failure"]


@pytest.mark.parametrize(
    "project", [pytest.param(in_containers(PYTHON_39), marks=needs(PYTHON_39))], indirect=True
)
async def test_a_function_of_another_python_is_refused(project: Project) -> None:
    run, code = await project.run_to_end(program="functions.py")

    assert code == 1
    mine = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert run.finished("Double")["failure"] == (
        f"AlgorithmError: the function of step Double was pickled by Python {mine}, which image {PYTHON_39} "
        f"cannot read: it has Python 3.9. Map the image to one with Python {mine} and the SageMaker Python "
        "SDK ([images] in stepbridge.toml), or use --engine process, which takes your own interpreter, "
        "exit code: 1"
    )
    assert not any("Traceback" in line for line in run.log("Double"))


async def test_several_pipelines(tmp_path: Path) -> None:
    """A step starts another pipeline while its own goes on; the program starts one that it only names."""
    project = _copy(tmp_path, in_processes())
    code, out, err = await project.command("run", "several.py", *project.options)

    assert code == 1, err[-3000:]  # a pipeline that the program started has failed
    lines = out.splitlines()
    assert lines[-1] == "reasons ['by a step', 'by name']"
    ends = [line.partition(" after")[0] for line in lines if line.startswith(("inner", "outer"))]
    assert ends == ["inner ✗ Failed", "outer ✓ Succeeded", "inner ✗ Failed"]
    assert {"role True", "wait WaiterError"} <= set(lines)
