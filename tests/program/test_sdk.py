"""Real programs of the SageMaker Python SDK v2. Slow (each imports the SDK), so few."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from stepbridge.program.calls import uploads
from stepbridge.program.compile_cache import CompileCache, CompileKey
from stepbridge.program.matching import match
from stepbridge.program.target import ProgramTarget

from .conftest import EXAMPLES, Runner
from .endpoint import Endpoint

pytest.importorskip("sagemaker.workflow", reason="the SageMaker SDK v2 is not installed")
pytestmark = pytest.mark.slow


def copy_example(runner: Runner, name: str) -> Path:
    target = runner.workspace / name
    shutil.copytree(EXAMPLES / name, target, ignore=shutil.ignore_patterns(".stepbridge", "__pycache__"))
    return target


async def finished(command: list[str], **options: Any) -> None:
    quiet = {"check": True, "capture_output": True}
    await asyncio.to_thread(subprocess.run, command, **quiet, **options)


def children_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


async def test_the_wine_pipeline_compiles_in_less_than_twice_the_import(runner: Runner) -> None:
    copy_example(runner, "wine")
    began = children_cpu()
    await finished([sys.executable, "-c", "import sagemaker"])
    alone = children_cpu() - began

    result = await runner.run("wine/pipeline.py")

    took = children_cpu() - began - alone
    assert result.exit_code == 0, runner.output
    assert [start.pipeline for start in result.started] == ["wine"]
    assert took < 2 * alone
    steps = runner.aws.definition("wine")["Steps"]
    assert [step["Name"] for step in steps] == ["Preprocess", "Train", "Evaluate", "GoodEnough"]


async def test_an_unchanged_program_need_not_run_again(runner: Runner, tmp_path: Path) -> None:
    folder = copy_example(runner, "wine")
    target = ProgramTarget.parse("wine/pipeline.py", runner.workspace)
    result = await runner.run("wine/pipeline.py")
    objects = {uri: runner.aws.path(uri) for uri in uploads(result.calls)}
    provenance = match(objects, result.observation, runner.workspace)

    files = {str(path.relative_to(folder)) for uri in objects for path, _ in provenance.mappings(uri)}
    assert files == {"preprocess.py", "evaluate.py", "training/train.py", "training/model.py"}
    assert all(provenance.is_code(uri) for uri in objects)

    cache = CompileCache(tmp_path / "compiles", lambda uri: runner.aws.path(uri).is_file())
    key = CompileKey(target, runner.python, "eu-west-3", runner.workspace, {}, ())
    for path in (folder / "pipeline.py", runner.workspace):
        os.utime(path, (result.began - 60, result.began - 60))
    assert cache.keep(key, os.environ, result, provenance) == ""

    with (folder / "training" / "train.py").open("a") as file:
        file.write("# edited\n")
    (folder / "training" / "new.py").touch()
    record = cache.find(key, os.environ)
    assert record is not None
    assert [pipeline.name for pipeline in record.pipelines] == ["wine"]
    (archive,) = [uri for uri in objects if uri.endswith("sourcedir.tar.gz")]
    changed = {name for name, _ in record.provenance.refresh(archive)}
    assert changed == {"train.py", "new.py"}

    with (folder / "pipeline.py").open("a") as file:
        file.write("# edited\n")
    assert cache.find(key, os.environ) is None


@pytest.mark.timeout(600)
async def test_our_shortcuts_change_nothing_in_the_definition(runner: Runner, tmp_path: Path) -> None:
    """The same program with clients redirected by hand and nothing else of ours."""
    copy_example(runner, "wine")
    await runner.run("wine/pipeline.py")
    ours = runner.aws.definition("wine")
    runner.aws.pipelines.clear()
    site = tmp_path / "plain" / "sitecustomize.py"
    site.parent.mkdir()
    site.write_text(
        "import botocore.session, os\n"
        "from botocore.config import Config\n"
        "make = botocore.session.Session.create_client\n"
        "def redirected(self, *given, **named):\n"
        "    named['endpoint_url'] = os.environ['AWS_ENDPOINT_URL']\n"
        "    named['config'] = Config(s3={'addressing_style': 'path'})\n"
        "    return make(self, *given, **named)\n"
        "botocore.session.Session.create_client = redirected\n"
    )
    settings = tmp_path / "plain" / "config.yaml"
    settings.write_text("SageMaker: {PythonSDK: {Modules: {TelemetryOptOut: true}}}\nSchemaVersion: '1.0'\n")
    environment = {
        **os.environ,
        "PYTHONPATH": str(site.parent),
        "AWS_ENDPOINT_URL": runner.aws.url,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "eu-west-3",
        "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
        "SAGEMAKER_USER_CONFIG_OVERRIDE": str(settings),
    }
    program = [sys.executable, str(runner.workspace / "wine" / "pipeline.py")]
    await finished(program, env=environment)

    assert runner.aws.definition("wine") == ours


@pytest.mark.parametrize("name", ["local_pipeline_session.py", "pipeline_session.py"])
async def test_the_documentations_example_also_when_its_pipeline_exists(runner: Runner, name: str) -> None:
    folder = copy_example(runner, "seed")
    runner.aws.pipelines["MyPipeline"] = {"PipelineName": "MyPipeline"}  # of an earlier run

    result = await runner.run(f"seed/{name}", cwd=folder)

    assert [start.pipeline for start in result.started] == ["MyPipeline"], runner.output
    assert runner.aws.operations("sagemaker").count("UpdatePipeline") == 1
    (step,) = runner.aws.definition("MyPipeline")["Steps"]
    image = step["Arguments"]["AlgorithmSpecification"]["TrainingImage"]
    assert image.endswith(".dkr.ecr.eu-west-3.amazonaws.com/pytorch-training:1.8.0-cpu-py36")
    # the stand-in runs no step: the program stops at the first step of an empty list
    assert result.failure is not None
    assert "IndexError" in result.failure.message


LOCAL = """
import sagemaker
from sagemaker.inputs import TrainingInput
from sagemaker.local import LocalSession
from sagemaker.processing import ProcessingInput, ProcessingOutput
from sagemaker.sklearn import SKLearn, SKLearnProcessor
from sagemaker.workflow.parallelism_config import ParallelismConfiguration
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.pipeline_context import LocalPipelineSession
from sagemaker.workflow.steps import ProcessingStep, TrainingStep

