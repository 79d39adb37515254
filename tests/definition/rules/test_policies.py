from __future__ import annotations

from typing import Any

import pytest


def cache(type_: str = "Training", **config: Any) -> dict[str, Any]:
    return {"Type": type_, "CacheConfig": config}


def retry(type_: str = "Training", **policy: Any) -> dict[str, Any]:
    return {
        "Type": type_,
        "RetryPolicies": [{"ExceptionType": ["Step.THROTTLING"], "MaxAttempts": 3, **policy}],
    }


EXPIRY = "/Steps/0/CacheConfig/ExpireAfter"
POLICY = "/Steps/0/RetryPolicies/0"

ROWS: list[tuple[str, str, Any, str, Any]] = [
    ("J100", "step", cache("Model", Enabled=True), "/Steps/0/CacheConfig", cache("Training", Enabled=True)),
    ("J100", "step", cache("Fail", Enabled=True), "/Steps/0/CacheConfig", cache("Lambda", Enabled=True)),
    ("J101", "step", cache(Enabled=True), "/Steps/0/CacheConfig", cache(Enabled=True, ExpireAfter="30d")),
    ("J101", "step", cache(Enabled=True, ExpireAfter=None), "/Steps/0/CacheConfig", cache(Enabled=False)),
    ("J101", "step", {"CacheConfig": True}, "/Steps/0/CacheConfig", {"CacheConfig": None}),
    ("J102", "step", cache(ExpireAfter="30 days"), EXPIRY, cache(ExpireAfter="30d")),
    ("J102", "step", cache(ExpireAfter="1H"), EXPIRY, cache(ExpireAfter="T1H")),
    ("J102", "step", cache(ExpireAfter="soon"), EXPIRY, cache(ExpireAfter="${expiry}")),
    ("J102", "step", cache(ExpireAfter=30), EXPIRY, cache(ExpireAfter="P4DT12H")),
    ("J103", "step", cache(ExpireAfter="P30M"), EXPIRY, cache(ExpireAfter="PT30M")),
    ("J103", "step", cache(ExpireAfter="p15m"), EXPIRY, cache(ExpireAfter="P1M")),
    ("J110", "step", retry("Lambda"), "/Steps/0/RetryPolicies", retry("Training")),
    ("J110", "step", retry("Condition"), "/Steps/0/RetryPolicies", {"Type": "Lambda", "RetryPolicies": []}),
    ("J111", "step", retry(ExceptionType=["Step.THROTLING"]), POLICY + "/ExceptionType/0", retry()),
    (
        "J111",
        "step",
        retry(ExceptionType="Step.THROTTLING"),
        POLICY + "/ExceptionType",
        retry(ExceptionType=[]),
    ),
    ("J111", "step", retry(ExceptionType=None), POLICY, retry(ExceptionType=["SageMaker.CAPACITY_ERROR"])),
    ("J111", "step", {"RetryPolicies": {}}, "/Steps/0/RetryPolicies", {"RetryPolicies": []}),
    ("J111", "step", {"RetryPolicies": ["x"]}, POLICY, {"RetryPolicies": None}),
    (
        "J112",
        "step",
        retry("Model", ExceptionType=["SageMaker.CAPACITY_ERROR"]),
        POLICY + "/ExceptionType/0",
        retry("Model"),
    ),
    (
        "J112",
        "step",
        retry("RegisterModel", ExceptionType=["SageMaker.RESOURCE_LIMIT"]),
        POLICY + "/ExceptionType/0",
        retry("Training", ExceptionType=["SageMaker.RESOURCE_LIMIT"]),
    ),
    ("J113", "step", retry(ExpireAfterMin=5), POLICY, retry()),
    ("J113", "step", retry(MaxAttempts=None), POLICY, retry(MaxAttempts=None, ExpireAfterMin=5)),
    ("J114", "step", retry(MaxAttempts=21), POLICY + "/MaxAttempts", retry(MaxAttempts=20)),
    ("J114", "step", retry(MaxAttempts=0), POLICY + "/MaxAttempts", retry(MaxAttempts=1)),
    ("J114", "step", retry(ExpireAfterMin=14401), POLICY + "/ExpireAfterMin", retry(ExpireAfterMin=14400)),
    ("J114", "step", retry(IntervalSeconds=43201), POLICY + "/IntervalSeconds", retry(IntervalSeconds=43200)),
    ("J114", "step", retry(BackoffRate=-0.5), POLICY + "/BackoffRate", retry(BackoffRate=0)),
    ("J114", "step", retry(BackoffRate="2"), POLICY + "/BackoffRate", retry(BackoffRate=2.0)),
    (
        "J115",
        "step",
        retry("Tuning", ExceptionType=["SageMaker.JOB_INTERNAL_ERROR"]),
        POLICY + "/ExceptionType/0",
        retry("Training", ExceptionType=["SageMaker.JOB_INTERNAL_ERROR"]),
    ),
]


@pytest.mark.parametrize(("code", "kind", "bad", "place", "good"), ROWS)
def test_rule(judge: Any, code: str, kind: str, bad: Any, place: str, good: Any) -> None:
    judge(code, kind, bad, place, good)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("30 days", "P30D"),
        ("1H", "PT1H"),
        ("15min", "PT15M"),
        ("2 weeks", "P2W"),
        ("3 months", "P3M"),
        ("soon", None),
    ],
)
def test_what_was_meant_by_an_expiry(found: Any, written: str, meant: str | None) -> None:
    (finding,) = found("J102", "step", cache(ExpireAfter=written))
    assert (finding.fix.edits[0].value if finding.fix else None) == meant
