"""The files around a document: reading them, and finding which file an import names.

The one place of the language server's core that touches the disk. Texts that an editor holds open win over
what is saved. Nothing is ever executed.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

# Names that are never the workspace's own modules, even where a folder is called so.
_FOREIGN = frozenset({"sagemaker", "boto3", "botocore", *sys.stdlib_module_names})
_LARGEST = 2_000_000


@dataclass
class Workspace:
    """Roots of the workspace (absolute) and texts that override the files of the same path."""

    roots: tuple[Path, ...] = ()
    overlays: dict[str, bytes] = field(default_factory=dict)
    _read: dict[str, tuple[tuple[int, int], bytes]] = field(default_factory=dict)

    def text(self, path: str) -> bytes | None:
        """The bytes of a file as the editor or the disk has them; None if there is none (or a huge one)."""
        if path in self.overlays:
            return self.overlays[path]
        try:
            status = Path(path).stat()
            stamp = (status.st_mtime_ns, status.st_size)
            known = self._read.get(path)
            if known is not None and known[0] == stamp:
                return known[1]
            if status.st_size > _LARGEST:
                return None
            content = Path(path).read_bytes()
        except (OSError, ValueError):
            return None
        self._read[path] = (stamp, content)
        return content

    def is_file(self, path: Path) -> bool:
        try:
            return str(path) in self.overlays or path.is_file()
        except (OSError, ValueError):
            return False

    def exists(self, path: Path) -> bool:
        try:
            return str(path) in self.overlays or path.exists()
        except (OSError, ValueError):
            return False

    def root_of(self, path: Path) -> Path | None:
        """The innermost root that holds a path."""
        holding = [root for root in self.roots if path == root or root in path.parents]
        return max(holding, key=lambda root: len(root.parts), default=None)

    def folders_for(self, document: str) -> list[Path]:
        """Folders from which a program may be run or import: its own, those above up to the root, `src`."""
        if not document.startswith("/") and ":" not in document[:3]:
            return [*self.roots]
        folder = Path(document).parent
        root = self.root_of(folder)
        folders = [folder]
        if root is not None:
            folders += [parent for parent in folder.parents if parent == root or root in parent.parents]
            folders += [root / "src"]
        return folders

    def find_module(self, module: str, document: str) -> Path | None:
        """The file of a module that `document` imports; leading dots count from its package."""
        level = len(module) - len(module.lstrip("."))
        parts = [part for part in module[level:].split(".") if part]
        if level:
            folder = Path(document).parent
            for _ in range(level - 1):
                folder = folder.parent
            return self._module_file(folder, parts)
        if not parts or parts[0] in _FOREIGN:
            return None
        for folder in self.folders_for(document):
            if (found := self._module_file(folder, parts)) is not None:
                return found
        return None

    def installed_major(self) -> Literal["v2", "v3"] | None:
        """The major of the SDK in a virtual environment of the workspace; None where none is found."""
        for root in self.roots:
            for name in (".venv", "venv", "env"):
                for found in root.glob(f"{name}/lib/python*/site-packages/sagemaker-*.dist-info"):
                    version = found.name.removeprefix("sagemaker-")
                    if version[:2] in ("2.", "3."):
                        return "v2" if version.startswith("2.") else "v3"
        return None

    def _module_file(self, folder: Path, parts: list[str]) -> Path | None:
        base = folder.joinpath(*parts)
        candidates = [base / "__init__.py"]
        if parts:
            candidates.insert(0, base.with_name(f"{base.name}.py"))
        return next((path for path in candidates if self.is_file(path)), None)
