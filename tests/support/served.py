"""`stepbridge serve`, and what clients that know nothing of StepBridge ask it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from tests.support.runs import STEPBRIDGE, Run, environment


@dataclass(frozen=True)
class Served:
    """A `stepbridge serve --json` that goes on."""

    root: Path
    run: Run
    environment: Mapping[str, str]

    def client(self, service: str) -> Any:
        given = self.environment
        return boto3.client(
            service,
            endpoint_url=given["AWS_ENDPOINT_URL"],
            aws_access_key_id=given["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=given["AWS_SECRET_ACCESS_KEY"],
            region_name=given["AWS_REGION"],
        )


@contextlib.asynccontextmanager
async def serving(root: Path, *options: str) -> AsyncIterator[Served]:
    process = await asyncio.create_subprocess_exec(
        *STEPBRIDGE,
        "serve",
        "--json",
        *options,
        cwd=root,
        env=environment(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=2**22,
    )
    run = Run(process)
    try:
        told = await run.until(lambda event: event["event"] == "serving")
        yield Served(root, run, told["environment"])
        process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(run.end(), 60) == 0
        assert "Traceback" not in run.errors
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


def ended(sagemaker: Any, arn: str) -> dict[str, Any]:
    for _ in range(600):
        found: dict[str, Any] = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
        if found["PipelineExecutionStatus"] not in ("Executing", "Stopping"):
            return found
        time.sleep(0.1)
    raise AssertionError(found)


def steps(sagemaker: Any, arn: str) -> dict[str, dict[str, Any]]:
    found = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn, SortOrder="Ascending")
    return {step["StepName"]: step for step in found["PipelineExecutionSteps"]}
