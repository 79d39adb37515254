"""`stepbridge check PATHS...`: the language server's rules on the command line.

The command reads files and prints; everything else is in `documents`, `rules`, `fixing` and `reports`. Exit
status: 0 nothing found, 1 errors or warnings, 2 a path or setting cannot be used. Nothing is ever executed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click
from stepbridge import __version__
from stepbridge.errors import ConfigurationError, StepBridgeError

from stepbridge_lsp import reports
from stepbridge_lsp.collector import calm
from stepbridge_lsp.documents import (
    SUFFIXES,
    AnyDocument,
    DefinitionDocument,
    Workspace,
    is_relevant,
    open_document,
)
from stepbridge_lsp.fixing import chosen_fixes, fixed_text
from stepbridge_lsp.reports import Result
from stepbridge_lsp.rules import Selection, diagnose, load_selection

_SKIPPED = frozenset(
    {"node_modules", "__pycache__", "venv", "env", "site-packages", "build", "dist", "cdk.out", "target"}
)
_MARKS = (".git", "stepbridge.toml", "pyproject.toml", ".stepbridge")
_PASSES = 5
_LARGEST = 8_000_000


@dataclass
class Checker:
    """Checks files of several workspaces; each file gets the settings of the nearest folder that has some."""

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    _workspaces: dict[Path, Workspace] = field(default_factory=dict)
    _selections: dict[Path, Selection] = field(default_factory=dict)

    def workspace(self, path: Path) -> Workspace:
        root = next(
            (folder for folder in path.parents if any((folder / mark).exists() for mark in _MARKS)),
            path.parent,
        )
        if root not in self._workspaces:
            self._workspaces[root] = Workspace((root,))
        return self._workspaces[root]

    def selection(self, path: Path) -> Selection:
        folder = path.parent
        if folder not in self._selections:
            self._selections[folder] = load_selection(path).with_options(self.select, self.ignore)
        return self._selections[folder]

    def open(self, path: Path, *, named: bool) -> tuple[AnyDocument, bytes] | None:
        """The document of a file; None where it holds nothing of ours. `named`: the user gave this very
        path.
        """
        try:
            if path.stat().st_size > _LARGEST and not named:
                return None
            content = path.read_bytes()
        except OSError as error:
            raise ConfigurationError(f"{path}: {error.strerror or error}") from None
        if path.suffix == ".py" and not named and not is_relevant(content):
            return None
        source = content.removeprefix(b"\xef\xbb\xbf")
        source = source.decode("utf-8", "replace").encode("utf-8", "replace")
        document = open_document(str(path), source, self.workspace(path))
        if document is None and named and path.suffix == ".json":
            document = DefinitionDocument(str(path), source)
        return (document, content) if document is not None else None

    def fix(self, path: Path, *, named: bool, unsafe: bool) -> int:
        """Apply fixes to a file until none is left; returns how many."""
        applied = 0
        for _ in range(_PASSES):
            opened = self.open(path, named=named)
            if opened is None:
                break
            document, content = opened
            fixes = chosen_fixes(diagnose(document, self.selection(path)), unsafe=unsafe)
            if not fixes:
                break
            path.write_bytes(fixed_text(document, content, fixes))
            applied += len(fixes)
        return applied


def find_files(paths: Iterable[Path]) -> Iterator[tuple[Path, bool]]:
    """The files to check, each once, and whether the user named it.

    Raises:
        ConfigurationError: a path does not exist.
    """
    seen: set[Path] = set()
    for path in paths:
        if not path.exists():
            raise ConfigurationError(f"{path} does not exist.")
        found = [path] if path.is_file() else sorted(_walk(path))
        for file in found:
            resolved = file.resolve()
            if resolved not in seen:
                seen.add(resolved)
                yield file, path.is_file()


def _walk(folder: Path) -> Iterator[Path]:
    for root, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in _SKIPPED and not name.startswith(".")]
        yield from (Path(root, name) for name in files if Path(name).suffix.lower() in SUFFIXES)


def run(
    paths: Sequence[Path], checker: Checker, *, fix: bool = False, unsafe: bool = False, hints: bool = False
) -> tuple[list[Result], int, int]:
    """Check files and folders: the findings, how many files were looked at, how many fixes were applied."""
    results: list[Result] = []
    files = applied = 0
    for path, named in find_files(paths):
        absolute = path.resolve()
        if fix:
            applied += checker.fix(absolute, named=named, unsafe=unsafe)
        opened = checker.open(absolute, named=named)
        if opened is None:
            continue
        files += 1
        document, _ = opened
        for finding in diagnose(document, checker.selection(absolute)):
            if finding.severity != "hint" or hints:
                results.append(Result.of(str(path), document, finding))
    return results, files, applied


def _codes(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(code.strip().upper() for value in values for code in value.split(",") if code.strip())


@click.command("check")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--select", multiple=True, metavar="CODES", help="Rules to run instead of the defaults: P0,J1,ALL."
)
@click.option(
    "--ignore", multiple=True, metavar="CODES", help="Rules not to run, beside those of the settings."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "sarif", "github"]),
    default="text",
    show_default=True,
)
@click.option("--fix", is_flag=True, help="Apply the fixes that surely do what was meant.")
@click.option("--unsafe-fixes", is_flag=True, help="With --fix: apply those that only probably do, too.")
@click.option("--hints", is_flag=True, help="Show hints, too.")
def check(
    paths: tuple[Path, ...],
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    form: str,
    fix: bool,
    unsafe_fixes: bool,
    hints: bool,
) -> None:
    """Find mistakes in pipeline programs, notebooks, definitions and templates, without running them.

    PATHS are files and folders; without any, the current folder. Exit status: 0 nothing found, 1 errors or
    warnings, 2 a path or setting cannot be used.
    """
    calm()
    checker = Checker(_codes(select), _codes(ignore))
    try:
        results, files, applied = run(
            paths or (Path(),), checker, fix=fix or unsafe_fixes, unsafe=unsafe_fixes, hints=hints
        )
    except StepBridgeError as error:
        click.echo(f"stepbridge check: {error}", err=True)
        sys.exit(2)
    _print(results, files, form)
    if applied and form == "text":
        click.echo(f"{applied} fix{'' if applied == 1 else 'es'} applied.")
    failing = any(result.finding.severity in ("error", "warning") for result in results)
    sys.exit(1 if failing else 0)


def _print(results: list[Result], files: int, form: str) -> None:
    if form == "json":
        click.echo(reports.as_json(results))
    elif form == "sarif":
        click.echo(reports.as_sarif(results, __version__))
    elif form == "github":
        for line in reports.as_github(results):
            click.echo(line)
    else:
        for line in reports.text(results, files, colours=_colours()):
            click.echo(line, color=True)


def _colours() -> bool:
    """Colours on a terminal, unless NO_COLOR says otherwise; FORCE_COLOR where there is none."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or sys.stdout.isatty()


def main(argv: Sequence[str] | None = None) -> int:
    """The command with its exit status as a value."""
    try:
        check.main(args=list(argv) if argv is not None else None, standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return 2
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
