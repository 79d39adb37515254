"""Finds the workspace files that uploaded objects were made from, by content.

The files that the program or the SDK read while the program ran come first; only what none of them explains
is looked for in the whole workspace. Where several files have one content, the archive's own layout decides:
the folder that explains most of its members.
"""

from __future__ import annotations

import os
import tarfile
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from stepbridge.errors import StorageError

from .archives import is_archive, members
from .observation import Observation
from .provenance import Member, Provenance, Source, digest, files_below

_LARGEST = 32 * 1024 * 1024  # bytes; nobody's source code is larger
_MOST_FILES = 20_000  # of a workspace that are looked at
_SKIPPED = frozenset({".git", ".venv", "venv", "node_modules", "__pycache__", ".stepbridge", ".tox"})


def match(objects: Mapping[str, Path], seen: Observation, workspace: Path) -> Provenance:
    """Match each object (URI -> its plain file) to the files it was made from; those of none are left out."""
    index = _Index(seen.read, workspace)
    listed = [Path(folder) for folder, askers in seen.listed.items() if "sdk" in askers]
    sources: dict[str, Source] = {}
    packed: dict[str, Source] = {}
    for uri, path in objects.items():
        if uri.endswith((".tar.gz", ".tgz")) and path.is_file():
            scripts = _scripts(path, index)
            if scripts:
                packed[uri] = Source(archive=True, members=scripts)
        if path.is_file() and path.stat().st_size <= _LARGEST:
            source = _single(uri, path, index)
            if source is None and is_archive(uri):
                source = _archive(path, index, listed)
            if source is not None:
                sources[uri] = source
    packed = {uri: source for uri, source in packed.items() if uri not in sources or not sources[uri].archive}
    return Provenance(sources=sources, packed=packed)


def _single(uri: str, path: Path, index: _Index) -> Source | None:
    name = PurePosixPath(uri).name
    content = path.read_bytes()
    candidates = index.files(content, name)
    best = min(candidates, key=lambda found: (found.name != name, len(found.parts)), default=None)
    if best is None or (not content and best.name != name):
        return None
    return Source(archive=False, members={"": Member(str(best), digest(content))})


def _archive(path: Path, index: _Index, listed: Iterable[Path]) -> Source | None:
    try:
        contents = {name: entry.data for name, entry in members(path)}
    except StorageError:
        return None
    candidates = {name: index.files(content, PurePosixPath(name).name) for name, content in contents.items()}
    roots = Counter(
        root for name, found in candidates.items() for file in found if (root := _root(file, name))
    )
    matched: dict[str, Member] = {}
    for name, found in candidates.items():
        if found:
            best = max(found, key=lambda file: _fit(file, name, roots))
            matched[name] = Member(str(best), digest(contents[name]))
    return Source(archive=True, members=matched, trees=_trees(matched, listed)) if matched else None


def _scripts(path: Path, index: _Index) -> dict[str, Member]:
    """The Python files of an archive of whatever size that are files of the workspace."""
    found: dict[str, Member] = {}
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                if not member.isfile() or not member.name.endswith(".py") or member.size > _LARGEST:
                    continue
                content = archive.extractfile(member)
                data = content.read() if content else b""
                files = index.files(data, PurePosixPath(member.name).name) if data else []
                if files:
                    found[member.name] = Member(str(files[0]), digest(data))
    except (tarfile.TarError, EOFError, OSError, zlib.error):
        return {}
    return found


def _root(file: Path, name: str) -> Path | None:
    """The folder from which `file` has the relative path `name`."""
    parts = PurePosixPath(name).parts
    return Path(*file.parts[: -len(parts)]) if file.parts[-len(parts) :] == parts else None


def _fit(file: Path, name: str, roots: Counter[Path]) -> tuple[int, bool, int]:
    root = _root(file, name)
    return (roots[root] if root else 0, file.name == PurePosixPath(name).name, -len(file.parts))


def _trees(matched: Mapping[str, Member], listed: Iterable[Path]) -> dict[str, str]:
    """Folders that the SDK listed and that stand in the archive as they are; the outermost of each."""
    trees: dict[str, str] = {}
    for folder in sorted(listed, key=lambda path: len(path.parts)):
        prefixes = {
            prefix
            for name, member in matched.items()
            if (prefix := _prefix(name, Path(member.path), folder)) is not None
        }
        for prefix in prefixes:
            inside = any(_covers(outer, Path(trees[outer]), prefix, folder) for outer in trees)
            if not inside and _is_complete(matched, prefix, folder):
                trees[prefix] = str(folder)
    return trees


def _is_complete(matched: Mapping[str, Member], prefix: str, folder: Path) -> bool:
    """Whether the archive holds all files of `folder`: a lone entry point does not stand for its folder."""
    names = (str(PurePosixPath(prefix) / path.relative_to(folder).as_posix()) for path in files_below(folder))
    return all(name in matched for name in names)


def _prefix(name: str, file: Path, folder: Path) -> str | None:
    if folder not in file.parents:
        return None
    parts, inner = PurePosixPath(name).parts, file.relative_to(folder).parts
    return "/".join(parts[: -len(inner)]) if parts[-len(inner) :] == inner else None


def _covers(outer_prefix: str, outer: Path, prefix: str, folder: Path) -> bool:
    if outer != folder and outer not in folder.parents:
        return False
    return PurePosixPath(outer_prefix) / folder.relative_to(outer).as_posix() == PurePosixPath(prefix)


class _Index:
    """Files by the digest of their content: those that were read, and on demand those of the workspace."""

    def __init__(self, read: Iterable[str], workspace: Path) -> None:
        self._by_digest: dict[str, list[Path]] = defaultdict(list)
        self._workspace = workspace
        self._by_name: dict[tuple[str, int], list[Path]] | None = None
        for name in read:
            path = Path(name)
            if path.is_file() and path.stat().st_size <= _LARGEST:
                self._by_digest[digest(path.read_bytes())].append(path)

    def files(self, content: bytes, name: str) -> list[Path]:
        found = self._by_digest.get(digest(content))
        if found or not content:
            return found or []
        if self._by_name is None:
            self._by_name = defaultdict(list)
            for path, size in _workspace_files(self._workspace):
                self._by_name[path.name, size].append(path)
        named = self._by_name.get((name, len(content)), [])
        return [path for path in named if path.read_bytes() == content]


def _workspace_files(root: Path) -> Iterator[tuple[Path, int]]:
    left = _MOST_FILES
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name not in _SKIPPED]
        for name in files:
            path = Path(folder, name)
            if left == 0:
                return
            if path.is_file() and not path.is_symlink():
                left -= 1
                yield path, path.stat().st_size
