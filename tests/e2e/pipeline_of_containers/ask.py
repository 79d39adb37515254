"""A model of two containers behind an endpoint, and in a batch job; plain boto3.

Its arguments say what: `deploy` asks an endpoint, `errors` asks wrongly, `transform` runs a batch job.
"""

import io
import sys
import tarfile
from pathlib import Path

import boto3

HERE = Path(__file__).resolve().parent
ROLE = "arn:aws:iam::123456789012:role/any"
s3, sagemaker = boto3.client("s3"), boto3.client("sagemaker")


def uploaded(folder):
    """A model's archive with that folder's inference.py."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        tar.add(HERE / folder / "inference.py", "code/inference.py")
    s3.put_object(Bucket="models", Key=f"{folder}/model.tar.gz", Body=buffer.getvalue())
    return f"s3://models/{folder}/model.tar.gz"


def container(folder, **more):
    return {
        "Image": f"123456789012.dkr.ecr.us-east-1.amazonaws.com/{folder}:1",
        "ModelDataUrl": uploaded(folder),
        "Environment": {"SAGEMAKER_PROGRAM": "inference.py"},
        **more,
    }


def create(name, mode="Serial"):
    containers = [container("clean", ContainerHostname="cleaner"), container("score")]
    sagemaker.create_model(
        ModelName=name,
        ExecutionRoleArn=ROLE,
        Containers=containers,
        InferenceExecutionConfig={"Mode": mode},
    )


def serve(model):
    variant = {
        "VariantName": "all",
        "ModelName": model,
        "InitialInstanceCount": 1,
        "InstanceType": "ml.m5.large",
    }
    sagemaker.create_endpoint_config(EndpointConfigName=model, ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName=model, EndpointConfigName=model)
    sagemaker.get_waiter("endpoint_in_service").wait(EndpointName=model)


def ask(endpoint, body, **more):
    try:
        answer = boto3.client("sagemaker-runtime").invoke_endpoint(
            EndpointName=endpoint, Body=body, ContentType="text/csv", Accept="application/json", **more
        )
        return answer["Body"].read().decode()
    except Exception as error:
        return str(error)


s3.create_bucket(Bucket="models")
create("words")
if "deploy" in sys.argv:
    serve("words")
    print("answer", ask("words", "  a , bb ,ccc "))
    print("limit", boto3.client("sagemaker-runtime").meta.config.read_timeout)
    sagemaker.delete_endpoint(EndpointName="words")
if "errors" in sys.argv:
    serve("words")
    print("first", ask("words", "!"))
    print("second", ask("words", "a,?"))
    create("single", "Direct")
    serve("single")
    print("direct", ask("single", "a,bb", TargetContainerHostname="container-2"))
    print("unnamed", ask("single", "a,bb"))
if "transform" in sys.argv:
    s3.put_object(Bucket="models", Key="in/words.csv", Body=b"  a ,bb\n ccc\n")
    sagemaker.create_transform_job(
        TransformJobName="batch",
        ModelName="words",
        TransformInput={
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://models/in/"}},
            "ContentType": "text/csv",
            "SplitType": "Line",
        },
        TransformOutput={
            "S3OutputPath": "s3://models/out",
            "Accept": "application/json",
            "AssembleWith": "Line",
        },
        TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
        BatchStrategy="SingleRecord",
    )
    sagemaker.get_waiter("transform_job_completed_or_stopped").wait(TransformJobName="batch")
    job = sagemaker.describe_transform_job(TransformJobName="batch")
    print("batch", job["TransformJobStatus"], job.get("FailureReason", ""))
