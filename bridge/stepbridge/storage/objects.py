"""The local S3 store: an object `s3://bucket/key` is the plain file `<root>/bucket/key`.

Containers mount these files, the service serves them, a person may look at them and edit them. What is not
content (content type, metadata, ETag) lies apart in `<root>-meta/`, and so do the few objects whose key
cannot be a path beside the others: "a/" (a folder marker), "a" where "a/b" exists, a segment over 255 bytes.
Nothing is hashed before somebody asks. A symbolic link in the store is no object, so that nothing a container
left there can lead out of it. Knows no HTTP and no job.
"""

from __future__ import annotations

import hashlib
import heapq
import io
import itertools
import os
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from operator import itemgetter
from pathlib import Path
from typing import BinaryIO, cast

import msgspec

from stepbridge.errors import StorageError

from .content import CHUNK, copy_content, md5_of, md5_of_open, move_file, sha256_of
from .keys import Address, as_prefix, can_be_path, check_bucket, check_key, parse_uri
from .listing import Cursor, Folders, regular_file
from .metadata import Details, Metadata, Row
from .overlay import Overlay
from .ownership import Owner
from .tree import Tree

LARGE = 8 * 1024 * 1024  # bytes; S3 clients send more than that in parts, whose ETag is no MD5
_LEFTOVER_SECONDS = 24 * 3600
_PAGE = 500  # rows of side information read at once


class ReadOnlyObjectError(StorageError):
    """The object is a local file of the `[data]` map."""


@dataclass(frozen=True)
class ObjectInfo:
    """An object as it is now. `modified` is in seconds since the epoch, `size` in bytes."""

    bucket: str
    key: str
    path: Path
    size: int
    modified: float
    details: Details
    stamp: str = field(repr=False)
    _known_etag: str | None = field(repr=False)
    _store: ObjectStore = field(repr=False, compare=False)
    read_only: bool = False  # it comes from the [data] map

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.key}"

    @property
    def content_type(self) -> str:
        return self.details.content_type

    @property
    def metadata(self) -> Mapping[str, str]:
        return self.details.metadata

    @property
    def etag(self) -> str:
        """Without quotes. The content's MD5; of large files which no client sent a "-N" tag."""
        return self._known_etag or self._store.etag(self)


