"""CreateTrainingJob becomes containers.

The contract of a training container (documentation of the service, "How SageMaker runs your training
image"): `/opt/ml/input/config/*.json`, `/opt/ml/input/data/<channel>`, `/opt/ml/model`, `/opt/ml/output`; the
command is `train` unless the request names its own entry point. `/opt/ml` itself is left to the image, which
may carry `/opt/ml/code`.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from stepbridge.definition.values import did_you_mean
from stepbridge.engines.base import ContainerSpec, Mount
from stepbridge.errors import StepBridgeError
from stepbridge.storage.objects import ObjectStore

from . import remote_function
from .channels import mounts_for
from .drivers import DRIVERS, copy_drivers, entry_script
from .pipes import Pipe, refuse_elsewhere
from .plan import (
    HOMOGENEOUS,
    PAYLOAD_TARGET,
    CodeMapping,
    HostGroup,
    JobContext,
    JobPlan,
    OutputMove,
    Request,
    all_hosts,
    container_name,
    gpus_of,
    host_names,
    read_request,
    resource_config,
    writable,
)
from .remote_function import is_remote_function
from .streams import Stream, units_of

CODE = "/opt/ml/code"
CHANNELS = "/opt/ml/input/data"

# An image with the training toolkit has `train` on its PATH; any other one gets our own runner. Decided
# inside the container, so that no image needs to be looked into beforehand.
_LAUNCH = (
    f"if command -v train >/dev/null 2>&1; then exec train; fi; exec python3 {PAYLOAD_TARGET}/script_mode.py"
)


class S3DataSource(Request, frozen=True, kw_only=True):
    s3_uri: str
    s3_data_type: str = "S3Prefix"
    s3_data_distribution_type: str = "FullyReplicated"
    attribute_names: list[str] = []
    instance_group_names: list[str] = []


class DataSource(Request, frozen=True, kw_only=True):
    s3_data_source: S3DataSource | None = None


class ShuffleConfig(Request, frozen=True, kw_only=True):
    seed: int


class Channel(Request, frozen=True, kw_only=True):
    channel_name: str
    data_source: DataSource
    content_type: str | None = None
    compression_type: str = "None"
    record_wrapper_type: str = "None"
    input_mode: str | None = None
    shuffle_config: ShuffleConfig | None = None


class AlgorithmSpecification(Request, frozen=True, kw_only=True):
    training_image: str = ""
    algorithm_name: str = ""
    training_input_mode: str = "File"
    container_entrypoint: list[str] = []
    container_arguments: list[str] = []
    metric_definitions: list[dict[str, str]] = []


class OutputDataConfig(Request, frozen=True, kw_only=True):
    s3_output_path: str
    compression_type: str = "GZIP"


class InstanceGroup(Request, frozen=True, kw_only=True):
    instance_group_name: str
    instance_type: str = "ml.m5.xlarge"
    instance_count: int = 1


class ResourceConfig(Request, frozen=True, kw_only=True):
    instance_type: str = "ml.m5.xlarge"
    instance_count: int = 1
    instance_groups: list[InstanceGroup] = []

    def groups(self) -> tuple[HostGroup, ...]:
        """The cluster's hosts by group; they are numbered in the order of the groups."""
        if not self.instance_groups:
            return (HostGroup(HOMOGENEOUS, self.instance_type, host_names(max(self.instance_count, 1))),)
        names = iter(host_names(sum(max(group.instance_count, 0) for group in self.instance_groups)))
        return tuple(
            HostGroup(
                group.instance_group_name,
                group.instance_type,
                tuple(itertools.islice(names, max(group.instance_count, 0))),
            )
            for group in self.instance_groups
        )


class StoppingCondition(Request, frozen=True, kw_only=True):
    max_runtime_in_seconds: int = 86_400


class CheckpointConfig(Request, frozen=True, kw_only=True):
    s3_uri: str
    local_path: str = "/opt/ml/checkpoints"


class TrainingRequest(Request, frozen=True, kw_only=True):
    algorithm_specification: AlgorithmSpecification
    output_data_config: OutputDataConfig
    resource_config: ResourceConfig = ResourceConfig()
    stopping_condition: StoppingCondition = StoppingCondition()
    hyper_parameters: dict[str, str] = {}
    input_data_config: list[Channel] = []
    environment: dict[str, str] = {}
    enable_network_isolation: bool = False
    checkpoint_config: CheckpointConfig | None = None
    vpc_config: dict[str, Any] | None = None


