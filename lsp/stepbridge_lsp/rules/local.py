"""Rules on the SDK's local mode, `LocalPipelineSession` (P150 to P152)."""

from __future__ import annotations

from collections.abc import Iterator

from stepbridge_lsp.model import Pipeline
from stepbridge_lsp.values import ImageUri, SdkObject, is_none, text_of

from .context import Context, label
from .findings import Report
from .registry import rule

_SUPPORTED = frozenset({"Training", "Processing", "Transform", "Condition", "Fail", "Model"})
# Images of algorithms that have no script; the frameworks among them (xgboost) have one in script mode.
_ALGORITHMS = frozenset(
    {
        "blazingtext",
        "factorization-machines",
        "forecasting-deepar",
        "image-classification",
        "ipinsights",
        "kmeans",
        "knn",
        "lda",
        "linear-learner",
        "ntm",
        "object-detection",
        "object2vec",
        "pca",
        "randomcutforest",
        "semantic-segmentation",
        "seq2seq",
        "xgboost",
    }
)


def _is_local(made: SdkObject | None) -> bool:
    session = made.get("sagemaker_session") if made is not None else None
    return isinstance(session, SdkObject) and session.kind == "local-pipeline-session"


def _local_pipelines(context: Context) -> Iterator[Pipeline]:
    return (pipeline for pipeline in context.pipelines if _is_local(pipeline.object))


@rule(
    "P150",
    "error",
    "Step type in local mode",
    example="Pipeline(steps=[lambda_step], sagemaker_session=LocalPipelineSession())",
    source="K local/entities.py: Step type Lambda is not supported in local mode.; E 4253, 4313",
    moment="start",
)
def local_steps(context: Context) -> Iterator[Report]:
    """The SDK's local mode runs Training, Processing, Transform, Condition, Fail and CreateModel steps
    only.
    """
    for pipeline in _local_pipelines(context):
        for step in pipeline.walk():
            kind = step.type
            if kind == "ModelStep":
                kind = (
                    "RegisterModel" if step.service_names and "Register" in step.service_names[0] else "Model"
                )
            if kind is None or kind in _SUPPORTED or step.object is None:
                continue
            if step.object.cls.name == "FunctionStep":
                continue
            span = step.object.call.name_span
            yield Report(f"{label(step)}: the SDK's local mode does not run {kind} steps.", span)


@rule(
    "P151",
    "warning",
    "Built-in algorithm in local mode",
    example='Estimator(image_uris.retrieve("kmeans", region), ..., sagemaker_session=LocalPipelineSession())',
    source="D: local mode is not compatible with built-in algorithms; E 1139",
    moment="run",
)
def local_algorithm(context: Context) -> Iterator[Report]:
    """Images of the built-in algorithms do not run in the SDK's local mode; frameworks in script mode do."""
    for made in context.objects("estimator"):
        image = made.get("image_uri")
        if not _is_local(made) or not isinstance(image, ImageUri):
            continue
        name = text_of(image.call.value("framework"))
        script = made.get("entry_point")
        if name in _ALGORITHMS and (script is None or is_none(script)):
            argument = made.call.argument("image_uri")
            span = argument.span if argument is not None else made.call.name_span
            yield Report(f"The built-in algorithm {name} does not run in local mode.", span)


@rule(
    "P152",
    "warning",
    "Without effect in local mode",
    example="pipeline.start(parallelism_config=..., ...)  # with a LocalPipelineSession",
    source="K local_session.py; amazon-sagemaker-feedback 153",
    moment="run",
)
def local_options(context: Context) -> Iterator[Report]:
    """Dataset definitions, parallelism and selective execution do not work in the SDK's local mode."""
    for pipeline in _local_pipelines(context):
        for call in pipeline.calls:
            for name in ("parallelism_config", "selective_execution_config"):
                argument = call.argument(name)
                if argument is not None and not is_none(argument.value):
                    where = argument.name_span or argument.span
                    yield Report(f"{name} has no effect in local mode.", where)
        for step in pipeline.walk():
            for found in step.inputs:
                given = found.object.call.argument("dataset_definition") if found.object is not None else None
                if given is not None and not is_none(given.value):
                    where = given.name_span or given.span
                    yield Report("dataset_definition does not work in local mode.", where)
