"""Rules that know what a job's arguments mean to each other (J133 to J150)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from stepbridge.definition.references import JOIN
from stepbridge.definition.values import JSON, UNKNOWN, Pointer, kind, shown, templated

from .arguments import report_by_kind
from .findings import Edit, Fix, Report, remove, replace
from .model import Mismatch, Pipeline, StepView
from .registry import rule

_PROCESSING = ("Processing", "QualityCheck", "ClarifyCheck")
_TRAINING = ("Training",)
_ROOT = "/opt/ml/processing"


def _known(container: JSON, *keys: str) -> JSON:
    """The value at a path of keys; None when absent, UNKNOWN when it may be there unseen."""
    for key in keys:
        if container is UNKNOWN:
            return UNKNOWN
        if not isinstance(container, dict):
            return None
        container = container.get(key, UNKNOWN if UNKNOWN in container else None)
    return container


def _objects(step: StepView, *keys: str) -> Iterator[tuple[Pointer, dict[Any, JSON]]]:
    """The objects of an array in a step's arguments, with their pointers."""
    items = _known(step.arguments, *keys)
    for index, item in enumerate(items if isinstance(items, list) else ()):
        if isinstance(item, dict):
            yield (*step.pointer, "Arguments", *keys, index), item


_NAMED = (
    (("ProcessingInputs",), "InputName"),
    (("ProcessingOutputConfig", "Outputs"), "OutputName"),
    (("InputDataConfig",), "ChannelName"),
)


@rule(
    "J133",
    "error",
    "Duplicate input, output or channel",
    on="step",
    types=(*_PROCESSING, *_TRAINING),
    example='{"Outputs": [{"OutputName": "o"}, {"OutputName": "o"}]}',
    source="V: the SDK writes both",
)
def duplicate_names(pipeline: Pipeline, step: StepView) -> Iterator[Report]:
    """Names of inputs, outputs and channels are unique within a step."""
    for keys, name_key in _NAMED:
        seen: dict[str, Pointer] = {}
        for pointer, item in _objects(step, *keys):
            name = item.get(name_key)
            if not isinstance(name, str):
                continue
            if name in seen:
                place = (*pointer, name_key)
                related = ((seen[name], "The first one."),)
                yield Report(f"There are two of {name_key} {shown(name)}.", place, related=related)
            seen.setdefault(name, (*pointer, name_key))


def _local_paths(step: StepView) -> Iterator[tuple[str, Pointer, str]]:
    for keys, part, what in (
        (("ProcessingInputs",), "S3Input", "input"),
        (("ProcessingOutputConfig", "Outputs"), "S3Output", "output"),
    ):
        for pointer, item in _objects(step, *keys):
            path = _known(item, part, "LocalPath")
            if isinstance(path, str) and not templated(path):
                yield what, (*pointer, part, "LocalPath"), path


@rule(
    "J134",
    "warning",
    "Path of a processing input or output",
    on="step",
    types=_PROCESSING,
    example='{"S3Output": {"LocalPath": "/tmp/x"}}',
    source="D; V: the SDK accepts any",
)
def local_path(pipeline: Pipeline, step: StepView) -> Iterator[Report]:
    """Inputs and outputs of processing jobs lie under /opt/ml/processing."""
    for what, pointer, path in _local_paths(step):
        if path != _ROOT and not path.startswith(_ROOT + "/"):
            yield Report(f"The LocalPath of an {what} must be under {_ROOT}, not {shown(path)}.", pointer)


@rule(
    "J135",
    "warning",
    "Same path twice",
    on="step",
    types=_PROCESSING,
    example="(two outputs with the same LocalPath)",
    source="that one hides the other",
)
def same_path(pipeline: Pipeline, step: StepView) -> Iterator[Report]:
    """Two inputs, or two outputs, do not share a LocalPath."""
    seen: dict[tuple[str, str], Pointer] = {}
    for what, pointer, path in _local_paths(step):
        key = (what, path.rstrip("/"))
        if key in seen:
            related = ((seen[key], "The first one."),)
            yield Report(f"Two {what}s have the LocalPath {shown(path)}.", pointer, related=related)
        seen.setdefault(key, pointer)


