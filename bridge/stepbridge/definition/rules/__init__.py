"""The rules of pipeline definitions: J001 to J150.

`check` takes the text of a definition, `check_document` its decoded JSON, which may hold `UNKNOWN` wherever a
value is not known (a program that was read, not run). Neither raises, whatever they are given. `REGISTRY` has
every rule with its words, for the guide.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from stepbridge.definition.reading import Duplicates, Reader
from stepbridge.definition.values import JSON, UNKNOWN, printable

from . import arguments, conditions, functions, jobs, parameters, policies, references, steps, structure
from .findings import SEVERITIES, Edit, Finding, Fix, Report, Severity
from .model import MAX_SUGGESTIONS, Part, Pipeline
from .registry import REGISTRY, On, Plan, Rule

__all__ = [
    "REGISTRY",
    "SEVERITIES",
    "UNKNOWN",
    "Edit",
    "Finding",
    "Fix",
    "Memory",
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


class Memory:
    """What is known of a definition that is checked again and again: most of its steps are what they were.

    It never changes what is found. It serves one definition at a time. Where the JSON was decoded elsewhere,
    a step is known again by the identity of its object, in which nothing may change.
    """

    def __init__(self) -> None:
        self.reader = Reader()
        self._plan: Plan | None = None
        self._outcomes: Sequence[_Outcome] = ()

    def run(self, plan: Plan, document: JSON, duplicates: Duplicates | None) -> list[Finding]:
        """The findings, in no order, and known from now on."""
        run = None
        if plan is self._plan and self._outcomes:
            run = _Run(plan, document, duplicates, self._outcomes)
        if run is None or not run.within_limits():
            run = _Run(plan, document, duplicates)
        self._plan, self._outcomes = plan, run.outcomes if run.within_limits() else ()
        return run.found


def check(source: str, codes: Collection[str] | None = None, memory: Memory | None = None) -> list[Finding]:
    """Check the text of a definition.

    Args:
        codes: the rules to run; None: those that are on by default.
        memory: of earlier states of the same text, to be done sooner.

    Returns:
        Findings in the order of their places. Text that is no JSON gives a single J001 with its `offset`.
    """
    plan = _plan(None if codes is None else frozenset(codes))
    reader = memory.reader if memory is not None else Reader()
    found = [
        _finding(rule, report)
        for rule in plan.rules("text")
        if rule.code == "J007"
        for report in structure.too_long(source)
    ]
    try:
        reading = reader.read(source)
    except json.JSONDecodeError as error:
        text = f"{error.msg} (line {error.lineno}, column {error.colno})."
        return [*found, *_not_json(plan, text, error.pos)]
    except RecursionError:
        return [*found, *_not_json(plan, "It is nested too deeply.", 0)]
    except ValueError as error:  # NaN, or a number of more than 4300 digits
        return [*found, *_not_json(plan, f"{error}.", 0)]
    return found + check_document(reading.value, codes, duplicates=reading.duplicates, memory=memory)


def check_document(
    document: JSON,
    codes: Collection[str] | None = None,
    *,
    duplicates: Duplicates | None = None,
    memory: Memory | None = None,
) -> list[Finding]:
    """Check decoded JSON, or a value of the same shape with UNKNOWN in it.

    Args:
        codes: the rules to run; None: those that are on by default.
        duplicates: keys that objects in `document` have twice, where the reader knows.
        memory: of earlier states of the same definition.
    """
    plan = _plan(None if codes is None else frozenset(codes))
    try:
        found = (
            _Run(plan, document, duplicates, remember=False).found
            if memory is None
            else memory.run(plan, document, duplicates)
        )
    except RecursionError:
        found = _not_json(plan, "It is nested too deeply.", None)
    return sorted(found, key=_place)


class _Question(Struct, eq=False):
    """A rule, and the sites that it is called with after the Pipeline."""

    rule: Rule
    sites: tuple[Any, ...]


class _Outcome(Struct, eq=False):
    """What the rules say of a part, in the order in which they were asked.

    What depends on the part alone is there as findings; where a rule looked at anything else, it is to be
    asked again. `near` counts the names that the former compared with others.
    """

    part: Part
    answers: list[Finding | _Question]
    near: int


class _Witness:
    """Stands in for the pipeline, and notes whether a rule looks at it, and so beyond its part."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self.looked = False
        self.compared = 0

    def near(self, word: str, candidates: Iterable[str]) -> tuple[str, ...]:
        self.compared += 1
        return self._pipeline.near(word, candidates)

    def __getattr__(self, name: str) -> Any:
        self.looked = True
        return getattr(self._pipeline, name)


