"""Writes docs/compatibility.md from docs/compatibility.toml. `--check`: exit code 1 when the page is stale.

A feature is one of StepBridge where tests show it. A test that is named and not there is an error.
"""

from __future__ import annotations

import ast
import sys
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "docs" / "compatibility.toml"
PAGE = SOURCE.with_suffix(".md")
HEAD = """# What runs

Feature by feature: StepBridge, and the local mode of the SageMaker Python SDKs 2.257.7 and 3.27.0. What those
two do was found by running them or by reading their source. A tick of StepBridge leads to the test that
shows it; `make test` runs them all.

"""


def page() -> str:
    """The whole text. Raises SystemExit where a test that is named is not there."""
    parts = [HEAD]
    for group in tomllib.loads(SOURCE.read_text("utf-8"))["group"]:
        rows = [_row(feature) for feature in group["feature"]]
        head = "| | StepBridge | SDK v2 local | SDK v3 local |\n|---|---|---|---|"
        parts.append(f"## {group['title']}\n\n{head}\n" + "\n".join(rows) + "\n\n")
    return "".join(parts).rstrip() + "\n"


def _row(feature: dict[str, Any]) -> str:
    ticks = " ".join(f"[✓]({_link(test)})" for test in feature["tests"]) or "no"
    return f"| {feature['name']} | {ticks} | {_shown(feature['v2'])} | {_shown(feature['v3'])} |"


def _shown(value: str) -> str:
    return {"yes": "✓", "-": "", "?": "not measured"}.get(value, value)


def _link(test: str) -> str:
    path, _, name = test.partition("::")
    if name not in _tests(ROOT / "tests" / path):
        raise SystemExit(f"{SOURCE.relative_to(ROOT)}: there is no test {test}. Correct its name.")
    return f'../tests/{path} "{name}"'


@cache
def _tests(path: Path) -> set[str]:
    if not path.is_file():
        return set()
    tree = ast.parse(path.read_text("utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def main() -> int:
    text = page()
    if "--check" in sys.argv[1:]:
        stale = not PAGE.exists() or PAGE.read_text("utf-8") != text
        if stale:
            print("docs/compatibility.md is stale: run python scripts/build_compatibility.py")
        return int(stale)
    PAGE.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
