"""Fill the cache of debugpy for containers: every release, compiled for the Pythons of this machine.

    python scripts/fetch_debugpy.py [FOLDER-WITH-WHEELS ...]

Takes wheels from the folders given before it asks the package index. Does nothing where all is there.
"""

from __future__ import annotations

import sys
from pathlib import Path

from stepbridge.debug import DebugpyCache
from stepbridge.errors import DebugError


def main(folders: list[str]) -> int:
    cache = DebugpyCache(wheels=[Path(folder).resolve() for folder in folders])
    missing = cache.missing()
    if missing:
        print(f"fetching debugpy {', '.join(release.version for release in missing)} ...", flush=True)
    try:
        folder = cache.prepare()
    except DebugError as error:
        print(error, file=sys.stderr)
        return 1
    cache.payload()
    served = cache.compile()
    print(f"debugpy for containers: {folder} (compiled for Python {', '.join(sorted(served, key=_number))})")
    return 0


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