@rule(
    "J136",
    "warning",
    "Odd S3 address",
    on="document",
    example='"s3://My_Bucket//x"',
    source="D: S3 bucket naming rules",
)
def odd_address(pipeline: Pipeline) -> Iterator[Report]:
    """A bucket's name is 3 to 63 lower-case letters, digits, dots and hyphens; a key has no empty folders."""
    for pointer, address in pipeline.addresses:
        bucket, _, key = address[5:].partition("/")
        if any(mark in bucket for mark in "<>{}$*") or not bucket:
            continue  # a placeholder
        if not re.fullmatch(r"[a-z0-9][a-z0-9.\-]{1,61}[a-z0-9]", bucket):
            yield Report(f"{shown(bucket)} is no legal name of a bucket.", pointer)
        elif "//" in f"/{key}":
            single = f"s3://{bucket}/" + re.sub("/+", "/", key).lstrip("/")
            yield Report(
                f"{shown(address)} has an empty folder: // is not the same as /.",
                pointer,
                fix=replace(pointer, single, "Use single slashes"),
            )


_ECR = re.compile(r"\d{12}\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com")
_REGIONAL_ARN = re.compile(r"arn:aws[a-z-]*:(?:lambda|sqs):([a-z0-9-]+):\d{12}:")


@rule(
    "J137",
    "information",
    "Several regions",
    on="document",
    example="(an image of us-east-1 in a pipeline whose other images are of eu-west-1)",
    source="that a job pulls images of its own region",
    default=False,
)
def several_regions(pipeline: Pipeline) -> Iterator[Report]:
    """Images and functions of a pipeline come from one region."""
    first: str | None = None
    for pointer, text in _strings(pipeline):
        match = _ECR.match(text) or _REGIONAL_ARN.match(text)
        if match is None:
            continue
        first = first or match.group(1)
        if match.group(1) != first:
            yield Report(f"This is of region {match.group(1)}, others are of {first}.", pointer)


def _strings(pipeline: Pipeline) -> Iterator[tuple[Pointer, str]]:
    """Every string in the steps of the top level, with its pointer."""
    steps = pipeline.document.get("Steps")
    pending: list[tuple[Pointer, JSON]] = [(("Steps",), steps)]
    while pending:
        pointer, node = pending.pop()
        if isinstance(node, str):
            yield pointer, node
        elif len(pointer) > 200:
            continue
        elif isinstance(node, dict):
            pending.extend(((*pointer, key), node[key]) for key in reversed(node))
        elif isinstance(node, list):
            pending.extend(((*pointer, i), node[i]) for i in range(len(node) - 1, -1, -1))


@rule(
    "J138",
    "error",
    "Spot training",
    on="step",
    types=_TRAINING,
    example='{"EnableManagedSpotTraining": true, '
    '"StoppingCondition": {"MaxRuntimeInSeconds": 9, "MaxWaitTimeInSeconds": 5}}',
    source="D CreateTrainingJob: StoppingCondition",
)
def spot_training(pipeline: Pipeline, step: StepView) -> Iterator[Report]:
    """Spot training waits at least as long as it may run, and only spot training waits."""
    spot = _known(step.arguments, "EnableManagedSpotTraining")
    run = _known(step.arguments, "StoppingCondition", "MaxRuntimeInSeconds")
    wait = _known(step.arguments, "StoppingCondition", "MaxWaitTimeInSeconds")
    place = (*step.pointer, "Arguments", "StoppingCondition")
    if isinstance(wait, int) and spot in (None, False):
        yield Report(
            "MaxWaitTimeInSeconds needs EnableManagedSpotTraining.", (*place, "MaxWaitTimeInSeconds"), True
        )
    elif isinstance(wait, int) and isinstance(run, int) and wait < run:
        message = f"MaxWaitTimeInSeconds ({wait}) must not be less than MaxRuntimeInSeconds ({run})."
        yield Report(message, (*place, "MaxWaitTimeInSeconds"))
    elif spot is True and wait is None and "Arguments" in step.raw:
        where = (*step.pointer, "Arguments", "EnableManagedSpotTraining")
        yield Report("Spot training needs MaxWaitTimeInSeconds.", where, severity="warning")


