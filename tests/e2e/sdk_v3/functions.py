"""Functions as steps, with the values that they hand to each other."""

from sagemaker.core.workflow.parameters import ParameterInteger
from sagemaker.mlops.workflow.function_step import step
from sagemaker.mlops.workflow.pipeline import Pipeline

IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/own:1"
start = ParameterInteger(name="Start", default_value=20)


@step(name="Double", image_uri=IMAGE, instance_type="ml.m5.large")
def double(number):
    print("doubling", number)
    return number * 2, {"unit": "one"}


@step(name="Add", image_uri=IMAGE, instance_type="ml.m5.large")
def add(number, unit):
    return f"{number + 2} {unit}"


doubled = double(start)
pipeline = Pipeline(name="functions", parameters=[start], steps=[add(doubled[0], doubled[1]["unit"])])
pipeline.upsert(role_arn="arn:aws:iam::123456789012:role/Role")
execution = pipeline.start()
execution.wait()
print("result", execution.result("Add"))
