"""Rules on retry policies and caching (P120 to P124)."""

from __future__ import annotations

from collections.abc import Iterator

from stepbridge_lsp.documents.foreign import VOLATILE
from stepbridge_lsp.model import Step, items_of
from stepbridge_lsp.values import (
    Argument,
    Call,
    Const,
    DictValue,
    EnumMember,
    ListValue,
    ParameterVariable,
    SdkObject,
    Text,
    Value,
    Volatile,
)

from .context import Context, label
from .findings import Report
from .jobs import _translated
from .registry import rule


@rule(
    "P120",
    "warning",
    "Limits of a retry policy",
    example="StepRetryPolicy(exception_types=[...], max_attempts=3, expire_after_mins=10)",
    source="V: the SDK's check never fires (a chained comparison)",
    moment="create",
)
def retry_limits(context: Context) -> Iterator[Report]:
    """A retry policy has exactly one of `max_attempts` and `expire_after_mins`."""
    yield from _translated(context, "J113")


_EXCEPTIONS = {
    "StepRetryPolicy": "StepExceptionTypeEnum",
    "SageMakerJobStepRetryPolicy": "SageMakerJobExceptionTypeEnum",
}


@rule(
    "P121",
    "error",
    "Retry policy",
    example="StepRetryPolicy(exception_types=[StepExceptionTypeEnum.THROTTLING], max_attempts=21)",
    source="V: AssertionError, ValueError: is not of SageMakerJobExceptionTypeEnum",
    moment="build",
)
def retry_policy(context: Context) -> Iterator[Report]:
    """At most 20 attempts, 14400 minutes and 43200 seconds of interval; exceptions of its own enumeration."""
    for policy in context.model.retry_policies:
        made = policy.object
        wanted = _EXCEPTIONS.get(made.cls.name)
        for name in ("exception_types", "failure_reason_types"):
            argument = made.call.argument(name)
            items, _ = items_of(argument.value if argument is not None else None)
            for value, span in items:
                wrong = isinstance(value, EnumMember) and value.cls.name in _EXCEPTIONS.values()
                if wanted is not None and wrong and value.cls.name != wanted:  # type: ignore[attr-defined]
                    yield Report(f"{made.cls.name} takes members of {wanted}.", span)
                elif wanted is not None and isinstance(value, Const) and isinstance(value.value, str):
                    yield Report(f"{made.cls.name} takes members of {wanted}, not texts.", span)
    yield from _translated(context, "J114", "J111")


@rule(
    "P122",
    "error",
    "Job exceptions on a model step",
    example="ModelStep(name='M', step_args=..., retry_policies=[SageMakerJobStepRetryPolicy(...)])",
    source="K model_step.py: ValueError",
    moment="build",
)
def model_retry(context: Context) -> Iterator[Report]:
    """A model step runs no job: `SageMakerJobStepRetryPolicy` belongs to its repacking step only, in
    `retry_policies=dict(repack_model_retry_policies=[...])`."""
    for step in context.steps("ModelStep", "Model", "RegisterModel"):
        if step.object is None:
            continue
        argument = step.object.call.argument("retry_policies")
        if argument is None or isinstance(argument.value, DictValue):
            continue
        for value, span in items_of(argument.value)[0]:
            if isinstance(value, SdkObject) and value.cls.name == "SageMakerJobStepRetryPolicy":
                yield Report(f"{label(step)} makes a model and runs no job: use StepRetryPolicy.", span)


@rule(
    "P123",
    "warning",
    "Cache expiry",
    example='CacheConfig(enable_caching=True, expire_after="30 days")',
    source="V: accepted in silence; D pipelines-caching; E 2736",
    moment="create",
)
def cache_expiry(context: Context) -> Iterator[Report]:
    """A cache needs `expire_after`, an ISO-8601 duration such as "P30D" or "PT1H" ("30d" and "T1H" will do).
    "P30M" is thirty months."""
    yield from _translated(context, "J101", "J102", "J103")


@rule(
    "P124",
    "warning",
    "Cache that never hits",
    example='processor.run(code="x.py", arguments=["--now", str(datetime.now())])',
    source="E 2736; K steps.py: a step is cached by its arguments",
    moment="never",
)
def useless_cache(context: Context) -> Iterator[Report]:
    """The step is cached by its arguments, and one of them is different at every run of the program."""
    if not any(call.name in VOLATILE for call in context.model.foreign_calls):
        return
    for step in context.model.steps:
        if step.cache is None or not _enabled(step.cache) or step.object is None:
            continue
        for argument, source in _volatile_arguments(context, step):
            yield Report(
                f"{label(step)} is cached, and {source} makes this different each time: it is never reused.",
                argument.span,
            )


def _enabled(cache: SdkObject) -> bool:
    value = cache.get("enable_caching")
    return isinstance(value, Const) and value.value is True


# Arguments that do not reach the request of the job, so that they may differ.
_NOT_IN_REQUEST = frozenset({"base_job_name", "job_name", "job_name_prefix", "tags", "wait", "logs", "name"})


def _volatile_arguments(context: Context, step: Step) -> Iterator[tuple[Argument, str]]:
    calls: list[Call] = [step.object.call] if step.object is not None else []
    if step.job is not None:
        calls.append(step.job.call)
    if step.job_call is not None:
        calls.append(step.job_call)
    for call in calls:
        for argument in call.arguments:
            if argument.name in _NOT_IN_REQUEST:
                continue
            source = _source(context, argument.value)
            if source is not None:
                yield argument, source


def _source(context: Context, value: Value, depth: int = 0) -> str | None:
    """The function that makes a value another one each time."""
    if isinstance(value, Volatile):
        return f"{value.source}()"
    inner: list[Value] = []
    if isinstance(value, Text):
        inner = [part for part in value.parts if isinstance(part, Value)]
    elif isinstance(value, ListValue):
        inner = [element.value for element in value]
    elif isinstance(value, DictValue):
        inner = [entry.value for entry in value.entries]
    elif isinstance(value, ParameterVariable):
        default = value.object.call.value("default_value")
        inner = [default] if default is not None else []
    elif isinstance(value, SdkObject) and value.kind.startswith(("processing-", "training-input")):
        inner = [argument.value for argument in value.call.arguments]
    for part in inner if depth < 5 else ():
        if (found := _source(context, part, depth + 1)) is not None:
            return found
    return None
