"""A notebook as one program: its code cells joined, in order, with places in the cells.

Lines that only IPython understands (`%matplotlib inline`, `!pip install x`) become comments of the same
length, so that every offset stays where it is. `%%writefile name` says that the notebook itself makes a file.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct

from stepbridge_lsp.model import Location
from stepbridge_lsp.positions import LineIndex, Position, Range, Span

from .python import PythonDocument, encode, key_of
from .workspace import Workspace

_MAGIC = re.compile(rb"^([ \t]*)([%!?].*|.*[^\s?]\?\??[ \t]*)$", re.M)
_SHELL_VALUE = re.compile(rb"^([ \t]*[\w, ]+=[ \t]*)([!%].*)$", re.M)
_WRITES = re.compile(rb"^%%(?:writefile|file)(?:[ \t]+-a)?[ \t]+(\S+)", re.M)
_SHELL_WRITES = re.compile(rb"^[ \t]*[!%].*$", re.M)


class Cell(Struct, frozen=True):
    """A code cell: how the editor calls it, its text, and its place among all cells (from one)."""

    uri: str
    source: bytes
    number: int = 0


@dataclass
class NotebookDocument(PythonDocument):
    """An open notebook. `source` is the joined program; edits come by cell."""

    language: Literal["notebook"] = "notebook"  # type: ignore[assignment]
    cells: tuple[Cell, ...] = ()
    starts: tuple[int, ...] = ()
    _cell_lines: dict[int, LineIndex] = field(default_factory=dict)

    @classmethod
    def of_cells(cls, uri: str, cells: Sequence[Cell], workspace: Workspace) -> NotebookDocument:
        document = cls(uri, b"", workspace)
        document.set_cells(cells)
        return document

    @classmethod
    def of_file(cls, path: Path, content: bytes, workspace: Workspace) -> NotebookDocument | None:
        """A notebook from its file; None where that is no notebook, or not one of Python."""
        cells = cells_of_file(str(path), content)
        return cls.of_cells(str(path), cells, workspace) if cells is not None else None

    def set_cells(self, cells: Sequence[Cell]) -> None:
        """All code cells anew, in order."""
        self.cells = tuple(cells)
        joined = bytearray()
        starts: list[int] = []
        for cell in self.cells:
            starts.append(len(joined))
            joined += without_magics(cell.source) + b"\n"
        self.starts = tuple(starts)
        self._cell_lines = {}
        self._set(bytes(joined))

    def edit_cell(self, uri: str, start: Position, end: Position, text: str) -> None:
        """One edit of one cell."""
        cells = list(self.cells)
        for index, cell in enumerate(cells):
            if cell.uri == uri:
                lines = LineIndex.of(cell.source)
                first, last = sorted((lines.offset(start), lines.offset(end)))
                edited = cell.source[:first] + encode(text) + cell.source[last:]
                cells[index] = Cell(uri, edited, cell.number)
        self.set_cells(cells)

    @property
    def written_files(self) -> frozenset[str]:
        names = {
            match[1].decode("utf-8", "replace").rpartition("/")[2]
            for cell in self.cells
            for match in _WRITES.finditer(cell.source)
        }
        return frozenset(names)

    @property
    def runs_shell(self) -> bool:
        """Whether some cell runs commands, which may make files that we do not see."""
        return any(_SHELL_WRITES.search(cell.source) for cell in self.cells)

    def cell_at(self, offset: int) -> int:
        """Index of the cell that holds an offset of the joined program."""
        return max(0, bisect_right(self.starts, offset) - 1)

    def locate(self, span: Span) -> Location:
        if not self.cells:
            return Location(self.uri, Range(Position(0, 0), Position(0, 0)))
        index = self.cell_at(span.start)
        lines = self._lines_of(index)
        base = self.starts[index]
        return Location(self.cells[index].uri, Range(*lines.range(span.start - base, span.end - base)))

    def offset(self, position: Position, cell: str | None = None) -> int:
        for index, known in enumerate(self.cells):
            if known.uri == cell:
                return self.starts[index] + self._lines_of(index).offset(position)
        return self.lines.offset(position)

    def _lines_of(self, index: int) -> LineIndex:
        if index not in self._cell_lines:
            self._cell_lines[index] = LineIndex.of(self.cells[index].source)
        return self._cell_lines[index]


def without_magics(source: bytes) -> bytes:
    """A cell with all that is not Python made comments of the same length."""
    if source.lstrip().startswith(b"%%"):
        first = source.lstrip().split(b"\n")[0]
        if not first.startswith((b"%%time", b"%%capture", b"%%timeit")):
            return re.sub(rb"^.", b"#", source, flags=re.M)
    if not any(mark in source for mark in (b"%", b"!", b"?")):
        return source
    source = _SHELL_VALUE.sub(_shell_value, source)
    return _MAGIC.sub(_comment, source)


def _shell_value(match: re.Match[bytes]) -> bytes:
    """`files = !ls` gives a list that we know nothing of."""
    head, tail = match[1], match[2]
    return head + (b"..." + b" " * (len(tail) - 3) if len(tail) >= 3 else tail)


def _comment(match: re.Match[bytes]) -> bytes:
    """Indented magics leave a `pass`, lest their block be empty."""
    indent, rest = match[1], match[2]
    if not rest.startswith((b"%", b"!", b"?")) and b"#" in rest:
        return match[0]  # a question mark within a comment
    if indent and len(rest) >= 4:
        return indent + b"pass" + b" " * (len(rest) - 4)
    return indent + b"#" + b" " * (len(rest) - 1)


def cells_of_file(name: str, content: bytes) -> list[Cell] | None:
    """The code cells of an .ipynb file; None where it is none, or not Python's."""
    try:
        notebook: Any = json.loads(content)
    except (ValueError, RecursionError):
        return None
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list):
        return None
    metadata = notebook.get("metadata")
    kernel = metadata.get("kernelspec") if isinstance(metadata, dict) else None
    language = kernel.get("language", "python") if isinstance(kernel, dict) else "python"
    if language not in ("python", ""):
        return None
    cells: list[Cell] = []
    for index, cell in enumerate(notebook["cells"]):
        if not isinstance(cell, dict) or cell.get("cell_type") != "code":
            continue
        source = cell.get("source", "")
        text = (
            "".join(part for part in source if isinstance(part, str)) if isinstance(source, list) else source
        )
        source_text = encode(text if isinstance(text, str) else "")
        cells.append(Cell(f"{name}#cell{index + 1}", source_text, index + 1))
    return cells


__all__ = ["Cell", "NotebookDocument", "cells_of_file", "key_of", "without_magics"]
