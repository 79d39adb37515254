"""Retry policies of a step: the service's exception types, back-off and limits.

Source: "Retry Policy for Pipeline Steps" (documentation of the service); defaults as there.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct, field

from stepbridge.definition.document import RetryPolicy


class RetryState(Struct):
    """Counts the attempts of one step, policy by policy."""

    policies: Sequence[RetryPolicy]
    _tries: dict[int, int] = field(default_factory=dict)
    _since: dict[int, float] = field(default_factory=dict)

    def delay(self, exception_type: str, now: float) -> float | None:
        """Seconds to wait before the next attempt, None when there shall be none. now: epoch seconds."""
        for number, policy in enumerate(self.policies):
            if exception_type not in policy.exception_types:
                continue
            tried = self._tries.get(number, 0)
            since = self._since.setdefault(number, now)
            if policy.max_attempts is not None and tried >= policy.max_attempts:
                return None
            if policy.expire_after_minutes is not None and now - since > policy.expire_after_minutes * 60:
                return None
            if policy.max_attempts is None and policy.expire_after_minutes is None:
                return None
            self._tries[number] = tried + 1
            return policy.interval_seconds * policy.backoff_rate**tried
        return None
