"""One training job on two instances, which torchrun brings together."""

from pathlib import Path

from sagemaker import get_execution_role
from sagemaker.estimator import Estimator
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.pipeline_context import PipelineSession
from sagemaker.workflow.steps import TrainingStep

session = PipelineSession()
role = get_execution_role(sagemaker_session=session)
estimator = Estimator(
    image_uri="123456789012.dkr.ecr.us-east-1.amazonaws.com/torch:1",
    entry_point="launch.py",
    source_dir=str(Path(__file__).resolve().parent / "source"),
    role=role,
    instance_count=2,
    instance_type="ml.m5.large",
    sagemaker_session=session,
)
train = TrainingStep(name="Train", step_args=estimator.fit())
pipeline = Pipeline(name="torchrun", steps=[train], sagemaker_session=session)

if __name__ == "__main__":
    pipeline.upsert(role_arn=role)
    pipeline.start()
