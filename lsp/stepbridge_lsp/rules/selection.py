"""Which rules run, how severe they are, and where they are silenced.

From `[tool.stepbridge]` of `pyproject.toml` or `stepbridge.toml`: `select`, `ignore`, `severity`,
`per-file-ignores`; and from comments: `# stepbridge: ignore[P041]` behind a line, or alone on a line for the
whole file. Codes may be prefixes ("P04", "J"); "ALL" is every rule, those that are off by default too.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace
from stepbridge.definition.rules import REGISTRY as DEFINITION_RULES
from stepbridge.errors import ConfigurationError

from .findings import SEVERITIES, Finding, Severity
from .registry import REGISTRY

_LINE = re.compile(rb"#\s*stepbridge:\s*ignore(?:\[([^\]\n]*)\])?")
_OFF = "off"


class Selection(Struct, frozen=True, dict=True):
    """The settings of a workspace.

    `severity` maps codes or prefixes to a severity or "off". `root` is the folder that per-file globs count
    from.
    """

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    severity: Mapping[str, str] = field(default_factory=dict)
    per_file_ignores: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    root: Path | None = None

    @cached_property
    def codes(self) -> frozenset[str]:
        """The rules to run."""
        known = all_codes()
        chosen = {code for code in known if _matches(code, self.select)} if self.select else _defaults()
        chosen |= {code for code, level in self._levels.items() if level != _OFF and code in known}
        off = {code for code in known if self._levels.get(code) == _OFF}
        return frozenset(code for code in chosen if not _matches(code, self.ignore)) - off

    @cached_property
    def _levels(self) -> dict[str, str]:
        levels: dict[str, str] = {}
        for prefix in sorted(self.severity, key=len):  # the longest prefix wins
            for code in all_codes():
                if code.startswith(prefix):
                    levels[code] = self.severity[prefix]
        return levels

    def level(self, code: str, default: Severity) -> Severity:
        """The severity of a rule's findings."""
        chosen = self._levels.get(code)
        return next((level for level in SEVERITIES if level == chosen), default)

    def for_file(self, path: str) -> frozenset[str]:
        """The rules to run on a file."""
        ignored: list[str] = []
        for glob, codes in self.per_file_ignores.items():
            if self._glob_matches(glob, path):
                ignored += codes
        return (
            frozenset(code for code in self.codes if not _matches(code, ignored)) if ignored else self.codes
        )

    def _glob_matches(self, glob: str, path: str) -> bool:
        name = path
        if self.root is not None and path.startswith(f"{self.root}/"):
            name = path[len(str(self.root)) + 1 :]
        return fnmatch.fnmatch(name, glob) or fnmatch.fnmatch(path.rpartition("/")[2], glob)

    def with_options(self, select: Iterable[str], ignore: Iterable[str]) -> Selection:
        """The same with what a command line adds."""
        chosen = tuple(select)
        return replace(self, select=chosen or self.select, ignore=(*self.ignore, *ignore))


def all_codes() -> frozenset[str]:
    return frozenset(REGISTRY) | frozenset(DEFINITION_RULES)


def _defaults() -> set[str]:
    found = {code for code, entry in REGISTRY.items() if entry.default}
    return found | {code for code, entry in DEFINITION_RULES.items() if entry.default}


def _matches(code: str, prefixes: Iterable[str]) -> bool:
    return any(prefix == "ALL" or code.startswith(prefix) for prefix in prefixes)


def load_selection(start: Path) -> Selection:
    """The settings that hold for a file or folder: of the nearest folder above that has some.

    Raises:
        ConfigurationError: they cannot be read.
    """
    folder = start if start.is_dir() else start.parent
    for candidate in (folder, *folder.parents):
        table, path = _table_of(candidate)
        if table is not None:
            return _selection(table, candidate, path)
        if (candidate / ".git").exists():
            break
    return Selection()


def _table_of(folder: Path) -> tuple[dict[str, Any] | None, Path]:
    own = folder / "stepbridge.toml"
    if own.is_file():
        return _load(own), own
    project = folder / "pyproject.toml"
    if project.is_file():
        table = _load(project).get("tool", {}).get("stepbridge")
        return (table if isinstance(table, dict) else None), project
    return None, own


def _load(path: Path) -> dict[str, Any]:
    import tomllib  # only where there are settings

    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: {error}", "Mend the TOML, then run again.") from None


def _selection(table: dict[str, Any], root: Path, path: Path) -> Selection:
    severity = table.get("severity", {})
    per_file = table.get("per-file-ignores", {})
    if not isinstance(severity, dict) or not isinstance(per_file, dict):
        raise ConfigurationError(f"{path}: severity and per-file-ignores are tables.")
    for code, level in severity.items():
        if level not in (*SEVERITIES, _OFF):
            choices = ", ".join((*SEVERITIES, _OFF))
            raise ConfigurationError(f'{path}: severity of {code} is "{level}".', f"Choose one of {choices}.")
    return Selection(
        _codes(table.get("select", []), path, "select"),
        _codes(table.get("ignore", []), path, "ignore"),
        severity,
        {str(glob): _codes(codes, path, str(glob)) for glob, codes in per_file.items()},
        root,
    )


def _codes(value: Any, path: Path, key: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ConfigurationError(f"{path}: {key} is a list of rule codes.", 'Write it as ["P041", "J1"].')
    return tuple(item.upper() for item in value)


# -- comments --------------------------------------------------------------------------------------


class Silence(Struct, frozen=True):
    """What the comments of a text silence: in the whole file, and by line (zero-based)."""

    file: tuple[str, ...] = ()
    lines: Mapping[int, tuple[str, ...]] = field(default_factory=dict)

    def covers(self, code: str, first: int, last: int) -> bool:
        """Whether a finding that spans these lines is silenced: by its first or its last line."""
        if _matches(code, self.file):
            return True
        return any(_matches(code, self.lines.get(line, ())) for line in {first, last})


def silence_of(source: bytes) -> Silence:
    """Read the `# stepbridge: ignore` comments of a text."""
    if b"stepbridge:" not in source:
        return Silence()
    whole: list[str] = []
    lines: dict[int, tuple[str, ...]] = {}
    for number, line in enumerate(source.split(b"\n")):
        match = _LINE.search(line)
        if match is None:
            continue
        listed = (match[1] or b"").decode("ascii", "replace")
        codes = tuple(code.strip().upper() for code in listed.split(",") if code.strip()) or ("ALL",)
        if line[: match.start()].strip():
            lines[number] = codes
        else:
            whole += codes
    return Silence(tuple(whole), lines)


def silenced(finding: Finding, silence: Silence, first: int, last: int) -> bool:
    return silence.covers(finding.code, first, last)
