"""A pipeline in plain boto3, quick to compile: Prepare -> (Train, Report) -> Check -> Fail or nothing."""

import json
import uuid
from pathlib import Path

import boto3

HERE = Path(__file__).resolve().parent
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/python:1"
ROLE = "arn:aws:iam::123456789012:role/pipeline"

s3 = boto3.client("s3")
s3.create_bucket(Bucket="code")


def code(script):
    s3.upload_file(str(HERE / script), "code", f"dap/{script}")
    return f"s3://code/dap/{script}"


def training_step(name, script, needs=(), **hyperparameters):
    channel = {
        "ChannelName": "code",
        "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": code(script)}},
    }
    return {
        "Name": name,
        "Type": "Training",
        "DependsOn": list(needs),
        "Arguments": {
            "AlgorithmSpecification": {
                "TrainingImage": IMAGE,
                "TrainingInputMode": "File",
                "ContainerEntrypoint": ["python3", f"/opt/ml/input/data/code/{script}"],
            },
            "HyperParameters": hyperparameters,
            "Environment": {"FLAVOR": "plain"},
            "InputDataConfig": [channel],
            "OutputDataConfig": {"S3OutputPath": "s3://models"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
            "StoppingCondition": {"MaxRuntimeInSeconds": 600},
            "RoleArn": ROLE,
        },
    }


def processing_step(name, script, needs=()):
    return {
        "Name": name,
        "Type": "Processing",
        "DependsOn": list(needs),
        "Arguments": {
            "AppSpecification": {
                "ImageUri": IMAGE,
                "ContainerEntrypoint": ["python3", f"/opt/ml/processing/input/code/{script}"],
            },
            "ProcessingInputs": [
                {
                    "InputName": "code",
                    "S3Input": {
                        "S3Uri": code(script),
                        "LocalPath": "/opt/ml/processing/input/code",
                        "S3DataType": "S3Prefix",
                        "S3InputMode": "File",
                    },
                }
            ],
            "ProcessingOutputConfig": {
                "Outputs": [
                    {
                        "OutputName": "out",
                        "S3Output": {
                            "S3Uri": f"s3://results/{name}",
                            "LocalPath": "/opt/ml/processing/out",
                            "S3UploadMode": "EndOfJob",
                        },
                    }
                ]
            },
            "ProcessingResources": {
                "ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
            },
            "RoleArn": ROLE,
        },
    }


def condition_step(name, left, right, needs=(), else_steps=()):
    return {
        "Name": name,
        "Type": "Condition",
        "DependsOn": list(needs),
        "Arguments": {
            "Conditions": [{"Type": "GreaterThanOrEqualTo", "LeftValue": left, "RightValue": right}],
            "IfSteps": [],
            "ElseSteps": list(else_steps),
        },
    }


def fail_step(name, message):
    return {"Name": name, "Type": "Fail", "Arguments": {"ErrorMessage": message}}


prepare = processing_step("Prepare", "prepare.py")
train = training_step(
    "Train",
    "train.py",
    needs=["Prepare"],
    epochs="3",
    rate="0.5",
)
report = processing_step("Report", "report.py", needs=["Prepare"])
check = condition_step(
    "Check",
    {"Get": "Parameters.Quality"},
    5,
    needs=["Train", "Report"],
    else_steps=[fail_step("TooLow", "the quality is too low")],
)

definition = {
    "Version": "2020-12-01",
    "Parameters": [
        {"Name": "Quality", "Type": "Integer", "DefaultValue": 7},
        {"Name": "Title", "Type": "String", "DefaultValue": "first"},
    ],
    "Steps": [prepare, train, report, check],
}

sagemaker = boto3.client("sagemaker")
given = {"PipelineName": "small", "PipelineDefinition": json.dumps(definition), "RoleArn": ROLE}
try:
    sagemaker.create_pipeline(**given, ClientRequestToken=uuid.uuid4().hex)
except sagemaker.exceptions.ClientError:
    sagemaker.update_pipeline(**given)
sagemaker.start_pipeline_execution(PipelineName="small")
