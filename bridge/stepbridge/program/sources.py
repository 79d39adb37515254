"""Serves the program's source code to jobs as the workspace has it now (`jobs.plan.SourceCode`)."""

from __future__ import annotations

import hashlib
import shutil
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from stepbridge.errors import StorageError
from stepbridge.jobs.plan import CodeMapping
from stepbridge.storage.objects import ObjectStore

from .archives import is_archive, members, unpack, write
from .provenance import Provenance, digest, files_below


class WorkspaceSources:
    """Code objects of one store, by the provenance of the programs that ran so far (`add`)."""

    def __init__(self, store: ObjectStore, provenance: Provenance | None = None) -> None:
        self._store = store
        self.provenance = provenance or Provenance()

    def add(self, provenance: Provenance) -> None:
        self.provenance = self.provenance.merged(provenance)

    def materialize(self, uri: str, folder: Path) -> tuple[CodeMapping, ...] | None:
        """Write the code below `uri` (an object, or a prefix) into `folder` as the workspace has it now.

        A script becomes a file of its own name, an archive an archive of its own name. None where no code of
        the workspace is below `uri`; nothing is written then.
        """
        found = list(self._objects(uri))
        if not any(self.provenance.is_code(address) for _, address in found):
            return None
        mappings: list[CodeMapping] = []
        for relative, address in found:
            target = folder / relative
            target.parent.mkdir(parents=True, exist_ok=True)
            mappings += self._write(address, target, PurePosixPath(relative))
        return tuple(mappings)

    def unpack(self, uri: str, folder: Path) -> tuple[CodeMapping, ...] | None:
        """Unpack the archive `uri` into `folder`; members of workspace files as they are now.

        `file://` URIs (local mode's `local_code`) name a folder or an archive of this machine. None where the
        content comes from no workspace file; it is unpacked all the same.

        Raises:
            StorageError: there is no such object, or it is no archive.
        """
        if uri.startswith("file://"):
            return _unpack_local(Path(unquote(urlsplit(uri).path)), folder)
        uploaded = dict(members(self._store.required(uri).path))
        source = self.provenance.sources.get(uri)
        if source is None or not source.archive:
            unpack(uploaded, folder)
            return None
        unpack(self.provenance.current(uri, uploaded), folder)
        return tuple(CodeMapping(path, name) for path, name in self.provenance.mappings(uri))

    def origin(self, name: str, content: bytes) -> Path | None:
        """The workspace file that was uploaded under that file name with that content, or has it now."""
        return self.provenance.origin(name, content)

    def code(self, uri: str) -> str | None:
        """Digest of a code object as it would run now; None for data (`execution.cache.CodeDigests`)."""
        if not self.provenance.is_code(uri):
            return None
        info = self._store.head(uri)
        found = hashlib.sha256((info.etag if info else "").encode())
        for path, name in sorted(self.provenance.mappings(uri)):
            found.update(f"\0{name}\0{digest(path.read_bytes())}".encode())
        return found.hexdigest()

    def served(self, uri: str) -> list[tuple[str, str]]:
        """(name, digest) of the workspace's scripts in a model's artifacts, as they would be served now.

        Artifacts are an archive, or all objects below a folder.

        Raises:
            StorageError: it is no archive.
        """
        found = []
        for _, address in self._objects(uri):
            for name, content in _scripts(self._store.path(address)):
                local = self.origin(PurePosixPath(name).name, content)
                if local is not None:
                    found.append((name, digest(local.read_bytes())))
        return found

    def _objects(self, uri: str) -> Iterator[tuple[str, str]]:
        """(path relative to `uri`, or the object's name; URI) of each object that an input `uri` means."""
        parts = urlsplit(uri)
        if parts.scheme != "s3":
            return
        prefix = parts.path.lstrip("/")
        if prefix and not prefix.endswith("/") and self._store.exists(uri):
            yield PurePosixPath(prefix).name, uri
            return
        prefix = prefix if not prefix or prefix.endswith("/") else prefix + "/"
        for info in self._store.objects(parts.netloc, prefix):
            if not info.key.endswith("/"):
                yield info.key[len(prefix) :], info.uri

    def _write(self, uri: str, target: Path, name: PurePosixPath) -> list[CodeMapping]:
        stored = self._store.path(uri)
        changed = self.provenance.refresh(uri)
        mappings = self.provenance.mappings(uri)
        if not is_archive(uri):
            shutil.copyfile(mappings[0][0] if mappings else stored, target)
            return [CodeMapping(path, str(name)) for path, _ in mappings]
        if changed:
            write(target, self.provenance.current(uri, dict(members(stored))))
        else:
            shutil.copyfile(stored, target)
        return [CodeMapping(path, str(name.parent / member)) for path, member in mappings]


def _scripts(path: Path) -> Iterator[tuple[str, bytes]]:
    """(name, content) of an artifact that is a Python file, or of those in it. Raises StorageError."""
    if path.suffix == ".py":
        yield path.name, path.read_bytes()
    if not path.name.endswith((".tar.gz", ".tgz")):
        return
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                content = archive.extractfile(member) if member.name.endswith(".py") else None
                if content is not None:
                    yield member.name, content.read()
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise StorageError(f"{path} cannot be read as an archive: {error}.") from None


def _unpack_local(source: Path, folder: Path) -> tuple[CodeMapping, ...]:
    if is_archive(source.name):
        unpack(dict(members(source)), folder)
        return ()
    mappings = []
    for path in files_below(source):
        relative = path.relative_to(source)
        target = folder / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
        mappings.append(CodeMapping(path, relative.as_posix()))
    return tuple(mappings)
