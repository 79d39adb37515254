from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import pytest
from stepbridge.errors import StepBridgeError
from stepbridge.events import AnyEvent, EventBus
from stepbridge.execution.arns import Arns
from stepbridge.execution.cache import StepCache
from stepbridge.execution.execution import RunOptions, RunServices
from stepbridge.execution.executions import Executions, Overrides
from stepbridge.execution.job_runner import JobRunner, JobServices
from stepbridge.execution.journal import ExecutionRecord, Journal
from stepbridge.jobs.plan import CodeMapping
from stepbridge.storage.objects import ObjectStore

from tests.support.fake_engine import FakeEngine, Script

IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/image:1"


class NoSources:
    """A workspace whose code is all in the store."""

    def materialize(self, uri: str, folder: Path) -> tuple[CodeMapping, ...] | None:
        return None

    def unpack(self, uri: str, folder: Path) -> tuple[CodeMapping, ...] | None:
        return None

    def origin(self, name: str, content: bytes) -> Path | None:
        return None


def processing(
    name: str, *, script: str = "step.py", reads: Mapping[str, Any] = {}, **more: Any
) -> dict[str, Any]:
    """A Processing step with one output `out`, and inputs by name."""
    return {
        "Name": name,
        "Type": "Processing",
        "Arguments": {
            "RoleArn": "arn:aws:iam::123456789012:role/Role",
            "ProcessingResources": {
                "ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30}
            },
            "AppSpecification": {"ImageUri": IMAGE, "ContainerEntrypoint": ["python3", f"/code/{script}"]},
            "ProcessingInputs": [
                {
                    "InputName": key,
                    "S3Input": {
                        "S3Uri": uri,
                        "LocalPath": f"/opt/ml/processing/{key}",
                        "S3DataType": "S3Prefix",
                        "S3InputMode": "File",
                    },
                }
                for key, uri in reads.items()
            ],
            "ProcessingOutputConfig": {
                "Outputs": [
                    {
                        "OutputName": "out",
                        "S3Output": {
                            "S3Uri": f"s3://bucket/{name}",
                            "LocalPath": "/opt/ml/processing/out",
                            "S3UploadMode": "EndOfJob",
                        },
                    }
                ]
            },
        },
        **more,
    }


def output_of(step: str) -> dict[str, str]:
    return {"Get": f"Steps.{step}.ProcessingOutputConfig.Outputs['out'].S3Output.S3Uri"}


def definition(*steps: dict[str, Any], parameters: list[dict[str, Any]] | None = None) -> str:
    return json.dumps({"Version": "2020-12-01", "Parameters": parameters or [], "Steps": list(steps)})


class NoRegistry:
    """Keeps nothing but the models that a test puts in."""

    def __init__(self) -> None:
        self.models: dict[str, Mapping[str, Any]] = {}

    def model(self, name: str) -> Mapping[str, Any]:
        return self.models[name]

    def model_package(self, arn: str) -> Mapping[str, Any]:
        return self.models[arn]

    def function(self, name: str) -> tuple[Mapping[str, Any], str]:
        return self.models[name], f"s3://functions/{name}.zip"

    def create_model(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        return {**request, "ModelArn": "arn:model"}

    def create_model_package(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        return {**request, "ModelPackageArn": "arn:package"}


class KeptQueues:
    """What was put on which queue, decoded."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, Any]] = []

    def send(self, url: str, body: str, group: str) -> None:
        if not url.startswith("https://sqs."):
            raise StepBridgeError(f"{url} is no address of an SQS queue", "Mend it.")
        self.messages.append((url, json.loads(body)))


class Code:
    """Digests of code: what a test says, for code objects and for scripts in models."""

    def __init__(self) -> None:
        self.digests: dict[str, str] = {}
        self.scripts: dict[str, list[tuple[str, str]]] = {}

    def code(self, uri: str) -> str | None:
        return self.digests.get(uri)

    def served(self, uri: str) -> list[tuple[str, str]]:
        return self.scripts.get(uri, [])


class Lab:
    """Runs definitions on a fake engine and remembers the events."""

    def __init__(
        self, folder: Path, scripts: Mapping[str, Script], gpus: Literal["auto", "all", "none"] = "auto"
    ) -> None:
        self.engine = FakeEngine(scripts)
        self.gpus = gpus
        self.events: list[AnyEvent] = []
        self.store = ObjectStore(folder / "s3")
        self.journal = Journal(folder / "history.sqlite")
        self.bus = EventBus()
        self.bus.listen(self.events.append)
        self.registry = NoRegistry()
        self.queues = KeptQueues()
        self.code = Code()
        self.images: dict[str, str | None] = {}  # digests of images; others have one of their own
        self.jobs = JobRunner(self._job_services())
        self.executions = Executions(self._run_services(folder / "runs"), asyncio.get_running_loop())

    def _job_services(self) -> JobServices:
        async def engine() -> FakeEngine:
            return self.engine

        return JobServices(
            engine=engine,
            store=self.store,
            image_for=lambda uri: None,
            bus=self.bus,
            sources=NoSources(),
            login=lambda account, region: None,
            debugger=lambda *_: None,
            environment=lambda engine: {"AWS_SECRET_ACCESS_KEY": "hidden"},
            region="us-east-1",
            account="123456789012",
            owner=(os.getuid(), os.getgid()),
            gpus=self.gpus,
        )

    async def _image_digest(self, image: str) -> str | None:
        return self.images.get(image, f"sha256:{image}")

    def _run_services(self, runs: Path) -> RunServices:
        cache = StepCache(self.journal, self.store, self.code, self._image_digest, self.registry)
        arns = Arns("us-east-1", "123456789012")
        return RunServices(
            self.jobs,
            self.journal,
            self.store,
            cache,
            self.bus,
            arns,
            self.registry,
            self.queues,
            runs,
        )

    async def run(
        self, text: str, parameters: Mapping[str, str] | None = None, options: RunOptions | None = None
    ) -> ExecutionRecord:
        record = self.start(text, parameters, options)
        return await self.executions.finished(record.run)

    def start(
        self, text: str, parameters: Mapping[str, str] | None = None, options: RunOptions | None = None
    ) -> ExecutionRecord:
        self.executions.overrides = Overrides(options=lambda record, definition: options or RunOptions())
        pipeline = self.executions.declare("lab", text)
        return self.executions.start(pipeline, parameters or {})

    def statuses(self, record: ExecutionRecord) -> dict[str, str]:
        return {state["name"]: state["status"] for state in self.journal.steps(record.run)}


@pytest.fixture
async def lab(tmp_path: Path) -> Callable[..., Lab]:
    def make(**scripts: Script) -> Lab:
        return Lab(tmp_path, scripts)

    return make