session = LocalPipelineSession()
session.config = {"local": {"local_code": True}}
assert isinstance(session, LocalSession) and session.local_mode
role = sagemaker.get_execution_role()
processor = SKLearnProcessor(framework_version="1.2-1", role=role, instance_type="local", instance_count=1,
                             sagemaker_session=LocalPipelineSession())
process = ProcessingStep("P", step_args=processor.run(
    code="step.py",
    inputs=[ProcessingInput("file://data/in", "/opt/ml/processing/in")],
    outputs=[ProcessingOutput("/opt/ml/processing/out", "file:///absolute/out/")],
))
estimator = SKLearn("train.py", source_dir="source", framework_version="1.2-1", role=role,
                    instance_type="local", instance_count=1, output_path="file://models/",
                    checkpoint_s3_uri="s3://b/checkpoints", sagemaker_session=session)
train = TrainingStep("T", step_args=estimator.fit({
    "a": "file://data/train", "b": TrainingInput("s3://b/k")}))
pipeline = Pipeline(name="local", steps=[process, train], sagemaker_session=session)
pipeline.upsert(role_arn=role, parallelism_config=ParallelismConfiguration(2))
"""


async def test_files_of_local_sessions_stay_where_they_are(runner: Runner) -> None:
    root = runner.workspace
    runner.write("step.py", "")
    runner.write("source/train.py", "")
    runner.write("program.py", LOCAL)

    result = await runner.run("program.py")

    assert result.exit_code == 0, runner.output
    assert result.declared[0].parallelism == 2
    process, train = (step["Arguments"] for step in runner.aws.definition("local")["Steps"])
    inputs = {item["InputName"]: item["S3Input"]["S3Uri"] for item in process["ProcessingInputs"]}
    assert inputs["input-1"] == f"file://{root}/data/in"
    (output,) = process["ProcessingOutputConfig"]["Outputs"]
    assert (output["OutputName"], output["S3Output"]["S3Uri"]) == ("output-1", "file:///absolute/out/")
    channels = {item["ChannelName"]: item["DataSource"]["S3DataSource"] for item in train["InputDataConfig"]}
    assert channels["a"]["S3Uri"] == f"file://{root}/data/train"
    assert channels["b"]["S3Uri"] == "s3://b/k"
    assert train["OutputDataConfig"]["S3OutputPath"] == f"file://{root}/models/"
    assert train["CheckpointConfig"] == {"S3Uri": "s3://b/checkpoints"}
    directory = json.loads(train["HyperParameters"]["sagemaker_submit_directory"])
    assert directory == f"file://{root}/source"


async def test_what_is_deferred_comes_when_it_is_asked_for(runner: Runner) -> None:
    runner.write(
        "program.py",
        """
import sagemaker, pydantic
from sagemaker.jumpstart.constants import DEFAULT_JUMPSTART_SAGEMAKER_SESSION as session
from sagemaker_core.shapes import Channel, S3DataSource, DataSource
print(isinstance(session, sagemaker.Session), session.boto_region_name, type(session).__name__)
source = DataSource(s3_data_source=S3DataSource(s3_data_type="S3Prefix", s3_uri="s3://b/k"))
print(Channel(channel_name="c", data_source=source).data_source.s3_data_source.s3_uri)
try:
    Channel(channel_name=[], data_source=source)
except pydantic.ValidationError as error:
    print(error.errors()[0]["type"])
from sagemaker.config import validate_sagemaker_config
try:
    validate_sagemaker_config({"SchemaVersion": "1.0", "SageMaker": {"Nothing": 1}})
except Exception as error:
    print(type(error).__name__)
""",
    )
    result = await runner.run("program.py")
    assert result.exit_code == 0, runner.output
    assert runner.printed()[-4:] == ["True eu-west-3 Session", "s3://b/k", "string_type", "ValidationError"]


async def test_a_pipeline_function_of_the_sdk(runner: Runner, aws: Endpoint) -> None:
    runner.write(
        "program.py",
        """
from sagemaker.workflow.fail_step import FailStep
from sagemaker.workflow.pipeline import Pipeline
def get_pipeline(region, role, default_bucket, sagemaker_session, name="Made"):
    print(region, default_bucket, type(sagemaker_session).__name__)
    return Pipeline(name=name, steps=[FailStep(name="F")], sagemaker_session=sagemaker_session)
""",
    )
    result = await runner.run("program.py:get_pipeline", arguments={"name": "Given"})
    assert runner.printed()[-1] == "eu-west-3 sagemaker-eu-west-3-123456789012 PipelineSession"
    assert [pipeline.name for pipeline in result.declared] == ["Given"]
    assert result.started == ()
