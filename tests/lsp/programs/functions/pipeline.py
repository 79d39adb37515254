# ruff: noqa
"""Functions under @step."""

import sagemaker
from sagemaker.workflow.condition_step import ConditionStep
from sagemaker.workflow.conditions import ConditionGreaterThan
from sagemaker.workflow.fail_step import FailStep
from sagemaker.workflow.function_step import step
from sagemaker.workflow.parameters import ParameterFloat, ParameterString
from sagemaker.workflow.pipeline import Pipeline

role = sagemaker.get_execution_role()
instance_type = ParameterString(name="InstanceType", default_value="ml.m5.large")
data = ParameterString(name="DataUri", default_value="s3://bucket/data.csv")
threshold = ParameterFloat(name="Threshold", default_value=0.9)


@step(name="prepare", instance_type=instance_type, keep_alive_period_in_seconds=300)
def prepare(uri: str, test_size: float = 0.2) -> tuple:
    """Split the data."""
    import pandas as pd

    frame = pd.read_csv(uri)
    cut = int(len(frame) * (1 - test_size))
    return frame[:cut], frame[cut:]


@step(name="train", instance_type="ml.m5.xlarge", environment_variables={"MODE": "fast"})
def train(frame, rounds: int):
    """Fit a model."""
    model = {}
    for index in range(rounds):
        model[index] = frame
    return model


@step
def evaluate(model, frame) -> dict:
    """Measure it."""
    return {"accuracy": 0.95, "rows": len(frame), "name": f"{model}"}


parts = prepare(data, test_size=0.3)
fitted = train(frame=parts[0], rounds=5)
scores = evaluate(fitted, parts[1])

check = ConditionStep(
    name="good-enough",
    conditions=[ConditionGreaterThan(left=scores["accuracy"], right=threshold)],
    if_steps=[],
    else_steps=[FailStep(name="too-bad", error_message="The model is not good enough.")],
)

pipeline = Pipeline(
    name="functions",
    parameters=[instance_type, data, threshold],
    steps=[scores, check],
)

if __name__ == "__main__":
    pipeline.upsert(role_arn=role)
    execution = pipeline.start()
    execution.wait()
    print(execution.result(step_name="train"))
