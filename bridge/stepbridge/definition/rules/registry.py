"""The registry of rules: each is one small function, with a code, a default severity and words for the guide.

A rule says which things it looks at (`On`), so that the runner calls it for those only: a rule on cache
configurations costs nothing on a step that has none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from msgspec import Struct

from .findings import Report, Severity

Check: TypeAlias = Callable[..., Iterable[Report]]

# what a rule looks at, and what its function is called with after the Pipeline:
#   document                    nothing
#   parameter                   a ParameterView
#   step                        a StepView
#   key:CacheConfig ...         a StepView and the value of that key, where a step has it
#   reference:parameter ...     a ReferenceSite of that kind (parameter, execution, step, property-file,
# malformed)
#   function:Std:Join ...       a FunctionSite of that function; "function:" for unknown ones
#   condition                   a ConditionSite
#   mismatch:J124 ...           a Mismatch that was routed to that code
On: TypeAlias = str


class Rule(Struct, frozen=True):
    """A rule and what the guide says of it.

    `source` tells how we know: the service model (B), the published schema (S), the developer guide (D), a
    public error report (E), the SDK's source (K), a run of the SDK (V), or inference (I).
    """

    code: str
    severity: Severity
    title: str
    description: str
    example: str
    source: str
    on: tuple[On, ...]
    check: Check
    types: frozenset[str] | None = None  # step types; None: all
    default: bool = True  # False: only when selected


REGISTRY: dict[str, Rule] = {}


def rule(
    code: str,
    severity: Severity,
    title: str,
    *,
    on: On | tuple[On, ...],
    example: str,
    source: str,
    types: Iterable[str] | None = None,
    default: bool = True,
) -> Callable[[Check], Check]:
    """Register the function below as the rule `code`; its docstring is the guide's sentence."""

    def register(check: Check) -> Check:
        if code in REGISTRY:
            raise ValueError(f"rule {code} is defined twice")
        REGISTRY[code] = Rule(
            code=code,
            severity=severity,
            title=title,
            description=" ".join((check.__doc__ or "").split()),
            example=example,
            source=source,
            on=(on,) if isinstance(on, str) else on,
            check=check,
            types=None if types is None else frozenset(types),
            default=default,
        )
        return check

    return register


class Plan:
    """The rules to run, sorted by what they look at."""

    def __init__(self, codes: frozenset[str] | None) -> None:
        self._rules: dict[tuple[On, str | None], tuple[Rule, ...]] = {}
        self._by_hook: dict[On, list[Rule]] = {}
        for entry in REGISTRY.values():
            if entry.code in codes if codes is not None else entry.default:
                for on in entry.on:
                    self._by_hook.setdefault(on, []).append(entry)
        self.keys = tuple(on.removeprefix("key:") for on in self._by_hook if on.startswith("key:"))

    def rules(self, on: On, step_type: str | None = None) -> tuple[Rule, ...]:
        """The rules that look at `on`, for a step of that type (None: no step, or one of unknown type)."""
        try:
            return self._rules[on, step_type]
        except KeyError:
            pass
        hooked = self._by_hook.get(on, ())
        found = tuple(rule for rule in hooked if rule.types is None or step_type in rule.types)
        if len(self._rules) < 4096:  # step types come from the document: do not remember endless typos
            self._rules[on, step_type] = found
        return found