@rule(
    "J139",
    "error",
    "Instance groups and instance type",
    on="step",
    types=_TRAINING,
    example='{"ResourceConfig": {"InstanceGroups": [G], "InstanceType": "ml.m5.large"}}',
    source="D ResourceConfig",
)
def instance_groups(pipeline: Pipeline, step: StepView) -> Iterator[Report]:
    """A cluster is described by InstanceGroups, or by InstanceType and InstanceCount."""
    config = _known(step.arguments, "ResourceConfig")
    if not isinstance(config, dict) or not config.get("InstanceGroups"):
        return
    for key in ("InstanceType", "InstanceCount"):
        if config.get(key) is not None and not (key == "InstanceCount" and config[key] == 0):
            pointer = (*step.pointer, "Arguments", "ResourceConfig", key)
            fix = remove(pointer, f"Remove {key}")
            yield Report(f"{key} cannot be given together with InstanceGroups.", pointer, True, fix)


@rule(
    "J140",
    "error",
    "Training image and algorithm name",
    on="step",
    types=_TRAINING,
    example='{"AlgorithmSpecification": {"TrainingInputMode": "File"}}',
    source="D AlgorithmSpecification",
)
def algorithm(pipeline: Pipeline, step: StepView) -> Iterator[Report]:
    """A training job has a TrainingImage or an AlgorithmName, and not both."""
    found = _known(step.arguments, "AlgorithmSpecification")
    if not isinstance(found, dict):
        return
    place = (*step.pointer, "Arguments", "AlgorithmSpecification")
    given = [key for key in ("TrainingImage", "AlgorithmName") if found.get(key) is not None]
    if len(given) == 2:
        yield Report(
            "TrainingImage and AlgorithmName cannot be given together.", (*place, "AlgorithmName"), True
        )
    elif not given and UNKNOWN not in found:
        yield Report("The training job has neither TrainingImage nor AlgorithmName.", place, at_key=True)


@rule(
    "J141",
    "error",
    "Containers of a model",
    on="step",
    types=("Model",),
    example='{"Type": "Model", "Arguments": {"PrimaryContainer": C, "Containers": [C]}}',
    source="D CreateModel",
)
def containers(pipeline: Pipeline, step: StepView) -> Iterator[Report]:
    """A model has a PrimaryContainer or Containers."""
    arguments = step.raw.get("Arguments")
    if not isinstance(arguments, dict):
        return
    place = (*step.pointer, "Arguments")
    given = [key for key in ("PrimaryContainer", "Containers") if arguments.get(key)]
    if len(given) == 2:
        yield Report(
            "PrimaryContainer and Containers cannot be given together.", (*place, "Containers"), True
        )
    elif not given and UNKNOWN not in arguments:
        message = f"{step.label} has neither PrimaryContainer nor Containers."
        yield Report(message, place, at_key=True, severity="warning")


@rule(
    "J142",
    "error",
    "Tuning job",
    on="step",
    types=("Tuning",),
    example='{"ResourceLimits": {"MaxNumberOfTrainingJobs": 2, "MaxParallelTrainingJobs": 4}}',
    source="D CreateHyperParameterTuningJob",
)
def tuning(pipeline: Pipeline, step: StepView) -> Iterator[Report]:
    """A tuning job has one TrainingJobDefinition or several, and no more parallel jobs than jobs."""
    arguments = step.raw.get("Arguments")
    if not isinstance(arguments, dict):
        return
    place = (*step.pointer, "Arguments")
    given = [key for key in ("TrainingJobDefinition", "TrainingJobDefinitions") if arguments.get(key)]
    if len(given) == 2:
        yield Report(f"{given[0]} and {given[1]} cannot be given together.", (*place, given[1]), at_key=True)
    elif not given and UNKNOWN not in arguments:
        yield Report(f"{step.label} has no TrainingJobDefinition.", place, at_key=True)
    limits = ("HyperParameterTuningJobConfig", "ResourceLimits")
    jobs = _known(arguments, *limits, "MaxNumberOfTrainingJobs")
    parallel = _known(arguments, *limits, "MaxParallelTrainingJobs")
    if isinstance(jobs, int) and isinstance(parallel, int) and parallel > jobs:
        message = f"MaxParallelTrainingJobs ({parallel}) is more than MaxNumberOfTrainingJobs ({jobs})."
        yield Report(message, (*place, *limits, "MaxParallelTrainingJobs"))


