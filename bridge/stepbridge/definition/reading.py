"""The text of a definition becomes JSON, strictly, and again after every key press of whoever writes it.

A person edits one step of many: a `Reader` gives the same object for a step whose text did not change. It
costs a comparison of two strings, and others know by identity what they know of that step already. What a
text gives never depends on what was read before. Nothing here knows what a step means.
"""

from __future__ import annotations

import json
import re
from typing import Any, TypeAlias

from msgspec import Struct

from .values import JSON

# `id` of an object -> the object, so that no other one gets that id, and the keys that its text has twice
Duplicates: TypeAlias = dict[int, tuple[JSON, tuple[str, ...]]]
_Pairs: TypeAlias = list[tuple[str, JSON]]

_skip = re.compile(r"[ \t\n\r]*").match


class Reading(Struct, eq=False):
    """A value that was read, and the duplicate keys of its objects, those that were lost to one included."""

    value: JSON
    duplicates: Duplicates


class _Step(Struct, eq=False):
    """An object of `Steps`, with the text that it was read from and the duplicates in it."""

    text: str
    value: JSON
    duplicates: Duplicates


class Reader:
    """Reads the states of one text, one after the other."""

    def __init__(self) -> None:
        self._text: str | None = None
        self._reading: Reading | None = None
        self._steps: list[_Step] = []

    def read(self, text: str) -> Reading:
        """The value of a text.

        Raises:
            ValueError: it is no JSON (JSONDecodeError), or has NaN, or a number of more than 4300 digits.
            RecursionError: it is nested too deeply.
        """
        if self._reading is None or text != self._text:
            try:
                self._reading, self._steps = _Pass(text, self._steps).run()
            except _OtherwiseError:
                self._reading = _decoded(text)  # steps stay known: a text is often broken for one key press
            self._text = text
        return self._reading


class _OtherwiseError(Exception):
    """The text is no object with an array of steps, or broken: the standard library has the last word."""


def _decoded(text: str) -> Reading:
    decoder = _Decoder()
    return Reading(decoder.decode(text), decoder.duplicates)


class _Decoder:
    """The standard library's decoder, which keeps note of keys that stand twice in an object."""

    def __init__(self) -> None:
        self.duplicates: Duplicates = {}
        decoder: Any = json.JSONDecoder(object_pairs_hook=self.object, parse_constant=_no_constant)
        self.decode = decoder.decode
        self.scan = decoder.scan_once  # the value at an index, and where it ends

    def object(self, pairs: _Pairs) -> dict[str, JSON]:
        found = dict(pairs)
        if len(found) < len(pairs):
            keys = [key for key, _ in pairs]
            self.duplicates[id(found)] = found, tuple(dict.fromkeys(k for k in keys if keys.count(k) > 1))
        return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON value")


class _Pass:
    """One pass over a text: the root object member by member, `Steps` item by item.

    The text of an object ends where its bracket closes. So where a text goes on with that of a step known
    from before, the same step stands there, whatever follows.
    """

    def __init__(self, text: str, known: list[_Step]) -> None:
        self.text = text
        self.at = 0
        self.decoder = _Decoder()
        self.known = known
        self.next_known = 0
        self.steps: list[_Step] = []

    def run(self) -> tuple[Reading, list[_Step]]:
        """The value, and the steps in it.

        Raises:
            _OtherwiseError: whatever is wrong.
        """
        try:
            pairs = self.members()
        except (ValueError, RecursionError):
            raise _OtherwiseError from None
        if self.skip():
            raise _OtherwiseError
        value = self.decoder.object(pairs)
        duplicates = self.decoder.duplicates
        for step in self.steps:
            duplicates |= step.duplicates
        return Reading(value, duplicates), self.steps

    def skip(self) -> str:
        """Go on to the next character that is no space, and tell it; "" at the end."""
        found = _skip(self.text, self.at)
        self.at = found.end() if found is not None else self.at
        return self.text[self.at : self.at + 1]

    def take(self, character: str) -> None:
        if self.skip() != character:
            raise _OtherwiseError
        self.at += 1

    def another(self, close: str) -> bool:
        """After a member or item: whether a comma says that another one follows, or else `close`."""
        if self.skip() == close:
            self.at += 1
            return False
        self.take(",")
        return True

    def members(self) -> _Pairs:
        found: _Pairs = []
        self.take("{")
        while not found or self.another("}"):
            if self.skip() != '"':
                raise _OtherwiseError
            key = self.scanned(self.decoder)
            self.take(":")
            is_steps = self.skip() == "[" and key == "Steps"
            found.append((key, self.items() if is_steps else self.scanned(self.decoder)))
        return found

    def items(self) -> list[JSON]:
        found: list[JSON] = []
        self.take("[")
        if self.skip() == "]":
            self.at += 1
            return found
        while not found or self.another("]"):
            found.append(self.step() if self.skip() == "{" else self.scanned(self.decoder))
        return found

    def scanned(self, decoder: _Decoder) -> JSON:
        try:
            value, self.at = decoder.scan(self.text, self.at)
        except StopIteration:
            raise _OtherwiseError from None
        return value

    def step(self) -> JSON:
        step = self.known_step()
        if step is None:
            start, decoder = self.at, _Decoder()
            value = self.scanned(decoder)
            step = _Step(self.text[start : self.at], value, decoder.duplicates)
            self.next_known += 1
        self.steps.append(step)
        return step.value

    def known_step(self) -> _Step | None:
        """The step of before that stands here again: the next one, or one beside it where a step came or
        went.
        """
        for index in (self.next_known, self.next_known + 1, self.next_known - 1):
            if 0 <= index < len(self.known) and self.text.startswith(self.known[index].text, self.at):
                self.next_known = index + 1
                self.at += len(self.known[index].text)
                return self.known[index]
        return None
