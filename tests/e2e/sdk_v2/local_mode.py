"""The SDK's local mode: code, inputs and outputs stay files; the older way to write steps."""

from pathlib import Path

from sagemaker import get_execution_role
from sagemaker.inputs import TrainingInput
from sagemaker.workflow.condition_step import ConditionStep
from sagemaker.workflow.conditions import ConditionEquals
from sagemaker.workflow.fail_step import FailStep
from sagemaker.workflow.functions import JsonGet
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.pipeline_context import LocalPipelineSession
from sagemaker.workflow.steps import ProcessingStep, TrainingStep
from steps import REPORT, estimator, processing_inputs, processing_outputs, processor

session = LocalPipelineSession()
session.config = {"local": {"local_code": True}}

prepare = ProcessingStep(
    name="Prepare",
    processor=processor(session, "local"),
    code="prepare.py",
    inputs=processing_inputs("file://data"),
    outputs=processing_outputs(f"file://{Path('prepared').absolute()}"),
    property_files=[REPORT],
)
train = TrainingStep(
    name="Train",
    estimator=estimator(session, "local", output_path=f"file://{Path('models').absolute()}"),
    inputs={"train": TrainingInput(prepare.properties.ProcessingOutputConfig.Outputs["out"].S3Output.S3Uri)},
)
three = ConditionStep(
    name="Three",
    conditions=[ConditionEquals(JsonGet(step_name="Prepare", property_file=REPORT, json_path="rows"), 3)],
    if_steps=[train],
    else_steps=[FailStep(name="Odd", error_message="not three rows")],
)
pipeline = Pipeline(name="local", steps=[prepare, three], sagemaker_session=session)
pipeline.create(role_arn=get_execution_role(sagemaker_session=session))
execution = pipeline.start()
steps = execution.list_steps()["PipelineExecutionSteps"]
print("steps", sorted((step["StepName"], step["StepStatus"]) for step in steps))
