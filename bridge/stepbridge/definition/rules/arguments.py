"""Rules on Arguments against the shapes of the service's requests (J120 to J132, J146 to J148).

The walk in `model` notes every value that does not fit its shape. Here each such mismatch gets the code of
the rule that speaks for it, and each rule its words, severity and fix.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from stepbridge.definition.service import Shape, shape, shape_names
from stepbridge.definition.values import JSON, Pointer, kind, shown

from .findings import Fix, Report, Severity, rename, replace
from .model import Mismatch, MismatchKind, Pipeline, StepView
from .registry import rule

_BY_KIND: dict[MismatchKind, str] = {
    "container": "J009",
    "member": "J120",
    "required": "J121",
    "type": "J123",
    "enum": "J124",
    "pattern": "J127",
    "range": "J128",
    "length": "J129",
    "size": "J130",
}
# shapes that have a rule of their own for all that can be wrong with them
_BY_SHAPE = {
    "HyperParameters": "J131",
    "HyperParameterKey": "J131",
    "HyperParameterValue": "J131",
    "ProcessingEnvironmentMap": "J132",
    "ProcessingEnvironmentKey": "J132",
    "ProcessingEnvironmentValue": "J132",
    "TagList": "J147",
    "TagKey": "J147",
    "TagValue": "J147",
    "Subnets": "J148",
    "SubnetId": "J148",
    "VpcSecurityGroupIds": "J148",
    "SecurityGroupId": "J148",
}
_LOCAL_INSTANCES = ("local", "local_gpu")


def code_of(mismatch: Mismatch) -> str:
    """The code of the rule that speaks for a mismatch."""
    found = mismatch.shape
    if found is None or mismatch.kind in ("container", "member", "required"):
        return _BY_KIND[mismatch.kind]
    if found.name in _BY_SHAPE:
        return _BY_SHAPE[found.name]
    if mismatch.kind == "enum" and found.name.endswith("InstanceType"):
        return "J126" if mismatch.value in _all_instance_types() else "J125"
    if mismatch.pointer and mismatch.pointer[-1] == "ModelPackageGroupName" and mismatch.kind != "type":
        return "J146"
    return _BY_KIND[mismatch.kind]


@rule(
    "J120",
    "error",
    "Unknown argument",
    on="mismatch:J120",
    example='{"Type": "Training", "Arguments": {"ResourceConfg": {}}}',
    source="E 4994: Unknown Argument member 'AdditionalModelDataSources'; B: Create* requests",
)
def unknown_argument(pipeline: Pipeline, mismatch: Mismatch) -> Iterator[Report]:
    """Arguments have the members of the service's Create call."""
    assert mismatch.shape is not None
    name = str(mismatch.pointer[-1])
    close = pipeline.near(name, mismatch.shape.members)
    yield Report(
        f"{shown(name)} is no argument here{_owner(mismatch)}.",
        mismatch.pointer,
        at_key=True,
        suggestions=close,
        fix=rename(mismatch.pointer, close[0]) if close else None,
        severity=None if close else "warning",  # the service's model may be newer than ours
    )


def _owner(mismatch: Mismatch) -> str:
    inside = [part for part in mismatch.pointer[:-1] if isinstance(part, str)]
    return f" ({inside[-1]})" if inside and inside[-1] != "Arguments" else ""


@rule(
    "J121",
    "error",
    "Missing argument",
    on="mismatch:J121",
    example='{"Type": "Training", "Arguments": {"OutputDataConfig": {"S3OutputPath": "s3://b/o"}}}',
    source="B (required), without the names that pipelines fill in",
)
def missing_argument(pipeline: Pipeline, mismatch: Mismatch) -> Iterator[Report]:
    """Arguments hold what the service's Create call requires."""
    last = mismatch.pointer[-1] if mismatch.pointer else ""
    where = f" of {shown(last)}" if isinstance(last, str) and last != "Arguments" else ""
    label = f"{mismatch.step.label}: " if mismatch.step is not None and not where else ""
    yield Report(f"{label}{mismatch.value}{where} is missing.", mismatch.pointer, at_key=True)


