from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

from stepbridge.definition import rules

# shared knowledge of the project: the numbers of the J rules
CODES = {
    *(f"J{n:03}" for n in (*range(1, 11), *range(20, 33), *range(40, 52), *range(60, 77))),
    *(f"J{n:03}" for n in (80, 81, *range(90, 97), *range(100, 104), *range(110, 116), *range(120, 151))),
}
FOLDER = Path(__file__).parent


def test_every_rule_is_there_with_its_words() -> None:
    assert set(rules.REGISTRY) == CODES
    for rule in rules.REGISTRY.values():
        assert re.fullmatch(r"[A-Z`].*\.", rule.description), rule.code
        assert rule.title
        assert rule.example
        assert rule.source
        assert rule.severity in rules.SEVERITIES


def test_inferred_rules_are_no_errors_and_noisy_ones_are_off() -> None:
    inferred = [rule for rule in rules.REGISTRY.values() if re.search(r"\bI\b", rule.source)]
    assert {rule.code for rule in inferred} >= {"J004", "J050", "J095"}
    assert all(rule.severity != "error" for rule in inferred)
    assert set(rules.REGISTRY) - rules.default_codes() == {"J031", "J048", "J122", "J137", "J150"}


def test_every_rule_has_a_row_in_a_table() -> None:
    tables = [_load(path) for path in FOLDER.glob("test_*.py") if path.name != Path(__file__).name]
    assert {row[0] for table in tables for row in _rows(table)} == CODES


def _rows(module: ModuleType) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = getattr(module, "ROWS", [])
    return rows


def _load(path: Path) -> ModuleType:
    specification = importlib.util.spec_from_file_location(f"table_{path.stem}", path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module
