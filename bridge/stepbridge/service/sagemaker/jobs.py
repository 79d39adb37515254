"""Jobs outside and inside of pipelines: training, processing, transform, tuning. The backend runs them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from msgspec import Struct

from stepbridge.service.backend import JobKind
from stepbridge.service.errors import ServiceError

from . import tags
from .context import Call, Context, invalid, name_of
from .paging import Item, page


class Kind(Struct, frozen=True):
    """Names and words of one kind of job."""

    key: JobKind
    noun: str  # as in Describe<noun>
    words: str  # as in messages
    plural: str  # as in List<plural>
    missing: str  # what Describe says of an unknown name

    @property
    def name(self) -> str:
        return f"{self.noun}Name"

    @property
    def arn(self) -> str:
        return f"{self.noun}Arn"

    @property
    def status(self) -> str:
        return f"{self.noun}Status"

    @property
    def summaries(self) -> str:
        return f"{self.noun}Summaries"


# Unknown jobs are a ValidationException on the wire, whatever the model says (aws/aws-sdk issue 165).
KINDS = (
    Kind("training", "TrainingJob", "training job", "TrainingJobs", "Requested resource not found."),
    Kind(
        "processing",
        "ProcessingJob",
        "processing job",
        "ProcessingJobs",
        'Could not find processing job "{}".',
    ),
    Kind("transform", "TransformJob", "transform job", "TransformJobs", 'Could not find transform job "{}".'),
    Kind(
        "tuning",
        "HyperParameterTuningJob",
        "hyperparameter tuning job",
        "HyperParameterTuningJobs",
        'Could not find hyper parameter tuning job "{}".',
    ),
)


def _required(context: Context, kind: Kind, name: str) -> Mapping[str, Any]:
    """A job's description. Programs give the ARN they found in a step where the service wants the name."""
    found = context.executions.job(kind.key, name_of(name))
    if found is None:
        raise invalid(kind.missing.format(name))
    return found


def _create(kind: Kind, context: Context, request: Mapping[str, Any]) -> Mapping[str, Any]:
    existing = context.executions.job(kind.key, request[kind.name])
    if existing is not None:
        raise ServiceError(
            "ResourceInUse",
            f"{kind.words.capitalize()} names must be unique within an AWS account and region, and a "
            f"{kind.words} with this name already exists ({existing.get(kind.arn, '')})",
        )
    arn = context.executions.run_job(kind.key, request)
    tags.save(context, arn, request.get("Tags", ()))
    return {kind.arn: arn}


def _describe(kind: Kind, context: Context, request: Mapping[str, Any]) -> Mapping[str, Any]:
    return _required(context, kind, request[kind.name])


def _stop(kind: Kind, context: Context, request: Mapping[str, Any]) -> Mapping[str, Any]:
    job = _required(context, kind, request[kind.name])
    status = job[kind.status]
    if status not in ("InProgress", "Stopping"):
        raise invalid(f"The request was rejected because the {kind.words} is in status {status}.")
    context.executions.stop_job(kind.key, job[kind.name])
    return {}


def _item(context: Context, kind: Kind, job: Mapping[str, Any]) -> Item:
    if kind.key == "tuning":
        job = {"Strategy": job.get("HyperParameterTuningJobConfig", {}).get("Strategy"), **job}
    return Item(
        name=job[kind.name],
        created=job["CreationTime"],
        modified=job.get("LastModifiedTime", job["CreationTime"]),
        status=job[kind.status],
        summary=context.model.pick(f"{kind.noun}Summary", job),
    )


def _list(kind: Kind, context: Context, request: Mapping[str, Any]) -> Mapping[str, Any]:
    items = [_item(context, kind, job) for job in context.executions.jobs(kind.key)]
    shown, token = page(items, request, order="Ascending" if kind.key == "training" else "Descending")
    return {kind.summaries: shown, **token}


def _list_tuned(context: Context, request: Mapping[str, Any]) -> Mapping[str, Any]:
    """Training jobs that a tuning job started."""
    tuning = _required(context, KINDS[3], request["HyperParameterTuningJobName"])
    arn = tuning["HyperParameterTuningJobArn"]
    ranges = tuning.get("HyperParameterTuningJobConfig", {}).get("ParameterRanges", {})
    tuned = {one["Name"] for group in ranges.values() if isinstance(group, list) for one in group}
    items = []
    for job in context.executions.jobs("training"):
        if job.get("TuningJobArn") != arn:
            continue
        values = {name: value for name, value in job.get("HyperParameters", {}).items() if name in tuned}
        summary = {
            "TunedHyperParameters": values,
            "TuningJobName": tuning["HyperParameterTuningJobName"],
            **job,
        }
        items.append(
            Item(
                name=job["TrainingJobName"],
                created=job["CreationTime"],
                status=job["TrainingJobStatus"],
                summary=context.model.pick("HyperParameterTrainingJobSummary", summary),
            )
        )
    shown, token = page(items, request)
    return {"TrainingJobSummaries": shown, **token}


def _calls() -> dict[str, Call]:
    calls: dict[str, Call] = {"ListTrainingJobsForHyperParameterTuningJob": _list_tuned}
    for kind in KINDS:
        calls[f"Create{kind.noun}"] = partial(_create, kind)
        calls[f"Describe{kind.noun}"] = partial(_describe, kind)
        calls[f"Stop{kind.noun}"] = partial(_stop, kind)
        calls[f"List{kind.plural}"] = partial(_list, kind)
    return calls


CALLS = _calls()
