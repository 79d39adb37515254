"""Lets the SDK look often, and for as long as it takes, whether something has ended.

`execution.wait()` looks every 30 seconds and gives up after half an hour; a job's waiter looks every two
minutes. Here a step may end within a second, or stand at a breakpoint for an hour.
"""

import sys

from .imports import after_import
from .patches import replace

_SECONDS = 0.5
_MODULES = (
    "botocore.waiter",
    "sagemaker.session",
    "sagemaker.core.common_utils",
    "sagemaker.core.helper.session_helper",
    "sagemaker.core.processing",
    "sagemaker.core.resources",
    "sagemaker.core.transformer",
    "sagemaker.serve.deployment_progress",
    "sagemaker.train.common_utils.job_wait",
    "sagemaker.train.common_utils.trainer_wait",
)


def install():
    for name in _MODULES:
        after_import(name, _sleep_less)
    after_import("botocore.waiter", _wait_on)


def _sleep_less(module):
    time = getattr(module, "time", None)
    if hasattr(time, "sleep"):
        replace(module, "time", _Clock(time))


class _Clock:
    """The module `time`, with short sleeps."""

    def __init__(self, time):
        self._time = time

    def __getattr__(self, name):
        return getattr(self._time, name)

    def sleep(self, seconds):
        self._time.sleep(min(seconds, _SECONDS))


def _wait_on(module):
    wait = module.Waiter.wait

    def wait_on(self, **named):
        named["WaiterConfig"] = dict(named.get("WaiterConfig") or {}, MaxAttempts=sys.maxsize)
        return wait(self, **named)

    replace(module.Waiter, "wait", wait_on)
