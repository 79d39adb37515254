"""Names and ARNs as the service makes them."""

from __future__ import annotations

import secrets
import string

from msgspec import Struct

_ALPHABET = string.ascii_lowercase + string.digits

KINDS = {
    "training": "training-job",
    "processing": "processing-job",
    "transform": "transform-job",
    "tuning": "hyper-parameter-tuning-job",
    "model": "model",
    "endpoint": "endpoint",
}


def new_id(length: int = 12) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


class Arns(Struct, frozen=True):
    region: str
    account: str

    def _arn(self, resource: str) -> str:
        return f"arn:aws:sagemaker:{self.region}:{self.account}:{resource}"

    def pipeline(self, name: str) -> str:
        return self._arn(f"pipeline/{name}")

    def execution(self, pipeline: str, run: str) -> str:
        return self._arn(f"pipeline/{pipeline}/execution/{run}")

    def resource(self, kind: str, name: str) -> str:
        """kind: a key of KINDS."""
        return self._arn(f"{KINDS[kind]}/{name.lower() if kind == 'endpoint' else name}")


def job_name(run: str, step: str) -> str:
    """`pipelines-<execution>-<step>-<random>`, as the service names a step's job (at most 63 characters)."""
    return f"pipelines-{run}-{step[:28]}-{new_id(10)}"