@rule(
    "J143",
    "error",
    "AutoML mode",
    on="step",
    types=("AutoML",),
    example='{"AutoMLJobConfig": {"Mode": "HYPERPARAMETER_TUNING"}}',
    source="K: automl_step.py 111",
)
def automl_mode(pipeline: Pipeline, step: StepView) -> Iterator[Report]:
    """AutoML steps run in the mode ENSEMBLING only."""
    arguments = step.arguments
    if not arguments or "AutoMLProblemTypeConfig" in arguments or "AutoMLJobInputDataConfig" in arguments:
        return
    mode = _known(arguments, "AutoMLJobConfig", "Mode")
    place = (*step.pointer, "Arguments")
    if mode is None:
        where = (*place, "AutoMLJobConfig") if isinstance(arguments.get("AutoMLJobConfig"), dict) else place
        message = "AutoMLJobConfig needs the Mode ENSEMBLING."
        yield Report(message, where, at_key=True, severity="warning")
    elif isinstance(mode, str) and mode in ("HYPERPARAMETER_TUNING", "AUTO"):
        pointer = (*place, "AutoMLJobConfig", "Mode")
        fix = replace(pointer, "ENSEMBLING", "Replace by ENSEMBLING")
        yield Report(f"AutoML steps run in the mode ENSEMBLING, not {mode}.", pointer, fix=fix)


@rule(
    "J144",
    "error",
    "EMR cluster",
    on="step",
    types=("EMR",),
    example='{"Type": "EMR", "Arguments": {"StepConfig": S, "ClusterId": "j-1", "ClusterConfig": {}}}',
    source="K: emr_step.py 131-153",
)
def emr_cluster(pipeline: Pipeline, step: StepView) -> Iterator[Report]:
    """An EMR step has a ClusterId or a ClusterConfig, whose life the pipeline governs."""
    arguments = step.raw.get("Arguments")
    if not isinstance(arguments, dict):
        return
    place = (*step.pointer, "Arguments")
    config, cluster = arguments.get("ClusterConfig"), arguments.get("ClusterId")
    if config is not None and cluster is not None:
        yield Report("ClusterId and ClusterConfig cannot be given together.", (*place, "ClusterConfig"), True)
    elif config is None and cluster is None and UNKNOWN not in arguments:
        yield Report(f"{step.label} has neither ClusterId nor ClusterConfig.", place, at_key=True)
    if arguments.get("ExecutionRoleArn") is not None and cluster is None and UNKNOWN not in arguments:
        yield Report("ExecutionRoleArn needs a ClusterId.", (*place, "ExecutionRoleArn"), at_key=True)
    if isinstance(config, dict):
        yield from _cluster_config(config, (*place, "ClusterConfig"))


def _cluster_config(config: dict[Any, JSON], place: Pointer) -> Iterator[Report]:
    for key in ("Name", "AutoTerminationPolicy", "Steps"):
        if key in config:
            fix = remove((*place, key), f"Remove {key}")
            yield Report(f"ClusterConfig must not have {key}.", (*place, key), True, fix)
    instances = config.get("Instances")
    if not isinstance(instances, dict):
        return  # J121 says that it is missing
    place = (*place, "Instances")
    for key in ("KeepJobFlowAliveWhenNoSteps", "TerminationProtected"):
        if key in instances:
            fix = remove((*place, key), f"Remove {key}")
            yield Report(f"Instances must not have {key}.", (*place, key), True, fix)
    given = [key for key in ("InstanceGroups", "InstanceFleets") if key in instances]
    if len(given) == 2 or (not given and UNKNOWN not in instances):
        yield Report("Instances must have either InstanceGroups or InstanceFleets.", place, at_key=True)


