"""One endpoint, a model for each of several archives; plain boto3."""

import io
import json
import os
import tarfile
from pathlib import Path

import boto3

HERE = Path(__file__).resolve().parent
s3, sagemaker, runtime = (boto3.client(name) for name in ("s3", "sagemaker", "sagemaker-runtime"))


def upload(name, factor):
    """An archive of the script and the number that it multiplies by."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        tar.add(HERE / "inference.py", "code/inference.py")
        content = json.dumps(factor).encode()
        info = tarfile.TarInfo("factor.json")
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
    s3.put_object(Bucket="models", Key=f"all/{name}.tar.gz", Body=buffer.getvalue())


def ask(number, **more):
    try:
        answer = runtime.invoke_endpoint(
            EndpointName="many", Body=json.dumps(number), ContentType="application/json", **more
        )
        return answer["Body"].read().decode()
    except Exception as error:
        return str(error)


s3.create_bucket(Bucket="models")
upload("two", 2)
upload("deep/three", 3)
container = {
    "Image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/many:1",
    "Mode": "MultiModel",
    "ModelDataUrl": "s3://models/all/",
    "Environment": {"SAGEMAKER_PROGRAM": "inference.py", "MODEL_SERVER": os.environ["MODEL_SERVER"]},
}
sagemaker.create_model(
    ModelName="many", ExecutionRoleArn="arn:aws:iam::123456789012:role/any", PrimaryContainer=container
)
variant = {
    "VariantName": "all",
    "ModelName": "many",
    "InitialInstanceCount": 1,
    "InstanceType": "ml.m5.large",
}
sagemaker.create_endpoint_config(EndpointConfigName="many", ProductionVariants=[variant])
sagemaker.create_endpoint(EndpointName="many", EndpointConfigName="many")
sagemaker.get_waiter("endpoint_in_service").wait(EndpointName="many")
upload("late", 5)  # while the endpoint is in service
for target in ("two.tar.gz", "deep/three.tar.gz", "two.tar.gz", "late.tar.gz", "none.tar.gz"):
    print(target, ask(7, TargetModel=target))
print("unnamed", ask(7))
