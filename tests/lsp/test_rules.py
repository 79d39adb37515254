"""Every rule against its snippets: squiggles where they belong, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest
from stepbridge_lsp.rules import REGISTRY, diagnose

from tests.lsp.snippets import RULES, Snippet, all_snippets, apply_fixes, located, read

SNIPPETS = all_snippets()


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda s: f"{s.rule}: {s.title}")
def test_snippet(snippet: Snippet, tmp_path: Path) -> None:
    document = snippet.document(tmp_path)
    findings = diagnose(document, snippet.selection)
    assert not document.model.broken
    found = located(document, findings, snippet.first_line)
    expected = {line: sorted(codes) for line, codes in snippet.expected.items()}
    messages = "\n".join(f"{finding.code} {finding.message}" for finding in findings)
    assert {line: sorted(codes) for line, codes in found.items()} == expected, messages


@pytest.mark.parametrize(
    "snippet", [s for s in SNIPPETS if s.fixed is not None], ids=lambda s: f"{s.rule}: {s.title}"
)
def test_fix(snippet: Snippet, tmp_path: Path) -> None:
    document = snippet.document(tmp_path)
    findings = [f for f in diagnose(document, snippet.selection) if f.code == snippet.rule]
    fixed = apply_fixes(document.source, findings).decode()
    assert (
        fixed.removeprefix(document.source.decode()[: len(fixed) - len(snippet.fixed or "")]) == snippet.fixed
    )
    document.replace(fixed)
    assert not any(f.fixes for f in diagnose(document, snippet.selection) if f.code == snippet.rule)


@pytest.mark.parametrize("code", sorted(REGISTRY))
def test_every_rule_has_a_violating_and_a_nearly_violating_snippet(code: str) -> None:
    snippets = read(RULES / f"{code}.txt")
    violated = [s for s in snippets if any(code in [c for _, c in codes] for codes in s.expected.values())]
    assert violated, f"no snippet violates {code}"
    assert any(s not in violated for s in snippets), f"no snippet nearly violates {code}"


def test_every_rule_is_documented() -> None:
    for code, rule in REGISTRY.items():
        assert rule.description.endswith("."), code
        assert rule.title, code
        assert rule.example, code
        assert rule.source, code