class Incoming:
    """A file on its way into the store: write to it, then commit or discard it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._file = path.open("xb", buffering=0)

    def write(self, chunk: bytes | memoryview) -> None:
        self._md5.update(chunk)
        view = memoryview(chunk)
        while view:
            view = view[self._file.write(view) :]
        self.size += len(chunk)

    def close(self) -> str:
        """No more bytes will come. Returns the MD5 of all, in hexadecimal."""
        self._file.close()
        return self._md5.hexdigest()

    def discard(self) -> None:
        """Close and forget; no-op once committed."""
        self._file.close()
        self.path.unlink(missing_ok=True)


class ObjectStore:
    """The store. Every method may be called from any thread, and from several processes at once.

    Args:
        root: the folder of the buckets (`.stepbridge/s3`); made on demand.
        data: the `[data]` map, S3 address -> local file or folder (absolute).
    """

    def __init__(self, root: Path, data: Mapping[str, Path] | None = None) -> None:
        self.owner = Owner.of_workspace(root)
        self.owner.make_folder(root)
        self.root = Path(os.path.realpath(root))
        self._side = self.root.with_name(self.root.name + "-meta")
        self._temporary = self.owner.make_folder(self._side / "incoming")
        self._apart = self.owner.make_folder(self._side / "apart")
        database = self._side / "objects.sqlite"
        database.touch()
        self.owner.give(database)  # SQLite gives the files beside it to the same owner
        self._metadata = Metadata(database)
        self._overlay = Overlay(data or {})
        self._folders = Folders()

    def close(self) -> None:
        self._metadata.close()

    @property
    def side(self) -> Path:
        """The folder of all that is not content; on the same file system as the buckets."""
        return self._side

    # --- where things lie ---------------------------------------------------------------------------------

    def path(self, uri_or_bucket: str, key: str | None = None) -> Path:
        """Where the object's plain file lies, or would lie after a put.

        Raises:
            StorageError: no S3 URI, or a key that leaves the bucket.
        """
        bucket, key = self._address(uri_or_bucket, key)
        existing = self._find(bucket, key)
        return existing[0] if existing else self._destination(bucket, key)

    def folder(self, uri: str) -> Path:
        """The folder of a prefix; it may not exist yet. One of the `[data]` map, where only that has it."""
        bucket, key = self._address(uri)
        if not key:
            return self.root / bucket
        if not can_be_path(key.rstrip("/")):
            raise StorageError(f"{uri}: this prefix cannot be a folder.", "Use a prefix without '//'.")
        own = self.root / bucket / key.rstrip("/")
        mapped = self._overlay.place(bucket, key)
        return mapped if mapped is not None and mapped.is_dir() and not own.is_dir() else own

    def mountable(self, uri: str) -> Path | None:
        """The folder of a prefix, if every object under that prefix is a plain file in that one folder.

        None where some lie apart or in the `[data]` map as well; then build a folder from `objects()`.
        """
        bucket, key = self._address(uri)
        prefix = as_prefix(key)
        if key and not can_be_path(key.rstrip("/")):
            return None
        apart = [
            name for name in self._metadata.apart(bucket, prefix) if not self._is_empty_marker(bucket, name)
        ]
        folder = self.folder(uri)
        if apart or (self._overlay.touches(bucket, prefix) and self._in_both(bucket, key, folder)):
            return None
        return folder

    def _in_both(self, bucket: str, key: str, folder: Path) -> bool:
        """Whether the map contributes files under a prefix to a folder of the store's, or the other way."""
        cursor = Cursor(prefix=as_prefix(key))
        places = {
            Path(path).is_relative_to(folder)
            for walk in self._overlay.walks(bucket, cursor)
            for _, path in walk
        }
        return False in places

    def _is_empty_marker(self, bucket: str, key: str) -> bool:
        path = self._apart_path(bucket, key)
        status = regular_file(os.fspath(path))
        return key.endswith("/") and (status is None or status.st_size == 0)

    def _address(self, uri_or_bucket: str, key: str | None = None) -> Address:
        address = parse_uri(uri_or_bucket) if key is None else Address(uri_or_bucket, key)
        check_bucket(address.bucket)
        check_key(address.key, address.bucket)
        return address

    def _apart_path(self, bucket: str, key: str) -> Path:
        return self._apart / bucket / hashlib.sha256(key.encode()).hexdigest()

    def _find(self, bucket: str, key: str) -> tuple[Path, os.stat_result, Row | None, bool] | None:
        """(path, status, side information, read-only) of an object that exists."""
        row = self._metadata.get(bucket, key)
        if can_be_path(key):
            plain = f"{self.root}/{bucket}/{key}"
            status = regular_file(plain)
            if status and os.path.realpath(plain) == plain:
                return Path(plain), status, row, False
        if row and row.apart:
            path = self._apart_path(bucket, key)
            status = regular_file(os.fspath(path))
            if status:
                return path, status, row, False
        mapped = self._overlay.find(bucket, key) if not key.endswith("/") else None
        return (mapped, mapped.stat(), row, True) if mapped else None

    def _destination(self, bucket: str, key: str) -> Path:
        """Where a put would place it, if nothing changes before."""
        plain = self.root / bucket / key
        if can_be_path(key) and not plain.is_dir():
            return plain
        return self._apart_path(bucket, key) if key else plain

    # --- buckets ------------------------------------------------------------------------------------------

    def buckets(self) -> list[str]:
        """Names of all buckets, sorted; those of the `[data]` map too."""
        own = {entry.name for entry in os.scandir(self.root) if entry.is_dir(follow_symlinks=False)}
        return sorted(own | self._overlay.buckets())

    def has_bucket(self, name: str) -> bool:
        check_bucket(name)
        return (self.root / name).is_dir() or name in self._overlay.buckets()

    def create_bucket(self, name: str) -> bool:
        """Returns False where it exists already."""
        check_bucket(name)
        with self._metadata.transaction():
            new = not (self.root / name).is_dir()
            self.owner.make_folder(self.root / name)
            self._metadata.save_bucket(name, time.time())
        return new

    def bucket_created(self, name: str) -> float:
        """Seconds since the epoch."""
        known = self._metadata.bucket_created(name)
        folder = self.root / name
        return known if known is not None else folder.stat().st_mtime if folder.is_dir() else 0.0

    def delete_bucket(self, name: str) -> None:
        """Raises StorageError where it still holds objects."""
        check_bucket(name)
        with self._metadata.transaction():
            if next(self.objects(name), None) is not None:
                raise StorageError(
                    f"s3://{name} is not empty.", f"Delete its objects first: {self.root / name}"
                )
            shutil.rmtree(self.root / name, ignore_errors=True)
            shutil.rmtree(self._apart / name, ignore_errors=True)
            self._metadata.forget_bucket(name)

    # --- reading ------------------------------------------------------------------------------------------

    def exists(self, uri: str) -> bool:
        return self._find(*self._address(uri)) is not None

    def head(self, uri_or_bucket: str, key: str | None = None) -> ObjectInfo | None:
        """The object as it is now; None where there is none."""
        bucket, key = self._address(uri_or_bucket, key)
        found = self._find(bucket, key)
        if found is None:
            return None
        path, status, row, read_only = found
        return self._info(bucket, key, path, status, row, read_only)

    def open(self, uri: str) -> BinaryIO:
        """Raises StorageError where there is no such object."""
        return self.required(uri).path.open("rb")

    def read(self, bucket: str, key: str) -> tuple[ObjectInfo, BinaryIO] | None:
        """The object and its file, open and unbuffered, which agree even while others replace the object."""
        self._address(bucket, key)
        while True:
            with self._metadata.held():
                found = self._find(bucket, key)
                if found is None:
                    return None
                path, status, row, read_only = found
                try:
                    file = path.open("rb", buffering=0)
                except FileNotFoundError:
                    continue  # another process moved it since
            if _stamp(os.fstat(file.fileno())) == _stamp(status):
                info = self._info(bucket, key, path, status, row, read_only)
                if info._known_etag is None and info.size <= LARGE:
                    info = replace(info, _known_etag=md5_of_open(file))
                    self._remember(info, etag=info._known_etag)
                return info, cast(BinaryIO, file)
            file.close()

    def required(self, uri: str) -> ObjectInfo:
        """`head`, or a StorageError that says how to provide the object."""
        found = self.head(uri)
        if found is None:
            raise StorageError(f"There is no object {uri}.", f"Provide it: stepbridge data put FILE {uri}")
        return found

    def objects(self, bucket: str, prefix: str = "", after: str = "") -> Iterator[ObjectInfo]:
        """Objects whose key starts with `prefix` and sorts after `after`, in order of the keys' bytes."""
        return self.scan(bucket, Cursor(prefix, after))

    def scan(self, bucket: str, cursor: Cursor) -> Iterator[ObjectInfo]:
        """`objects`, where the caller may move `cursor.skip` while it reads (one object at a time then)."""
        check_bucket(bucket)
        keys = self._keys(bucket, cursor)
        size = 1
        while page := list(itertools.islice(keys, size)):
            before = cursor.skip
            for info in self._infos(bucket, page):
                if cursor.wants(info.key):
                    yield info
            size = min(size * 2, _PAGE) if cursor.skip == before else 1

    def _keys(self, bucket: str, cursor: Cursor) -> Iterator[tuple[str, str]]:
        own = self._folders.walk(f"{self.root}/{bucket}", "", cursor)
        apart = [
            (key, os.fspath(self._apart_path(bucket, key)))
            for key in self._metadata.apart(bucket, cursor.prefix)
            if cursor.wants(key)
        ]
        mapped = self._overlay.walks(bucket, cursor)
        if not apart and not mapped:
            yield from own
            return
        last = None
        for key, path in heapq.merge(own, apart, *mapped, key=itemgetter(0)):
            if key != last:  # the store's own comes first and hides the map's
                yield key, path
            last = key

    def _infos(self, bucket: str, page: list[tuple[str, str]]) -> Iterator[ObjectInfo]:
        if not page:
            return
        rows = self._metadata.between(bucket, page[0][0], page[-1][0])
        own = os.fspath(self.root) + os.sep
        side = os.fspath(self._apart) + os.sep
        for key, path in page:
            status = regular_file(path)
            read_only = not path.startswith((own, side))
            if status is None and read_only:
                status = Path(path).stat()
            if status is not None:  # else it went away since
                yield self._info(bucket, key, Path(path), status, rows.get(key), read_only)

    def _info(
        self, bucket: str, key: str, path: Path, status: os.stat_result, row: Row | None, read_only: bool
    ) -> ObjectInfo:
        stamp = _stamp(status)
        current = row is not None and row.stamp == stamp
        details = row.details if row else Details()
        if not current and details.checksums:
            details = msgspec.structs.replace(details, checksums={})
        return ObjectInfo(
            bucket=bucket,
            key=key,
            path=path,
            size=status.st_size,
            modified=status.st_mtime,
            details=details,
            stamp=stamp,
            _known_etag=row.etag if row and current else None,
            _store=self,
            read_only=read_only,
        )

    def etag(self, info: ObjectInfo) -> str:
        """The ETag of an object's present content, remembered while the file is unchanged."""
        if info.size > LARGE:
            parts = -(-info.size // LARGE)
            return f"{hashlib.md5(info.stamp.encode(), usedforsecurity=False).hexdigest()}-{parts}"
        etag = md5_of(info.path)
        self._remember(info, etag=etag)
        return etag

    def sha256(self, info: ObjectInfo) -> str:
        """SHA-256 of the content in hexadecimal, remembered while the file is unchanged."""
        row = self._metadata.get(info.bucket, info.key)
        if row and row.stamp == info.stamp and row.sha256:
            return row.sha256
        digest = sha256_of(info.path)
        self._remember(info, sha256=digest)
        return digest

    def _remember(self, info: ObjectInfo, *, etag: str | None = None, sha256: str | None = None) -> None:
        """Write a digest down, unless the file is so new that its stamp may not tell the next change."""
        status = regular_file(os.fspath(info.path))
        if status is None or _stamp(status) != info.stamp or time.time() - status.st_mtime < 0.1:
            return
        with self._metadata.transaction():
            row = self._metadata.get(info.bucket, info.key)
            if row is None or row.stamp != info.stamp:
                apart = row.apart if row else False
                row = Row(info.key, info.stamp, None, None, apart, info.details)
            row = Row(row.key, row.stamp, etag or row.etag, sha256 or row.sha256, row.apart, row.details)
            self._metadata.save(info.bucket, row)

    # --- writing ------------------------------------------------------------------------------------------

    def incoming(self) -> Incoming:
        """A new file outside of the buckets, to be committed."""
        path = self._temporary / f"{os.getpid()}-{secrets.token_hex(8)}"
        try:
            return Incoming(path)
        except OSError as error:
            raise _write_failure(path, error) from None

    def commit(
        self, incoming: Incoming | Path, bucket: str, key: str, details: Details | None = None, etag: str = ""
    ) -> ObjectInfo:
        """Make a file (on the store's file system) the object; it replaces what was there in one step."""
        self._address(bucket, key)
        if isinstance(incoming, Incoming):
            etag = etag or incoming.close()
        source = incoming.path if isinstance(incoming, Incoming) else incoming
        self.owner.give(source)
        try:
            with self._metadata.transaction():
                return self._place(source, bucket, key, details or Details(), etag)
        except OSError as error:
            raise _write_failure(self.root / bucket / key, error) from None

    def put(
        self, uri: str, data: bytes | BinaryIO | Iterable[bytes], details: Details | None = None
    ) -> ObjectInfo:
        """Write an object; its bucket is made where it is missing."""
        bucket, key = self._address(uri)
        incoming = self.incoming()
        try:
            for chunk in _chunks(data):
                incoming.write(chunk)
            return self.commit(incoming, bucket, key, details)
        except OSError as error:
            raise _write_failure(incoming.path, error) from None
        finally:
            incoming.discard()

    def copy(self, source: ObjectInfo, bucket: str, key: str, details: Details | None = None) -> ObjectInfo:
        """A second object of the same content (shared blocks where the file system can)."""
        etag = source.etag if source.size <= LARGE or source._known_etag else ""
        target = self.incoming()
        target.close()
        try:
            copy_content(source.path, target.path)
            return self.commit(target.path, bucket, key, details or source.details, etag)
        except OSError as error:
            raise _write_failure(target.path, error) from None
        finally:
            target.discard()

    def change_details(self, info: ObjectInfo, details: Details) -> None:
        """Replace what is said of an object (its tags, its metadata); the content stays."""
        with self._metadata.transaction():
            row = self._metadata.get(info.bucket, info.key)
            if row is None:
                row = Row(info.key, info.stamp, None, None, False, details)
            self._metadata.save(
                info.bucket, Row(row.key, row.stamp, row.etag, row.sha256, row.apart, details)
            )

    def delete(self, uri_or_bucket: str, key: str | None = None) -> bool:
        """Forget an object. Returns False where there was none.

        Folders that get empty stay, since a container may have them mounted.

        Raises:
            StorageError: it comes from the `[data]` map.
        """
        bucket, key = self._address(uri_or_bucket, key)
        with self._metadata.transaction():
            found = self._find(bucket, key)
            if found is None:
                return False
            path, _, _, read_only = found
            if read_only:
                raise ReadOnlyObjectError(
                    f"s3://{bucket}/{key} is {path} by the [data] map, which is read-only."
                )
            path.unlink(missing_ok=True)
            self._metadata.forget(bucket, key)
        return True

    def _place(self, source: Path, bucket: str, key: str, details: Details, etag: str) -> ObjectInfo:
        """Rename `source` to where the object belongs. Within a transaction."""
        target = self._make_room(bucket, key)
        apart = target.is_relative_to(self._apart)
        os.replace(source, target)  # noqa: PTH105
        if not apart:
            self._apart_path(bucket, key).unlink(missing_ok=True)
        status = target.stat()
        row = Row(key, _stamp(status), etag or None, None, apart, details)
        if apart or etag or details != Details():
            self._metadata.save(bucket, row)
        else:
            self._metadata.forget(bucket, key)
        return self._info(bucket, key, target, status, row, read_only=False)

    def _make_room(self, bucket: str, key: str) -> Path:
        """The path for an object, its folders made. A file that stands where a folder must be goes apart."""
        plain = self.root / bucket / key
        if can_be_path(key):
            self._make_folders(bucket, key)
            if not plain.is_symlink() and plain.is_dir() and not _remove_empty_tree(plain):
                return self._apart_folder(bucket) / self._apart_path(bucket, key).name
            return plain
        self.owner.make_folder(self.root / bucket)
        return self._apart_folder(bucket) / self._apart_path(bucket, key).name

    def _apart_folder(self, bucket: str) -> Path:
        return self.owner.make_folder(self._apart / bucket)

    def _make_folders(self, bucket: str, key: str) -> None:
        parent = (self.root / bucket / key).parent
        if parent.is_dir() and os.path.realpath(parent) == os.fspath(parent):
            return
        own = ""
        for segment in key.split("/")[:-1]:
            own = f"{own}/{segment}" if own else segment
            place = self.root / bucket / own
            if place.is_symlink():
                place.unlink()  # no object, and it would lead the new file elsewhere
            elif place.is_file():
                self._move_apart(bucket, own, place)
        self.owner.make_folder(parent)

    def _move_apart(self, bucket: str, key: str, plain: Path) -> None:
        row = self._metadata.get(bucket, key)
        stamp = _stamp(plain.stat())
        known = row if row and row.stamp == stamp else None
        self._apart_folder(bucket)
        details = row.details if row else Details()
        etag, sha256 = (known.etag, known.sha256) if known else (None, None)
        self._metadata.save(bucket, Row(key, stamp, etag, sha256, True, details))
        self._metadata.checkpoint()  # known before it moves, lest a crash lose it from sight
        os.replace(plain, self._apart_path(bucket, key))  # noqa: PTH105

    # --- adopting -----------------------------------------------------------------------------------------

    def adopt(self, source: Path, uri: str) -> tuple[str, ...]:
        """Move a file, or all that a folder holds, to an address; `source` is gone afterwards.

        A file goes to the key itself (below it, if the URI ends with a slash), a folder's content below it.
        Files become the user's own. Links to files within the folder become copies.

        Returns:
            Relative paths that were left out because they are no files: links out of the folder, sockets.

        Raises:
            StorageError: `source` is missing, or the disk is full.
        """
        bucket, key = self._address(uri)
        if source.is_symlink():
            raise StorageError(f"{source} is a link, not a file; it cannot become {uri}.")
        try:
            if source.is_dir():
                return self._adopt_folder(source, bucket, as_prefix(key))
            if not key or key.endswith("/"):
                key += source.name
            self._adopt_file(source, bucket, key)
            return ()
        except FileNotFoundError:
            raise StorageError(f"{source} does not exist; it should become {uri}.") from None
        except OSError as error:
            raise _write_failure(source, error) from None

    def _adopt_file(self, source: Path, bucket: str, key: str) -> None:
        self._address(bucket, key)
        temporary = self._temporary / f"{os.getpid()}-{secrets.token_hex(8)}"
        move_file(source, temporary)
        try:
            self.commit(temporary, bucket, key)
        finally:
            temporary.unlink(missing_ok=True)

    def _adopt_folder(self, source: Path, bucket: str, prefix: str) -> tuple[str, ...]:
        tree = Tree.read(source)
        left_out = tree.resolve_links(source)
        target = self.root / bucket / prefix.rstrip("/")
        as_whole = prefix and can_be_path(prefix.rstrip("/")) and tree.unicode
        if as_whole and not target.exists() and not target.is_symlink() and _same_device(source, self.root):
            self.owner.give_all([os.fspath(source), *tree.folders, *tree.files])
            with self._metadata.transaction():
                self._make_folders(bucket, prefix.rstrip("/"))
                os.replace(source, target)  # noqa: PTH105
                self._metadata.forget_under(bucket, prefix)
            return left_out
        self.owner.make_folder(self.root / bucket)
        for file in tree.files:
            relative = os.fsencode(os.path.relpath(file, source)).decode("utf-8", "replace")
            self._adopt_file(Path(file), bucket, prefix + relative)
        shutil.rmtree(source, ignore_errors=True)
        return left_out

    def sweep(self) -> None:
        """Remove what a process that was killed left of unfinished uploads, a day after."""
        oldest = time.time() - _LEFTOVER_SECONDS
        with os.scandir(self._temporary) as entries:
            for entry in entries:
                if entry.stat(follow_symlinks=False).st_mtime < oldest:
                    Path(entry.path).unlink(missing_ok=True)


def _same_device(one: Path, other: Path) -> bool:
    return one.stat().st_dev == other.stat().st_dev


def _remove_empty_tree(folder: Path) -> bool:
    """Remove a folder that holds no files at any depth. Returns whether it is gone."""
    for path, _, files in os.walk(folder, topdown=False):
        if files:
            return False
        try:
            Path(path).rmdir()
        except OSError:
            return False
    return True


def _stamp(status: os.stat_result) -> str:
    return f"{status.st_size}-{status.st_mtime_ns}-{status.st_ino}"


def _chunks(data: bytes | BinaryIO | Iterable[bytes]) -> Iterator[bytes]:
    if isinstance(data, bytes):
        yield data
    elif isinstance(data, io.IOBase) or hasattr(data, "read"):
        while chunk := data.read(CHUNK):
            yield chunk
    else:
        yield from data


def _write_failure(path: Path, error: OSError) -> StorageError:
    hint = "Free some space: stepbridge clean" if error.errno == 28 else "Check the folder's permissions."
    return StorageError(f"{path}: cannot be written to the store ({error.strerror or error}).", hint)


__all__ = ["LARGE", "Details", "Incoming", "ObjectInfo", "ObjectStore", "ReadOnlyObjectError"]
