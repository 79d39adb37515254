"""Job requests become containers: files, mounts, environment, command, image.

Sources of the contract: the service's documentation on training and processing containers, and what the
training toolkit and the SDK's own containers read. Knows no pipeline and starts nothing.
"""

from .plan import CodeMapping, JobContext, JobPlan, OutputMove, SourceCode
from .processing import ProcessingRequest, plan_processing
from .serving import Model, read_model
from .training import TrainingRequest, plan_training
from .transform import TransformPlanner, planner_for

__all__ = [
    "CodeMapping",
    "JobContext",
    "JobPlan",
    "Model",
    "OutputMove",
    "ProcessingRequest",
    "SourceCode",
    "TrainingRequest",
    "TransformPlanner",
    "plan_processing",
    "plan_training",
    "planner_for",
    "read_model",
]
