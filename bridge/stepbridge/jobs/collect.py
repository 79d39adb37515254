"""After a job: outputs go into the store, ownership back to the user, a failure into one line."""

from __future__ import annotations

import contextlib
import os
import shutil
import tarfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from stepbridge.engines.base import ExitStatus
from stepbridge.storage.objects import ObjectStore

from .plan import JobPlan, OutputMove

FAILURE_LIMIT = 1024  # characters of FailureReason (API reference)
_TRACEBACK = "Traceback (most recent call last):"


def move_outputs(plan: JobPlan, store: ObjectStore, *, failed: bool) -> dict[str, str]:
    """Move what the job wrote; returns output name -> URI of all that were written."""
    written: dict[str, str] = {}
    for output in plan.outputs:
        if failed and not output.on_failure:
            continue
        if output.optional and not any(_has_files(folder) for folder in output.folders):
            continue
        _move(output, store)
        written[output.name] = output.uri
    return written


def _has_files(folder: Path) -> bool:
    return any(files for _, _, files in os.walk(folder))


def _move(output: OutputMove, store: ObjectStore) -> None:
    first = _merged(output.folders)
    if output.archive:
        written = first.parent / f"{first.name}.tar.gz"
        pack(first, written)
    else:
        written = first
    if not output.uri.startswith("file://"):
        store.adopt(written, output.uri)
        return
    target = Path(output.uri.removeprefix("file://"))
    target.parent.mkdir(parents=True, exist_ok=True)
    _replace(written, target)


def _merged(folders: Sequence[Path]) -> Path:
    """The first of the folders, with the files of the others added that it lacks."""
    first, *others = folders
    for folder in others:
        for root, names, files in os.walk(folder):
            links = [name for name in names if Path(root, name).is_symlink()]
            for path in (Path(root, name) for name in (*links, *files)):
                _add(path, first, path.relative_to(folder))
    return first


def _add(path: Path, folder: Path, relative: Path) -> None:
    """Move a file into a folder, unless something is in its way there; never through a link out of it."""
    target = folder / relative
    if os.path.lexists(target) or not target.parent.resolve().is_relative_to(folder.resolve()):
        return
    with contextlib.suppress(FileExistsError, NotADirectoryError):  # a file where we need a folder
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)


def _replace(source: Path, target: Path) -> None:
    """Move a file or folder to a place; of a folder that is there already, only what is replaced goes."""
    if target.is_dir() and not target.is_symlink() and source.is_dir():
        for item in source.iterdir():
            _replace(item, target / item.name)
        return
    shutil.move(source, target)


def pack(folder: Path, archive: Path) -> None:
    """A .tar.gz of a folder's content. Compressed lightly: it is read back on this machine."""
    with tarfile.open(archive, "w:gz", compresslevel=1) as tar:
        for item in sorted(folder.iterdir()):
            tar.add(item, arcname=item.name)


def give_back(folder: Path, owner: tuple[int, int]) -> list[Path]:
    """Give all below `folder` to `owner`; returns what we may not change (made by a container's root)."""
    uid, gid = owner
    foreign: list[Path] = []
    for root, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(root, name)
            if path.lstat().st_uid == uid:
                continue
            try:
                os.chown(path, uid, gid, follow_symlinks=False)
            except PermissionError:
                foreign.append(path)
    return foreign


def failure_reason(
    plan: JobPlan, host: str, status: ExitStatus, stderr: Sequence[str], *, timed_out: bool, kind: str
) -> str:
    """Why a job failed: what the script itself said, and how it ended (at most 1024 characters)."""
    if timed_out:
        return f"{kind} reached its time limit of {plan.time_limit:g} seconds (StoppingCondition)"
    if status.out_of_memory or (status.code == 137 and not stderr):
        how = "the container was killed, most likely for want of memory (exit code 137)"
        return f"AlgorithmError: {how}. Give the engine more memory or use less data."
    written = _lines_of(plan.failure_files.get(host))
    said = last_exception(written) or last_exception(stderr) or (written[-1].strip() if written else "")
    where = f" on {host}" if len(plan.containers) > 1 else ""
    text = (
        f"AlgorithmError: {said}, exit code: {status.code}{where}"
        if said
        else (f"AlgorithmError: the container ended with exit code {status.code}{where}")
    )
    return text[:FAILURE_LIMIT]


def _lines_of(path: Path | None) -> list[str]:
    if path is None or not path.is_file():
        return []
    return path.read_text("utf-8", "replace").strip().splitlines()


def last_exception(lines: Iterable[str]) -> str:
    """`KeyError: 'x' (train.py:12)` of the last traceback in some lines."""
    found: list[str] = []
    for line in lines:
        if line.startswith(_TRACEBACK):
            found = [line]
        elif found:
            found.append(line)
    where = error = ""
    for line in found[1:]:
        if line.startswith('  File "'):
            path, _, rest = line[8:].partition('", line ')
            where = f"{path.rpartition('/')[2]}:{rest.partition(',')[0]}"
        elif line and not line.startswith(" "):
            error = line.strip()
            break
    return f"{error} ({where})" if error and where else error
