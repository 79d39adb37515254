"""The real AWS CLI, from the cache that scripts/ensure_aws_cli.sh fills."""

from __future__ import annotations

import functools
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "ensure_aws_cli.sh"


@functools.cache
def _found() -> tuple[str, str]:
    """(the command, or why there is none); asks the package index where the cache has none yet."""
    made = subprocess.run([str(SCRIPT)], capture_output=True, text=True, check=False, timeout=600)
    if made.returncode == 0:
        return made.stdout.strip(), ""
    last = (made.stderr.strip().splitlines() or [""])[-1]
    return "", f"no AWS CLI (scripts/ensure_aws_cli.sh): {last}"


def no_aws() -> str:
    """Why tests that need it cannot run here; empty where they can."""
    return _found()[1]


def aws(*words: str, environment: Mapping[str, str], cwd: Path) -> str:
    """Its standard output; fails the test with its complaint where it fails."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    done = subprocess.run(
        [_found()[0], *words],
        env={**kept, **environment, "AWS_PAGER": ""},
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, f"aws {' '.join(words)}: {done.stderr}"
    return done.stdout
