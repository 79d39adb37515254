"""What all tests share."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# How long one example takes says nothing here: tests run beside containers and editors, two at a time. A
# process that is not scheduled for 200 ms would fail a property with "Unreliable test timings".
settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")
