# ruff: noqa
"""Starts a pipeline that exists, and looks at its executions."""

import sys
import time

import boto3
from sagemaker.workflow.pipeline import Pipeline, PipelineGraph

pipeline = Pipeline(name=sys.argv[1])
print(pipeline.describe()["PipelineArn"])
execution = pipeline.start(parameters={"InputDate": time.strftime("%Y-%m-%d"), "Force": "false"})
execution.wait()
for entry in pipeline.list_executions()["PipelineExecutionSummaries"]:
    print(entry["PipelineExecutionStatus"])
other = Pipeline(name="downstream")
if execution.describe()["PipelineExecutionStatus"] == "Succeeded":
    other.start(dict(Upstream=execution.arn))
client = boto3.client("sagemaker")
client.stop_pipeline_execution(PipelineExecutionArn=execution.arn)
print(PipelineGraph)
