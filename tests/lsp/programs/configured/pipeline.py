# ruff: noqa
"""Everything comes from a YAML file and the environment."""

import argparse
import os
from pathlib import Path

import sagemaker
import yaml
from sagemaker.estimator import Estimator
from sagemaker.inputs import TrainingInput
from sagemaker.processing import FrameworkProcessor, ProcessingInput, ProcessingOutput
from sagemaker.sklearn.estimator import SKLearn
from sagemaker.workflow.parameters import (
    ParameterBoolean,
    ParameterFloat,
    ParameterInteger,
    ParameterString,
)
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.pipeline_context import LocalPipelineSession, PipelineSession
from sagemaker.workflow.steps import CacheConfig, ProcessingStep, TrainingStep

HERE = Path(__file__).parent
PARAMETER_TYPES = {
    "string": ParameterString,
    "int": ParameterInteger,
    "float": ParameterFloat,
    "bool": ParameterBoolean,
}


def load(path):
    """The settings."""
    with open(path) as file:
        return yaml.safe_load(file)


def make_session(local):
    """A session for this machine or for the cloud."""
    if local:
        session = LocalPipelineSession()
        session.config = {"local": {"local_code": True}}
        return session
    return PipelineSession(default_bucket=os.environ.get("BUCKET"))


def make_parameters(config):
    """Parameters by name."""
    return {
        name: PARAMETER_TYPES[entry["type"]](name=name, default_value=entry["default"])
        for name, entry in config["parameters"].items()
    }


def make_pipeline(config, local=False):
    """The pipeline of a configuration."""
    session = make_session(local)
    role = config.get("role") or sagemaker.get_execution_role()
    parameters = make_parameters(config)
    common = dict(role=role, sagemaker_session=session, **config.get("common", {}))
    cache = CacheConfig(enable_caching=True, expire_after=config["cache"]) if config.get("cache") else None

    processor = FrameworkProcessor(
        estimator_cls=SKLearn,
        framework_version=config["sklearn"],
        instance_count=parameters["count"],
        instance_type=parameters["type"],
        **common,
    )
    steps = []
    if config.get("process", True):
        process = ProcessingStep(
            name=config["process"]["name"],
            step_args=processor.run(
                code="run.py",
                source_dir=str(HERE / "src"),
                inputs=[
                    ProcessingInput(source=uri, destination=f"/opt/ml/processing/{name}")
                    for name, uri in config["inputs"].items()
                ],
                outputs=[ProcessingOutput(output_name="train", source="/opt/ml/processing/train")],
                arguments=[f"--{key}={value}" for key, value in config["arguments"].items()],
            ),
            cache_config=cache,
        )
        steps.append(process)
        data = process.properties.ProcessingOutputConfig.Outputs["train"].S3Output.S3Uri
    else:
        data = parameters["data"]
    estimator = Estimator(
        image_uri=config["image"],
        entry_point=str(HERE / "src" / "train.py"),
        instance_count=1,
        instance_type=parameters["type"],
        hyperparameters={**config["hyperparameters"], "seed": 7},
        **common,
    )
    train = TrainingStep(
        name="Train", step_args=estimator.fit({"train": TrainingInput(data)}), cache_config=cache
    )
    steps.append(train)
    return Pipeline(
        name=config["name"],
        parameters=list(parameters.values()),
        steps=steps,
        sagemaker_session=session,
    )


def main():
    """The command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", default=str(HERE / "config.yaml"))
    parser.add_argument("--local", action="store_true")
    parser.add_argument("--start", action="store_true")
    options = parser.parse_args()
    config = load(options.config)
    pipeline = make_pipeline(config, options.local)
    pipeline.upsert(role_arn=config["role"])
    if options.start:
        overrides = {name: os.environ[name] for name in config["parameters"] if name in os.environ}
        pipeline.start(parameters=overrides)


if __name__ == "__main__":
    main()
