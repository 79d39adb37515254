"""The rules of pipeline definitions: J001 to J150.

`check` takes the text of a definition, `check_document` its decoded JSON, which may hold `UNKNOWN` wherever a
value is not known (a program that was read, not run). Neither raises, whatever they are given. `REGISTRY` has
every rule with its words, for the guide.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from functools import lru_cache
from typing import Any

from msgspec.structs import replace

from stepbridge.definition.values import JSON, UNKNOWN, Pointer, printable

from . import arguments, conditions, functions, jobs, parameters, policies, references, steps, structure
from .findings import SEVERITIES, Edit, Finding, Fix, Report, Severity
from .model import Pipeline
from .registry import REGISTRY, Plan, Rule

__all__ = [
    "REGISTRY",
    "SEVERITIES",
    "UNKNOWN",
    "Edit",
    "Finding",
    "Fix",
    "Rule",
    "Severity",
    "check",
    "check_document",
    "default_codes",
]

MAX_FINDINGS = 1000  # nobody reads more, and a file that is no definition at all should not take seconds

_MODULES = (arguments, conditions, functions, jobs, parameters, policies, references, steps, structure)


def default_codes() -> frozenset[str]:
    """The codes of the rules that run when none are selected."""
    return frozenset(code for code, rule in REGISTRY.items() if rule.default)


def check(source: str, codes: Collection[str] | None = None) -> list[Finding]:
    """Check the text of a definition.

    Args:
        codes: the rules to run; None: those that are on by default.

    Returns:
        Findings in the order of their places. Text that is no JSON gives a single J001 with its `offset`.
    """
    plan = _plan(None if codes is None else frozenset(codes))
    found = [
        _finding(rule, report)
        for rule in plan.rules("text")
        if rule.code == "J007"
        for report in structure.too_long(source)
    ]
    reader = _Reader()
    try:
        document = reader.read(source)
    except json.JSONDecodeError as error:
        text = f"{error.msg} (line {error.lineno}, column {error.colno})."
        return [*found, *_not_json(plan, text, error.pos)]
    except RecursionError:
        return [*found, *_not_json(plan, "It is nested too deeply.", 0)]
    except ValueError as error:  # NaN, or a number of more than 4300 digits
        return [*found, *_not_json(plan, f"{error}.", 0)]
    return found + check_document(document, codes, duplicates=reader.duplicates)


def check_document(
    document: JSON,
    codes: Collection[str] | None = None,
    *,
    duplicates: dict[int, tuple[str, ...]] | None = None,
) -> list[Finding]:
    """Check decoded JSON, or a value of the same shape with UNKNOWN in it.

    Args:
        codes: the rules to run; None: those that are on by default.
        duplicates: `id` of an object in `document` -> keys that its text has twice, where the reader knows.
    """
    plan = _plan(None if codes is None else frozenset(codes))
    run = _Run(plan)
    try:
        run.over(Pipeline(document, duplicates))
    except _EnoughError:
        pass
    except RecursionError:
        run.found.extend(_not_json(plan, "It is nested too deeply.", None))
    return sorted(run.found, key=_place)


class _EnoughError(Exception):
    """There are as many findings as anyone will read."""


class _Run:
    """One run of a plan over one pipeline."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.found: list[Finding] = []

    def over(self, pipeline: Pipeline) -> None:
        self.apply("document", None, pipeline)
        for pointer, key in _duplicates(pipeline) if pipeline.duplicates else ():
            self.apply("duplicate", None, pipeline, pointer, key)
        for parameter in pipeline.parameters:
            self.apply("parameter", None, pipeline, parameter)
        for step in pipeline.steps:
            self.apply("step", step.type, pipeline, step)
            for key in self.plan.keys:
                value = step.raw.get(key)
                if value is not None and value is not UNKNOWN:
                    self.apply("key:" + key, step.type, pipeline, step, value, key)
        for reference in pipeline.references:
            kind = reference.reference.kind if reference.reference is not None else "malformed"
            self.apply("reference:" + kind, None, pipeline, reference)
        for function in pipeline.functions:
            name = function.name if function.name in functions.FUNCTIONS else ""
            self.apply("function:" + name, None, pipeline, function)
        for condition in pipeline.conditions:
            self.apply("condition", None, pipeline, condition)
        for mismatch in pipeline.mismatches:
            step_type = mismatch.step.type if mismatch.step is not None else None
            self.apply("mismatch:" + arguments.code_of(mismatch), step_type, pipeline, mismatch)

    def apply(self, on: str, step_type: str | None, *sites: Any) -> None:
        """Run the rules that look at `on`; raises _EnoughError when there is enough to read."""
        for rule in self.plan.rules(on, step_type):
            for report in rule.check(*sites):
                self.found.append(_finding(rule, report))
                if len(self.found) >= MAX_FINDINGS:
                    raise _EnoughError


def _finding(rule: Rule, report: Report) -> Finding:
    message = report.message
    if report.suggestions:
        message += f' Did you mean "{report.suggestions[0]}"?'
    return Finding(
        code=rule.code,
        severity=report.severity or rule.severity,
        message=printable(message),
        pointer=report.pointer,
        at_key=report.at_key,
        fix=report.fix,
        suggestions=report.suggestions,
        related=report.related,
        unnecessary=report.unnecessary,
    )


def _not_json(plan: Plan, reason: str, offset: int | None) -> list[Finding]:
    rule = REGISTRY["J001"]
    if rule not in plan.rules("text"):
        return []
    finding = Finding("J001", rule.severity, f"The definition is not JSON: {reason}", ())
    return [replace(finding, offset=offset)]


def _place(finding: Finding) -> tuple[tuple[tuple[int, int | str], ...], str]:
    pointer = tuple((0, part) if isinstance(part, int) else (1, part) for part in finding.pointer)
    return pointer, finding.code


@lru_cache(maxsize=16)
def _plan(codes: frozenset[str] | None) -> Plan:
    return Plan(codes)


class _Reader:
    """Decodes JSON strictly, and keeps note of keys that stand twice in an object."""

    def __init__(self) -> None:
        self.duplicates: dict[int, tuple[str, ...]] = {}
        self._kept: list[dict[str, JSON]] = []  # so that their ids stay theirs

    def read(self, source: str) -> JSON:
        return json.loads(source, object_pairs_hook=self._object, parse_constant=_no_constant)

    def _object(self, pairs: list[tuple[str, JSON]]) -> dict[str, JSON]:
        found = dict(pairs)
        if len(found) < len(pairs):
            keys = [key for key, _ in pairs]
            self.duplicates[id(found)] = tuple(dict.fromkeys(k for k in keys if keys.count(k) > 1))
            self._kept.append(found)
        return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON value")


def _duplicates(pipeline: Pipeline) -> Iterator[tuple[Pointer, str]]:
    pending: list[tuple[Pointer, JSON]] = [((), pipeline.root)]
    while pending:
        pointer, node = pending.pop()
        if isinstance(node, dict):
            for key in pipeline.duplicates.get(id(node), ()):
                yield pointer, key
            pending.extend(((*pointer, key), value) for key, value in node.items())
        elif isinstance(node, list):
            pending.extend(((*pointer, index), value) for index, value in enumerate(node))
