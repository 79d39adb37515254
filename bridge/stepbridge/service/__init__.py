"""The local AWS endpoint: SageMaker, S3, STS, IAM and logs of jobs are ours, the rest is moto's."""

from .endpoint import Endpoint
from .records import Records
from .registry import ModelRegistry
from .sagemaker import SageMakerApi

__all__ = ["Endpoint", "ModelRegistry", "Records", "SageMakerApi"]
