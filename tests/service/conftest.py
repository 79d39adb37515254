"""A real endpoint on a free port, an in-memory backend, boto3 clients whose answers are checked strictly."""

from __future__ import annotations

import itertools
import json
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from stepbridge.errors import DefinitionError, ParameterError
from stepbridge.jobs.model_client import Invocation
from stepbridge.service import Endpoint, Records, SageMakerApi
from stepbridge.service.backend import JobKind, LogLine
from stepbridge.storage import ObjectStore

REGION = "eu-central-1"
ACCOUNT = "123456789012"
ACCESS_KEY = "AKIASTEPBRIDGETEST01"
SECRET_KEY = "secret/of+the+run"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/StepBridgeExecutionRole"


@dataclass(frozen=True)
class FakePipeline:
    arn: str
    name: str
    definition_text: str
    role_arn: str
    display_name: str | None = None
    description: str | None = None
    parallelism: int | None = None
    created: float = field(default_factory=time.time)
    modified: float = field(default_factory=time.time)
    last_run: float | None = None


@dataclass(frozen=True)
class FakeExecution:
    arn: str
    pipeline_arn: str
    definition_text: str
    parameters: Mapping[str, str]
    role_arn: str = ROLE
    status: str = "Executing"
    display_name: str | None = None
    description: str | None = None
    failure: str = ""
    parallelism: int | None = None
    selective: Mapping[str, Any] | None = None
    token: str | None = None
    created: float = field(default_factory=time.time)
    modified: float = field(default_factory=time.time)


class FakeExecutions:
    """Keeps pipelines and executions in memory; a test moves them along by hand."""

    def __init__(self) -> None:
        self.by_name: dict[str, FakePipeline] = {}
        self.by_arn: dict[str, FakeExecution] = {}
        self.step_lists: dict[str, list[dict[str, Any]]] = {}
        self.described: dict[tuple[str, str], dict[str, Any]] = {}
        self.callbacks: dict[str, str] = {}
        self.calls: list[tuple[Any, ...]] = []
        self._ids = itertools.count(1)

    def create_pipeline(self, name: str, definition_text: str, **fields: Any) -> FakePipeline:
        self._parse(definition_text)
        fields.pop("tags")
        arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:pipeline/{name}"
        self.by_name[name] = FakePipeline(arn, name, definition_text, **fields)
        return self.by_name[name]

    def _parse(self, text: str) -> None:
        try:
            json.loads(text)
        except ValueError as error:
            raise DefinitionError(f"The definition is no JSON: {error}", "Mend it.") from None

    def update_pipeline(self, name: str, **fields: Any) -> FakePipeline:
        if fields.get("definition_text"):
            self._parse(fields["definition_text"])
        changed = {key: value for key, value in fields.items() if value is not None}
        self.by_name[name] = replace(self.by_name[name], modified=time.time(), **changed)
        return self.by_name[name]

    def delete_pipeline(self, name: str) -> None:
        del self.by_name[name]

    def pipeline(self, name: str) -> FakePipeline | None:
        return self.by_name.get(name)

    def pipelines(self) -> Sequence[FakePipeline]:
        return list(self.by_name.values())

    def start(
        self,
        pipeline: FakePipeline,
        parameters: Mapping[str, str],
        *,
        client_token: str | None = None,
        **fields: Any,
    ) -> FakeExecution:
        for known in self.by_arn.values():
            if known.token == client_token:
                return known
        unknown = set(parameters) - {"Rows", "Name"}
        if unknown:
            raise ParameterError(f"Unknown parameters: {sorted(unknown)}", "Did you mean Rows?")
        arn = f"{pipeline.arn}/execution/{next(self._ids):012}"
        self.by_arn[arn] = FakeExecution(
            arn, pipeline.arn, pipeline.definition_text, dict(parameters), token=client_token, **fields
        )
        self.by_name[pipeline.name] = replace(pipeline, last_run=time.time())
        return self.by_arn[arn]

    def move(self, arn: str, **fields: Any) -> None:
        self.by_arn[arn] = replace(self.by_arn[arn], modified=time.time(), **fields)

    def stop(self, arn: str) -> None:
        self.move(arn, status="Stopping")

    def retry(self, arn: str, *, parallelism: int | None = None) -> None:
        self.move(arn, status="Executing", parallelism=parallelism)

    def update_execution(self, arn: str, display_name: str | None, description: str | None) -> None:
        self.move(arn, display_name=display_name, description=description)

    def executions(self, pipeline_name: str) -> Sequence[FakeExecution]:
        arn = self.by_name[pipeline_name].arn
        return [one for one in self.by_arn.values() if one.pipeline_arn == arn]

    def execution(self, arn: str) -> FakeExecution | None:
        return self.by_arn.get(arn)

    def steps(self, arn: str) -> Sequence[Mapping[str, Any]]:
        return self.step_lists.get(arn, [])

    def step_succeeded(self, token: str, outputs: Mapping[str, str]) -> str | None:
        self.calls.append(("succeeded", token, dict(outputs)))
        return self.callbacks.get(token)

    def step_failed(self, token: str, reason: str) -> str | None:
        self.calls.append(("failed", token, reason))
        return self.callbacks.get(token)

    def run_job(self, kind: JobKind, request: Mapping[str, Any]) -> str:
        noun, resource = {
            "training": ("TrainingJob", "training-job"),
            "processing": ("ProcessingJob", "processing-job"),
            "transform": ("TransformJob", "transform-job"),
            "tuning": ("HyperParameterTuningJob", "hyper-parameter-tuning-job"),
        }[kind]
        name = request[f"{noun}Name"]
        arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:{resource}/{name.lower()}"
        now = time.time()
        described = {key: value for key, value in request.items() if key != "Tags"}
        described |= {f"{noun}Arn": arn, f"{noun}Status": "InProgress", "CreationTime": now}
        if kind == "training":
            described |= {
                "SecondaryStatus": "Starting",
                "LastModifiedTime": now,
                "ModelArtifacts": {"S3ModelArtifacts": f"s3://bucket/{name}/output/model.tar.gz"},
            }
        if kind == "tuning":
            counters = {
                "Completed": 0,
                "InProgress": 1,
                "RetryableError": 0,
                "NonRetryableError": 0,
                "Stopped": 0,
            }
            described |= {
                "TrainingJobStatusCounters": counters,
                "ObjectiveStatusCounters": {"Succeeded": 0, "Pending": 1, "Failed": 0},
            }
        self.described[kind, name] = described
        return arn

    def stop_job(self, kind: JobKind, name: str) -> None:
        job = self.described[kind, name]
        status = next(key for key in job if key.endswith("JobStatus"))
        job[status] = "Stopping"

    def job(self, kind: JobKind, name: str) -> Mapping[str, Any] | None:
        return self.described.get((kind, name))

    def jobs(self, kind: JobKind) -> Sequence[Mapping[str, Any]]:
        return [job for (one, _), job in self.described.items() if one == kind]