def plan_training(request: Mapping[str, Any], context: JobContext) -> JobPlan:
    """The containers of a training job.

    Raises:
        StepBridgeError: the request lacks a member or has one of the wrong type.
        StorageError: an input channel's data is not there.
    """
    job = read_request(TrainingRequest, request, f"training job {context.name}")
    groups = _groups(job, context)
    hosts = all_hosts(groups)
    pipes = _pipes(job, context, groups)
    hyperparameters, code_mounts, code = _script_mode(job, context)
    code_channels, channel_code = _code_channels(job, context)
    calls_function = is_remote_function(job.algorithm_specification.container_entrypoint)
    if calls_function:
        channel_code = remote_function.unpacked(channel_code, context.image_config.workdir)
    containers = tuple(
        _container(job, context, groups, host, hyperparameters, code_mounts, code_channels) for host in hosts
    )
    output = f"{job.output_data_config.s3_output_path.rstrip('/')}/{context.name}/output"
    compressed = job.output_data_config.compression_type != "NONE"
    folders = [context.folder / host for host in hosts]
    return JobPlan(
        containers=containers,
        outputs=(
            OutputMove(
                "model",
                tuple(folder / "model" for folder in folders),
                f"{output}/model.tar.gz" if compressed else f"{output}/model",
                archive=compressed,
                optional=True,
            ),
            OutputMove(
                "output",
                tuple(folder / "output" / "data" for folder in folders),
                f"{output}/output.tar.gz" if compressed else f"{output}/data",
                archive=compressed,
                on_failure=True,
                optional=True,
            ),
        ),
        failure_files={host: context.folder / host / "output" / "failure" for host in hosts},
        time_limit=float(job.stopping_condition.max_runtime_in_seconds),
        scripts=_scripts(hyperparameters, job, context.store),
        code=(*code, *channel_code),
        modules=remote_function.MODULES if calls_function else (),
        internal_network=job.enable_network_isolation,
        notices=("VpcConfig has no meaning on this machine and is ignored",) if job.vpc_config else (),
        pipes=pipes,
    )


def _container(
    job: TrainingRequest,
    context: JobContext,
    groups: tuple[HostGroup, ...],
    host: str,
    hyperparameters: dict[str, str],
    code_mounts: tuple[Mount, ...],
    code_channels: Mapping[str, Mount],
) -> ContainerSpec:
    folder = context.folder / host
    channels = [(channel, _receivers(channel, context, groups)) for channel in job.input_data_config]
    channels = [(channel, receivers) for channel, receivers in channels if host in receivers]
    input_folder = _write_config(job, folder, host, groups, [c for c, _ in channels], hyperparameters)
    mounts = [
        Mount(input_folder, "/opt/ml/input"),
        Mount(writable(folder / "model"), "/opt/ml/model"),
        Mount(writable(folder / "output"), "/opt/ml/output"),
    ]
    writable(folder / "output" / "data")
    for channel, receivers in channels:
        if _mode(channel, job) == "Pipe":
            continue
        writable(input_folder / "data" / channel.channel_name)
        if channel.channel_name in code_channels:
            mounts.append(code_channels[channel.channel_name])
        else:
            mounts += _channel_mounts(channel, context, _shard(channel, host, receivers), folder)
    if job.checkpoint_config:
        kept = writable(context.store.folder(job.checkpoint_config.s3_uri))
        mounts.append(Mount(kept, job.checkpoint_config.local_path))
    entrypoint, command = _command(job, context)
    return ContainerSpec(
        name=container_name(context, host),
        image=context.image,
        entrypoint=entrypoint,
        command=command,
        environment={
            **context.environment,
            "AWS_REGION": context.region,
            "TRAINING_JOB_NAME": context.name,
            "TRAINING_JOB_ARN": context.arn,
            **job.environment,
        },
        mounts=(*mounts, *code_mounts),
        hostname=host,
        network="none" if job.enable_network_isolation and len(all_hosts(groups)) == 1 else None,
        aliases=(host,),
        labels={**context.labels, "stepbridge.host": host},
        gpus=next(gpus_of(group.instance_type) for group in groups if host in group.hosts),
    )


