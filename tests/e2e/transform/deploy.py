"""A model behind an endpoint, for as long as this program asks it things, then a batch job; no pipeline."""

import json
import os
import tarfile
from pathlib import Path

from sagemaker import Session, get_execution_role
from sagemaker.deserializers import CSVDeserializer
from sagemaker.model import Model
from sagemaker.predictor import Predictor
from sagemaker.serializers import CSVSerializer

HERE = Path(__file__).resolve().parent
session = Session()
archive = HERE / "build" / "model.tar.gz"
archive.parent.mkdir(exist_ok=True)
(HERE / "build" / "weights.json").write_text("[1, 10, 100]")
with tarfile.open(archive, "w:gz") as tar:
    tar.add(HERE / "inference.py", "code/inference.py")
    tar.add(HERE / "build" / "weights.json", "weights.json")
model = Model(
    image_uri="123456789012.dkr.ecr.us-east-1.amazonaws.com/scores:1",
    model_data=session.upload_data(str(archive), key_prefix="scores/model"),
    role=get_execution_role(sagemaker_session=session),
    env={"SAGEMAKER_PROGRAM": "inference.py", **json.loads(os.environ.get("MODEL_ENVIRONMENT", "{}"))},
    predictor_cls=Predictor,
    sagemaker_session=session,
)
predictor = model.deploy(
    initial_instance_count=1,
    instance_type="ml.m5.large",
    endpoint_name="scores",
    serializer=CSVSerializer(),
    deserializer=CSVDeserializer(),
)
print("answers", predictor.predict([[1, 2], [3, 4]]))
try:
    predictor.predict([["a", "b"]])
except session.sagemaker_runtime_client.exceptions.ModelError as error:
    print("refused", error)
described = session.sagemaker_client.describe_endpoint(EndpointName="scores")
print("status", described["EndpointStatus"], described["ProductionVariants"][0]["VariantName"])
predictor.delete_endpoint()
transformer = model.transformer(
    instance_count=1,
    instance_type="ml.m5.large",
    output_path=f"s3://{session.default_bucket()}/answers",
    accept="text/csv",
    assemble_with="Line",
)
records = session.upload_data(str(HERE / "records" / "june"), key_prefix="june")
transformer.transform(records, content_type="text/csv", split_type="Line", input_filter="$[1:]", logs=False)
job = session.sagemaker_client.describe_transform_job(TransformJobName=transformer.latest_transform_job.name)
print("transformed", job["TransformJobStatus"], job["TransformOutput"]["S3OutputPath"])
print("left", session.sagemaker_client.list_endpoints()["Endpoints"])
