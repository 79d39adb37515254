"""A Lambda step decides, a condition on its answer ends the run."""

from pathlib import Path

from sagemaker import get_execution_role
from sagemaker.lambda_helper import Lambda
from sagemaker.workflow.condition_step import ConditionStep
from sagemaker.workflow.conditions import ConditionGreaterThan
from sagemaker.workflow.fail_step import FailStep
from sagemaker.workflow.functions import Join
from sagemaker.workflow.lambda_step import LambdaOutput, LambdaOutputTypeEnum, LambdaStep
from sagemaker.workflow.parameters import ParameterInteger
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.pipeline_context import PipelineSession

session = PipelineSession()
role = get_execution_role(sagemaker_session=session)
distance = ParameterInteger(name="Distance", default_value=12)
decide = LambdaStep(
    name="Decide",
    lambda_func=Lambda(
        function_name="decide",
        execution_role_arn=role,
        script=str(Path(__file__).resolve().parent / "handler.py"),
        handler="handler.decide",
        runtime="python3.11",
        environment={"Variables": {"STRIDE": "3"}},
        session=session,
    ),
    inputs={"distance": distance},
    outputs=[
        LambdaOutput(output_name="steps", output_type=LambdaOutputTypeEnum.Integer),
        LambdaOutput(output_name="who", output_type=LambdaOutputTypeEnum.String),
    ],
)
outputs = decide.properties.Outputs
too_far = FailStep(name="TooFar", error_message=Join(on=" ", values=["Too far, says", outputs["who"]]))
near = ConditionStep(
    name="Near",
    conditions=[ConditionGreaterThan(left=outputs["steps"], right=5)],
    if_steps=[too_far],
    else_steps=[],
)
pipeline = Pipeline(name="walk", parameters=[distance], steps=[decide, near], sagemaker_session=session)

if __name__ == "__main__":
    pipeline.upsert(role_arn=role)
    pipeline.start()