class FakeServing:
    """Endpoints whose model answers with what it was sent, in upper case."""

    def __init__(self) -> None:
        self.endpoints: dict[str, dict[str, Any]] = {}
        self.models: dict[str, Mapping[str, Any]] = {}
        self.deleted: list[str] = []

    def create(self, name: str, config: Mapping[str, Any], models: Mapping[str, Mapping[str, Any]]) -> None:
        now = time.time()
        self.models[name] = models
        self.endpoints[name] = {
            "EndpointName": name,
            "EndpointArn": f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint/{name}",
            "EndpointConfigName": config["EndpointConfigName"],
            "EndpointStatus": "InService",
            "CreationTime": now,
            "LastModifiedTime": now,
        }

    def update(self, name: str, config: Mapping[str, Any], models: Mapping[str, Mapping[str, Any]]) -> None:
        self.endpoints[name]["EndpointConfigName"] = config["EndpointConfigName"]

    def delete(self, name: str) -> None:
        del self.endpoints[name]
        self.deleted.append(name)

    def describe(self, name: str) -> Mapping[str, Any] | None:
        return self.endpoints.get(name)

    def all(self) -> Sequence[Mapping[str, Any]]:
        return list(self.endpoints.values())

    def invoke(self, name: str, body: Iterator[bytes], headers: Mapping[str, str]) -> Invocation:
        data = b"".join(body)
        if data == b"bad":
            return Invocation(500, {"content-type": "text/plain"}, iter([b"predict_fn failed"]))
        return Invocation(200, {"content-type": headers.get("accept", "text/csv")}, iter([data.upper()]))


class FakeLogs:
    def __init__(self) -> None:
        self.by_stream: dict[tuple[str, str], list[LogLine]] = {}

    def streams(self, group: str, prefix: str) -> Sequence[str]:
        return [name for one, name in self.by_stream if one == group and name.startswith(prefix)]

    def lines(self, group: str, stream: str) -> Sequence[LogLine] | None:
        return self.by_stream.get((group, stream))


@pytest.fixture
def executions() -> FakeExecutions:
    return FakeExecutions()


@pytest.fixture
def serving() -> FakeServing:
    return FakeServing()