def _write_config(
    job: TrainingRequest,
    folder: Path,
    host: str,
    groups: tuple[HostGroup, ...],
    received: Sequence[Channel],
    hyperparameters: dict[str, str],
) -> Path:
    input_folder = writable(folder / "input")
    config = writable(input_folder / "config")
    channels = {
        channel.channel_name: {
            "TrainingInputMode": "Pipe" if _mode(channel, job) == "Pipe" else "File",  # FastFile says File
            "S3DistributionType": _source(channel).s3_data_distribution_type,
            "RecordWrapperType": channel.record_wrapper_type,
            **({"ContentType": channel.content_type} if channel.content_type else {}),
        }
        for channel in received
    }
    writable(input_folder / "data")
    for name, value in (
        ("hyperparameters.json", hyperparameters),
        ("resourceconfig.json", resource_config(host, groups)),
        ("inputdataconfig.json", channels),
    ):
        (config / name).write_text(json.dumps(value), "utf-8")
    return input_folder


def _source(channel: Channel) -> S3DataSource:
    return channel.data_source.s3_data_source or S3DataSource(s3_uri="")


def _mode(channel: Channel, job: TrainingRequest) -> str:
    return channel.input_mode or job.algorithm_specification.training_input_mode


def _what(channel: Channel, context: JobContext) -> str:
    return f"channel {channel.channel_name} of {context.name}"


def _groups(job: TrainingRequest, context: JobContext) -> tuple[HostGroup, ...]:
    """Raises StepBridgeError for instance groups that make no cluster."""
    groups = job.resource_config.groups()
    names = [group.name for group in groups]
    if twice := {name for name in names if names.count(name) > 1}:
        raise StepBridgeError(
            f"{context.name}: two instance groups have the name {min(twice)}", "Give each its own name."
        )
    if not all_hosts(groups):
        raise StepBridgeError(
            f"{context.name}: its instance groups have no instance", "Set an instance_count above 0."
        )
    return groups


def _receivers(channel: Channel, context: JobContext, groups: tuple[HostGroup, ...]) -> tuple[str, ...]:
    """The hosts that get a channel: all, or those of the groups that it names.

    Raises:
        StepBridgeError: it names a group that the job has not.
    """
    wanted = _source(channel).instance_group_names
    names = [group.name for group in groups]
    for name in wanted:
        if name not in names:
            raise StepBridgeError(
                f"{_what(channel, context)} is for the instance group {name}, which the job has not",
                did_you_mean(name, names),
            )
    return all_hosts(tuple(group for group in groups if not wanted or group.name in wanted))


def _shard(channel: Channel, host: str, receivers: tuple[str, ...]) -> tuple[int, int] | None:
    """(index, hosts) where each host gets a part of the objects; None where it gets all."""
    sharded = _source(channel).s3_data_distribution_type == "ShardedByS3Key"
    return (receivers.index(host), len(receivers)) if sharded and len(receivers) > 1 else None


def _refuse_kind(channel: Channel, mode: str, what: str) -> None:
    """Raises StepBridgeError for data that the service does not offer in that input mode."""
    kind = _source(channel).s3_data_type
    if kind == "AugmentedManifestFile" and mode != "Pipe":
        raise StepBridgeError(
            f"{what}: an AugmentedManifestFile cannot be read in input mode {mode}",
            'Set input_mode="Pipe" on the channel.',
        )
    if kind != "S3Prefix" and mode == "FastFile":
        raise StepBridgeError(
            f"{what}: a {kind} cannot be read in input mode FastFile",
            'Set input_mode="File" on the channel, or s3_data_type="S3Prefix".',
        )


def _pipes(job: TrainingRequest, context: JobContext, groups: tuple[HostGroup, ...]) -> tuple[Pipe, ...]:
    """The pipes of all hosts, for channels in input mode Pipe."""
    pipes = []
    for channel in job.input_data_config:
        what = _what(channel, context)
        _refuse_kind(channel, _mode(channel, job), what)
        if _mode(channel, job) != "Pipe":
            continue
        refuse_elsewhere(what)
        stream = _stream(channel, context, what)
        receivers = _receivers(channel, context, groups)
        pipes += [
            Pipe(
                context.folder / host / "input" / "data",
                channel.channel_name,
                replace(stream, shard=_shard(channel, host, receivers)).epoch,
            )
            for host in receivers
        ]
    return tuple(pipes)


def _stream(channel: Channel, context: JobContext, what: str) -> Stream:
    source = _source(channel)
    return Stream(
        what,
        units_of(
            context.store,
            source.s3_uri,
            what=what,
            kind=source.s3_data_type,
            attributes=tuple(source.attribute_names),
        ),
        compressed=channel.compression_type == "Gzip",
        record_io=channel.record_wrapper_type == "RecordIO",
        seed=channel.shuffle_config.seed if channel.shuffle_config else None,
    )


