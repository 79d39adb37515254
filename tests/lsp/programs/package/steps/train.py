# ruff: noqa
"""The training."""

from sagemaker.inputs import TrainingInput
from sagemaker.sklearn.estimator import SKLearn
from sagemaker.workflow.steps import TrainingStep

from ..config import COMMON, SCRIPTS, TRAIN_OUTPUT, TRAIN_STEP, instance_type


def make_train_step(prepared):
    """A training step on the output of the preparation."""
    estimator = SKLearn(
        entry_point="train.py",
        source_dir=SCRIPTS.as_posix(),
        framework_version="1.2-1",
        instance_type=instance_type,
        hyperparameters={"trees": 100},
        **COMMON,
    )
    uri = prepared.properties.ProcessingOutputConfig.Outputs[TRAIN_OUTPUT].S3Output.S3Uri
    return TrainingStep(name=TRAIN_STEP, step_args=estimator.fit({"train": TrainingInput(uri)}))
