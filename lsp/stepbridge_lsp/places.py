"""Places of findings as a person counts them: lines and columns from one, columns in characters.

For a notebook the lines are those of the cell. Used by everything that prints; editors get `Document.locate`.
"""

from __future__ import annotations

from dataclasses import dataclass

from stepbridge_lsp.documents import AnyDocument, NotebookDocument
from stepbridge_lsp.positions import LineIndex, Span


@dataclass(frozen=True)
class Place:
    """`cell` counts the cells of a notebook from one; None elsewhere. `end_column` is one past the
    last.
    """

    line: int
    column: int
    end_line: int
    end_column: int
    cell: int | None = None


def place_of(document: AnyDocument, span: Span) -> Place:
    lines, base, cell = _lines_of(document, span)
    line, column = lines.character(span.start - base)
    end_line, end_column = lines.character(max(span.start, span.end) - base)
    return Place(line + 1, column + 1, end_line + 1, end_column + 1, cell)


def line_of(document: AnyDocument, span: Span) -> str:
    """The source line on which a span begins."""
    lines, base, _ = _lines_of(document, span)
    return lines.line_bytes(lines.line_of(span.start - base)).decode("utf-8", "replace")


def _lines_of(document: AnyDocument, span: Span) -> tuple[LineIndex, int, int | None]:
    if isinstance(document, NotebookDocument) and document.cells:
        index = document.cell_at(span.start)
        cell = document.cells[index]
        return LineIndex.of(cell.source), document.starts[index], cell.number or index + 1
    return document.lines, 0, None
