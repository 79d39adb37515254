"""The command line that a step's script reads: options of argparse and click, found in its syntax.

Nothing of the script is run. A script that does not parse has no options.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import lru_cache

from msgspec import Struct

_LARGEST = 400_000  # bytes; beyond this a file is no script


class Option(Struct, frozen=True):
    """One option. `type` is the name of its type as written, `default` its default as source text."""

    name: str
    type: str = ""
    default: str = ""
    help: str = ""
    required: bool = False

    @property
    def described(self) -> str:
        words = [self.type or "str"]
        if self.default:
            words.append(f"= {self.default}")
        elif self.required:
            words.append("(required)")
        return " ".join(words)


@lru_cache(maxsize=64)
def options_of(source: bytes) -> tuple[Option, ...]:
    """The long options of a script in the order in which it declares them, each once."""
    if len(source) > _LARGEST or not (b"add_argument" in source or b"option(" in source):
        return ()
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    found: dict[str, Option] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _is_option(node.func):
            for option in _options(node):
                found.setdefault(option.name, option)
    return tuple(found.values())


def _is_option(function: ast.expr) -> bool:
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name in ("add_argument", "option")


def _options(node: ast.Call) -> Iterator[Option]:
    keywords = {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg}
    for argument in node.args:
        text = argument.value if isinstance(argument, ast.Constant) else None
        if isinstance(text, str) and text.startswith("--") and len(text) > 2:
            yield Option(
                text[2:].partition("/")[0],
                _source(keywords.get("type")),
                _source(keywords.get("default")),
                _text(keywords.get("help")),
                _source(keywords.get("required")) == "True",
            )


def _source(node: ast.expr | None) -> str:
    if node is None or (isinstance(node, ast.Constant) and node.value is None):
        return ""
    text = ast.unparse(node)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _text(node: ast.expr | None) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
