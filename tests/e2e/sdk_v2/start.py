"""Starts another pipeline and waits for its end; reads its script by a path that is relative to `/`."""

import pathlib
import time

import boto3

assert pathlib.Path("opt/ml/processing/input/code/start.py").is_file()
client = boto3.client("sagemaker")
arn = client.start_pipeline_execution(
    PipelineName="inner", PipelineParameters=[{"Name": "Reason", "Value": "by a step"}]
)["PipelineExecutionArn"]
while client.describe_pipeline_execution(PipelineExecutionArn=arn)["PipelineExecutionStatus"] == "Executing":
    time.sleep(0.2)
