"""A model that was made elsewhere, put to work on a folder of records."""

import io
import json
import os
import tarfile
from pathlib import Path

from sagemaker import get_execution_role
from sagemaker.model import Model
from sagemaker.transformer import Transformer
from sagemaker.workflow.model_step import ModelStep
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.pipeline_context import PipelineSession
from sagemaker.workflow.steps import TransformStep

HERE = Path(__file__).resolve().parent
session = PipelineSession()
role = get_execution_role(sagemaker_session=session)
bucket = session.default_bucket()

archive = HERE / "build" / "model.tar.gz"
if not archive.exists():  # another time it would have other times in it
    archive.parent.mkdir(exist_ok=True)
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(HERE / "inference.py", "code/inference.py")
        content = b"[1, 10, 100]"
        info = tarfile.TarInfo("weights.json")
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
model_data = session.upload_data(str(archive), bucket, "scores/model")
records = session.upload_data(str(HERE / "records"), bucket, "scores/records")

model = ModelStep(
    name="Scores",
    step_args=Model(
        image_uri="123456789012.dkr.ecr.us-east-1.amazonaws.com/scores:1",
        model_data=model_data,
        role=role,
        env={"SAGEMAKER_PROGRAM": "inference.py", **json.loads(os.environ.get("MODEL_ENVIRONMENT", "{}"))},
        sagemaker_session=session,
    ).create(instance_type="ml.m5.large"),
)
transform = TransformStep(
    name="Score",
    step_args=Transformer(
        model_name=model.properties.ModelName,
        instance_count=1,
        instance_type="ml.m5.large",
        output_path=f"s3://{bucket}/scores/answers",
        accept="text/csv",
        assemble_with="Line",
        strategy="MultiRecord",
        sagemaker_session=session,
    ).transform(
        data=records,
        content_type="text/csv",
        split_type="Line",
        input_filter="$[1:]",
        join_source="Input",
        output_filter="$[0,-1]",
    ),
)
pipeline = Pipeline(name="scores", steps=[model, transform], sagemaker_session=session)

if __name__ == "__main__":
    pipeline.upsert(role_arn=role)
    pipeline.start()