@rule(
    "J122",
    "information",
    "Job name",
    on="step",
    example='{"Type": "Training", "Arguments": {"TrainingJobName": "my-job"}}',
    source="K: trim_request_dict",
    default=False,
)
def job_name(pipeline: Pipeline, step: StepView) -> Iterator[Report]:
    """A job name is a prefix, and counts only with PipelineDefinitionConfig(use_custom_job_prefix=True)."""
    step_kind = step.kind
    member = step_kind.name_member if step_kind is not None else ""
    if member and isinstance(step.arguments.get(member), str):
        yield Report(
            f"{member} is a prefix: the pipeline adds the execution's id.",
            (*step.pointer, "Arguments", member),
            at_key=True,
        )


@rule(
    "J123",
    "error",
    "Argument of the wrong type",
    on="mismatch:J123",
    example='{"ResourceConfig": {"VolumeSizeInGB": "30"}}',
    source="B",
)
def wrong_type(pipeline: Pipeline, mismatch: Mismatch) -> Iterator[Report]:
    """An argument is of the type that the service's Create call wants."""
    yield _type_report(mismatch, f"{_name(mismatch)} must be {mismatch.expected}")


def _type_report(mismatch: Mismatch, claim: str) -> Report:
    meant = _converted(mismatch.value, mismatch.expected)
    fix = None if meant is None else replace(mismatch.pointer, meant, f"Replace by {shown(meant)}")
    return Report(f"{claim}, and is {kind(mismatch.value)}.", mismatch.pointer, fix=fix)


def _converted(value: JSON, expected: str) -> JSON:
    if expected == "a string" and isinstance(value, bool):
        return "true" if value else "false"
    if expected == "a string" and isinstance(value, int | float):
        return str(value)
    if not isinstance(value, str) or len(value) > 30:
        return None
    if expected == "a boolean":
        return {"true": True, "false": False}.get(value.lower())
    if expected == "a whole number" and re.fullmatch(r"-?\d+", value, re.ASCII):
        return int(value)
    if expected == "a number" and re.fullmatch(r"-?\d+(\.\d+)?", value, re.ASCII):
        return float(value)
    return None


def _name(mismatch: Mismatch) -> str:
    """The value as a message names it: its key, or "this item" of its array."""
    last = mismatch.pointer[-1]
    if isinstance(last, str):
        return shown(last)
    above = next((part for part in reversed(mismatch.pointer) if isinstance(part, str)), "")
    return f"An item of {shown(above)}"


@rule(
    "J124",
    "error",
    "Unknown value",
    on="mismatch:J124",
    example='{"S3Input": {"S3InputMode": "Fil"}}',
    source="B (enum)",
)
def unknown_value(pipeline: Pipeline, mismatch: Mismatch) -> Iterator[Report]:
    """An argument with fixed values has one of them."""
    assert mismatch.shape is not None
    values = sorted(mismatch.shape.enum)
    close = pipeline.near(str(mismatch.value), values)
    listed = ", ".join(values[:12]) + (" …" if len(values) > 12 else "")
    yield Report(
        f"{shown(mismatch.value)} is no value of {_name(mismatch)}: {listed}.",
        mismatch.pointer,
        at_key=mismatch.at_key,
        suggestions=close,
        fix=_respell(mismatch, close),
        # a short list is closed, a long one (engines, frameworks ...) grows with the service
        severity=None if close or len(values) <= 12 else "warning",
    )


def _respell(mismatch: Mismatch, close: tuple[str, ...]) -> Fix | None:
    if not close:
        return None
    if mismatch.at_key:
        return rename(mismatch.pointer, close[0])
    return replace(mismatch.pointer, close[0], f"Replace by {shown(close[0])}")


