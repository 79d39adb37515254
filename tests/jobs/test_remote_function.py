"""Functions as jobs: what stands before the SDK's entry point, and where the function's source is found."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cloudpickle
import pytest
from stepbridge.engines.base import ImageConfig, Mount
from stepbridge.jobs import JobContext, plan_training
from stepbridge.jobs.plan import CodeMapping
from stepbridge.jobs.remote_function import MODULES, sources_of, unpacked
from stepbridge.program.sources import WorkspaceSources
from stepbridge.storage.objects import ObjectStore

CHECK = Path(plan_training.__code__.co_filename).parent / "payload" / "remote_function.py"
MINE = f"{sys.version_info.major}.{sys.version_info.minor}"
DRIVER = "/opt/ml/input/data/sagemaker_remote_function_bootstrap/job_driver.sh"
ARGUMENTS = [
    "--s3_base_uri",
    "s3://bucket/pipe",
    "--pipeline_step_name",
    "Double",
    "--func_step_s3_dir",
    "now",
]


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return ObjectStore(tmp_path / "s3")


def pickled(path: Path, *, where: str | None = None) -> bytes:
    """A function of a program at `path`, pickled as the SDK does it: by value."""
    path.write_text("def double(number):\n    return number * 2\n")
    names: dict[str, object] = {"__name__": "__main__"}
    exec(compile(path.read_text(), where or str(path), "exec"), names)
    return cloudpickle.dumps(names["double"])


def test_the_source_is_the_file_that_the_function_names(store: ObjectStore, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    store.put("s3://bucket/pipe/Double/now/function/payload.pkl", pickled(program))
    assert sources_of(store, ARGUMENTS, tmp_path) == (CodeMapping(program, str(program)),)
    store.put("s3://bucket/alone/function/payload.pkl", pickled(program))
    assert sources_of(store, ["--s3_base_uri", "s3://bucket/alone/"], tmp_path) == (
        CodeMapping(program, str(program)),
    )


@pytest.mark.parametrize("where", ["<stdin>", "program.py", "/nowhere/program.py", json.__file__])
def test_no_source_that_is_not_here_or_is_installed(store: ObjectStore, tmp_path: Path, where: str) -> None:
    if where == json.__file__:
        (tmp_path / "site-packages").mkdir()
        where = str(tmp_path / "site-packages" / "program.py")
        Path(where).touch()
    store.put(
        "s3://bucket/pipe/Double/now/function/payload.pkl", pickled(tmp_path / "program.py", where=where)
    )
    assert sources_of(store, ARGUMENTS, tmp_path) == ()


@pytest.mark.parametrize("content", [b"", b"no pickle", b"\x80\x05X\xff\xff\xff\xff"])
def test_a_damaged_function_is_the_jobs_own_problem(
    store: ObjectStore, tmp_path: Path, content: bytes
) -> None:
    store.put("s3://bucket/pipe/Double/now/function/payload.pkl", content)
    assert sources_of(store, ARGUMENTS, tmp_path) == ()
    assert sources_of(store, ["--s3_base_uri", "s3://bucket/nothing"], tmp_path) == ()
    assert sources_of(store, [], tmp_path) == ()


def test_no_source_outside_of_the_workspace(store: ObjectStore, tmp_path: Path) -> None:
    """The function may come from somebody else's S3; it names what it likes."""
    inside = tmp_path / "inside"
    inside.mkdir()
    store.put("s3://bucket/pipe/Double/now/function/payload.pkl", pickled(tmp_path / "secret.py"))
    assert sources_of(store, ARGUMENTS, inside) == ()
    (inside / "link.py").symlink_to(tmp_path / "secret.py")
    named = pickled(tmp_path / "secret.py", where=str(inside / "link.py"))
    store.put("s3://bucket/pipe/Double/now/function/payload.pkl", named)
    assert sources_of(store, ARGUMENTS, inside) == ()
    assert sources_of(store, ARGUMENTS, None) == ()


