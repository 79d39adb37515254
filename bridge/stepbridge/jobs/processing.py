"""CreateProcessingJob becomes containers.

The contract (documentation of the service, "How Amazon SageMaker Processing runs your processing container
image"): `/opt/ml/config/*.json`, every input and output at its LocalPath, the request's entry point and
arguments, the image's own working folder.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from stepbridge.engines.base import ContainerSpec, Mount

from .channels import mounts_for
from .plan import (
    HOMOGENEOUS,
    CodeMapping,
    HostGroup,
    JobContext,
    JobPlan,
    OutputMove,
    Request,
    container_name,
    gpus_of,
    host_names,
    read_request,
    resource_config,
    writable,
)


class S3Input(Request, frozen=True, kw_only=True):
    s3_uri: str
    local_path: str
    s3_data_type: str = "S3Prefix"
    s3_input_mode: str = "File"
    s3_data_distribution_type: str = "FullyReplicated"


class ProcessingInput(Request, frozen=True, kw_only=True):
    input_name: str
    s3_input: S3Input | None = None
    dataset_definition: dict[str, Any] | None = None


class S3Output(Request, frozen=True, kw_only=True):
    s3_uri: str
    local_path: str
    s3_upload_mode: str = "EndOfJob"


class ProcessingOutput(Request, frozen=True, kw_only=True):
    output_name: str
    s3_output: S3Output | None = None


class OutputConfig(Request, frozen=True, kw_only=True):
    outputs: list[ProcessingOutput] = []


class AppSpecification(Request, frozen=True, kw_only=True):
    image_uri: str
    container_entrypoint: list[str] = []
    container_arguments: list[str] = []


class ClusterConfig(Request, frozen=True, kw_only=True):
    instance_count: int = 1
    instance_type: str = "ml.m5.xlarge"


class Resources(Request, frozen=True, kw_only=True):
    cluster_config: ClusterConfig = ClusterConfig()


class Network(Request, frozen=True, kw_only=True):
    enable_network_isolation: bool = False
    vpc_config: dict[str, Any] | None = None


class Stopping(Request, frozen=True, kw_only=True):
    max_runtime_in_seconds: int = 86_400


class ProcessingRequest(Request, frozen=True, kw_only=True):
    app_specification: AppSpecification
    processing_inputs: list[ProcessingInput] = []
    processing_output_config: OutputConfig = OutputConfig()
    processing_resources: Resources = Resources()
    environment: dict[str, str] = {}
    network_config: Network = Network()
    stopping_condition: Stopping = Stopping()


class _Code(Struct, frozen=True):
    """Inputs that hold code of the workspace: shown as the workspace has it now, writable as in the cloud."""

    mounts: Mapping[str, Mount]  # by input name
    mappings: tuple[CodeMapping, ...]


def plan_processing(request: Mapping[str, Any], context: JobContext) -> JobPlan:
    """The containers of a processing job.

    Raises:
        StepBridgeError: the request lacks a member or has one of the wrong type.
        StorageError: an input's data is not there.
    """
    job = read_request(ProcessingRequest, request, f"processing job {context.name}")
    hosts = host_names(max(job.processing_resources.cluster_config.instance_count, 1))
    code = _code(job, context)
    return JobPlan(
        containers=tuple(
            _container(job, request, context, hosts, index, code) for index in range(len(hosts))
        ),
        outputs=tuple(
            OutputMove(
                output.output_name,
                tuple(context.folder / host / "outputs" / output.output_name for host in hosts),
                output.s3_output.s3_uri,
            )
            for output in job.processing_output_config.outputs
            if output.s3_output and output.s3_output.s3_upload_mode != "Continuous"
        ),
        failure_files={host: context.folder / host / "output" / "failure" for host in hosts},
        time_limit=float(job.stopping_condition.max_runtime_in_seconds),
        scripts=_scripts(job),
        code=code.mappings,
        internal_network=job.network_config.enable_network_isolation,
        notices=_notices(job),
    )


def _code(job: ProcessingRequest, context: JobContext) -> _Code:
    mounts: dict[str, Mount] = {}
    mappings: list[CodeMapping] = []
    for item in job.processing_inputs:
        if item.s3_input is None:
            continue
        copy = context.folder / "code" / item.input_name
        found = context.sources.materialize(item.s3_input.s3_uri, copy)
        if found is not None:
            target = item.s3_input.local_path.rstrip("/")
            mounts[item.input_name] = Mount(writable(copy), target)
            mappings += [CodeMapping(file.local, f"{target}/{file.remote}") for file in found]
    return _Code(mounts, tuple(mappings))


def _container(
    job: ProcessingRequest,
    request: Mapping[str, Any],
    context: JobContext,
    hosts: tuple[str, ...],
    index: int,
    code: _Code,
) -> ContainerSpec:
    host = hosts[index]
    folder = context.folder / host
    config = writable(folder / "config")
    instance_type = job.processing_resources.cluster_config.instance_type
    description = {"ProcessingJobArn": context.arn, "ProcessingJobName": context.name, **request}
    (config / "processingjobconfig.json").write_text(json.dumps(description, default=str), "utf-8")
    (config / "resourceconfig.json").write_text(
        json.dumps(resource_config(host, (HostGroup(HOMOGENEOUS, instance_type, hosts),))), "utf-8"
    )
    mounts = [Mount(config, "/opt/ml/config"), Mount(writable(folder / "output"), "/opt/ml/output")]
    for item in job.processing_inputs:
        mounts += (
            (code.mounts[item.input_name],)
            if item.input_name in code.mounts
            else _input_mounts(item, context, index, len(hosts))
        )
    mounts += [_output_mount(output, context, host) for output in job.processing_output_config.outputs]
    app = job.app_specification
    isolated = job.network_config.enable_network_isolation
    return ContainerSpec(
        name=container_name(context, host),
        image=context.image,
        entrypoint=tuple(app.container_entrypoint) or None,
        command=tuple(app.container_arguments) or (() if app.container_entrypoint else None),
        environment={**context.environment, "AWS_REGION": context.region, **job.environment},
        mounts=tuple(mounts),
        hostname=host,
        network="none" if isolated and len(hosts) == 1 else None,
        aliases=(host,),
        labels={**context.labels, "stepbridge.host": host},
        gpus=gpus_of(job.processing_resources.cluster_config.instance_type),
    )


def _input_mounts(item: ProcessingInput, context: JobContext, index: int, hosts: int) -> tuple[Mount, ...]:
    if item.s3_input is None:
        return ()
    sharded = item.s3_input.s3_data_distribution_type == "ShardedByS3Key" and hosts > 1
    return mounts_for(
        context.store,
        item.s3_input.s3_uri,
        item.s3_input.local_path,
        staging=context.folder / f"algo-{index + 1}" / "inputs" / item.input_name,
        what=f"input {item.input_name} of {context.name}",
        kind=item.s3_input.s3_data_type,
        shard=(index, hosts) if sharded else None,
    )


def _output_mount(output: ProcessingOutput, context: JobContext, host: str) -> Mount:
    """Outputs are collected at the end, or, in mode Continuous, written where they belong at once."""
    assert output.s3_output is not None
    target = output.s3_output.local_path
    if output.s3_output.s3_upload_mode == "Continuous":
        return Mount(writable(context.store.folder(output.s3_output.s3_uri)), target)
    return Mount(writable(context.folder / host / "outputs" / output.output_name), target)


def _scripts(job: ProcessingRequest) -> tuple[str, ...]:
    """Python files that the entry point names; FrameworkProcessor's runproc.sh hides its own."""
    entry = job.app_specification.container_entrypoint
    return tuple(part for part in entry if part.endswith(".py"))


def _notices(job: ProcessingRequest) -> tuple[str, ...]:
    notes = []
    if job.network_config.vpc_config:
        notes.append("VpcConfig has no meaning on this machine and is ignored")
    notes += [
        f"input {item.input_name}: DatasetDefinition cannot be read here and is left out"
        for item in job.processing_inputs
        if item.dataset_definition and item.s3_input is None
    ]
    notes += [
        f"input {item.input_name}: processing jobs have files here, not pipes: {item.s3_input.local_path}"
        for item in job.processing_inputs
        if item.s3_input and item.s3_input.s3_input_mode == "Pipe"
    ]
    return tuple(notes)