@rule(
    "J125",
    "warning",
    "Unknown instance type",
    on="mismatch:J125",
    example='{"InstanceType": "ml.m5.xlrge"}',
    source="B; new types appear after any list (aws-sdk-go 5229)",
)
def unknown_instance_type(pipeline: Pipeline, mismatch: Mismatch) -> Iterator[Report]:
    """An instance type that is no name of any, but like one; well-formed names may be newer than our list."""
    assert mismatch.shape is not None
    value = str(mismatch.value)
    if value in _LOCAL_INSTANCES:
        return
    known = mismatch.shape.enum
    if re.fullmatch(_INSTANCE, value):
        family = value.split(".")[1]
        if not any(name.split(".")[1] == family for name in known):
            return
        message = f"{shown(value)} is no size of {family} that we know."
        yield Report(message, mismatch.pointer, severity="information")
        return
    prefixed = f"ml.{value}"
    close = (prefixed,) if prefixed in known else pipeline.near(value, sorted(known))
    if close:
        yield Report(
            f"{shown(value)} is no instance type that we know.",
            mismatch.pointer,
            suggestions=close,
            fix=_respell(mismatch, close),
        )


_INSTANCE = r"ml\.[a-z]+\d+[a-z0-9-]*\.(nano|micro|small|medium|large|\d*xlarge|metal[a-z0-9-]*)"


@rule(
    "J126",
    "warning",
    "Instance type of another kind of job",
    on="mismatch:J126",
    example='{"ProcessingResources": {"ClusterConfig": {"InstanceType": "ml.inf1.xlarge"}}}',
    source="B: the sets of the operations differ",
)
def foreign_instance_type(pipeline: Pipeline, mismatch: Mismatch) -> Iterator[Report]:
    """An instance type that exists, but not for this kind of job."""
    what = f"{mismatch.step.type} steps" if mismatch.step is not None and mismatch.step.type else "this job"
    yield Report(f"{shown(mismatch.value)} is an instance type, but not for {what}.", mismatch.pointer)


@cache
def _all_instance_types() -> frozenset[str]:
    shapes = (shape(name) for name in shape_names() if name.endswith("InstanceType"))
    return frozenset(value for found in shapes for value in found.enum)


@rule(
    "J127",
    "error",
    "Malformed value",
    on="mismatch:J127",
    example='{"RoleArn": "x"}',
    source="B (pattern)",
)
def malformed_value(pipeline: Pipeline, mismatch: Mismatch) -> Iterator[Report]:
    """An argument matches the pattern of the service's model."""
    yield _pattern_report(mismatch)


_PLACEHOLDER = re.compile(r"[<>]|\.\.\.|…|[xX]{4}|YOUR|your[-_]|\*\*")


def _pattern_report(mismatch: Mismatch) -> Report:
    assert mismatch.shape is not None
    placeholder = bool(_PLACEHOLDER.search(str(mismatch.value)))
    return Report(
        f"{shown(mismatch.value)} {_wanted(mismatch.shape)}.",
        mismatch.pointer,
        at_key=mismatch.at_key,
        severity="warning" if placeholder else None,
    )


def _wanted(found: Shape) -> str:
    if found.name == "RoleArn":
        return 'is no ARN of a role, such as "arn:aws:iam::123456789012:role/Name"'
    if found.pattern is not None and found.pattern.startswith("(https|s3)://"):
        return 'is no address such as "s3://bucket/key"'
    return f"does not match {found.pattern}"


@rule(
    "J128",
    "error",
    "Number out of range",
    on="mismatch:J128",
    example='{"ClusterConfig": {"InstanceCount": 0}}',
    source="B (min, max)",
)
def out_of_range(pipeline: Pipeline, mismatch: Mismatch) -> Iterator[Report]:
    """A number is within the limits of the service's model."""
    yield Report(
        f"{_name(mismatch)} must be {mismatch.expected}, not {shown(mismatch.value)}.", mismatch.pointer
    )


@rule(
    "J129",
    "error",
    "String too long or too short",
    on="mismatch:J129",
    example="(an item of ContainerArguments of 300 characters)",
    source='B (min, max); E 314: "length=260 cannot be greater"',
)
def wrong_length(pipeline: Pipeline, mismatch: Mismatch) -> Iterator[Report]:
    """A string is within the limits of the service's model."""
    yield _length_report(mismatch)


def _length_report(mismatch: Mismatch) -> Report:
    words = f"has {len(mismatch.value)} characters; {mismatch.expected} are allowed"
    if mismatch.at_key:
        return Report(f"The key {words}.", mismatch.pointer, at_key=True)
    return Report(f"{_name(mismatch)} {words}.", mismatch.pointer)


