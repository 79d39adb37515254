"""What rules report: findings with a place in the JSON, and fixes as data.

Nothing here knows text positions: a pointer leads into the JSON value, and whoever holds the text finds the
range.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from stepbridge.definition.values import JSON, Pointer

Severity = Literal["error", "warning", "information", "hint"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "information", "hint")


class Edit(Struct, frozen=True):
    """One change of a JSON value.

    replace: the value at `pointer` becomes `value`. rename: the key that `pointer` ends in becomes `value`.
    remove: the member or item at `pointer` goes. insert: `value` is put at `pointer`, whose last part is a
    new key of an object or an index of an array (its length: at the end).
    """

    kind: Literal["replace", "rename", "remove", "insert"]
    pointer: Pointer
    value: JSON = None


class Fix(Struct, frozen=True):
    """A remedy: what it does in a few words, and the edits that do it, in the order to apply them."""

    title: str
    edits: tuple[Edit, ...]


class Report(Struct, frozen=True):
    """What a rule function yields; the runner adds the rule's code and severity.

    `at_key`: the problem is the key that the pointer ends in, not its value. `suggestions`: names that may
    have been meant, best first. `related`: other places with a note. `severity`: for a case that is less sure
    than the rule. `unnecessary`: the place could simply go.
    """

    message: str
    pointer: Pointer
    at_key: bool = False
    fix: Fix | None = None
    suggestions: tuple[str, ...] = ()
    related: tuple[tuple[Pointer, str], ...] = ()
    severity: Severity | None = None
    unnecessary: bool = False


class Finding(Struct, frozen=True):
    """A problem in a definition.

    `pointer` leads to a value in the JSON; with `at_key` the key before it is the problem. `offset` is set
    only where the text is no JSON: the character at which reading it stopped.
    """

    code: str
    severity: Severity
    message: str
    pointer: Pointer
    at_key: bool = False
    fix: Fix | None = None
    suggestions: tuple[str, ...] = ()
    related: tuple[tuple[Pointer, str], ...] = ()
    unnecessary: bool = False
    offset: int | None = None


def replace(pointer: Pointer, value: JSON, title: str) -> Fix:
    """The fix that puts `value` at `pointer`."""
    return Fix(title, (Edit("replace", pointer, value),))


def rename(pointer: Pointer, key: str) -> Fix:
    """The fix that renames the key that `pointer` ends in."""
    return Fix(f'Rename to "{key}"', (Edit("rename", pointer, key),))


def remove(pointer: Pointer, title: str) -> Fix:
    """The fix that removes what is at `pointer`."""
    return Fix(title, (Edit("remove", pointer),))


def insert(pointer: Pointer, value: JSON, title: str) -> Fix:
    """The fix that puts `value` at the new place `pointer`."""
    return Fix(title, (Edit("insert", pointer, value),))
