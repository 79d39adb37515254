"""Which workspace files an uploaded object was made from, and what that object would hold now.

Values only: `matching` finds them out, `sources` serves them to jobs. Reads the files of the workspace, never
the object store; serialisable, so that a compile record can keep it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

import msgspec

from .archives import Entry

_CODE_SUFFIXES = frozenset({".py", ".sh", ".bash", ".r", ".jl", ".ipynb", ".scala", ".pl"})
_NOT_SOURCE = frozenset({"__pycache__", ".git", ".ipynb_checkpoints", ".stepbridge", ".DS_Store"})


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Member(msgspec.Struct, frozen=True):
    """A workspace file and the digest that its content had when it was uploaded."""

    path: str  # absolute
    digest: str


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """What one object was made from.

    members: name in the archive -> file; "" for an object that is one file. trees: folders that the archive
    holds as a whole, name in the archive ("" for its root) -> absolute path; new files there belong to it.
    """

    archive: bool
    members: dict[str, Member]
    trees: dict[str, str] = {}


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """URI of an uploaded object -> what it was made from.

    packed: archives that are files of the workspace themselves, as a model.tar.gz that a program has built:
    the scripts in them.
    """

    sources: dict[str, Source] = {}
    packed: dict[str, Source] = {}

    def merged(self, later: Provenance) -> Provenance:
        return Provenance(sources={**self.sources, **later.sources}, packed={**self.packed, **later.packed})

    def origin(self, name: str, content: bytes) -> Path | None:
        """The workspace file that was uploaded under that file name with that content, or has it now."""
        wanted = digest(content)
        for source in (*self.sources.values(), *self.packed.values()):
            for member in source.members.values():
                path = Path(member.path)
                if path.name != name or not path.is_file():
                    continue
                if member.digest == wanted or digest(path.read_bytes()) == wanted:
                    return path
        return None

    def is_code(self, uri: str) -> bool:
        """Whether the object is source code of the workspace (an archive or a script), not data."""
        source = self.sources.get(uri)
        return source is not None and (source.archive or PurePosixPath(uri).suffix.lower() in _CODE_SUFFIXES)

    def mappings(self, uri: str) -> list[tuple[Path, str]]:
        """(local file, name in the archive or "") of each file in the object as it would be now."""
        source = self.sources.get(uri)
        if source is None:
            return []
        return [(path, name) for name, path in _current(source).items() if path.is_file()]

    def refresh(self, uri: str) -> list[tuple[str, Path]]:
        """(name, local file) of what differs now from what was uploaded: changed, new and deleted files."""
        source = self.sources.get(uri)
        if source is None:
            return []
        uploaded, now = source.members, _current(source)
        return [(name, path) for name, path in now.items() if _differs(path, uploaded.get(name))]

    def current(self, uri: str, uploaded: Mapping[str, Entry]) -> dict[str, Entry]:
        """The members of the object with the content that the workspace has now.

        Args:
            uploaded: its members as they were uploaded; those of no workspace file are kept as they are.
        """
        source = self.sources[uri]
        content = dict(uploaded)
        for name, path in _current(source).items():
            if path.is_file():
                content[name] = Entry(path.read_bytes(), os.access(path, os.X_OK))
            else:
                content.pop(name, None)
        return content


def _current(source: Source) -> dict[str, Path]:
    """Name -> file, also of files that were deleted; nothing where all are gone (another branch, a move)."""
    found = {name: Path(member.path) for name, member in source.members.items()}
    if not any(path.is_file() for path in found.values()):
        return {}
    for prefix, folder in source.trees.items():
        for path in files_below(Path(folder)):
            name = str(PurePosixPath(prefix) / path.relative_to(folder).as_posix())
            found.setdefault(name, path)
    return found


def _differs(path: Path, uploaded: Member | None) -> bool:
    if uploaded is None:
        return True
    return not path.is_file() or digest(path.read_bytes()) != uploaded.digest


def files_below(folder: Path) -> Iterator[Path]:
    """The files that the SDK would pack from `folder`, sorted, without caches and version control."""
    if not folder.is_dir():
        return
    for entry in sorted(folder.iterdir()):
        if entry.name in _NOT_SOURCE:
            continue
        if entry.is_dir():
            yield from files_below(entry)
        elif entry.is_file():
            yield entry
