"""ISO-8601 durations as the service reads them in cache configurations: `P30d`, also `30d`, `T16m`, `T1H`.

Pure text to numbers. A month counts as 30 days and a year as 365: the service does not say, and a cache does
not care.
"""

from __future__ import annotations

import re
from datetime import timedelta

_DURATION = re.compile(
    r"P?(?=[\dT])(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?"
    r"(?:T(?=\d)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?",
    re.IGNORECASE | re.ASCII,
)
_DAYS = (365, 30, 7, 1)


def parse_duration(text: str) -> timedelta | None:
    """The duration that `text` denotes, or None when it is none. Any case; the leading P may be left out."""
    if len(text) > 64:
        return None
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        return None
    years, months, weeks, days, hours, minutes, seconds = match.groups(default="0")
    total_days = sum(int(n) * length for n, length in zip((years, months, weeks, days), _DAYS, strict=True))
    try:
        return timedelta(days=total_days, hours=int(hours), minutes=int(minutes), seconds=float(seconds))
    except OverflowError:
        return timedelta.max
