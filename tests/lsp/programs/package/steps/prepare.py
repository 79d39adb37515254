# ruff: noqa
"""The preparation."""

from sagemaker.processing import ProcessingOutput
from sagemaker.sklearn.processing import SKLearnProcessor
from sagemaker.workflow.steps import ProcessingStep

from .. import config


def make_prepare_step(name=config.PREPARE_STEP):
    """A processing step that splits the data."""
    processor = SKLearnProcessor(
        framework_version="1.2-1",
        instance_type=config.instance_type,
        instance_count=config.instance_count,
        **config.COMMON,
    )
    arguments = processor.run(
        code=str(config.SCRIPTS / "prepare.py"),
        outputs=[
            ProcessingOutput(output_name=config.TRAIN_OUTPUT, source="/opt/ml/processing/train"),
        ],
    )
    return ProcessingStep(name=name, step_args=arguments)
