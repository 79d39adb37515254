"""A pipeline of SDK v3: a processor, a model trainer, a condition. The first argument names the session."""

import sys

from sagemaker.core.helper.session_helper import get_execution_role
from sagemaker.core.processing import ScriptProcessor
from sagemaker.core.shapes import (
    ProcessingInput,
    ProcessingOutput,
    ProcessingS3Input,
    ProcessingS3Output,
)
from sagemaker.core.workflow.conditions import ConditionEquals
from sagemaker.core.workflow.functions import JsonGet
from sagemaker.core.workflow.parameters import ParameterInteger
from sagemaker.core.workflow.pipeline_context import LocalPipelineSession, PipelineSession
from sagemaker.core.workflow.properties import PropertyFile
from sagemaker.mlops.workflow.condition_step import ConditionStep
from sagemaker.mlops.workflow.fail_step import FailStep
from sagemaker.mlops.workflow.pipeline import Pipeline
from sagemaker.mlops.workflow.steps import ProcessingStep, TrainingStep
from sagemaker.train import ModelTrainer
from sagemaker.train.configs import Compute, InputData, SourceCode

local = sys.argv[1:] == ["local"]
session = LocalPipelineSession() if local else PipelineSession()
role = get_execution_role(sagemaker_session=session)
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/own:1"
PLACE = "/opt/ml/processing/"
factor = ParameterInteger(name="Factor", default_value=10)
bucket = session.default_bucket()
source = "file://data" if local else session.upload_data("data", bucket, "v3/data")
report = PropertyFile(name="Report", output_name="report", path="report.json")


def output(name):
    uri = f"s3://{bucket}/v3/{name}"
    place = ProcessingS3Output(s3_uri=uri, local_path=PLACE + name, s3_upload_mode="EndOfJob")
    return ProcessingOutput(output_name=name, s3_output=place)


processor = ScriptProcessor(
    image_uri=IMAGE,
    command=["python3"],
    role=role,
    instance_count=1,
    instance_type="ml.m5.large",
    sagemaker_session=session,
)
prepare = ProcessingStep(
    name="Prepare",
    step_args=processor.run(
        code="prepare.py",
        inputs=[
            ProcessingInput(
                input_name="in",
                s3_input=ProcessingS3Input(s3_uri=source, local_path=PLACE + "in", s3_data_type="S3Prefix"),
            )
        ],
        outputs=[output("out"), output("report")],
    ),
    property_files=[report],
)
trainer = ModelTrainer(
    training_image=IMAGE,
    role=role,
    sagemaker_session=session,
    base_job_name="train",
    source_code=SourceCode(source_dir="source", entry_script="train.py"),
    hyperparameters={"factor": factor.to_string()},
    compute=Compute(instance_type="ml.m5.large", instance_count=1),
)
prepared = prepare.properties.ProcessingOutputConfig.Outputs["out"].S3Output.S3Uri
train = TrainingStep(
    name="Train",
    step_args=trainer.train(input_data_config=[InputData(channel_name="train", data_source=prepared)]),
)
three = ConditionStep(
    name="Three",
    conditions=[ConditionEquals(JsonGet(step_name="Prepare", property_file=report, json_path="rows"), 3)],
    if_steps=[train],
    else_steps=[FailStep(name="Odd", error_message="not three rows")],
)
pipeline = Pipeline(name="v3", parameters=[factor], steps=[prepare, three], sagemaker_session=session)
pipeline.upsert(role_arn=role)
execution = pipeline.start()
execution.wait()
print("status", execution.describe()["PipelineExecutionStatus"])
