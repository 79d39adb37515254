"""Programs of the SageMaker Python SDK v2 that do more than the examples: model steps and the registry, the
SDK's local mode with its `file://` places, functions as steps, and jobs without a pipeline."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path

import pytest

from tests.support.docker_images import PYTHON, missing
from tests.support.runs import Project, in_containers, in_processes

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


async def test_functions_are_steps(tmp_path: Path) -> None:
    """`@step`: the function runs where the SDK is installed, which is the user's own interpreter here."""
    project = _copy(tmp_path, in_processes())
    run, code = await project.run_to_end(program="functions.py")

    assert (code, run.statuses()) == (0, {"Double": "Succeeded", "Add": "Succeeded"}), run.errors[-3000:]
    assert "doubling 20" in run.log("Double")
    assert "result 42 one" in run.errors.splitlines()


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
