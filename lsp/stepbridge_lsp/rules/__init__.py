"""Rules on pipeline documents and the one function that runs them.

`diagnose` takes any document and gives findings with places in its text, settings and comments applied.
Rules on definitions live in `stepbridge.definition.rules`; those here are what only a program can break.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace
from stepbridge.definition.rules import REGISTRY as DEFINITION_RULES
from stepbridge.definition.rules import Rule as DefinitionRule

from stepbridge_lsp.documents import AnyDocument, DefinitionDocument, PythonDocument

from . import (
    conditions,
    files,
    frameworks,
    functions,
    imports,
    jobs,
    local,
    parameters,
    paths,
    pipelines,
    policies,
    properties,
    scripts,
    secrets,
    starting,
    variables,
)
from .context import Context
from .definitions import definition_findings, template_findings
from .findings import SEVERITIES, Finding, Fix, Report, Severity, TextEdit
from .registry import REGISTRY, Rule
from .selection import Selection, load_selection, silence_of
from .translation import has_twin, plain_findings

__all__ = [
    "REGISTRY",
    "SEVERITIES",
    "Finding",
    "Fix",
    "Rule",
    "Selection",
    "Severity",
    "TextEdit",
    "diagnose",
    "load_selection",
]

_MODULES = (
    conditions,
    files,
    frameworks,
    functions,
    imports,
    jobs,
    local,
    parameters,
    paths,
    pipelines,
    policies,
    properties,
    scripts,
    secrets,
    starting,
    variables,
)


def diagnose(document: AnyDocument, selection: Selection | None = None) -> list[Finding]:
    """The findings on a document, in the order of their places."""
    selection = selection or Selection()
    codes = selection.for_file(document.key)
    if isinstance(document, PythonDocument):
        found = list(_program_findings(document, codes, selection))
        found = list(_not_silenced(document, found))
    else:
        within = definition_findings if isinstance(document, DefinitionDocument) else template_findings
        found = [_levelled(finding, selection) for finding in within(document, codes)]  # type: ignore[arg-type]
    return sorted(found, key=lambda finding: (finding.span.start, finding.span.end, finding.code))


def _levelled(finding: Finding, selection: Selection) -> Finding:
    level = selection.level(finding.code, finding.severity)
    return finding if level == finding.severity else replace(finding, severity=level)


def _not_silenced(document: PythonDocument, found: list[Finding]) -> Iterator[Finding]:
    silence = silence_of(document.source)
    lines = document.lines
    for finding in found:
        first, last = lines.line_of(finding.span.start), lines.line_of(finding.span.end)
        if not silence.covers(finding.code, first, last):
            yield finding


def _program_findings(document: PythonDocument, codes: frozenset[str], selection: Selection) -> list[Finding]:
    context = Context(document)
    found: dict[tuple[str, int, int, str], Finding] = {}
    for code, rule in REGISTRY.items():
        if code not in codes:
            continue
        for report in rule.check(context):
            if not context.own(report.span):
                continue
            key = (code, report.span.start, report.span.end, report.message)
            if key not in found:
                found[key] = _finding(rule, report, selection)
    for finding in _definition_findings(context, codes, selection):
        found.setdefault((finding.code, finding.span.start, finding.span.end, finding.message), finding)
    return list(found.values())


def _definition_findings(context: Context, codes: frozenset[str], selection: Selection) -> Iterator[Finding]:
    """Findings of the rules on definitions that have no twin among the rules on programs."""
    steps = [found for found in context.translated if not has_twin(found)]
    for translated in (*steps, *plain_findings(context.model, codes & DEFINITION_RULES.keys())):
        code = translated.finding.code
        if code in codes and context.own(translated.span):
            report = jobs.report_of(context, translated)
            yield _finding(DEFINITION_RULES[code], report, selection)


def _finding(rule: Rule | DefinitionRule, report: Report, selection: Selection) -> Finding:
    severity = report.severity or rule.severity
    return Finding(
        rule.code,
        selection.level(rule.code, severity),
        report.message,
        report.span,
        report.fixes,
        report.suggestions,
        report.related,
        report.unnecessary,
        report.deprecated,
    )
