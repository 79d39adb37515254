# ruff: noqa
"""Steps made in loops, comprehensions and by helper functions."""

import sagemaker
from sagemaker.processing import ProcessingInput, ProcessingOutput, ScriptProcessor
from sagemaker.workflow.fail_step import FailStep
from sagemaker.workflow.functions import Join
from sagemaker.workflow.parameters import ParameterString
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.pipeline_context import PipelineSession
from sagemaker.workflow.steps import ProcessingStep

COUNTRIES = ["de", "fr", "it"]
session = PipelineSession()
role = sagemaker.get_execution_role()
image = f"123456789012.dkr.ecr.{session.boto_region_name}.amazonaws.com/scoring:1"
bucket = ParameterString(name="Bucket", default_value=session.default_bucket())
thresholds = {
    country: ParameterString(name=f"Threshold-{country}", default_value="0.5") for country in COUNTRIES
}


def score(country, depends_on=None):
    """One scoring step."""
    processor = ScriptProcessor(
        image_uri=image,
        command=["python3"],
        role=role,
        instance_count=1,
        instance_type="ml.m5.large",
        sagemaker_session=session,
    )
    return ProcessingStep(
        name=f"Score-{country}",
        depends_on=depends_on,
        step_args=processor.run(
            code="score.py",
            inputs=[
                ProcessingInput(
                    input_name="data",
                    source=Join(on="/", values=["s3:/", bucket, country]),
                    destination="/opt/ml/processing/input",
                )
            ],
            outputs=[ProcessingOutput(output_name="scores", source="/opt/ml/processing/scores")],
            arguments=["--country", country, "--threshold", thresholds[country]],
        ),
    )


steps = []
previous = None
for country in COUNTRIES:
    step = score(country, depends_on=[previous] if previous else None)
    steps.append(step)
    previous = step

merge_inputs = [
    ProcessingInput(
        input_name=step.name,
        source=step.properties.ProcessingOutputConfig.Outputs["scores"].S3Output.S3Uri,
        destination=f"/opt/ml/processing/{step.name}",
    )
    for step in steps
]
last = FailStep(name="Never", error_message="Only to show add_depends_on.")
last.add_depends_on([steps[-1]])
for step in steps:
    step.description = "scores of one country"
steps.append(last)

pipeline = Pipeline(
    name="scores",
    parameters=[bucket, *thresholds.values()],
    steps=steps,
    sagemaker_session=session,
)