def test_nothing_of_a_pickle_is_run(store: ObjectStore, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    store.put(
        "s3://bucket/pipe/Double/now/function/payload.pkl", f"cos\nsystem\n(S'touch {mark}'\ntR.".encode()
    )
    assert sources_of(store, ARGUMENTS, tmp_path) == ()
    assert not mark.exists()


def test_modules_of_the_working_folder_are_where_the_bootstrap_unpacks_them() -> None:
    local = Path("/home/me/helper.py")
    channel = "/opt/ml/input/data/sm_rf_user_ws/sagemaker_remote_function_workspace/lib/helper.py"
    other = CodeMapping(local, "/opt/ml/input/data/code/helper.py")
    found = unpacked((CodeMapping(local, channel), other), "/")
    assert found == (CodeMapping(local, "/sagemaker_remote_function_workspace/lib/helper.py"), other)
    (moved,) = unpacked((CodeMapping(local, channel),), "/home/image")
    assert moved.remote == "/home/image/sagemaker_remote_function_workspace/lib/helper.py"


def test_a_job_that_calls_a_function(store: ObjectStore, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    store.put("s3://bucket/pipe/Double/now/function/payload.pkl", pickled(program))
    context = JobContext(
        name="job",
        arn="arn:aws:sagemaker:us-east-1:123456789012:training-job/job",
        region="us-east-1",
        account="123456789012",
        folder=tmp_path / "step",
        store=store,
        image="local:1",
        image_config=ImageConfig("sha256:1", (), (), {}, "/", ""),
        sources=WorkspaceSources(store),
        labels={"stepbridge.step": "Double"},
        workspace=tmp_path,
    )
    request = {
        "AlgorithmSpecification": {
            "TrainingImage": "image",
            "ContainerEntrypoint": ["/bin/bash", DRIVER],
            "ContainerArguments": ARGUMENTS,
        },
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
    }
    plan = plan_training(request, context)
    container = plan.containers[0]
    assert container.entrypoint is not None
    assert container.entrypoint[3:] == (
        "/opt/stepbridge-jobs/remote_function.py",
        "Double",
        "local:1",
        "/bin/bash",
        DRIVER,
    )
    assert container.command == tuple(ARGUMENTS)
    assert Mount(program, str(program), read_only=True) in container.mounts
    assert plan.code == (CodeMapping(program, str(program)),)
    assert (plan.scripts, plan.modules) == ((), MODULES)


def checked(tmp_path: Path, *arguments: str, sdk: str = "") -> tuple[int, str, list[str]]:
    """(exit code, what it wrote to /opt/ml/output/failure, arguments of the entry point). sdk: version."""
    program, failure = tmp_path / "check.py", tmp_path / "failure"
    program.write_text(CHECK.read_text().replace("/opt/ml/output/failure", str(failure)))
    folder = tmp_path / "packages"
    if sdk:
        (folder / "sagemaker").mkdir(parents=True)
        (folder / "sagemaker" / "__init__.py").touch()
        (folder / f"sagemaker-{sdk}.dist-info").mkdir()
        (folder / f"sagemaker-{sdk}.dist-info" / "METADATA").write_text(f"Name: sagemaker\nVersion: {sdk}\n")
    entry = [sys.executable, "-c", "import json, sys; print(json.dumps(sys.argv[1:]))"]
    bare = [sys.executable, "-S", str(program), "Double", "local:1", *entry]
    run = subprocess.run(
        [*bare, *arguments], capture_output=True, text=True, check=False, env={"PYTHONPATH": str(folder)}
    )
    said = failure.read_text() if failure.exists() else ""
    return run.returncode, said, json.loads(run.stdout) if run.returncode == 0 else [run.stderr]


def test_another_python_is_refused_in_one_sentence(tmp_path: Path) -> None:
    code, said, told = checked(tmp_path, "--client_python_version", "2.7", sdk="2.257.7")
    assert code == 1
    assert said.startswith(
        "the function of step Double was pickled by Python 2.7, "
        f"which image local:1 cannot read: it has Python {MINE}."
    )
    assert told == [said + "\n"]


def test_a_conda_environment_is_left_to_the_sdk(tmp_path: Path) -> None:
    given = ["--client_python_version", "2.7", "--job_conda_env", "mine"]
    assert checked(tmp_path, *given) == (0, "", given)


def test_an_image_without_the_sdk_is_refused_where_nothing_installs_it(tmp_path: Path) -> None:
    code, said, _ = checked(tmp_path, "--client_python_version", MINE)
    assert code == 1
    assert said.startswith(
        "image local:1 lacks the SageMaker Python SDK, which calls the function of step Double."
    )


@pytest.mark.parametrize(
    ("here", "file", "installs"),
    [
        ("2.257.7", "sagemaker_requirements_x1.txt", False),
        ("2.256.0", "sagemaker_requirements_x1.txt", False),
        ("2.255.3", "sagemaker_requirements_x1.txt", True),
        ("3.27.0", "sagemaker_requirements_x1.txt", True),
        ("2.257.7", "requirements.txt", True),  # the user's own
    ],
)
def test_the_sdk_is_installed_only_where_it_is_missing(
    tmp_path: Path, here: str, file: str, installs: bool
) -> None:
    settings = json.dumps({"dependency_file": file})
    given = ["--client_python_version", MINE, "--client_sagemaker_pysdk_version", "2.257.7"]
    code, _, passed = checked(tmp_path, *given, "--dependency_settings", settings, "--x", "y", sdk=here)
    kept = settings if installs else '{"dependency_file": null}'
    assert (code, passed) == (0, [*given, "--dependency_settings", kept, "--x", "y"])
