"""A function as a step that takes the modules of the working folder along, by a default of the SDK."""

import os
from pathlib import Path

import yaml

settings = {"IncludeLocalWorkDir": True}
content = {"SchemaVersion": "1.0", "SageMaker": {"PythonSDK": {"Modules": {"RemoteFunction": settings}}}}
Path("sagemaker.yaml").write_text(yaml.safe_dump(content))
os.environ["SAGEMAKER_USER_CONFIG_OVERRIDE"] = "sagemaker.yaml"

from sagemaker.workflow.function_step import step  # noqa: E402
from sagemaker.workflow.pipeline import Pipeline  # noqa: E402
from source.helper import numbers  # noqa: E402

IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/own:1"


@step(name="Sum", image_uri=IMAGE, instance_type="ml.m5.large")
def summed(text):
    folder = Path("texts")
    folder.mkdir()
    (folder / "one.txt").write_text(text)
    return sum(numbers(folder))


pipeline = Pipeline(name="workdir", steps=[summed("1 2 3")])
pipeline.upsert(role_arn="arn:aws:iam::123456789012:role/Role")
execution = pipeline.start()
execution.wait()
print("result", execution.result("Sum"))
