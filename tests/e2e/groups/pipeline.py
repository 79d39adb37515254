"""One training job on a heterogeneous cluster: two instances load the shards, another one fits."""

from pathlib import Path

from sagemaker import get_execution_role
from sagemaker.estimator import Estimator
from sagemaker.inputs import TrainingInput
from sagemaker.instance_group import InstanceGroup
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.pipeline_context import PipelineSession
from sagemaker.workflow.steps import TrainingStep

HERE = Path(__file__).resolve().parent
session = PipelineSession()
role = get_execution_role(sagemaker_session=session)
bucket = session.default_bucket()
shards = session.upload_data(str(HERE / "shards"), bucket, "groups/shards")
names = session.upload_data(str(HERE / "names"), bucket, "groups/names")

estimator = Estimator(
    image_uri="123456789012.dkr.ecr.us-east-1.amazonaws.com/groups:1",
    entry_point="worker.py",
    source_dir=str(HERE / "source"),
    role=role,
    instance_groups=[InstanceGroup("load", "ml.c5.xlarge", 2), InstanceGroup("fit", "ml.m5.large", 1)],
    sagemaker_session=session,
)
inputs = {
    "shards": TrainingInput(shards, distribution="ShardedByS3Key", instance_groups=["load"]),
    "names": TrainingInput(names),
}
train = TrainingStep(name="Train", step_args=estimator.fit(inputs))
pipeline = Pipeline(name="groups", steps=[train], sagemaker_session=session)

if __name__ == "__main__":
    pipeline.upsert(role_arn=role)
    pipeline.start()
