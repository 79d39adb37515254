"""What the programs of this folder share: processors, estimators and steps of one small pipeline."""

import sys

from sagemaker import get_execution_role
from sagemaker.estimator import Estimator
from sagemaker.processing import ProcessingInput, ProcessingOutput, ScriptProcessor
from sagemaker.workflow.properties import PropertyFile

IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/own:1"
PLACE = "/opt/ml/processing/"
REPORT = PropertyFile(name="Report", output_name="report", path="report.json")


def processor(session, instance_type="ml.m5.large"):
    return ScriptProcessor(
        image_uri=IMAGE,
        command=["python3"],
        role=get_execution_role(sagemaker_session=session),
        instance_count=1,
        instance_type=instance_type,
        sagemaker_session=session,
    )


def estimator(session, instance_type="ml.m5.large", source_dir="source", **more):
    return Estimator(
        image_uri=IMAGE,
        role=get_execution_role(sagemaker_session=session),
        instance_count=1,
        instance_type=instance_type,
        entry_point="train.py",
        source_dir=source_dir,
        hyperparameters={"factor": 10},
        sagemaker_session=session,
        **more,
    )


def processing_inputs(source):
    return [ProcessingInput(input_name="in", source=source, destination=PLACE + "in")]


def processing_outputs(destination=None):
    out = {"destination": destination} if destination else {}
    return [
        ProcessingOutput(output_name="out", source=PLACE + "out", **out),
        ProcessingOutput(output_name="report", source=PLACE + "report"),
    ]


def done(execution):
    """Wait, and say how each step ended."""
    execution.wait()
    for step in sorted(execution.list_steps(), key=lambda step: step["StepName"]):
        print("step", step["StepName"], step["StepStatus"], file=sys.stderr)
