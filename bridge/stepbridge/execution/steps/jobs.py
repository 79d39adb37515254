"""Training and Processing: steps that are a job."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from stepbridge.errors import StepBridgeError
from stepbridge.execution.arns import job_name
from stepbridge.execution.describe import describe_processing, describe_training
from stepbridge.execution.job_runner import JobOrder, JobOutcome, Planner, describe_error
from stepbridge.jobs import plan_processing, plan_training

from .base import StepContext, StepFailure, StepResult, StepStoppedError


async def run_training(context: StepContext, arguments: Any) -> StepResult:
    name = job_name(context.run, context.step.name)
    image = image_of("training", arguments, context.step.name)
    order = order_of(context, "training", name, arguments, (image,), plan_training)
    metadata = {"TrainingJob": {"Arn": order.arn}}
    return await run_job(context, order, metadata, describe_training)


async def run_processing(context: StepContext, arguments: Any) -> StepResult:
    name = job_name(context.run, context.step.name)
    image = image_of("processing", arguments, context.step.name)
    order = order_of(context, "processing", name, arguments, (image,), plan_processing)
    metadata = {"ProcessingJob": {"Arn": order.arn}}
    return await run_job(context, order, metadata, describe_processing)


def order_of(
    context: StepContext,
    kind: str,
    name: str,
    request: Mapping[str, Any],
    images: tuple[str, ...],
    planner: Planner,
) -> JobOrder:
    """The order for a step's job."""
    return JobOrder(
        kind=kind,
        name=name,
        arn=context.arns.resource(kind, name),
        run=context.run,
        step=context.step.name,
        request=request,
        images=images,
        planner=planner,
        folder=context.folder,
        attempt=context.attempt,
    )


def image_of(kind: str, request: Mapping[str, Any], what: str) -> str:
    """The image URI that a job request names."""
    key, member = {
        "training": ("AlgorithmSpecification", "TrainingImage"),
        "processing": ("AppSpecification", "ImageUri"),
    }[kind]
    image = (request.get(key) or {}).get(member)
    if not image:
        raise StepFailure(
            f"ClientError: {what} names no image ({key}.{member}); marketplace algorithms do not run here"
        )
    return str(image)


async def run_job(
    context: StepContext, order: JobOrder, metadata: Mapping[str, Any], describe: Any
) -> StepResult:
    """Run the job; its description is in the journal from the first moment to the last."""
    context.note_metadata(metadata)

    def save(outcome: JobOutcome | None) -> dict[str, Any]:
        description: dict[str, Any] = describe(order, outcome)
        context.journal.save_job(order.kind, order.name, description, order.run, order.step)
        return description

    save(None)
    try:
        outcome = await context.jobs.run(order)
    except StepBridgeError as error:
        reason = describe_error(error)
        save(JobOutcome("Failed", reason, -1, {}, 0.0, 0.0))
        raise StepFailure(reason, "SageMaker.JOB_INTERNAL_ERROR", metadata) from error
    outcome = replace(outcome, metrics=final_metrics(_metric_definitions(order), order.folder / "log.txt"))
    description = save(outcome)
    if outcome.status == "Stopped":
        raise StepStoppedError(metadata)
    if outcome.status == "Failed":
        raise StepFailure(outcome.failure, "SageMaker.JOB_INTERNAL_ERROR", metadata)
    return StepResult(properties=description, outputs=_outputs(order, outcome), metadata=metadata)


def _outputs(order: JobOrder, outcome: JobOutcome) -> dict[str, str]:
    """Output name -> URI. Outputs that a processing job writes continuously are there as well."""
    outputs = dict(outcome.outputs)
    config = order.request.get("ProcessingOutputConfig") or {}
    for item in config.get("Outputs", ()):
        if "S3Output" in item:
            outputs.setdefault(item["OutputName"], item["S3Output"]["S3Uri"])
    return outputs


def _metric_definitions(order: JobOrder) -> list[dict[str, str]]:
    return (order.request.get("AlgorithmSpecification") or {}).get("MetricDefinitions") or []


def final_metrics(definitions: Iterable[Mapping[str, str]], log: Path) -> tuple[dict[str, Any], ...]:
    """The last value that each metric's pattern finds in the log (MetricDefinitions, API reference)."""
    found: dict[str, float] = {}
    patterns = [(item["Name"], re.compile(item["Regex"])) for item in definitions]
    if not patterns or not log.is_file():
        return ()
    for line in log.read_text("utf-8", "replace").splitlines():
        for name, pattern in patterns:
            match = pattern.search(line)
            if match and match.groups():
                found[name] = float(match[1])
    return tuple({"MetricName": name, "Value": value} for name, value in found.items())
