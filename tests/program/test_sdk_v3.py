"""Real programs of the SageMaker Python SDK v3, in an environment of its own: v2 has the same name."""

from __future__ import annotations

import pytest
from stepbridge.program.calls import uploads
from stepbridge.program.matching import match

from tests.support.sdk_v3 import PYTHON, needs_sdk_v3

from .conftest import Runner

pytestmark = [pytest.mark.slow, needs_sdk_v3]

PROGRAM = """
from sagemaker.core.helper.session_helper import get_execution_role
from sagemaker.core.processing import ScriptProcessor
from sagemaker.core.shapes import ProcessingInput, ProcessingOutput, ProcessingS3Input, ProcessingS3Output
from sagemaker.core.workflow.parameters import ParameterInteger
from sagemaker.core.workflow.pipeline_context import LocalPipelineSession, PipelineSession
from sagemaker.mlops.workflow.pipeline import Pipeline
from sagemaker.mlops.workflow.steps import ProcessingStep, TrainingStep
from sagemaker.train import ModelTrainer
from sagemaker.train.configs import Compute, InputData, SourceCode

session = SESSION()
role = get_execution_role(sagemaker_session=session)
image = "123456789012.dkr.ecr.eu-west-3.amazonaws.com/own:1"
epochs = ParameterInteger(name="Epochs", default_value=2)
processor = ScriptProcessor(image_uri=image, command=["python3"], role=role, instance_count=1,
                            instance_type="ml.m5.large", sagemaker_session=session)
place = "/opt/ml/processing/"
process = ProcessingStep(name="Preprocess", step_args=processor.run(
    code="step.py",
    inputs=[ProcessingInput(input_name="in", s3_input=ProcessingS3Input(
        s3_uri="DATA", local_path=place + "in", s3_data_type="S3Prefix"))],
    outputs=[ProcessingOutput(output_name="out", s3_output=ProcessingS3Output(
        s3_uri="DATA/out", local_path=place + "out", s3_upload_mode="EndOfJob"))],
))
trainer = ModelTrainer(
    training_image=image, role=role, sagemaker_session=session, base_job_name="train",
    source_code=SourceCode(source_dir="source", entry_script="train.py"),
    hyperparameters={"epochs": epochs}, compute=Compute(instance_type="ml.m5.large", instance_count=1))
train = TrainingStep(name="Train", step_args=trainer.train(
    input_data_config=[InputData(channel_name="train", data_source="s3://b/k")]))
pipeline = Pipeline(name="v3", parameters=[epochs], steps=[process, train], sagemaker_session=session)
for _ in range(2):
    pipeline.upsert(role_arn=role)
execution = pipeline.start()
execution.wait()
print(execution.describe()["PipelineExecutionStatus"], execution.list_steps()["PipelineExecutionSteps"])
"""


@pytest.fixture
def project(runner: Runner) -> Runner:
    runner.python = PYTHON
    runner.write("step.py", "print('step')\n")
    runner.write("source/train.py", "import lib\n")
    runner.write("source/lib.py", "x = 1\n")
    return runner


async def test_a_pipeline_session(project: Runner) -> None:
    project.write("program.py", PROGRAM.replace("SESSION", "PipelineSession", 1).replace("DATA", "s3://b/d"))

    result = await project.run("program.py")

    assert result.exit_code == 0, project.output
    assert [start.pipeline for start in result.started] == ["v3"]
    assert project.printed()[-1] == "Succeeded []"
    objects = {uri: project.aws.path(uri) for uri in uploads(result.calls)}
    found = match(objects, result.observation, project.workspace)
    names = {path.name for uri in objects if found.is_code(uri) for path, _ in found.mappings(uri)}
    assert names >= {"step.py", "train.py", "lib.py"}


async def test_a_local_pipeline_session(project: Runner) -> None:
    """The SDK's own `create` fails here: its local client has no `create_pipeline`."""
    program = PROGRAM.replace("SESSION", "LocalPipelineSession", 1).replace("DATA", "file://data")
    project.write("program.py", program)

    result = await project.run("program.py")

    assert result.exit_code == 0, project.output
    assert [start.pipeline for start in result.started] == ["v3"]
    arguments = project.aws.definition("v3")["Steps"][0]["Arguments"]
    uris = [item["S3Input"]["S3Uri"] for item in arguments["ProcessingInputs"] if item["InputName"] == "in"]
    uris += [item["S3Output"]["S3Uri"] for item in arguments["ProcessingOutputConfig"]["Outputs"]]
    assert uris == [f"file://{project.workspace}/data", f"file://{project.workspace}/data/out"]
