"""Input data of a job: an S3 (or file://) source becomes read-only mounts, never a copy.

A folder of the store is mounted as it is. A prefix that is no folder, a manifest and a share of a sharded
prefix become a folder of hard links beside the step, which costs no space.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote, urlparse

from stepbridge.engines.base import Mount
from stepbridge.errors import StorageError
from stepbridge.storage.objects import ObjectStore


def mounts_for(
    store: ObjectStore,
    uri: str,
    target: str,
    *,
    staging: Path,
    what: str,
    kind: str = "S3Prefix",
    shard: tuple[int, int] | None = None,
) -> tuple[Mount, ...]:
    """Mounts that show the data of `uri` at `target`.

    Args:
        staging: an own folder for hard links, made when needed.
        what: names the input in errors ("channel train of step Train").
        kind: S3Prefix, ManifestFile or AugmentedManifestFile.
        shard: (index, count) for ShardedByS3Key: every count-th object, in key order.

    Raises:
        StorageError: nothing is there.
    """
    if uri.startswith("file://"):
        return (_local_mount(Path(unquote(urlparse(uri).path)), target, what),)
    if kind == "ManifestFile":
        return _linked(_shard(_manifest(store, uri, what), shard), target, staging)
    if kind == "AugmentedManifestFile" or store.head(uri) is not None:
        path = existing_object(store, uri, what)
        return (Mount(path, f"{target.rstrip('/')}/{uri.rpartition('/')[2]}", read_only=True),)
    folder = store.mountable(uri) if shard is None else None
    if folder is not None and folder.is_dir():
        return (Mount(folder, target, read_only=True),)
    found = _shard(_below(store, uri), shard)
    if not found and shard is None:
        raise _missing(uri, what)
    return _linked(found, target, staging)


def objects_of(store: ObjectStore, uri: str, *, what: str, kind: str = "S3Prefix") -> list[tuple[str, Path]]:
    """(path relative to the source, file) of every object that `uri` means, by key.

    Raises:
        StorageError: nothing is there.
    """
    if uri.startswith("file://"):
        return _local_files(Path(unquote(urlparse(uri).path)), what)
    if kind == "ManifestFile":
        return _manifest(store, uri, what)
    info = store.head(uri)
    if info is not None and not info.key.endswith("/"):
        return [(info.path.name, info.path)]
    found = _below(store, uri)
    if not found:
        raise _missing(uri, what)
    return found


def _local_files(path: Path, what: str) -> list[tuple[str, Path]]:
    if not path.exists():
        raise _absent(path, what)
    if path.is_file():
        return [(path.name, path)]
    files = sorted(file for file in path.rglob("*") if file.is_file())
    return [(file.relative_to(path).as_posix(), file) for file in files]


def _absent(path: Path, what: str) -> StorageError:
    return StorageError(f"{what}: {path} does not exist", "Create it, or correct the file:// address.")


def _local_mount(path: Path, target: str, what: str) -> Mount:
    if not path.exists():
        raise _absent(path, what)
    return Mount(
        path.resolve(), f"{target.rstrip('/')}/{path.name}" if path.is_file() else target, read_only=True
    )


def _below(store: ObjectStore, uri: str) -> list[tuple[str, Path]]:
    """Of the folder that the address names, or else of all keys that begin so; paths as in a channel."""
    return _prefix(store, f"{uri.rstrip('/')}/") or _prefix(store, uri)


def _prefix(store: ObjectStore, uri: str) -> list[tuple[str, Path]]:
    """(path below the channel, file) of every object under a prefix, which may end inside a name."""
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    base = prefix.rpartition("/")[0]
    start = len(base) + 1 if base else 0
    return [
        (info.key[start:], info.path) for info in store.objects(bucket, prefix) if not info.key.endswith("/")
    ]


def _manifest(store: ObjectStore, uri: str, what: str) -> list[tuple[str, Path]]:
    """Manifest: a JSON list, first {"prefix": ...}, then keys relative to it (S3DataSource, API)."""
    path = existing_object(store, uri, what)
    try:
        entries = json.loads(path.read_text("utf-8"))
        prefix = entries[0]["prefix"]
        names = [name for name in entries[1:] if isinstance(name, str)]
    except (ValueError, LookupError, TypeError):
        raise StorageError(
            f"{what}: {uri} is no manifest", 'It must be a JSON list that starts with {"prefix": "s3://..."}.'
        ) from None
    return [(name, existing_object(store, prefix + name, what)) for name in names]


def _shard(found: list[tuple[str, Path]], shard: tuple[int, int] | None) -> list[tuple[str, Path]]:
    return found if shard is None else found[shard[0] :: shard[1]]


def _linked(found: Iterable[tuple[str, Path]], target: str, staging: Path) -> tuple[Mount, ...]:
    staging.mkdir(parents=True, exist_ok=True)
    for relative, path in found:
        link = staging / relative
        if not link.resolve().is_relative_to(staging.resolve()):
            raise StorageError(f"{relative} leaves its folder", "Rename the object.")
        link.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(path, link)
        except OSError:  # another file system, as [data] maps may be
            shutil.copy2(path, link)
    return (Mount(staging, target, read_only=True),)


def existing_object(store: ObjectStore, uri: str, what: str) -> Path:
    """The file of an object. Raises StorageError where there is none."""
    info = store.head(uri)
    if info is None:
        raise _missing(uri, what)
    return info.path


def _missing(uri: str, what: str) -> StorageError:
    return StorageError(
        f"{what}: there is nothing at {uri}",
        f"Place a local file or folder there: stepbridge data put PATH {uri}; or fetch it from S3: --aws",
    )
