# ruff: noqa
"""Puts the steps of other modules together."""

from sagemaker.workflow.pipeline import Pipeline

from . import config
from .steps.prepare import make_prepare_step
from .steps.train import make_train_step


def get_pipeline(name="packaged"):
    """The pipeline."""
    prepare = make_prepare_step()
    train = make_train_step(prepare)
    return Pipeline(
        name=name,
        parameters=config.ALL_PARAMETERS,
        steps=[prepare, train],
        sagemaker_session=config.session,
    )


if __name__ == "__main__":
    pipeline = get_pipeline()
    pipeline.upsert(role_arn=config.role)
    pipeline.start(parameters={"InstanceCount": 2})
