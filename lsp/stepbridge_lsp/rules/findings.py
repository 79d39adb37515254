"""What rules report on a document: a message at a place of its text, and fixes as text edits.

The same shape serves Python programs and, translated from `stepbridge.definition.rules`, JSON documents.
Nothing here knows a protocol or a terminal.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from stepbridge_lsp.positions import Span

Severity = Literal["error", "warning", "information", "hint"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "information", "hint")


class TextEdit(Struct, frozen=True):
    """Replace the text of `span` (empty: insert there) by `text`."""

    span: Span
    text: str


class Fix(Struct, frozen=True):
    """A remedy: what it does in a few words, and its edits, which do not overlap.

    `safe`: it does what the author surely meant, so that `--fix` and fix-all may apply it unasked.
    """

    title: str
    edits: tuple[TextEdit, ...]
    safe: bool = True


class Report(Struct, frozen=True):
    """What a rule function yields; the runner adds the rule's code and severity.

    `suggestions`: names that may have been meant, best first. `related`: other places with a note.
    `severity`: for a case that is less, or more, sure than the rule. `unnecessary`: the place could simply
    go. `deprecated`: it works, and will not for ever.
    """

    message: str
    span: Span
    fixes: tuple[Fix, ...] = ()
    suggestions: tuple[str, ...] = ()
    related: tuple[tuple[Span, str], ...] = ()
    severity: Severity | None = None
    unnecessary: bool = False
    deprecated: bool = False


class Finding(Struct, frozen=True):
    """A problem in a document."""

    code: str
    severity: Severity
    message: str
    span: Span
    fixes: tuple[Fix, ...] = ()
    suggestions: tuple[str, ...] = ()
    related: tuple[tuple[Span, str], ...] = ()
    unnecessary: bool = False
    deprecated: bool = False
