"""Findings as text for a person, and as JSON, SARIF and GitHub's workflow commands for programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from stepbridge.definition.rules import REGISTRY as DEFINITION_RULES

from stepbridge_lsp.documents import AnyDocument
from stepbridge_lsp.places import Place, line_of, place_of
from stepbridge_lsp.rules import REGISTRY, Finding

_COLOURS = {"error": "31", "warning": "33", "information": "36", "hint": "2"}
_SARIF_LEVELS = {"error": "error", "warning": "warning", "information": "note", "hint": "note"}
_GITHUB_COMMANDS = {"error": "error", "warning": "warning", "information": "notice", "hint": "notice"}
_DOCUMENTATION = "https://github.com/stepbridge/stepbridge/blob/main/docs/rules.md"


@dataclass(frozen=True)
class Result:
    """A finding in a file. `path` is as the user named it, or relative to where the command runs."""

    path: str
    finding: Finding
    place: Place
    line: str

    @classmethod
    def of(cls, path: str, document: AnyDocument, finding: Finding) -> Result:
        return cls(path, finding, place_of(document, finding.span), line_of(document, finding.span))


def text(results: list[Result], files: int, *, colours: bool) -> Iterator[str]:
    """Each finding with its source line and a caret, then a summary."""
    paint = _painter(colours)
    for result in results:
        finding, place = result.finding, result.place
        cell = f":cell {place.cell}" if place.cell is not None else ""
        where = paint("1", f"{result.path}{cell}:{place.line}:{place.column}")
        level = paint(_COLOURS[finding.severity], f"{finding.severity} {finding.code}")
        yield f"{where}: {level} {finding.message}"
        yield from _excerpt(result, paint)
    yield summary(results, files)


def _excerpt(result: Result, paint: Callable[[str, str], str]) -> Iterator[str]:
    line = result.line.replace("\t", " ")
    if not line.strip():
        return
    place = result.place
    first = place.column - 1
    last = place.end_column - 1 if place.end_line == place.line else len(line)
    offset = max(0, first - 90)
    shown = line[offset : offset + 110]
    width = max(1, min(last, offset + 110) - first)
    number = str(place.line)
    margin = " " * len(number)
    yield paint("2", f"{margin} |")
    yield f"{paint('2', f'{number} |')} {shown}"
    carets = paint(_COLOURS[result.finding.severity], "^" * width)
    yield f"{paint('2', f'{margin} |')} {' ' * (first - offset)}{carets}"


def summary(results: list[Result], files: int) -> str:
    """`2 errors, 1 warning in 5 files; --fix mends 1.`"""
    searched = f"{files} file" + ("" if files == 1 else "s")
    if not results:
        return f"No problems in {searched}."
    words = (("error", "error"), ("warning", "warning"), ("information", "note"), ("hint", "hint"))
    numbers = [(sum(r.finding.severity == level for r in results), word) for level, word in words]
    parts = [f"{count} {word}{'' if count == 1 else 's'}" for count, word in numbers if count]
    mended = sum(any(fix.safe for fix in result.finding.fixes) for result in results)
    tail = f"; --fix mends {mended}" if mended else ""
    return f"{', '.join(parts)} in {searched}{tail}."


def _painter(colours: bool) -> Callable[[str, str], str]:
    def paint(code: str, words: str) -> str:
        return f"\x1b[{code}m{words}\x1b[0m" if colours else words

    return paint


def as_json(results: Iterable[Result]) -> str:
    """A list of objects: path, line, column, end_line, end_column, code, severity, message (and cell)."""
    entries: list[dict[str, Any]] = []
    for result in results:
        place = result.place
        entry: dict[str, Any] = {
            "path": result.path,
            "line": place.line,
            "column": place.column,
            "end_line": place.end_line,
            "end_column": place.end_column,
            "code": result.finding.code,
            "severity": result.finding.severity,
            "message": result.finding.message,
        }
        if place.cell is not None:
            entry["cell"] = place.cell
        entries.append(entry)
    return json.dumps(entries, indent=2, ensure_ascii=False)


def as_github(results: Iterable[Result]) -> Iterator[str]:
    """Workflow commands, which GitHub shows at the lines of a pull request."""
    for result in results:
        place, finding = result.place, result.finding
        properties = {
            "file": result.path,
            "line": place.line,
            "endLine": place.end_line,
            "title": f"stepbridge {finding.code}",
        }
        if place.line == place.end_line:
            properties |= {"col": place.column, "endColumn": place.end_column}
        listed = ",".join(f"{key}={_property(str(value))}" for key, value in properties.items())
        yield f"::{_GITHUB_COMMANDS[finding.severity]} {listed}::{_data(finding.message)}"


def _data(words: str) -> str:
    return words.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(words: str) -> str:
    return _data(words).replace(":", "%3A").replace(",", "%2C")


def as_sarif(results: list[Result], version: str) -> str:
    """SARIF 2.1.0, for code scanning."""
    codes = sorted({result.finding.code for result in results})
    indexes = {code: index for index, code in enumerate(codes)}
    driver = {
        "name": "stepbridge",
        "version": version,
        "informationUri": _DOCUMENTATION,
        "rules": [_sarif_rule(code) for code in codes],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_sarif_result(result, indexes) for result in results],
    }
    schema = "https://json.schemastore.org/sarif-2.1.0.json"
    return json.dumps({"$schema": schema, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False)


def _sarif_rule(code: str) -> dict[str, Any]:
    entry = REGISTRY.get(code) or DEFINITION_RULES[code]
    return {
        "id": code,
        "name": entry.title,
        "shortDescription": {"text": entry.title},
        "fullDescription": {"text": entry.description},
        "helpUri": f"{_DOCUMENTATION}#{code.lower()}",
        "defaultConfiguration": {"level": _SARIF_LEVELS[entry.severity]},
    }


def _sarif_result(result: Result, indexes: dict[str, int]) -> dict[str, Any]:
    place, finding = result.place, result.finding
    region = {
        "startLine": place.line,
        "startColumn": place.column,
        "endLine": place.end_line,
        "endColumn": place.end_column,
    }
    location = {"physicalLocation": {"artifactLocation": {"uri": result.path}, "region": region}}
    return {
        "ruleId": finding.code,
        "ruleIndex": indexes[finding.code],
        "level": _SARIF_LEVELS[finding.severity],
        "message": {"text": finding.message},
        "locations": [location],
    }
