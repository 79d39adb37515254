"""Multipart uploads: parts lie on disk beside the store until they become one object.

A part is one file whose name says its number, MD5 and checksum, so that an upload survives the process that
took its first parts. Joining them appends part by part to the first one's file: no part is held in memory,
and no more than one is on disk twice.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from stepbridge.errors import StorageError

from .content import append_content
from .metadata import Details
from .objects import Incoming, ObjectInfo, ObjectStore


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """An upload that was begun and neither completed nor aborted."""

    id: str
    bucket: str
    key: str
    started: float
    details: Details
    algorithm: str = ""  # of the parts' checksums, where the client announced one


class Part(Struct, frozen=True):
    """A part that arrived. `checksum` is hexadecimal, empty where none came with it."""

    number: int
    etag: str
    checksum: str
    size: int
    modified: float
    path: Path


class Uploads:
    """All uploads of a store."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._root = store.owner.make_folder(store.side / "uploads")

    def start(self, bucket: str, key: str, details: Details, algorithm: str = "") -> Upload:
        """Begin an upload. Raises StorageError for a key that cannot be."""
        self._store.path(bucket, key)
        upload = Upload(
            id=secrets.token_hex(24),
            bucket=bucket,
            key=key,
            started=time.time(),
            details=details,
            algorithm=algorithm,
        )
        folder = self._root / upload.id
        folder.mkdir()
        (folder / "upload.json").write_bytes(msgspec.json.encode(upload))
        self._store.owner.give_all([os.fspath(folder), os.fspath(folder / "upload.json")])
        return upload

    def find(self, identity: str, bucket: str, key: str) -> Upload | None:
        """The upload of that id for that object; None where there is none (any more)."""
        if not identity.isalnum():
            return None
        try:
            upload = msgspec.json.decode((self._root / identity / "upload.json").read_bytes(), type=Upload)
        except (FileNotFoundError, NotADirectoryError):
            return None
        return upload if (upload.bucket, upload.key) == (bucket, key) else None

    def all(self, bucket: str, prefix: str = "") -> list[Upload]:
        """Uploads of a bucket, sorted by key."""
        found = []
        for folder in self._root.iterdir():
            try:
                upload = msgspec.json.decode((folder / "upload.json").read_bytes(), type=Upload)
            except OSError:
                continue  # it ended since
            if upload.bucket == bucket and upload.key.startswith(prefix):
                found.append(upload)
        return sorted(found, key=lambda upload: (upload.key, upload.started))

    def add(self, upload: Upload, number: int, incoming: Incoming, checksum: str = "") -> Part:
        """Keep a part; it replaces an earlier one of that number."""
        etag = incoming.close()
        folder = self._root / upload.id
        earlier = [part.path for part in self.parts(upload) if part.number == number]
        target = folder / f"{number:05}.{etag}.{checksum}"
        try:
            os.replace(incoming.path, target)  # noqa: PTH105
        except FileNotFoundError:
            raise StorageError(f"The upload {upload.id} has ended.") from None
        self._store.owner.give(target)
        for path in earlier:
            if path != target:
                path.unlink(missing_ok=True)
        return _part(target)

    def parts(self, upload: Upload) -> list[Part]:
        """Parts so far, by number."""
        names = sorted((self._root / upload.id).glob("[0-9]*.*"))
        return [_part(path) for path in names]

    def complete(self, upload: Upload, parts: Sequence[Part], details: Details | None = None) -> ObjectInfo:
        """Join the parts, in their order, to the object."""
        digests = b"".join(bytes.fromhex(part.etag) for part in parts)
        etag = f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(parts)}"
        joined = parts[0].path
        with joined.open("r+b", buffering=0) as whole:
            whole.seek(0, os.SEEK_END)
            for part in parts[1:]:
                with part.path.open("rb", buffering=0) as file:
                    append_content(file.fileno(), whole.fileno(), part.size)
                part.path.unlink()
        info = self._store.commit(joined, upload.bucket, upload.key, details or upload.details, etag)
        self.abort(upload)
        return info

    def abort(self, upload: Upload) -> None:
        """Forget an upload and its parts."""
        shutil.rmtree(self._root / upload.id, ignore_errors=True)

    def sweep(self, older_than: float) -> None:
        """Abort uploads that were begun before a time (seconds since the epoch)."""
        for folder in list(self._root.iterdir()):
            try:
                upload = msgspec.json.decode((folder / "upload.json").read_bytes(), type=Upload)
            except OSError:
                continue
            if upload.started < older_than:
                self.abort(upload)


def _part(path: Path) -> Part:
    number, etag, checksum = path.name.split(".")
    status = path.stat()
    return Part(int(number), etag, checksum, status.st_size, status.st_mtime, path)
