"""What the executor refuses before a run: the errors of `stepbridge check`, by the same rules."""

from __future__ import annotations

from stepbridge.definition.document import parse
from stepbridge.definition.graph import graph
from stepbridge.definition.rules import Finding, check
from stepbridge.definition.values import pointer_text
from stepbridge.errors import DefinitionError


def validate(definition_text: str) -> None:
    """Raises DefinitionError for what `stepbridge check` calls an error."""
    graph(parse(definition_text)).order()
    errors = [f for f in check(definition_text) if f.severity == "error" and not _means_nothing_here(f)]
    if errors:
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        raise DefinitionError(
            f"{pointer_text(errors[0].pointer)}: {errors[0].message} [{errors[0].code}]{more}",
            "docs/rules.md explains the rules; stepbridge check reports them all.",
        )


def _means_nothing_here(finding: Finding) -> bool:
    """Roles are not assumed on this machine, and programs name placeholders."""
    return bool(finding.pointer) and finding.pointer[-1] == "RoleArn"
