"""Bytes of files: copying them without holding them in memory, and digests of them."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
from io import FileIO
from pathlib import Path

CHUNK = 1024 * 1024  # bytes in memory at once

_CANNOT = {errno.EXDEV, errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM, errno.EBADF}


def copy_content(source: Path, target: Path) -> None:
    """Make `target` hold what `source` holds; blocks are shared where the file system can."""
    with source.open("rb", buffering=0) as reader, target.open("wb", buffering=0) as writer:
        append_content(reader.fileno(), writer.fileno(), os.fstat(reader.fileno()).st_size)


def append_content(reader: int, writer: int, size: int) -> None:
    """Copy `size` bytes from one file descriptor's position to the other's."""
    left = size
    try:
        while left:
            copied = os.copy_file_range(reader, writer, left)
            if not copied:
                break
            left -= copied
    except (OSError, AttributeError) as error:
        if isinstance(error, OSError) and error.errno not in _CANNOT:
            raise
    while left and (chunk := os.read(reader, min(CHUNK, left))):
        view = memoryview(chunk)
        while view:
            view = view[os.write(writer, view) :]
        left -= len(chunk)


def move_file(source: Path, target: Path) -> None:
    """Rename, or copy and remove across file systems; a source that may not be removed is only copied."""
    try:
        os.replace(source, target)  # noqa: PTH105
        return
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EACCES, errno.EPERM):
            raise
    copy_content(source, target)
    with contextlib.suppress(OSError):
        shutil.copystat(source, target)
    with contextlib.suppress(PermissionError):
        source.unlink()


def md5_of(path: Path) -> str:
    """MD5 in hexadecimal, as S3's ETag of an object sent in one piece."""
    with path.open("rb", buffering=0) as file:
        return md5_of_open(file)


def md5_of_open(file: FileIO) -> str:
    """MD5 of an open file from its start; it stands at its start again afterwards."""
    file.seek(0)
    digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False))
    file.seek(0)
    return digest.hexdigest()


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
