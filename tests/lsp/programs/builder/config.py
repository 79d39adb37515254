# ruff: noqa
"""Settings of the pipeline."""

from dataclasses import dataclass, field


@dataclass
class Settings:
    """What differs between environments."""

    project: str
    region: str = "eu-west-1"
    processing_type: str = "ml.m5.large"
    training_type: str = "ml.m5.xlarge"
    tags: list = field(default_factory=list)
    threshold: float = 0.8
