"""SageMaker on the wire: pipelines, executions, jobs, models, the model registry, endpoints, tags."""

from .api import SageMakerApi

__all__ = ["SageMakerApi"]
