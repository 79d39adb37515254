# ruff: noqa
"""Framework processors, Hugging Face, distribution, a shared helper for steps."""

import os

import sagemaker
from sagemaker import TrainingInput
from sagemaker.huggingface import HuggingFace, HuggingFaceModel
from sagemaker.processing import FrameworkProcessor, ProcessingInput, ProcessingOutput
from sagemaker.pytorch import PyTorch
from sagemaker.tensorflow import TensorFlow, TensorFlowModel
from sagemaker.workflow.functions import Join
from sagemaker.workflow.model_step import ModelStep
from sagemaker.workflow.parameters import ParameterFloat, ParameterInteger, ParameterString
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.pipeline_context import PipelineSession
from sagemaker.workflow.steps import ProcessingStep, TrainingStep

session = PipelineSession()
role = sagemaker.get_execution_role()
source_dir = os.path.join(os.path.dirname(os.path.abspath(__file__)), "src")

epochs = ParameterInteger(name="Epochs", default_value=3)
rate = ParameterFloat(name="LearningRate", default_value=5e-5)
model_id = ParameterString(name="ModelId", default_value="distilbert-base-uncased")
gpu_type = ParameterString(name="GpuType", default_value="ml.g5.xlarge")

processor = FrameworkProcessor(
    PyTorch,
    "2.1",
    role=role,
    instance_count=1,
    instance_type="ml.m5.xlarge",
    py_version="py310",
    command=["python3"],
    sagemaker_session=session,
)
run_args = processor.get_run_args(
    code="prepare.py",
    inputs=[ProcessingInput(source="s3://bucket/raw", destination="/opt/ml/processing/input")],
    outputs=[
        ProcessingOutput(output_name="train", source="/opt/ml/processing/train"),
        ProcessingOutput(output_name="test", source="/opt/ml/processing/test"),
    ],
    arguments=["--model-id", model_id],
)
prepare = ProcessingStep(
    name="Prepare",
    processor=processor,
    inputs=run_args.inputs,
    outputs=run_args.outputs,
    job_arguments=run_args.arguments,
    code=run_args.code,
)


def channel(step, name):
    """A channel from an output of a step."""
    return TrainingInput(s3_data=step.properties.ProcessingOutputConfig.Outputs[name].S3Output.S3Uri)


estimator = HuggingFace(
    entry_point="train.py",
    source_dir=source_dir,
    role=role,
    instance_type=gpu_type,
    instance_count=2,
    transformers_version="4.36",
    pytorch_version="2.1",
    py_version="py310",
    hyperparameters={"epochs": epochs, "learning_rate": rate, "model_id": model_id, "fp16": True},
    distribution={"torch_distributed": {"enabled": True}},
    environment={"HF_TASK": "text-classification"},
    sagemaker_session=session,
)
train = TrainingStep(
    name="Finetune",
    step_args=estimator.fit({name: channel(prepare, name) for name in ("train", "test")}),
)
keras = TensorFlow(
    entry_point="train.py",
    source_dir="src",
    role=role,
    instance_count=1,
    instance_type="ml.p3.2xlarge",
    framework_version="2.13",
    py_version="py310",
    sagemaker_session=session,
    metric_definitions=[{"Name": "loss", "Regex": "loss: ([0-9.]+)"}],
)
compare = TrainingStep(name="Compare", step_args=keras.fit(channel(prepare, "train")), depends_on=[train])

hub_model = HuggingFaceModel(
    model_data=train.properties.ModelArtifacts.S3ModelArtifacts,
    role=role,
    transformers_version="4.37",
    pytorch_version="2.1",
    py_version="py310",
    sagemaker_session=session,
)
register = ModelStep(
    name="Register",
    step_args=hub_model.register(
        content_types=["application/json"],
        response_types=["application/json"],
        inference_instances=["ml.g5.xlarge"],
        transform_instances=["ml.g5.xlarge"],
        model_package_group_name="finetuned",
        description=Join(on=" ", values=["from", model_id]),
    ),
)
served = TensorFlowModel(
    model_data=compare.properties.ModelArtifacts.S3ModelArtifacts,
    role=role,
    framework_version="2.13",
    sagemaker_session=session,
)
create = ModelStep(name="CreateKeras", step_args=served.create(instance_type="ml.m5.large"))

pipeline = Pipeline(
    name="frameworks",
    parameters=[epochs, rate, model_id, gpu_type],
    steps=[prepare, train, compare, register, create],
    sagemaker_session=session,
)
