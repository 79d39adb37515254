"""The registry of rules on pipeline programs: each one small function with a code, a severity and words for
the guide.

`stepbridge.definition.rules` has the rules on definitions (J...); this registry has those that only a
program can break (P...), and the hints across the border between a step and its script (S...).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from .findings import Report, Severity

if TYPE_CHECKING:
    from .context import Context

Check = Callable[["Context"], Iterator[Report]]
Moment = Literal["build", "create", "start", "run", "never", "import"]


class Rule(Struct, frozen=True):
    """A rule and what the guide says of it.

    Attributes:
        example: a program, or the line of one, that breaks it.
        source: how we know: a run of the SDK (V), its source (K), the service model (B), the developer guide
        (D), a
            public error report (E and its number), inference (I).
        moment: when a user would learn of it otherwise.
        default: False for rules that run only when selected.
    """

    code: str
    severity: Severity
    title: str
    description: str
    example: str
    source: str
    moment: Moment
    check: Check
    default: bool = True


REGISTRY: dict[str, Rule] = {}


def rule(
    code: str,
    severity: Severity,
    title: str,
    *,
    example: str,
    source: str,
    moment: Moment,
    default: bool = True,
) -> Callable[[Check], Check]:
    """Register the function below as the rule `code`; its docstring is the guide's text."""

    def register(check: Check) -> Check:
        if code in REGISTRY:
            raise ValueError(f"rule {code} is defined twice")
        description = " ".join((check.__doc__ or "").split())
        REGISTRY[code] = Rule(code, severity, title, description, example, source, moment, check, default)
        return check

    return register
