"""Without a pipeline: a processor's job, and a model of SDK v3 that is deployed and asked."""

import io
import json
import tarfile
from pathlib import Path

from sagemaker.core.helper.session_helper import Session, get_execution_role
from sagemaker.core.processing import ScriptProcessor
from sagemaker.core.shapes import ProcessingInput, ProcessingOutput, ProcessingS3Input, ProcessingS3Output
from sagemaker.serve.model_builder import ModelBuilder

HERE = Path(__file__).resolve().parent
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/own:1"
PLACE = "/opt/ml/processing/"
session = Session()
role = get_execution_role(sagemaker_session=session)
bucket = session.default_bucket()


def output(name):
    uri = f"s3://{bucket}/v3/alone/{name}"
    place = ProcessingS3Output(s3_uri=uri, local_path=PLACE + name, s3_upload_mode="EndOfJob")
    return ProcessingOutput(output_name=name, s3_output=place)


ScriptProcessor(
    image_uri=IMAGE,
    command=["python3"],
    role=role,
    instance_count=1,
    instance_type="ml.m5.large",
    sagemaker_session=session,
).run(
    code="prepare.py",
    inputs=[
        ProcessingInput(
            input_name="in",
            s3_input=ProcessingS3Input(
                s3_uri=session.upload_data("data", bucket, "v3/data"),
                local_path=PLACE + "in",
                s3_data_type="S3Prefix",
            ),
        )
    ],
    outputs=[output("out"), output("report")],
    logs=False,
)
print("doubled", session.read_s3_file(bucket, "v3/alone/out/numbers.txt").split())

archive = HERE / "model.tar.gz"
with tarfile.open(archive, "w:gz") as tar:
    tar.add(HERE / "source" / "inference.py", "code/inference.py")
    content = json.dumps({"total": 120}).encode()
    info = tarfile.TarInfo("total.json")
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))
builder = ModelBuilder(
    s3_model_data_url=session.upload_data(str(archive), bucket, "v3/model"),
    image_uri=IMAGE,
    env_vars={"SAGEMAKER_PROGRAM": "inference.py"},
    role_arn=role,
    instance_type="ml.m5.large",
    sagemaker_session=session,
)
builder.build()
endpoint = builder.deploy(endpoint_name="totals", initial_instance_count=1, instance_type="ml.m5.large")
answer = endpoint.invoke(body=json.dumps(2), content_type="application/json")
print("answer", json.loads(answer.body.read()))
endpoint.delete()
