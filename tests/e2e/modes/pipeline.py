"""A training job that reads one channel as a stream of records, epoch by epoch, and one from files."""

import gzip
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
bucket = session.default_bucket()
for name in ("a", "b", "c", "d"):
    (HERE / "build" / "zipped").mkdir(parents=True, exist_ok=True)
    content = gzip.compress(name.encode() * 100_000)
    (HERE / "build" / "zipped" / f"{name}.gz").write_bytes(content)
zipped = session.upload_data(str(HERE / "build" / "zipped"), bucket, "modes/zipped")
words = session.upload_data(str(HERE / "words"), bucket, "modes/words")

estimator = Estimator(
    image_uri="123456789012.dkr.ecr.us-east-1.amazonaws.com/modes:1",
    entry_point="train.py",
    source_dir=str(HERE / "source"),
    role=role,
    instance_count=2,
    instance_type="ml.m5.large",
    input_mode="Pipe",
    sagemaker_session=session,
)
train = TrainingStep(
    name="Train",
    step_args=estimator.fit(
        {
            "records": TrainingInput(
                zipped, distribution="ShardedByS3Key", compression="Gzip", record_wrapping="RecordIO"
            ),
            "words": TrainingInput(words, input_mode="FastFile"),
        }
    ),
)
pipeline = Pipeline(name="modes", steps=[train], sagemaker_session=session)

if __name__ == "__main__":
    pipeline.upsert(role_arn=role)
    pipeline.start()
