"""StepBridge: run and debug SageMaker pipelines on this machine."""

__version__ = "0.1.0"
