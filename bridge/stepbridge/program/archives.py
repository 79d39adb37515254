"""Tar and zip archives of source code: their members, and the same archive with other members.

Whatever comes out of an archive stays below the folder it is unpacked into.
"""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple

from stepbridge.errors import StorageError

_EPOCH = (1980, 1, 1, 0, 0, 0)  # what zip calls the beginning; makes equal content an equal file


class Entry(NamedTuple):
    """A regular file in an archive."""

    data: bytes
    executable: bool = False


def is_archive(name: str) -> bool:
    """Whether a key or file name is one of an archive that SDKs make of source code."""
    return name.endswith((".tar.gz", ".tgz", ".tar", ".zip"))


def members(path: Path) -> Iterator[tuple[str, Entry]]:
    """(name, entry) of each regular file, in the archive's order.

    Raises:
        StorageError: the file is no archive, or a damaged one.
    """
    try:
        if path.name.endswith(".zip"):
            yield from _zip_members(path)
        else:
            yield from _tar_members(path)
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        raise StorageError(f"{path} cannot be read as an archive: {error}.") from None


def _tar_members(path: Path) -> Iterator[tuple[str, Entry]]:
    with tarfile.open(path) as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isfile() or member.islnk() else None
            if content is not None:
                yield _plain(member.name), Entry(content.read(), bool(member.mode & 0o100))


def _zip_members(path: Path) -> Iterator[tuple[str, Entry]]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if not info.is_dir():
                executable = bool((info.external_attr >> 16) & 0o100)
                yield _plain(info.filename), Entry(archive.read(info), executable)


def _plain(name: str) -> str:
    return str(PurePosixPath(name)).lstrip("/")


def write(path: Path, content: Mapping[str, Entry]) -> None:
    """Make an archive of the kind that `path` is named for; equal content gives an equal file."""
    if path.name.endswith(".zip"):
        _write_zip(path, content)
    elif path.name.endswith(".tar"):
        with path.open("wb") as file:
            _write_tar(file, content)
    else:
        with path.open("wb") as file, gzip.GzipFile("", "wb", 1, file, mtime=0) as packed:
            _write_tar(packed, content)


def _write_zip(path: Path, content: Mapping[str, Entry]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, entry in sorted(content.items()):
            info = zipfile.ZipInfo(name, _EPOCH)
            info.external_attr = _mode(entry) << 16
            archive.writestr(info, entry.data, zipfile.ZIP_DEFLATED)


def _write_tar(file: BinaryIO | gzip.GzipFile, content: Mapping[str, Entry]) -> None:
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, entry in sorted(content.items()):
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(entry.data), _mode(entry)
            archive.addfile(info, io.BytesIO(entry.data))


def _mode(entry: Entry) -> int:
    return 0o755 if entry.executable else 0o644


def unpack(content: Mapping[str, Entry], folder: Path) -> None:
    """Write the members below `folder`.

    Raises:
        StorageError: a member's name leads out of it.
    """
    root = folder.resolve()
    for name, entry in content.items():
        target = (root / name).resolve()
        if root not in target.parents:
            raise StorageError(f"Member {name!r} leads out of the folder that it is unpacked into.")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(entry.data)
        target.chmod(_mode(entry))
