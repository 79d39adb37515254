"""Whose files the store's files are: the user's own, also under sudo or when a container made them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct


class Owner(Struct, frozen=True):
    """A user and a group; `enforce` is set where we run as root and may have to give files away."""

    uid: int
    gid: int
    enforce: bool

    @classmethod
    def of_workspace(cls, place: Path) -> Owner:
        """The owner of the nearest folder at or above `place` that exists."""
        for folder in (place, *place.parents):
            if folder.exists():
                status = folder.stat()
                return cls(status.st_uid, status.st_gid, enforce=os.geteuid() == 0)
        return cls(os.geteuid(), os.getegid(), enforce=False)

    def give(self, path: str | Path) -> None:
        """Make `path` (not what it links to) this owner's. No-op where we may not."""
        if self.enforce:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def give_all(self, paths: Iterable[str]) -> None:
        for path in paths:
            self.give(path)

    def make_folder(self, folder: Path) -> Path:
        """`mkdir -p` whose new folders are this owner's."""
        missing = []
        place = folder
        while not place.is_dir():
            missing.append(place)
            place = place.parent
        for new in reversed(missing):
            new.mkdir(exist_ok=True)
            self.give(new)
        return folder
