"""Steps of SDK v3 around a model: created, put to work on records, registered; a function, a callback."""

import io
import json
import tarfile
from pathlib import Path

from sagemaker.core.helper.session_helper import get_execution_role
from sagemaker.core.lambda_helper import Lambda
from sagemaker.core.transformer import Transformer
from sagemaker.core.workflow.pipeline_context import PipelineSession
from sagemaker.mlops.workflow.callback_step import CallbackOutput, CallbackOutputTypeEnum, CallbackStep
from sagemaker.mlops.workflow.lambda_step import LambdaOutput, LambdaOutputTypeEnum, LambdaStep
from sagemaker.mlops.workflow.model_step import ModelStep
from sagemaker.mlops.workflow.pipeline import Pipeline
from sagemaker.mlops.workflow.steps import TransformStep
from sagemaker.serve.model_builder import ModelBuilder

HERE = Path(__file__).resolve().parent
session = PipelineSession()
role = get_execution_role(sagemaker_session=session)
bucket = session.default_bucket()

build = HERE / "build"
(build / "records").mkdir(parents=True, exist_ok=True)
(build / "records" / "one.json").write_text("3")
with tarfile.open(build / "model.tar.gz", "w:gz") as tar:
    tar.add(HERE / "source" / "inference.py", "code/inference.py")
    content = json.dumps({"total": 120}).encode()
    info = tarfile.TarInfo("total.json")
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))
model_data = session.upload_data(str(build / "model.tar.gz"), bucket, "v3/model")
records = session.upload_data(str(build / "records"), bucket, "v3/records")

builder = ModelBuilder(
    s3_model_data_url=model_data,
    image_uri="123456789012.dkr.ecr.us-east-1.amazonaws.com/own:1",
    env_vars={"SAGEMAKER_PROGRAM": "inference.py"},
    role_arn=role,
    instance_type="ml.m5.large",
    sagemaker_session=session,
)
create = ModelStep(name="Create", step_args=builder.build())
transform = TransformStep(
    name="Transform",
    step_args=Transformer(
        model_name=create.properties.ModelName,
        instance_count=1,
        instance_type="ml.m5.large",
        output_path=f"s3://{bucket}/v3/answers",
        sagemaker_session=session,
    ).transform(data=records, content_type="application/json"),
)
register = ModelStep(
    name="Register",
    step_args=builder.register(
        model_package_group_name="totals",
        content_types=["application/json"],
        response_types=["application/json"],
        inference_instances=["ml.m5.large"],
        approval_status="Approved",
    ),
)
decide = LambdaStep(
    name="Decide",
    lambda_func=Lambda(
        function_name="decide",
        execution_role_arn=role,
        script=str(HERE / "handler.py"),
        handler="handler.decide",
        runtime="python3.11",
        session=session,
    ),
    inputs={"distance": 12},
    outputs=[LambdaOutput(output_name="steps", output_type=LambdaOutputTypeEnum.Integer)],
    depends_on=[transform],
)
approve = CallbackStep(
    name="Approve",
    sqs_queue_url="https://sqs.us-east-1.amazonaws.com/123456789012/approvals",
    inputs={"steps": decide.properties.Outputs["steps"]},
    outputs=[CallbackOutput(output_name="decision", output_type=CallbackOutputTypeEnum.String)],
)
steps = [create, transform, register, decide, approve]
pipeline = Pipeline(name="v3-models", steps=steps, sagemaker_session=session)
pipeline.upsert(role_arn=role)
execution = pipeline.start()
print(execution.arn)
