"""One training job on two instances, each of which starts a worker of its own, as torchrun does."""

from pathlib import Path

from sagemaker import get_execution_role
from sagemaker.estimator import Estimator
from sagemaker.inputs import TrainingInput
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.pipeline_context import PipelineSession
from sagemaker.workflow.steps import TrainingStep

HERE = Path(__file__).resolve().parent
session = PipelineSession()
role = get_execution_role(sagemaker_session=session)
shards = session.upload_data(str(HERE / "shards"), session.default_bucket(), "ranks/shards")

estimator = Estimator(
    image_uri="123456789012.dkr.ecr.us-east-1.amazonaws.com/ranks:1",
    entry_point="launch.py",
    source_dir=str(HERE / "source"),
    role=role,
    instance_count=2,
    instance_type="ml.m5.large",
    sagemaker_session=session,
)
train = TrainingStep(
    name="Train",
    step_args=estimator.fit({"shards": TrainingInput(shards, distribution="ShardedByS3Key")}),
)
pipeline = Pipeline(name="ranks", steps=[train], sagemaker_session=session)

if __name__ == "__main__":
    pipeline.upsert(role_arn=role)
    pipeline.start()