@rule(
    "J130",
    "error",
    "Too many or too few items",
    on="mismatch:J130",
    example="(11 ProcessingInputs)",
    source="B (min, max); E 2554; E kedro-sagemaker 14",
)
def wrong_size(pipeline: Pipeline, mismatch: Mismatch) -> Iterator[Report]:
    """An array or an object has as many items as the service's model allows."""
    yield _size_report(mismatch)


def _size_report(mismatch: Mismatch) -> Report:
    message = f"{_name(mismatch)} has {len(mismatch.value)} items; {mismatch.expected} are allowed."
    return Report(message, mismatch.pointer)


def report_by_kind(mismatch: Mismatch, what: str) -> Report:
    """The words for shapes with a rule of their own."""
    if mismatch.kind == "type":
        return _type_report(mismatch, f"{what} must be {mismatch.expected}")
    if mismatch.kind == "size":
        return _size_report(mismatch)
    if mismatch.kind == "length":
        return _length_report(mismatch)
    return _pattern_report(mismatch)


@rule(
    "J131",
    "error",
    "Hyperparameters",
    on="mismatch:J131",
    example='{"HyperParameters": {"eta": 0.2}}',
    source="B: HyperParameters, HyperParameterValue",
)
def hyperparameters(pipeline: Pipeline, mismatch: Mismatch) -> Iterator[Report]:
    """Hyperparameters are 100 strings at most, of 2500 characters at most; numbers are written as strings."""
    yield report_by_kind(mismatch, "A hyperparameter")


@rule(
    "J132",
    "error",
    "Environment of a processing job",
    on="mismatch:J132",
    example='{"Environment": {"1ST": "x"}}',
    source="B: ProcessingEnvironmentMap; E kedro-sagemaker 14",
)
def processing_environment(pipeline: Pipeline, mismatch: Mismatch) -> Iterator[Report]:
    """A processing job has 100 environment variables at most, of 256 characters at most."""
    yield report_by_kind(mismatch, "An environment variable")


@rule(
    "J146",
    "error",
    "Model package group",
    on=("mismatch:J146", "step"),
    types=("RegisterModel",),
    example='{"Type": "RegisterModel", "Arguments": {"ModelPackageGroupName": "my_group"}}',
    source="B: EntityName, ArnOrName",
)
def model_package_group(pipeline: Pipeline, site: Mismatch | StepView) -> Iterator[Report]:
    """A RegisterModel step names its group: 63 letters, digits and `-` at most, or an ARN."""
    if isinstance(site, Mismatch):
        severity: Severity | None = _pattern_report(site).severity
        yield Report(
            f"{shown(site.value)} is no name of a model package group: up to 63 letters, digits and -.",
            site.pointer,
            severity=severity,
            fix=_legal_group(site.value, site.pointer),
        )
    elif isinstance(site.raw.get("Arguments"), dict):
        arguments = site.arguments
        named = any(arguments.get(key) is not None for key in ("ModelPackageGroupName", "ModelPackageName"))
        if not named and all(isinstance(key, str) for key in arguments):
            yield Report(
                f"{site.label} names no ModelPackageGroupName.",
                (*site.pointer, "Arguments"),
                at_key=True,
                severity="warning",
            )


def _legal_group(value: JSON, pointer: Pointer) -> Fix | None:
    legal = re.sub(r"[^A-Za-z0-9]+", "-", str(value)).strip("-")[:63].strip("-")
    return replace(pointer, legal, f'Replace by "{legal}"') if legal and legal != value else None


@rule(
    "J148",
    "error",
    "VPC configuration",
    on="mismatch:J148",
    example='{"VpcConfig": {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1", ... 6 of them]}}',
    source="B: Subnets, VpcSecurityGroupIds",
)
def vpc_config(pipeline: Pipeline, mismatch: Mismatch) -> Iterator[Report]:
    """A VpcConfig has 1 to 16 subnets and 1 to 5 security groups."""
    yield report_by_kind(mismatch, "An id")
