"""`clean`: old runs and cached results go; what a user placed stays."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import click

from .console import duration
from .history import open_journal


@click.command()
@click.option("--older-than", default=7.0, show_default=True, metavar="DAYS", help="Runs older than that.")
@click.option("--keep", default=5, show_default=True, metavar="N", help="Keep the newest N in any case.")
@click.option("--everything", is_flag=True, help="The whole state folder, with all objects and the history.")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
def clean(older_than: float, keep: int, everything: bool, dry_run: bool) -> None:
    """Remove the folders and the history of old runs.

    Objects under .stepbridge/s3 stay, unless --everything.

    \b
    stepbridge clean --older-than 1
    stepbridge clean --everything
    """
    workspace, journal = open_journal()
    if everything:
        _remove([workspace.state], dry_run)
        return
    limit = time.time() - older_than * 86_400
    old = [r for r in journal.executions()[keep:] if r.started < limit and r.status.ended]
    _remove([workspace.runs / record.run for record in old], dry_run)
    for record in old:
        click.echo(f"{record.run} {record.pipeline}, {duration(time.time() - record.started)} old")
        if not dry_run:
            journal.delete_run(record.run)


def _remove(folders: list[Path], dry_run: bool) -> None:
    freed = sum(_size(folder) for folder in folders)
    for folder in folders:
        if not dry_run:
            shutil.rmtree(folder, ignore_errors=True)
    click.echo(f"{'would free' if dry_run else 'freed'} {freed / 2**20:.1f} MB")


def _size(folder: Path) -> int:
    return sum(Path(root, name).lstat().st_size for root, _, names in os.walk(folder) for name in names)
