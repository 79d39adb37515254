"""Our entries in the user's `.vscode/launch.json`: written, renewed and removed by cutting and pasting text,
so that comments, trailing commas, order and layout of everything else stay as they are.

An entry is ours when its name starts with MARK. Knows VS Code's file and debugpy's attach configuration.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from stepbridge.errors import ConfigurationError

from .plan import PathMapping
from .proxy import dap_mappings

MARK = "StepBridge: "

_EMPTY = '{\n    "version": "0.2.0",\n    "configurations": []\n}\n'


class AttachEntry(Struct, frozen=True):
    """One step that a stock editor attaches to at a loopback port."""

    step: str
    port: int
    mappings: tuple[PathMapping, ...] = ()
    just_my_code: bool = True


def configurations(entries: Iterable[AttachEntry], workspace: Path | None = None) -> list[dict[str, Any]]:
    """As `launch.json` holds them. Local paths below `workspace` are written with ${workspaceFolder}."""
    return [
        {
            "name": MARK + entry.step,
            "type": "debugpy",
            "request": "attach",
            "connect": {"host": "127.0.0.1", "port": entry.port},
            "pathMappings": [_portable(mapping, workspace) for mapping in dap_mappings(entry.mappings)],
            "justMyCode": entry.just_my_code,
        }
        for entry in entries
    ]


def write(workspace: Path, entries: Iterable[AttachEntry]) -> Path:
    """Put these entries, and no other of ours, into `<workspace>/.vscode/launch.json`; returns its path.

    A file that holds them already is not touched.

    Raises:
        ConfigurationError: the file is no JSON with comments, or its `configurations` is no list.
    """
    path = workspace / ".vscode" / "launch.json"
    before = path.read_text("utf-8") if path.is_file() else ""
    try:
        after = merged(before, configurations(entries, workspace))
    except _NotJsonError as error:
        raise ConfigurationError(f"{path}: {error}", "Mend it, or pass --no-launch-json.") from None
    if after != before:
        path.parent.mkdir(exist_ok=True)
        _replace(path, after)
    return path


def merged(text: str, ours: Sequence[dict[str, Any]]) -> str:
    """`text` (a launch.json, or empty) with our entries replaced by `ours`, at the end of the list.

    Raises:
        ValueError: `text` is no JSON with comments, or its `configurations` is no list.
    """
    text = text if text.strip() else _EMPTY
    array = _configurations(text)
    if array is None:
        text = _with_empty_list(text)
        array = _configurations(text)
        assert array is not None
    if [item.value for item in array.items if _is_ours(item.value)] == list(ours):
        return text
    text = _without_ours(text, array)
    array = _configurations(text)
    assert array is not None
    return _appended(text, array, ours) if ours else text


class _NotJsonError(ValueError):
    """The text is not what VS Code would accept."""


class _Node(Struct, frozen=True):
    """A value with its place in the text: text[start:end]. `items` of an array, `members` of an object."""

    start: int
    end: int
    value: Any
    items: tuple[_Node, ...] = ()
    members: tuple[tuple[str, _Node], ...] = ()


def _is_ours(value: Any) -> bool:
    return isinstance(value, dict) and str(value.get("name", "")).startswith(MARK)


def _root(text: str) -> _Node:
    scanner = _Scanner(text)
    root = scanner.value(scanner.skip(0))
    if scanner.skip(root.end) != len(text):
        raise _NotJsonError(f"{scanner.place(root.end)}: text after the end")
    if not isinstance(root.value, dict):
        raise _NotJsonError("it holds no object")
    return root


def _configurations(text: str) -> _Node | None:
    for name, node in _root(text).members:
        if name == "configurations":
            if not isinstance(node.value, list):
                raise _NotJsonError("its `configurations` is not a list")
            return node
    return None


def _with_empty_list(text: str) -> str:
    root = _root(text)
    at = root.members[-1][1].end if root.members else root.start + 1
    comma = "," if root.members else ""
    return text[:at] + comma + '\n    "configurations": []' + ("" if root.members else "\n") + text[at:]


def _without_ours(text: str, array: _Node) -> str:
    """Cut our entries, each with the blank before it and one comma beside it."""
    scanner = _Scanner(text)
    for item in reversed([item for item in array.items if _is_ours(item.value)]):
        start, end = item.start, item.end
        after = scanner.skip(end)
        if text[after] == ",":
            end = after + 1
        else:
            before = _comma_before(text, array, item)
            text = text[:before] + text[before + 1 :] if before >= 0 else text
            start, end = (start - 1, end - 1) if before >= 0 else (start, end)
        blank = start
        while text[blank - 1] in " \t\r\n":
            blank -= 1
        text = text[:blank] + text[end:]
        scanner = _Scanner(text)
    return text


def _comma_before(text: str, array: _Node, item: _Node) -> int:
    """The comma between the item and the one before it, or -1 for the first."""
    index = array.items.index(item)
    if index == 0:
        return -1
    at = _Scanner(text).skip(array.items[index - 1].end)
    return at if text[at] == "," else -1


def _appended(text: str, array: _Node, ours: Sequence[dict[str, Any]]) -> str:
    line_start = text.rfind("\n", 0, array.start) + 1
    outer = text[line_start : len(text[:line_start]) + _blank_length(text[line_start:])]
    unit = "\t" if outer.startswith("\t") else (outer or "    ")
    inner = outer + unit
    blocks = [_indented(json.dumps(entry, indent=unit, ensure_ascii=False), inner) for entry in ours]
    added = f",\n{inner}".join(blocks)
    if not array.items:
        return f"{text[: array.end - 1].rstrip()}\n{inner}{added}\n{outer}{text[array.end - 1 :]}"
    last = array.items[-1].end
    after = _Scanner(text).skip(last)
    has_comma = text[after] == ","
    at = after + 1 if has_comma else last
    comma = "" if has_comma else ","
    return f"{text[:at]}{comma}\n{inner}{added}{',' if has_comma else ''}{text[at:]}"


def _blank_length(line: str) -> int:
    return len(line) - len(line.lstrip(" \t"))


def _indented(block: str, indent: str) -> str:
    return block.replace("\n", "\n" + indent)


def _portable(mapping: dict[str, str], workspace: Path | None) -> dict[str, str]:
    local = Path(mapping["localRoot"])
    if workspace is not None and local.is_relative_to(workspace):
        inside = local.relative_to(workspace)
        return {**mapping, "localRoot": "/".join(("${workspaceFolder}", *inside.parts))}
    return mapping


def _replace(path: Path, text: str) -> None:
    """In one go: an editor never sees half a file."""
    handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=".launch-")
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(text)
    if path.exists():
        Path(scratch).chmod(path.stat().st_mode & 0o777)
    else:
        Path(scratch).chmod(0o644)
    Path(scratch).replace(path)


class _Scanner:
    """Reads JSON with comments and trailing commas, and remembers where everything stands."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._strings = json.JSONDecoder(strict=False)

    def place(self, at: int) -> str:
        return f"line {self._text.count(chr(10), 0, at) + 1}"

    def skip(self, at: int) -> int:
        """Behind blanks and comments."""
        text = self._text
        while at < len(text):
            if text[at] in " \t\r\n\ufeff":
                at += 1
            elif text.startswith("//", at):
                end = text.find("\n", at)
                at = len(text) if end < 0 else end
            elif text.startswith("/*", at):
                end = text.find("*/", at)
                if end < 0:
                    raise _NotJsonError(f"{self.place(at)}: a comment without end")
                at = end + 2
            else:
                break
        return at

    def value(self, at: int) -> _Node:
        opening = self._text[at : at + 1]
        if opening == "{":
            return self._object(at)
        if opening == "[":
            return self._array(at)
        try:
            value, end = self._strings.raw_decode(self._text, at)
        except json.JSONDecodeError as error:
            raise _NotJsonError(f"{self.place(at)}: {error.msg}") from None
        return _Node(at, end, value)

    def _array(self, start: int) -> _Node:
        items: list[_Node] = []
        at = self.skip(start + 1)
        while self._text[at : at + 1] != "]":
            items.append(self.value(at))
            at = self._behind_comma(items[-1].end, "]")
        return _Node(start, at + 1, [item.value for item in items], items=tuple(items))

    def _object(self, start: int) -> _Node:
        members: list[tuple[str, _Node]] = []
        at = self.skip(start + 1)
        while self._text[at : at + 1] != "}":
            name = self.value(at)
            colon = self.skip(name.end)
            if not isinstance(name.value, str) or self._text[colon : colon + 1] != ":":
                raise _NotJsonError(f"{self.place(at)}: a name and a colon are expected")
            members.append((name.value, self.value(self.skip(colon + 1))))
            at = self._behind_comma(members[-1][1].end, "}")
        value = {name: node.value for name, node in members}
        return _Node(start, at + 1, value, members=tuple(members))

    def _behind_comma(self, at: int, closing: str) -> int:
        at = self.skip(at)
        if self._text[at : at + 1] == ",":
            return self.skip(at + 1)
        if self._text[at : at + 1] != closing:
            raise _NotJsonError(f"{self.place(at)}: a comma or {closing} is expected")
        return at
