# ruff: noqa
"""SDK v3: ModelTrainer and processors of sagemaker.core."""

from sagemaker.core.helper.session_helper import get_execution_role
from sagemaker.core.processing import ScriptProcessor
from sagemaker.core.shapes import (
    ProcessingInput,
    ProcessingOutput,
    ProcessingS3Input,
    ProcessingS3Output,
)
from sagemaker.core.workflow.conditions import ConditionGreaterThanOrEqualTo
from sagemaker.core.workflow.execution_variables import ExecutionVariables
from sagemaker.core.workflow.functions import Join, JsonGet
from sagemaker.core.workflow.parameters import ParameterInteger, ParameterString
from sagemaker.core.workflow.pipeline_context import PipelineSession
from sagemaker.core.workflow.properties import PropertyFile
from sagemaker.mlops.workflow.condition_step import ConditionStep
from sagemaker.mlops.workflow.fail_step import FailStep
from sagemaker.mlops.workflow.pipeline import Pipeline
from sagemaker.mlops.workflow.steps import CacheConfig, ProcessingStep, TrainingStep
from sagemaker.train import ModelTrainer
from sagemaker.train.configs import Compute, InputData, SourceCode

session = PipelineSession()
role = get_execution_role()
bucket = session.default_bucket()
image = "763104351884.dkr.ecr.eu-west-1.amazonaws.com/pytorch-training:2.1-cpu-py310"

instance_count = ParameterInteger(name="InstanceCount", default_value=1)
instance_type = ParameterString(name="InstanceType", default_value="ml.m5.xlarge")

processor = ScriptProcessor(
    image_uri=image,
    command=["python3"],
    role=role,
    instance_count=instance_count,
    instance_type="ml.m5.xlarge",
    sagemaker_session=session,
)
report = PropertyFile(name="Report", output_name="report", path="report.json")
prepare = ProcessingStep(
    name="Prepare",
    step_args=processor.run(
        code="prepare.py",
        inputs=[
            ProcessingInput(
                input_name="raw",
                s3_input=ProcessingS3Input(
                    s3_uri="s3://sagemaker-sample-files/datasets/tabular/uci_abalone/abalone.csv",
                    local_path="/opt/ml/processing/input",
                    s3_data_type="S3Prefix",
                    s3_input_mode="File",
                ),
            )
        ],
        outputs=[
            ProcessingOutput(
                output_name="train",
                s3_output=ProcessingS3Output(
                    s3_uri=Join(on="/", values=[f"s3://{bucket}", ExecutionVariables.PIPELINE_NAME, "train"]),
                    local_path="/opt/ml/processing/train",
                    s3_upload_mode="EndOfJob",
                ),
            ),
            ProcessingOutput(
                output_name="report",
                s3_output=ProcessingS3Output(
                    s3_uri=f"s3://{bucket}/report",
                    local_path="/opt/ml/processing/report",
                    s3_upload_mode="EndOfJob",
                ),
            ),
        ],
    ),
    property_files=[report],
    cache_config=CacheConfig(enable_caching=True, expire_after="P1D"),
)

trainer = ModelTrainer(
    training_image=image,
    source_code=SourceCode(source_dir="code", entry_script="train.py"),
    compute=Compute(instance_type=instance_type, instance_count=1, volume_size_in_gb=30),
    hyperparameters={"epochs": 3, "learning-rate": 0.1},
    role=role,
    sagemaker_session=session,
)
train = TrainingStep(
    name="Train",
    step_args=trainer.train(
        input_data_config=[
            InputData(
                channel_name="train",
                data_source=prepare.properties.ProcessingOutputConfig.Outputs["train"].S3Output.S3Uri,
            )
        ]
    ),
)
enough = ConditionStep(
    name="EnoughData",
    conditions=[
        ConditionGreaterThanOrEqualTo(
            left=JsonGet(step_name=prepare.name, property_file=report, json_path="rows"), right=100
        )
    ],
    if_steps=[train],
    else_steps=[FailStep(name="TooFew", error_message="Too few rows.")],
)

pipeline = Pipeline(
    name="trainer-pipeline",
    parameters=[instance_count, instance_type],
    steps=[prepare, enough],
    sagemaker_session=session,
)
pipeline.upsert(role_arn=role)
pipeline.start(parameters={"InstanceType": "ml.m5.2xlarge"})
