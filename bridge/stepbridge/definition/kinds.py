"""What the pipeline service knows of each type of step: its keys, its request, its results.

A table, no behaviour. Sources: the SDK's step classes (v2 and v3), the published JSON schema for the names of
keys, the developer guide for what can be cached and retried.
"""

from __future__ import annotations

from functools import cache, cached_property
from typing import Any

from msgspec import Struct

from .service import Shape, shape

COMMON_KEYS = ("Name", "Type", "Arguments", "DependsOn", "DisplayName", "Description")
POLICY_KEYS = ("CacheConfig", "RetryPolicies", "PropertyFiles")

# members of requests that the pipeline fills in itself, however the API requires them
AUTOMATIC: frozenset[tuple[str, str]] = frozenset(
    {
        ("CreateTrainingJobRequest", "TrainingJobName"),
        ("CreateProcessingJobRequest", "ProcessingJobName"),
        ("CreateTransformJobRequest", "TransformJobName"),
        ("CreateHyperParameterTuningJobRequest", "HyperParameterTuningJobName"),
        ("CreateModelInput", "ModelName"),
        ("CreateModelPackageInput", "ModelPackageName"),
        ("CreateAutoMLJobRequest", "AutoMLJobName"),
        ("CreateAutoMLJobV2Request", "AutoMLJobName"),
        ("CreateEndpointConfigInput", "EndpointConfigName"),
        ("CreateEndpointInput", "EndpointName"),
        ("CreateInferenceComponentInput", "InferenceComponentName"),
        ("emr:StepConfig", "Name"),
        ("emr:RunJobFlowInput", "Name"),
    }
)


class StepKind(Struct, frozen=True, eq=False, dict=True):
    """One type of step.

    `request` is the shape of Arguments ("" when they are the user's own), `results` are the shapes that a
    property path may walk, `extra_results` further paths into them with the type of what they give. `fields`
    are the keys beside Arguments, with the parameter type that a reference there must have. Types are String,
    Integer, Float and Boolean.
    """

    type: str
    request: str = ""
    results: tuple[str, ...] = ()
    extra_results: tuple[tuple[str, ...], ...] = ()
    fields: tuple[tuple[str, str], ...] = ()
    required: tuple[str, ...] = ("Arguments",)
    cacheable: bool = False
    retryable: bool = False
    name_member: str = ""
    has_outputs: bool = False  # OutputParameters['x']
    settled: bool = True  # False: there may be keys that we do not know

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """Every key that a step of this type may have."""
        outputs = ("OutputParameters",) if self.has_outputs else ()
        return (*COMMON_KEYS, *POLICY_KEYS, *(name for name, _ in self.fields), *outputs)


_CHECK_FIELDS = (
    ("CheckType", "String"),
    ("ModelPackageGroupName", "String"),
    ("SkipCheck", "Boolean"),
    ("FailOnViolation", "Boolean"),
    ("RegisterNewBaseline", "Boolean"),
    ("SuppliedBaselineConstraints", "String"),
)
_CONSTRAINTS = (("CalculatedBaselineConstraints",), ("BaselineUsedForDriftCheckConstraints",))
_STATISTICS = (("CalculatedBaselineStatistics",), ("BaselineUsedForDriftCheckStatistics",))

# newer types: that they exist is all we know for sure, so whatever they hold is let pass
_NEWER = (
    *("EMRServerless", "ForEach", "Job", "Athena", "Cleanup", "HubContent", "BedrockCustomModel"),
    *("BedrockCustomModelDeployment", "BedrockModelImport", "BedrockProvisionedModelThroughput"),
)

