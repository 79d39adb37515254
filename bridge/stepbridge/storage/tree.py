"""What a folder holds that is about to become objects: a container's output, with whatever lies in it."""

from __future__ import annotations

import os
from pathlib import Path

from msgspec import Struct

from .content import copy_content
from .listing import is_unicode, regular_file


class Tree(Struct, frozen=True):
    """What a folder holds, absolute paths as text."""

    files: list[str]
    folders: list[str]
    others: list[str]  # links, sockets, devices

    @property
    def unicode(self) -> bool:
        """Whether every name can be part of a key."""
        return all(is_unicode(path) for path in (*self.files, *self.folders))

    @classmethod
    def read(cls, root: Path) -> Tree:
        files: list[str] = []
        folders: list[str] = []
        others: list[str] = []
        pending = [os.fspath(root)]
        while pending:
            with os.scandir(pending.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                        pending.append(entry.path)
                    elif entry.is_file(follow_symlinks=False):
                        files.append(entry.path)
                    else:
                        others.append(entry.path)
        return cls(files, folders, others)

    def resolve_links(self, root: Path) -> tuple[str, ...]:
        """Turn links to files inside into files, drop the rest; returns what was dropped."""
        top = os.path.realpath(root) + os.sep
        dropped = []
        for path in self.others:
            end = os.path.realpath(path)
            link = Path(path)
            inside = link.is_symlink() and end.startswith(top) and regular_file(end)
            link.unlink()
            if inside:
                copy_content(Path(end), link)
                self.files.append(path)
            else:
                dropped.append(os.path.relpath(path, root))
        return tuple(sorted(dropped))
