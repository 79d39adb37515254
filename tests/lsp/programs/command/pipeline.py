# ruff: noqa
"""A command line that creates, starts, schedules and reruns parts of a pipeline."""

import click
import sagemaker
from sagemaker.processing import ProcessingOutput
from sagemaker.sklearn.processing import SKLearnProcessor
from sagemaker.workflow.parameters import ParameterInteger, ParameterString
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.pipeline_context import PipelineSession
from sagemaker.workflow.selective_execution_config import SelectiveExecutionConfig
from sagemaker.workflow.steps import ProcessingStep
from sagemaker.workflow.triggers import PipelineSchedule

NAME = "nightly"


def build():
    """The pipeline."""
    session = PipelineSession()
    source = ParameterString(name="Source")
    count = ParameterInteger(name="Count", default_value=1)
    processor = SKLearnProcessor(
        "1.2-1",
        sagemaker.get_execution_role(),
        count,
        "ml.m5.large",
        sagemaker_session=session,
    )
    step = ProcessingStep(
        "Prepare",
        step_args=processor.run(
            "prepare.py",
            outputs=[ProcessingOutput("/opt/ml/processing/out", output_name="out")],
            arguments=["--source", source, "--count", count.to_string()],
        ),
    )
    return Pipeline(NAME, [source, count], steps=[step], sagemaker_session=session)


@click.group()
def cli():
    """Commands."""


@cli.command()
@click.option("--role", required=True)
def deploy(role):
    """Create or update."""
    pipeline = build()
    pipeline.upsert(role, description="every night")


@cli.command()
@click.option("--source", required=True)
@click.option("--only", multiple=True)
def start(source, only):
    """Start all of it, or some steps."""
    pipeline = build()
    if only:
        selective = SelectiveExecutionConfig(selected_steps=list(only), reference_latest_execution=True)
        pipeline.start(parameters={"Source": source}, selective_execution_config=selective)
        return
    execution = pipeline.start(
        {"Source": source, "Count": "2"},
        execution_display_name="by-hand",
        parallelism_config={"MaxParallelExecutionSteps": 2},
    )
    execution.wait(delay=30, max_attempts=120)
    for step in execution.list_steps():
        print(step["StepName"], step["StepStatus"])


@cli.command()
def schedule():
    """Every night, on what lies in the bucket."""
    nightly = PipelineSchedule(name="nightly", cron="0 3 * * ? *", enabled=True)
    Pipeline(name=NAME).put_triggers(triggers=[nightly], role_arn="arn:aws:iam::123456789012:role/events")


if __name__ == "__main__":
    cli()
