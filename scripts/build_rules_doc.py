"""Writes docs/rules.md from the registries of rules. `--check`: exit code 1 when the file is stale."""

from __future__ import annotations

import sys
from pathlib import Path

from stepbridge.definition.rules import REGISTRY as DEFINITION_RULES
from stepbridge_lsp.rules import REGISTRY as PROGRAM_RULES

PAGE = Path(__file__).resolve().parents[1] / "docs" / "rules.md"
HEAD = """# Rules

What `stepbridge check` and the language server report. `J` rules are about pipeline definitions, and hold for
Python programs too where they can be told; `P` rules are about programs. `stepbridge run` refuses what is an
error here. Rules marked *off* run only when selected.

```toml
# stepbridge.toml
select = ["P0", "J137"]                     # only these codes or prefixes; default: all but those marked off
ignore = ["P041"]
severity = { P093 = "hint" }
per-file-ignores = { "tests/*" = ["P165"] }
```

`# stepbridge: ignore[P041]` at the end of a line silences it there.

"""


def page() -> str:
    """The whole text."""
    parts = [HEAD]
    for title, rules in (("Definitions", DEFINITION_RULES), ("Programs", PROGRAM_RULES)):
        parts.append(f"## {title}\n")
        for code in sorted(rules):
            rule = rules[code]
            off = "" if rule.default else ", off"
            parts.append(f"### {code} {rule.title}\n\n*{rule.severity}{off}*\n\n{rule.description}\n")
            if rule.example:
                parts.append(f"```\n{rule.example.strip()}\n```\n")
    return "\n".join(parts)


def main() -> int:
    text = page()
    if "--check" in sys.argv:
        if PAGE.is_file() and PAGE.read_text("utf-8") == text:
            return 0
        print(f"{PAGE.name} is stale: run scripts/build_rules_doc.py", file=sys.stderr)
        return 1
    PAGE.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