def _channel_mounts(
    channel: Channel, context: JobContext, shard: tuple[int, int] | None, folder: Path
) -> tuple[Mount, ...]:
    source = _source(channel)
    return mounts_for(
        context.store,
        source.s3_uri,
        f"{CHANNELS}/{channel.channel_name}",
        staging=folder / "channels" / channel.channel_name,
        what=_what(channel, context),
        kind=source.s3_data_type,
        shard=shard,
    )


def _code_channels(
    job: TrainingRequest, context: JobContext
) -> tuple[dict[str, Mount], tuple[CodeMapping, ...]]:
    """Channels that hold code (SDK v3 uploads drivers and source folders so), as the workspace has it now.

    They can be written to, as every channel of the service can: the drivers' command makes one executable.
    """
    mounts: dict[str, Mount] = {}
    mappings: list[CodeMapping] = []
    for channel in job.input_data_config:
        copy = context.folder / "code" / channel.channel_name
        uri = _source(channel).s3_uri
        found = context.sources.materialize(uri, copy)
        if found is None and channel.channel_name == DRIVERS:
            found = ()
            copy_drivers(context.store, uri, copy)
        if found is not None:
            target = f"{CHANNELS}/{channel.channel_name}"
            mounts[channel.channel_name] = Mount(writable(copy), target)
            mappings += [CodeMapping(item.local, f"{target}/{item.remote}") for item in found]
    return mounts, tuple(mappings)


def _script_mode(
    job: TrainingRequest, context: JobContext
) -> tuple[dict[str, str], tuple[Mount, ...], tuple[CodeMapping, ...]]:
    """Hyperparameters, mounts and mappings of a script-mode job, or of one that calls a pickled function.

    The toolkit takes a folder as `sagemaker_submit_directory` and leaves it where it is when that is its own
    code folder: so the code lies in place at once and no container needs S3 to get it.
    """
    values = dict(job.hyper_parameters)
    runner = Mount(context.payload, PAYLOAD_TARGET, read_only=True)
    if is_remote_function(job.algorithm_specification.container_entrypoint):
        sources = remote_function.sources_of(
            context.store, job.algorithm_specification.container_arguments, context.workspace
        )
        return values, (*remote_function.mounts_of(sources), runner), sources
    uri = _unquoted(values.get("sagemaker_submit_directory", ""))
    if not uri or uri.startswith("/"):
        return values, (), ()
    copy = writable(context.folder / "code" / "submit")
    found = context.sources.unpack(uri, copy)
    values["sagemaker_submit_directory"] = json.dumps(CODE)
    mappings = tuple(CodeMapping(item.local, f"{CODE}/{item.remote}") for item in found or ())
    return values, (Mount(copy, CODE), runner), mappings


def _command(job: TrainingRequest, context: JobContext) -> tuple[tuple[str, ...] | None, tuple[str, ...]]:
    algorithm = job.algorithm_specification
    arguments = tuple(algorithm.container_arguments)
    if is_remote_function(algorithm.container_entrypoint):
        step = context.labels.get("stepbridge.step") or context.name
        return remote_function.checked(algorithm.container_entrypoint, step, context.image), arguments
    if algorithm.container_entrypoint:
        return tuple(algorithm.container_entrypoint), arguments
    if context.image_config.entrypoint or "sagemaker_program" not in job.hyper_parameters:
        return None, ("train", *arguments)
    return ("/bin/sh", "-c", _LAUNCH), arguments


def _scripts(hyperparameters: Mapping[str, str], job: TrainingRequest, store: ObjectStore) -> tuple[str, ...]:
    program = _unquoted(hyperparameters.get("sagemaker_program", ""))
    if program:
        return (f"{CODE}/{os.path.normpath(program)}",)
    drivers = next((_source(c).s3_uri for c in job.input_data_config if c.channel_name == DRIVERS), None)
    if drivers and (entry := entry_script(store, drivers)):
        return (f"{CHANNELS}/code/{os.path.normpath(entry)}",)
    return tuple(
        part for part in job.algorithm_specification.container_entrypoint[1:] if part.endswith(".py")
    )


def _unquoted(value: str) -> str:
    """SDKs write hyperparameter values as JSON strings; a few leave the quotes off (RepackModel's own)."""
    try:
        decoded = json.loads(value)
    except ValueError:
        return value
    return decoded if isinstance(decoded, str) else value
