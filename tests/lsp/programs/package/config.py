# ruff: noqa
"""What all modules of the package share."""

from pathlib import Path

import sagemaker
from sagemaker.workflow.parameters import ParameterInteger, ParameterString
from sagemaker.workflow.pipeline_context import PipelineSession

ROOT = Path(__file__).resolve().parent
SCRIPTS = ROOT / "scripts"
PREPARE_STEP = "Prepare"
TRAIN_STEP = "Train"
TRAIN_OUTPUT = "train"

session = PipelineSession()
role = sagemaker.get_execution_role()

instance_count = ParameterInteger(name="InstanceCount", default_value=1)
instance_type = ParameterString(name="InstanceType", default_value="ml.m5.large")
ALL_PARAMETERS = [instance_count, instance_type]
COMMON = dict(role=role, sagemaker_session=session)
