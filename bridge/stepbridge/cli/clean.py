"""`clean`: old runs and cached results go; what a user placed stays."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import click

from stepbridge.execution.journal import Journal
from stepbridge.service.records import Records
from stepbridge.settings import Workspace
from stepbridge.storage.keys import parse_uri
from stepbridge.storage.objects import ObjectStore

from .console import duration
from .history import open_journal


@click.command()
@click.option("--older-than", default=7.0, show_default=True, metavar="DAYS", help="Runs older than that.")
@click.option("--keep", default=5, show_default=True, metavar="N", help="Keep the newest N in any case.")
@click.option(
    "--outputs", is_flag=True, help="Also what their steps wrote to S3, unless a kept run or a model uses it."
)
@click.option("--everything", is_flag=True, help="The whole state folder, with all objects and the history.")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
def clean(older_than: float, keep: int, outputs: bool, everything: bool, dry_run: bool) -> None:
    """Remove the folders and the history of old runs.

    Objects under .stepbridge/s3 stay, unless --outputs or --everything.

    \b
    stepbridge clean --older-than 1
    stepbridge clean --keep 3 --older-than 0 --outputs
    stepbridge clean --everything
    """
    workspace, journal = open_journal()
    if everything:
        _remove([workspace.state], dry_run)
        return
    limit = time.time() - older_than * 86_400
    old = [r for r in journal.executions()[keep:] if r.started < limit and r.status.ended]
    if outputs:
        _remove_outputs(workspace, journal, {record.run for record in old}, dry_run)
    _remove([workspace.runs / record.run for record in old], dry_run)
    for record in old:
        click.echo(f"{record.run} {record.pipeline}, {duration(time.time() - record.started)} old")
        if not dry_run:
            journal.delete_run(record.run)


def _remove_outputs(workspace: Workspace, journal: Journal, old: set[str], dry_run: bool) -> None:
    """What steps of the runs `old` wrote, save what another run or a record (model, package) names."""
    written, used = set(), []
    for record in journal.executions():
        for state in journal.steps(record.run):
            if record.run in old:
                written |= {uri for uri in state.get("outputs", {}).values() if uri.startswith("s3://")}
            else:
                used.append(json.dumps(state))
    records, store = Records(workspace.state / "records.sqlite"), ObjectStore(workspace.s3)
    try:
        used += records.texts()
        unused = {uri for uri in written if not any(uri in text for text in used)}
        freed = sum(_remove_objects(store, uri, dry_run) for uri in unused)
    finally:
        records.close()
        store.close()
    for uri in () if dry_run else unused:
        journal.forget_results(uri)
    click.echo(f"{'would free' if dry_run else 'freed'} {freed / 2**20:.1f} MB of {len(unused)} outputs")


def _remove_objects(store: ObjectStore, uri: str, dry_run: bool) -> int:
    """The object `uri` and those below it; returns their size in bytes."""
    address = parse_uri(uri)
    prefix = address.key.rstrip("/")
    found = list(store.objects(address.bucket, prefix))
    ours = [info for info in found if info.key == prefix or info.key.startswith(f"{prefix}/")]
    for info in () if dry_run else ours:
        store.delete(info.bucket, info.key)
    return sum(info.size for info in ours)


def _remove(folders: list[Path], dry_run: bool) -> None:
    freed = sum(_size(folder) for folder in folders)
    for folder in folders:
        if not dry_run:
            shutil.rmtree(folder, ignore_errors=True)
    click.echo(f"{'would free' if dry_run else 'freed'} {freed / 2**20:.1f} MB")


def _size(folder: Path) -> int:
    return sum(Path(root, name).lstat().st_size for root, _, names in os.walk(folder) for name in names)
