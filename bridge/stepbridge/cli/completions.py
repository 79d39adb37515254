"""What the shell offers for runs and steps; silent where there is nothing to offer."""

from __future__ import annotations

from pathlib import Path

import click
from click.shell_completion import CompletionItem

from stepbridge.execution.journal import Journal
from stepbridge.settings import Workspace


def complete_run(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    journal = _journal()
    if journal is None:
        return []
    items = [CompletionItem("latest", help="the last run")]
    items += [
        CompletionItem(record.run, help=f"{record.pipeline} {record.status}")
        for record in journal.executions(limit=30)
    ]
    return [item for item in items if item.value.startswith(incomplete)]


def complete_step(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    journal = _journal()
    records = journal.executions(limit=30) if journal else []
    wanted = ctx.params.get("run", "latest")
    for record in records:
        if wanted == "latest" or record.run.startswith(wanted):
            assert journal is not None
            names = [state["name"] for state in journal.steps(record.run)]
            return [CompletionItem(name) for name in names if name.startswith(incomplete)]
    return []


def _journal() -> Journal | None:

    path = Workspace.find(Path.cwd()).state / "history.sqlite"
    return Journal(path) if path.is_file() else None