class _Run:
    """One run of a plan over one definition; `known`: what an earlier run has left."""

    def __init__(
        self,
        plan: Plan,
        document: JSON,
        duplicates: Duplicates | None = None,
        known: Sequence[_Outcome] = (),
        *,
        remember: bool = True,
    ) -> None:
        self.plan = plan
        self.pipeline = Pipeline(document, duplicates, [outcome.part for outcome in known])
        self.known = {id(outcome.part): outcome for outcome in known}
        self.found: list[Finding] = []
        self.outcomes: list[_Outcome] = []
        for rule in plan.rules("document"):
            self.ask(rule, (), self.pipeline)
        for part in self.pipeline.parts:
            if remember:
                self.over(part)
            else:
                self.through(part)

    def within_limits(self) -> bool:
        """Whether nothing was left out. What is, depends on the order in which a whole definition is looked
        at, so that nothing can be known from before, nor for later.
        """
        compared = len(self.pipeline.suggested) + sum(outcome.near for outcome in self.outcomes)
        return len(self.found) < MAX_FINDINGS and compared < MAX_SUGGESTIONS

    def ask(self, rule: Rule, sites: tuple[Any, ...], pipeline: Pipeline | _Witness) -> None:
        for report in rule.check(pipeline, *sites):
            if len(self.found) == MAX_FINDINGS:
                break
            self.found.append(_finding(rule, report))

    def through(self, part: Part) -> None:
        """Ask all rules, and remember nothing."""
        for on, step_type, sites in self.sites(part):
            for rule in self.plan.rules(on, step_type):
                self.ask(rule, sites, self.pipeline)
            if len(self.found) == MAX_FINDINGS:
                break

    def over(self, part: Part) -> None:
        outcome = self.known.get(id(part))
        if outcome is None:
            outcome = self.asked(part)
        else:
            for answer in outcome.answers:
                if isinstance(answer, Finding):
                    self.found.append(answer)
                else:
                    self.ask(answer.rule, answer.sites, self.pipeline)
        self.outcomes.append(outcome)

    def asked(self, part: Part) -> _Outcome:
        outcome = _Outcome(part, [], 0)
        witness = _Witness(self.pipeline)
        for on, step_type, sites in self.sites(part):
            for rule in self.plan.rules(on, step_type):
                first, compared = len(self.found), witness.compared
                witness.looked = False
                self.ask(rule, sites, witness)
                if witness.looked:
                    outcome.answers.append(_Question(rule, sites))
                elif len(self.found) > first or witness.compared > compared:
                    outcome.answers += self.found[first:]
                    outcome.near += witness.compared - compared
            if len(self.found) == MAX_FINDINGS:
                break
        return outcome

    def sites(self, part: Part) -> Iterator[tuple[On, str | None, tuple[Any, ...]]]:
        """What rules look at in a part."""
        duplicates = self.pipeline.duplicates
        for pointer, node in part.nodes() if duplicates else ():
            for key in duplicates.get(id(node), (node, ()))[1]:
                yield "duplicate", None, (pointer, key)
        for parameter in part.parameters:
            yield "parameter", None, (parameter,)
        for step in part.steps:
            yield "step", step.type, (step,)
            for key in self.plan.keys:
                value = step.raw.get(key)
                if value is not None and value is not UNKNOWN:
                    yield "key:" + key, step.type, (step, value, key)
        for reference in part.references:
            kind = reference.reference.kind if reference.reference is not None else "malformed"
            yield "reference:" + kind, None, (reference,)
        for function in part.functions:
            name = function.name if function.name in functions.FUNCTIONS else ""
            yield "function:" + name, None, (function,)
        for condition in part.conditions:
            yield "condition", None, (condition,)
        for mismatch in part.mismatches:
            step_type = mismatch.step.type if mismatch.step is not None else None
            yield "mismatch:" + arguments.code_of(mismatch), step_type, (mismatch,)


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