KINDS: dict[str, StepKind] = {
    kind.type: kind
    for kind in (
        *(StepKind(name, required=(), cacheable=True, retryable=True, settled=False) for name in _NEWER),
        StepKind(
            "Training",
            "CreateTrainingJobRequest",
            ("DescribeTrainingJobResponse",),
            cacheable=True,
            retryable=True,
            name_member="TrainingJobName",
        ),
        StepKind(
            "Processing",
            "CreateProcessingJobRequest",
            ("DescribeProcessingJobResponse",),
            cacheable=True,
            retryable=True,
            name_member="ProcessingJobName",
        ),
        StepKind(
            "Transform",
            "CreateTransformJobRequest",
            ("DescribeTransformJobResponse",),
            cacheable=True,
            retryable=True,
            name_member="TransformJobName",
        ),
        StepKind(
            "Tuning",
            "CreateHyperParameterTuningJobRequest",
            (
                "DescribeHyperParameterTuningJobResponse",
                "ListTrainingJobsForHyperParameterTuningJobResponse",
            ),
            cacheable=True,
            retryable=True,
            name_member="HyperParameterTuningJobName",
        ),
        StepKind(
            "Model", "CreateModelInput", ("DescribeModelOutput",), retryable=True, name_member="ModelName"
        ),
        StepKind(
            "RegisterModel",
            "CreateModelPackageInput",
            ("DescribeModelPackageOutput",),
            retryable=True,
            name_member="ModelPackageName",
        ),
        StepKind(
            "AutoML",
            "CreateAutoMLJobRequest",
            ("DescribeAutoMLJobResponse",),
            extra_results=(
                ("BestCandidateProperties", "ModelInsightsJsonReportPath"),
                ("BestCandidateProperties", "ExplainabilityJsonReportPath"),
            ),
            cacheable=True,
            retryable=True,
            name_member="AutoMLJobName",
        ),
        StepKind(
            "QualityCheck",
            "CreateProcessingJobRequest",
            extra_results=(*_CONSTRAINTS, *_STATISTICS),
            fields=(*_CHECK_FIELDS, ("SuppliedBaselineStatistics", "String")),
            required=("Arguments", "CheckType"),
            cacheable=True,
            retryable=True,
        ),
        StepKind(
            "ClarifyCheck",
            "CreateProcessingJobRequest",
            extra_results=_CONSTRAINTS,
            fields=(*_CHECK_FIELDS, ("ModelName", "String"), ("ClarifyCheckConfig", "")),
            required=("Arguments", "CheckType"),
            cacheable=True,
            retryable=True,
        ),
        StepKind(
            "Lambda",
            fields=(("FunctionArn", "String"),),
            required=("FunctionArn",),
            cacheable=True,
            has_outputs=True,
        ),
        StepKind(
            "Callback",
            fields=(("SqsQueueUrl", "String"),),
            required=("SqsQueueUrl",),
            cacheable=True,
            has_outputs=True,
        ),
        StepKind(
            "EMR",
            "EMR",
            ("emr:Step",),
            extra_results=(("ClusterId",), ("ExecutionRoleArn",)),
            cacheable=True,
            retryable=True,
        ),
        StepKind(
            "EndpointConfig",
            "CreateEndpointConfigInput",
            ("DescribeEndpointConfigOutput",),
            cacheable=True,
            retryable=True,
        ),
        StepKind("Endpoint", "CreateEndpointInput", ("DescribeEndpointOutput",), cacheable=True),
        StepKind(
            "InferenceComponent", "CreateInferenceComponentInput", ("DescribeInferenceComponentOutput",)
        ),
        StepKind("Lineage", "Lineage"),
        StepKind("Condition", "", extra_results=(("Outcome",),)),
        StepKind("Fail", "Fail"),
    )
}

# requests that are no call of the API
_OWN_SHAPES: dict[str, dict[str, Any]] = {
    "EMR": {
        "type": "structure",
        "members": {
            "StepConfig": "emr:StepConfig",
            "ClusterConfig": "emr:RunJobFlowInput",
            "ClusterId": "emr:XmlStringMaxLen256",
            "ExecutionRoleArn": "emr:ArnType",
        },
        "required": ["StepConfig"],
    },
    "Lineage": {
        "type": "structure",
        "members": {
            "Actions": "Actions",
            "Artifacts": "Artifacts",
            "Contexts": "Contexts",
            "Associations": "Any",
        },
    },
    "Fail": {"type": "structure", "members": {"ErrorMessage": "Text"}, "required": ["ErrorMessage"]},
    "Actions": {"type": "list", "member": "CreateActionRequest"},
    "Artifacts": {"type": "list", "member": "CreateArtifactRequest"},
    "Contexts": {"type": "list", "member": "CreateContextRequest"},
    "Text": {"type": "string"},
    "Any": {"type": "any"},
}


@cache
def needed(found: Shape) -> tuple[str, ...]:
    """The members that a structure in Arguments must have."""
    return tuple(name for name in found.required if (found.name, name) not in AUTOMATIC)


def request_shape(name: str) -> Shape | None:
    """The shape of a kind's Arguments; None where they are the user's own."""
    return _shape(name) if name else None


@cache
def _shape(name: str) -> Shape:
    own = _OWN_SHAPES.get(name)
    return shape(name) if own is None else Shape(name, own, _shape)