@pytest.fixture
def logs() -> FakeLogs:
    return FakeLogs()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ObjectStore]:
    data = tmp_path / "local data"
    data.mkdir()
    (data / "census.csv").write_text("age\n39\n")
    store = ObjectStore(tmp_path / "state" / "s3", data={"s3://public-data/census": data})
    yield store
    store.close()


@pytest.fixture
def endpoint(
    store: ObjectStore, tmp_path: Path, executions: FakeExecutions, serving: FakeServing, logs: FakeLogs
) -> Iterator[Endpoint]:
    records = Records(tmp_path / "state" / "records.sqlite")
    api = SageMakerApi(executions, records, store, region=REGION, account=ACCOUNT, serving=serving)
    endpoint = Endpoint(
        store,
        api,
        access_key=ACCESS_KEY,
        secret_key=SECRET_KEY,
        region=REGION,
        account=ACCOUNT,
        admin_token="admin token",
        logs=logs,
    )
    endpoint.start()
    yield endpoint
    endpoint.stop(0.5)
    records.close()


MakeClient = Callable[..., Any]
_SESSION = boto3.session.Session()  # shared, for the service models it has read


@pytest.fixture
def client(endpoint: Endpoint) -> MakeClient:
    """`client("s3", config=Config(...), access_key=...)`; answers of SageMaker are checked strictly."""

    def make(service: str, access_key: str = ACCESS_KEY, **options: Any) -> Any:
        config = Config(retries={"total_max_attempts": 1}).merge(options.pop("config", Config()))
        made = _SESSION.client(
            service,
            endpoint_url=options.pop("endpoint_url", endpoint.url),
            region_name=REGION,
            aws_access_key_id=access_key,
            aws_secret_access_key=SECRET_KEY,
            config=config,
            **options,
        )
        if service == "sagemaker":
            made.meta.events.register("response-received.sagemaker", _check_response(made))
        return made

    return make


@pytest.fixture
def s3(client: MakeClient) -> Any:
    return client("s3")


@pytest.fixture
def sagemaker(client: MakeClient) -> Any:
    return client("sagemaker")


@pytest.fixture(autouse=True)
def _no_aws_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's own AWS settings must not leak into a test."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


# --- strict check of answers --------------------------------------------------------------------------------


def _check_response(client: Any) -> Callable[..., None]:
    def check(response_dict: Mapping[str, Any], event_name: str, **_: Any) -> None:
        if response_dict["status_code"] != 200:
            return
        operation = event_name.rpartition(".")[2]
        shape = client.meta.service_model.operation_model(operation).output_shape
        body = json.loads(response_dict["body"] or b"{}")
        if shape is None:
            assert body == {}, operation
        else:
            problems = list(walk(shape, body, operation))
            assert not problems, problems

    return check


def walk(shape: Any, value: Any, place: str) -> Iterator[str]:
    """Everything in which a JSON value differs from a shape: unknown and missing members, types, limits."""
    kind = shape.type_name
    if kind == "structure":
        if not isinstance(value, dict):
            yield f"{place}: {value!r} is no structure"
            return
        for name in shape.required_members:
            if name not in value:
                yield f"{place}.{name}: required"
        for name, item in value.items():
            if name not in shape.members:
                yield f"{place}.{name}: unknown"
            else:
                yield from walk(shape.members[name], item, f"{place}.{name}")
    elif kind == "list":
        for index, item in enumerate(value):
            yield from walk(shape.member, item, f"{place}[{index}]")
    elif kind == "map":
        for key, item in value.items():
            yield from walk(shape.key, key, f"{place}.{key}")
            yield from walk(shape.value, item, f"{place}.{key}")
    else:
        yield from _walk_scalar(shape, value, place)


def _walk_scalar(shape: Any, value: Any, place: str) -> Iterator[str]:
    types: dict[str, Any] = {
        "string": str,
        "boolean": bool,
        "integer": int,
        "long": int,
        "timestamp": (int, float),
        "float": (int, float),
        "double": (int, float),
    }
    if not isinstance(value, types[shape.type_name]):
        yield f"{place}: {value!r} is no {shape.type_name}"
        return
    if isinstance(value, str):
        size: float = len(value)
        if shape.enum and value not in shape.enum:
            yield f"{place}: {value!r} is not in {shape.enum}"
        pattern = shape.metadata.get("pattern")
        if pattern and "\\p{" not in pattern and not re.fullmatch(pattern, value):
            yield f"{place}: {value!r} does not match {pattern}"
    else:
        size = value
    if size < shape.metadata.get("min", size) or size > shape.metadata.get("max", size):
        yield f"{place}: {value!r} is out of range"