@rule(
    "J145",
    "warning",
    "Argument that pipelines do not accept",
    on="step",
    types=("Model", "RegisterModel"),
    example='{"Type": "RegisterModel", "Arguments": {"CertifyForMarketplace": true}}',
    source="K: _utils.py 556-570; PR 3472; E 4994",
)
def refused_argument(pipeline: Pipeline, step: StepView) -> Iterator[Report]:
    """Some arguments of CreateModel and CreateModelPackage are refused in pipelines."""
    arguments, place = step.arguments, (*step.pointer, "Arguments")
    if step.type == "RegisterModel" and "CertifyForMarketplace" in arguments:
        pointer = (*place, "CertifyForMarketplace")
        fix = remove(pointer, "Remove CertifyForMarketplace")
        yield Report("The pipeline service refuses CertifyForMarketplace.", pointer, True, fix)
    for keys in (("Containers",), ("InferenceSpecification", "Containers")):
        for pointer, container in _objects(step, *keys):
            yield from _refused_in_container(container, pointer)
    primary = arguments.get("PrimaryContainer")
    if isinstance(primary, dict):
        yield from _refused_in_container(primary, (*place, "PrimaryContainer"))


def _refused_in_container(container: dict[Any, JSON], place: Pointer) -> Iterator[Report]:
    key = "AdditionalModelDataSources"
    if container.get(key):
        yield Report(f"The pipeline service was seen to refuse {key}.", (*place, key), at_key=True)


@rule(
    "J147",
    "error",
    "Tags",
    on=("mismatch:J147", "step"),
    example='{"Tags": [{"Key": "aws:team", "Value": "x"}]}',
    source="B: TagList; D: tag naming",
)
def tags(pipeline: Pipeline, site: Mismatch | StepView) -> Iterator[Report]:
    """There are 50 tags at most, and no key starts with `aws:`."""
    if isinstance(site, Mismatch):
        yield report_by_kind(site, "A tag")
        return
    for pointer, tag in _objects(site, "Tags"):
        key = tag.get("Key")
        if isinstance(key, str) and key.lower().startswith("aws:"):
            yield Report('Keys of tags must not start with "aws:".', (*pointer, "Key"))


@rule(
    "J149",
    "warning",
    "Experiment configuration",
    on="document",
    example='{"PipelineExperimentConfig": {"ExperimentName": 3}}',
    source="K: pipeline_experiment_config.py",
)
def experiment(pipeline: Pipeline) -> Iterator[Report]:
    """PipelineExperimentConfig has the strings ExperimentName and TrialName."""
    config, place = pipeline.document.get("PipelineExperimentConfig"), ("PipelineExperimentConfig",)
    if config is None or config is UNKNOWN:
        return
    if not isinstance(config, dict):
        yield Report(f"PipelineExperimentConfig must be an object, and is {kind(config)}.", place)
        return
    for key, value in config.items():
        if key is UNKNOWN:
            continue
        if key not in ("ExperimentName", "TrialName"):
            yield Report(f"{shown(key)} is no key of PipelineExperimentConfig.", (*place, key), at_key=True)
        elif not isinstance(value, str | dict) and value is not None and value is not UNKNOWN:
            yield Report(f"{key} must be a string, and is {kind(value)}.", (*place, key))


@rule(
    "J150",
    "hint",
    "Hard-coded address or role",
    on="document",
    example='{"RoleArn": "arn:aws:iam::123456789012:role/Role"}',
    source="that a parameter could be given at the start instead",
    default=False,
)
def hard_coded(pipeline: Pipeline) -> Iterator[Report]:
    """An S3 address or a role that is written into the definition could be a parameter."""
    declared = pipeline.document.get("Parameters")
    for pointer, text in _strings(pipeline):
        if not (text.startswith("s3://") or re.match(r"arn:aws[a-z-]*:iam::\d{12}:role/", text)):
            continue
        if JOIN in pointer or not isinstance(pointer[-1], str):
            continue
        yield Report(
            "This could be a parameter of the pipeline.",
            pointer,
            fix=_extract(pipeline, pointer, text) if isinstance(declared, list) else None,
        )


def _extract(pipeline: Pipeline, pointer: Pointer, text: str) -> Fix:
    base = name = str(pointer[-1])
    number = 1
    while name in pipeline.parameters_by_name:
        number += 1
        name = f"{base}{number}"
    declaration = {"Name": name, "Type": "String", "DefaultValue": text}
    return Fix(
        f'Extract to parameter "{name}"',
        (
            Edit("replace", pointer, {"Get": f"Parameters.{name}"}),
            Edit("insert", ("Parameters", len(pipeline.parameters)), declaration),
        ),
    )
