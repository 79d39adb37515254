"""`data put|ls|get`: local files at the s3:// addresses that a program expects."""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path

import click

from stepbridge.errors import StorageError
from stepbridge.settings import Workspace
from stepbridge.storage.objects import ObjectStore

from .console import out, plain_table


@click.group()
def data() -> None:
    """Place local files at s3:// addresses, list them, fetch them.

    \b
    stepbridge data put train.csv s3://my-bucket/data/train.csv
    stepbridge data put ./images s3://my-bucket/images/
    stepbridge data ls s3://my-bucket/
    stepbridge data get s3://my-bucket/model.tar.gz .
    """


def _store() -> ObjectStore:
    workspace = Workspace.find(Path.cwd())
    return ObjectStore(workspace.s3, workspace.data_map())


def _parts(uri: str) -> tuple[str, str]:
    if not uri.startswith("s3://") or len(uri) == len("s3://"):
        raise click.UsageError(f"{uri} is no S3 address: write s3://bucket/key")
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


@data.command("put")
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@click.argument("uri")
def put(source: Path, uri: str) -> None:
    """Copy a file or a folder to an address."""
    bucket, key = _parts(uri)
    store = _store()
    store.create_bucket(bucket)
    files = [source] if source.is_file() else [path for path in sorted(source.rglob("*")) if path.is_file()]
    for path in files:
        name = _key(source, path, key)
        with path.open("rb") as stream:
            store.put(f"s3://{bucket}/{name}", stream)
    click.echo(f"{len(files)} object{'s' * (len(files) != 1)} at {uri}")


def _key(source: Path, path: Path, key: str) -> str:
    if source.is_file():
        return f"{key}{path.name}" if not key or key.endswith("/") else key
    return "/".join(part for part in (key.rstrip("/"), path.relative_to(source).as_posix()) if part)


@data.command("ls")
@click.argument("uri", default="s3://")
def ls(uri: str) -> None:
    """List buckets, or the objects below an address."""
    store = _store()
    if uri == "s3://":
        for name in store.buckets():
            click.echo(f"s3://{name}/")
        return
    bucket, prefix = _parts(uri)
    table = plain_table("MODIFIED", "SIZE", "OBJECT")
    for info in store.objects(bucket, prefix):
        modified = datetime.fromtimestamp(info.modified).strftime("%Y-%m-%d %H:%M:%S")
        table.add_row(modified, f"{info.size:,}", info.uri)
    out().print(table)


@data.command("get")
@click.argument("uri")
@click.argument("destination", type=click.Path(path_type=Path), default=".")
def get(uri: str, destination: Path) -> None:
    """Copy an object, or all objects below an address, to a local folder or file."""
    bucket, key = _parts(uri)
    store = _store()
    found = [store.head(uri)] if store.head(uri) else list(store.objects(bucket, key))
    if not found:
        raise StorageError(f"There is nothing at {uri}", "stepbridge data ls shows what there is.")
    single = len(found) == 1 and found[0] is not None and found[0].key == key
    base = key.rpartition("/")[0]
    for info in found:
        assert info is not None
        relative = info.key[len(base) :].lstrip("/")
        target = destination if single and not destination.is_dir() else destination / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(info.path, target)
        click.echo(str(target))
