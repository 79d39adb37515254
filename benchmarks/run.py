"""`make bench`: every benchmark of this folder, one after another; ratios, measured side by side."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def main() -> int:
    here = Path(__file__).resolve().parent
    failed = []
    for path in sorted(here.glob("*.py")):
        if path.name != "run.py":
            print(f"\n== {path.stem}", flush=True)
            if subprocess.run([sys.executable, path], check=False).returncode:
                failed.append(path.stem)
    if failed:
        print(f"\ndid not run to the end: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
