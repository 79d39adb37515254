"""Rules on CacheConfig and RetryPolicies (J100 to J115)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from stepbridge.definition.durations import parse_duration
from stepbridge.definition.values import JSON, UNKNOWN, Pointer, kind, shown, templated

from .findings import Report, insert, remove, replace
from .model import Pipeline, StepView
from .registry import rule

EXCEPTION_TYPES = (
    "Step.SERVICE_FAULT",
    "Step.THROTTLING",
    "SageMaker.JOB_INTERNAL_ERROR",
    "SageMaker.CAPACITY_ERROR",
    "SageMaker.RESOURCE_LIMIT",
    "Emr.RESOURCE_LIMIT",
)
_CACHE = "key:CacheConfig"
_RETRY = "key:RetryPolicies"
_MONTHS = re.compile(r"P(\d{2,3})M", re.IGNORECASE)
_LIMITS = {
    "MaxAttempts": (1, 20),
    "ExpireAfterMin": (0, 14400),
    "IntervalSeconds": (0, 43200),
    "BackoffRate": (0, None),
}


@rule(
    "J100",
    "warning",
    "Step cannot be cached",
    on=_CACHE,
    example='{"Name": "M", "Type": "Model", "Arguments": {}, "CacheConfig": {"Enabled": true}}',
    source="D pipelines-caching; S",
)
def cannot_cache(pipeline: Pipeline, step: StepView, value: JSON, key: str) -> Iterator[Report]:
    """CacheConfig has no effect on this type of step."""
    step_kind = step.kind
    if step_kind is not None and not step_kind.cacheable and value is not None:
        pointer = (*step.pointer, key)
        fix = remove(pointer, "Remove CacheConfig")
        yield Report(f"A {step.type} step cannot be cached.", pointer, at_key=True, fix=fix)


@rule(
    "J101",
    "warning",
    "Cache without expiry",
    on=_CACHE,
    example='"CacheConfig": {"Enabled": true}',
    source='D "you must also define a timeout"; V: the SDK writes none',
)
def cache_without_expiry(pipeline: Pipeline, step: StepView, value: JSON, key: str) -> Iterator[Report]:
    """A cache that is enabled needs `ExpireAfter`."""
    if not isinstance(value, dict):
        if value is not None:
            yield Report(f"CacheConfig is an object, and this is {kind(value)}.", (*step.pointer, key))
        return
    if value.get("Enabled") is True and value.get("ExpireAfter") is None and UNKNOWN not in value:
        pointer = (*step.pointer, key)
        where = (*pointer, "ExpireAfter")
        fix = (replace if "ExpireAfter" in value else insert)(where, "P30D", "Expire after 30 days")
        yield Report("The cache is enabled, but has no ExpireAfter.", pointer, fix=fix)


@rule(
    "J102",
    "error",
    "Cache expiry",
    on=_CACHE,
    example='"CacheConfig": {"Enabled": true, "ExpireAfter": "30 days"}',
    source="D pipelines-caching-enabling; V: the SDK writes it",
)
def cache_expiry(pipeline: Pipeline, step: StepView, value: JSON, key: str) -> Iterator[Report]:
    """`ExpireAfter` is an ISO-8601 duration such as `P30D`, `PT1H`; `30d` and `T16m` will do as well."""
    expiry = value.get("ExpireAfter") if isinstance(value, dict) else None
    if expiry is None or expiry is UNKNOWN or (isinstance(expiry, dict) and "Get" in expiry):
        return
    pointer = (*step.pointer, key, "ExpireAfter")
    if not isinstance(expiry, str):
        yield Report(f"ExpireAfter is a string such as P30D, and this is {kind(expiry)}.", pointer)
    elif parse_duration(expiry) is None and not templated(expiry):
        meant = _duration_meant(expiry)
        yield Report(
            f"{shown(expiry)} is no ISO-8601 duration, such as P30D or PT1H.",
            pointer,
            suggestions=(meant,) if meant else (),
            fix=replace(pointer, meant, f'Replace by "{meant}"') if meant else None,
        )


_PLAIN = re.compile(r"\s*(\d+)\s*([a-zA-Z]+)\s*", re.ASCII)
_UNITS = {"d": "P{}D", "w": "P{}W", "h": "PT{}H", "m": "PT{}M", "s": "PT{}S"}


def _duration_meant(text: str) -> str | None:
    match = _PLAIN.fullmatch(text)
    if match is None:
        return None
    unit = match.group(2).lower()
    if unit.startswith("mo"):
        return f"P{match.group(1)}M"
    known = ("d", "day", "days", "w", "week", "weeks", "h", "hour", "hours", "hrs", "min", "mins")
    if unit in (*known, "minute", "minutes", "m", "s", "sec", "second", "seconds"):
        return _UNITS[unit[0]].format(match.group(1))
    return None


@rule(
    "J103",
    "warning",
    "Months for minutes",
    on=_CACHE,
    example='"CacheConfig": {"Enabled": true, "ExpireAfter": "P30M"}',
    source="E 2736",
)
def months_for_minutes(pipeline: Pipeline, step: StepView, value: JSON, key: str) -> Iterator[Report]:
    """`P30M` is thirty months; thirty minutes are `PT30M`."""
    expiry = value.get("ExpireAfter") if isinstance(value, dict) else None
    match = _MONTHS.fullmatch(expiry) if isinstance(expiry, str) else None
    if match:
        pointer, minutes = (*step.pointer, key, "ExpireAfter"), f"PT{match.group(1)}M"
        yield Report(
            f'"{expiry}" is {int(match.group(1))} months; minutes are "{minutes}".',
            pointer,
            fix=replace(pointer, minutes, f'Replace by "{minutes}"'),
        )


@rule(
    "J110",
    "warning",
    "Step cannot be retried",
    on=_RETRY,
    example='{"Name": "Call", "Type": "Lambda", "FunctionArn": ARN, "RetryPolicies": [P]}',
    source="D pipelines-retry-policy; S",
)
def cannot_retry(pipeline: Pipeline, step: StepView, value: JSON, key: str) -> Iterator[Report]:
    """RetryPolicies have no effect on this type of step."""
    step_kind = step.kind
    if step_kind is not None and not step_kind.retryable and value:
        pointer = (*step.pointer, key)
        fix = remove(pointer, "Remove RetryPolicies")
        yield Report(f"A {step.type} step cannot have RetryPolicies.", pointer, at_key=True, fix=fix)


def _policies(step: StepView, value: JSON, key: str) -> Iterator[tuple[Pointer, dict[Any, JSON]]]:
    for index, policy in enumerate(value if isinstance(value, list) else ()):
        if isinstance(policy, dict):
            yield (*step.pointer, key, index), policy


@rule(
    "J111",
    "error",
    "Exception types of a retry policy",
    on=_RETRY,
    example='"RetryPolicies": [{"ExceptionType": ["Step.THROTLING"], "MaxAttempts": 3}]',
    source="D pipelines-retry-policy; K: retry.py",
)
def exception_types(pipeline: Pipeline, step: StepView, value: JSON, key: str) -> Iterator[Report]:
    """RetryPolicies is an array of policies, and `ExceptionType` an array of the known exception types."""
    if not isinstance(value, list):
        if value is not None:
            yield Report(f"RetryPolicies must be an array, and is {kind(value)}.", (*step.pointer, key))
        return
    for index, policy in enumerate(value):
        if not isinstance(policy, dict) and policy is not UNKNOWN:
            yield Report(
                f"A retry policy is an object, and this is {kind(policy)}.", (*step.pointer, key, index)
            )
    for place, policy in _policies(step, value, key):
        types, pointer = policy.get("ExceptionType"), (*place, "ExceptionType")
        if types is None:
            if UNKNOWN not in policy:
                yield Report("The retry policy has no ExceptionType.", place, severity="warning")
        elif isinstance(types, str):
            fix = replace(pointer, [types], "Wrap in an array")
            yield Report("ExceptionType must be an array of strings.", pointer, fix=fix)
        elif isinstance(types, list):
            for index, name in enumerate(types):
                yield from _exception_type(pipeline, name, (*pointer, index))
        elif types is not UNKNOWN:
            yield Report(f"ExceptionType must be an array, and is {kind(types)}.", pointer)


def _exception_type(pipeline: Pipeline, name: JSON, pointer: Pointer) -> Iterator[Report]:
    if name is UNKNOWN or (isinstance(name, str) and name in EXCEPTION_TYPES):
        return
    close = pipeline.near(name, EXCEPTION_TYPES) if isinstance(name, str) else ()
    yield Report(
        f"{shown(name)} is no exception type: {', '.join(EXCEPTION_TYPES)}.",
        pointer,
        suggestions=close,
        fix=replace(pointer, close[0], f'Replace by "{close[0]}"') if close else None,
    )


@rule(
    "J112",
    "error",
    "Job exceptions on a model step",
    on=_RETRY,
    types=("Model", "RegisterModel"),
    example='{"Type": "Model", "RetryPolicies": [{"ExceptionType": ["SageMaker.CAPACITY_ERROR"]}]}',
    source="K: model_step.py 222",
)
def job_exceptions(pipeline: Pipeline, step: StepView, value: JSON, key: str) -> Iterator[Report]:
    """Model and RegisterModel steps run no job: they know `Step.` exceptions only."""
    for place, policy in _policies(step, value, key):
        types = policy.get("ExceptionType")
        for index, name in enumerate(types if isinstance(types, list) else ()):
            if isinstance(name, str) and name.startswith("SageMaker.") and name in EXCEPTION_TYPES:
                pointer = (*place, "ExceptionType", index)
                fix = remove(pointer, "Remove the exception type")
                yield Report(f"{shown(name)} cannot happen in a {step.type} step.", pointer, fix=fix)


@rule(
    "J113",
    "warning",
    "Limits of a retry policy",
    on=_RETRY,
    example='"RetryPolicies": [{"ExceptionType": ["Step.THROTTLING"]}]',
    source='K: retry.py 94 "Only one of [max_attempts] and [expire_after_mins] can be given", never raised',
)
def retry_limits(pipeline: Pipeline, step: StepView, value: JSON, key: str) -> Iterator[Report]:
    """A retry policy has either `MaxAttempts` or `ExpireAfterMin`."""
    for place, policy in _policies(step, value, key):
        given = [name for name in ("MaxAttempts", "ExpireAfterMin") if policy.get(name) is not None]
        if len(given) == 2:
            fix = remove((*place, "ExpireAfterMin"), "Remove ExpireAfterMin")
            yield Report("The retry policy has both MaxAttempts and ExpireAfterMin.", place, fix=fix)
        elif not given and UNKNOWN not in policy:
            where = (*place, "MaxAttempts")
            fix = (replace if "MaxAttempts" in policy else insert)(where, 3, "Limit to 3 attempts")
            yield Report("The retry policy has neither MaxAttempts nor ExpireAfterMin.", place, fix=fix)


@rule(
    "J114",
    "error",
    "Numbers of a retry policy",
    on=_RETRY,
    example='"RetryPolicies": [{"ExceptionType": ["Step.THROTTLING"], "MaxAttempts": 21}]',
    source="K: retry.py; D (IntervalSeconds up to 43200)",
)
def retry_numbers(pipeline: Pipeline, step: StepView, value: JSON, key: str) -> Iterator[Report]:
    """MaxAttempts is 1 to 20, ExpireAfterMin up to 14400, IntervalSeconds up to 43200."""
    for place, policy in _policies(step, value, key):
        for name, (low, high) in _LIMITS.items():
            number = policy.get(name)
            if number is None or number is UNKNOWN:
                continue
            if isinstance(number, bool) or not isinstance(number, int | float):
                yield Report(f"{name} must be a number, and is {kind(number)}.", (*place, name))
            elif number < low or (high is not None and number > high):
                limits = f"at least {low}" if high is None else f"{low} to {high}"
                yield Report(f"{name} must be {limits}, not {shown(number)}.", (*place, name))


@rule(
    "J115",
    "information",
    "Retry without effect",
    on=_RETRY,
    types=("Tuning", "AutoML"),
    example='{"Type": "Tuning", "RetryPolicies": [{"ExceptionType": ["SageMaker.JOB_INTERNAL_ERROR"]}]}',
    source="D pipelines-retry-policy, note",
)
def retry_without_effect(pipeline: Pipeline, step: StepView, value: JSON, key: str) -> Iterator[Report]:
    """SageMaker.JOB_INTERNAL_ERROR is not retried for Tuning and AutoML steps."""
    for place, policy in _policies(step, value, key):
        types = policy.get("ExceptionType")
        for index, name in enumerate(types if isinstance(types, list) else ()):
            if name == "SageMaker.JOB_INTERNAL_ERROR":
                pointer = (*place, "ExceptionType", index)
                yield Report(f"{name} is not retried for {step.type} steps.", pointer)
