"""CreateTransformJob becomes a serving container and a client that sends it the input, record by record.

Outputs are written as `<input file>.out` below S3OutputPath, in the folders in which the inputs lay (API
reference, TransformOutput). One container serves, whatever the instance count: the answers are the same.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast

from msgspec import Struct

from stepbridge.errors import StepBridgeError

from .channels import objects_of
from .collect import last_exception
from .json_path import JsonPath
from .model_client import Answer, ask_pipeline, broken, execution_parameters, until_ready, within
from .plan import JobContext, JobFailure, JobPlan, ModelServer, OutputMove, Request, read_request, writable
from .records import Batch, DataProcessing, batches, split
from .serving import Model, serving_containers

_LONGEST_JOB = 5 * 86_400.0  # seconds; the service's quota
_SHOWN = 200  # characters of a server's answer in a failure reason
_SENT_AGAIN = (429, 502, 503, 504)  # what another attempt may mend when nobody asked for attempts


class S3DataSource(Request, frozen=True, kw_only=True):
    s3_uri: str
    s3_data_type: str = "S3Prefix"


class DataSource(Request, frozen=True, kw_only=True):
    s3_data_source: S3DataSource


class TransformInput(Request, frozen=True, kw_only=True):
    data_source: DataSource
    content_type: str = ""
    compression_type: str = "None"
    split_type: str = "None"


class TransformOutput(Request, frozen=True, kw_only=True):
    s3_output_path: str
    accept: str = ""
    assemble_with: str = "None"


class TransformResources(Request, frozen=True, kw_only=True):
    instance_type: str = "ml.m5.xlarge"
    instance_count: int = 1


class DataProcessingRequest(Request, frozen=True, kw_only=True):
    input_filter: str = "$"
    output_filter: str = "$"
    join_source: str = "None"


class ModelClientConfig(Request, frozen=True, kw_only=True):
    invocations_timeout_in_seconds: int = 600
    invocations_max_retries: int | None = None


class TransformRequest(Request, frozen=True, kw_only=True):
    transform_input: TransformInput
    transform_output: TransformOutput
    transform_resources: TransformResources = TransformResources()
    max_concurrent_transforms: int | None = None
    max_payload_in_mb: int | None = None  # named MaxPayloadInMB on the wire, see `_read`
    batch_strategy: str | None = None
    environment: dict[str, str] = {}
    data_processing: DataProcessingRequest = DataProcessingRequest()
    model_client_config: ModelClientConfig = ModelClientConfig()


def plan_transform(model: Model, request: Mapping[str, Any], context: JobContext) -> JobPlan:
    """The containers and the client of a transform job of `model`.

    Raises:
        StepBridgeError: the request lacks a member, or one does not fit the others.
        StorageError: the input or the model's artifacts are not there.
    """
    job = _read(request, context.name)
    source = job.transform_input.data_source.s3_data_source
    inputs = objects_of(
        context.store, source.s3_uri, what=f"the input of {context.name}", kind=source.s3_data_type
    )
    outputs = writable(context.folder / "algo-1" / "transformed")
    model.refuse_in_batch(f"transform job {context.name}")
    environment = {**_environment(job), **job.environment}
    served = serving_containers(
        model, context, environment, instance_type=job.transform_resources.instance_type
    )
    client = _Client(job, _processing(job, context.name), tuple(inputs), outputs, model.hosts)
    notices = list(served.notices)
    if job.transform_resources.instance_count > 1:
        notices.append(f"{context.name}: one instance serves, not {job.transform_resources.instance_count}")
    return JobPlan(
        containers=served.specs,
        outputs=(OutputMove("output", (outputs,), job.transform_output.s3_output_path.rstrip("/")),),
        failure_files={},
        time_limit=_LONGEST_JOB,
        scripts=served.scripts,
        code=served.code,
        notices=tuple(notices),
        client=client.run,
        debug_environment=served.debug_environment,
    )


def _read(request: Mapping[str, Any], name: str) -> TransformRequest:
    known = dict(request)
    known["MaxPayloadInMb"] = known.pop("MaxPayloadInMB", None)
    known = {key: value for key, value in known.items() if value is not None}
    return read_request(TransformRequest, known, f"transform job {name}")


def _processing(job: TransformRequest, name: str) -> DataProcessing:
    """Raises StepBridgeError for what the service refuses as well."""
    asked = job.data_processing
    by_line = job.transform_input.split_type == "Line"
    result = DataProcessing(
        JsonPath.parse(asked.input_filter),
        JsonPath.parse(asked.output_filter),
        asked.join_source == "Input",
        by_line,
    )
    if result.shapes_output and by_line and job.transform_output.assemble_with != "Line":
        raise StepBridgeError(
            f"transform job {name}: filters and joins with SplitType Line need AssembleWith Line",
            'Set assemble_with="Line".',
        )
    return result


def _environment(job: TransformRequest) -> dict[str, str]:
    """What the service tells a server about its batch job."""
    values = {"SAGEMAKER_BATCH": "True"}
    if job.max_payload_in_mb is not None:
        values["SAGEMAKER_MAX_PAYLOAD_IN_MB"] = str(job.max_payload_in_mb)
    if job.batch_strategy:
        names = {"SingleRecord": "SINGLE_RECORD", "MultiRecord": "MULTI_RECORD"}
        values["SAGEMAKER_BATCH_STRATEGY"] = names.get(job.batch_strategy, job.batch_strategy)
    if job.max_concurrent_transforms and job.max_concurrent_transforms > 1:
        values["SAGEMAKER_MAX_CONCURRENT_TRANSFORMS"] = str(job.max_concurrent_transforms)
    return values


class _Limits(Struct, frozen=True):
    """What the request leaves open is the server's word (/execution-parameters), or the service's default."""

    concurrent: int
    several: bool
    payload: int  # bytes, 0: any

    @classmethod
    def of(cls, job: TransformRequest, said: Mapping[str, Any]) -> _Limits:
        concurrent = job.max_concurrent_transforms or int(said.get("MaxConcurrentTransforms") or 1)
        strategy = job.batch_strategy or said.get("BatchStrategy") or "MultiRecord"
        megabytes = job.max_payload_in_mb
        if megabytes is None:
            megabytes = int(said.get("MaxPayloadInMB", 6))
        return cls(concurrent, str(strategy).replace("_", "").lower() == "multirecord", megabytes * 2**20)


class _Client(Struct, frozen=True):
    """The job's work on its model server."""

    job: TransformRequest
    processing: DataProcessing
    inputs: tuple[tuple[str, Path], ...]
    outputs: Path
    hosts: tuple[str, ...]  # of the model's containers

    async def run(self, server: ModelServer) -> None:
        """Transform every input. Raises JobFailure."""
        await until_ready(server)
        limits = _Limits.of(self.job, await execution_parameters(server))
        for relative, path in self.inputs:
            target = self.outputs / f"{relative}.out"
            if not target.resolve().is_relative_to(self.outputs.resolve()):
                raise JobFailure(f"ClientError: {relative} leads out of the output folder.")
            target.parent.mkdir(parents=True, exist_ok=True)
            with self._open(path) as source, target.open("wb") as file:
                await self._transform(source, file, relative, limits, server)

    def _open(self, path: Path) -> BinaryIO:
        if self.job.transform_input.compression_type == "Gzip":
            import gzip

            return cast(BinaryIO, gzip.open(path, "rb"))
        return path.open("rb")

    async def _transform(
        self, source: BinaryIO, file: BinaryIO, name: str, limits: _Limits, server: ModelServer
    ) -> None:
        """One file: up to `concurrent` requests at the same time, answers in the order of the input."""
        waiting = self._batches(source, limits)
        asked: deque[tuple[Batch, asyncio.Task[Answer]]] = deque()
        try:
            while True:
                while len(asked) < limits.concurrent:
                    batch = await asyncio.to_thread(next, waiting, None)
                    if batch is None:
                        break
                    asked.append((batch, asyncio.create_task(self._invoke(batch, name, server))))
                if not asked:
                    return
                batch, task = asked.popleft()
                await asyncio.to_thread(self._write, file, batch, await task)
        except (OSError, EOFError) as error:
            raise JobFailure(f"ClientError: {name} cannot be read: {error}.") from None
        finally:
            for _, task in asked:
                task.cancel()

    def _batches(self, source: BinaryIO, limits: _Limits) -> Iterator[Batch]:
        given = self.job.transform_input
        records = (
            (record, self.processing.sent(record, given.content_type))
            for record in split(source, given.split_type)
        )
        several = limits.several and given.split_type != "None"
        return batches(records, several=several, limit=limits.payload)

    async def _invoke(self, batch: Batch, name: str, server: ModelServer) -> Answer:
        """One request; again where another attempt may mend it, or the request asked for attempts."""
        config = self.job.model_client_config
        headers = {
            header: value
            for header, value in (
                ("Content-Type", self.job.transform_input.content_type),
                ("Accept", self.job.transform_output.accept),
            )
            if value
        }
        retries = 3 if config.invocations_max_retries is None else config.invocations_max_retries
        while True:
            work = asyncio.to_thread(ask_pipeline, server.ports, batch.body, headers)
            try:
                answer = await within(float(config.invocations_timeout_in_seconds), work, server)
            except TimeoutError:
                raise JobFailure(
                    f"AlgorithmError: /invocations did not answer for {name} within "
                    f"{config.invocations_timeout_in_seconds} seconds (InvocationsTimeoutInSeconds)."
                ) from None
            except broken() as error:
                raise JobFailure(
                    f"AlgorithmError: the model server broke the connection for {name}: {error!r}."
                ) from None
            if answer.status == 200:
                return answer
            asked_for = config.invocations_max_retries is not None and answer.status >= 500
            if retries == 0 or not (asked_for or answer.status in _SENT_AGAIN):
                raise self._refused(answer, name)
            retries -= 1

    def _refused(self, answer: Answer, name: str) -> JobFailure:
        text = answer.body.decode("utf-8", "replace").strip()
        who = "ClientError" if answer.status < 500 else "AlgorithmError"
        text = "" if text.startswith("<") else last_exception(text.splitlines()) or text[:_SHOWN]
        said = f": {text}" if text else ""
        host = self.hosts[answer.container]
        where = f" of {host}" if len(self.hosts) > 1 else ""
        return JobFailure(f"{who}: /invocations{where} answered {answer.status} for {name}{said}.", host)

    def _write(self, file: BinaryIO, batch: Batch, answer: Answer) -> None:
        accept = self.job.transform_output.accept or answer.content_type
        kept = self.processing.kept(batch, answer.body, self.job.transform_input.content_type, accept)
        file.write(kept)
        if self.job.transform_output.assemble_with == "Line" and not kept.endswith(b"\n"):
            file.write(b"\n")


TransformPlanner = partial[JobPlan]


def planner_for(model: Model) -> TransformPlanner:
    """The planner of transform jobs of one model."""
    return partial(plan_transform, model)
