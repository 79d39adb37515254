"""What the debugger's tests share: the cache of debugpy (the user's own, filled once) and the Pythons that
this machine has for containers to have."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from stepbridge.debug import DebugpyCache
from stepbridge.errors import DebugError

VENDORED = Path(__file__).parents[2] / "vendor" / "wheels"
MINORS = ("3.6", "3.7", "3.8", "3.9", "3.10", "3.11", "3.12", "3.13")
FEW = ("3.6", "3.9", "3.11", "3.13")  # one for each way in which debugpy traces


@pytest.fixture(scope="session")
def cache() -> DebugpyCache:
    cache = DebugpyCache(wheels=(VENDORED,))
    try:
        cache.prepare()
    except DebugError as error:
        pytest.skip(f"no debugpy for containers: {error.message}")
    cache.payload()
    return cache


def interpreter(minor: str) -> Path:
    """A Python of that minor version, or a skip that says so."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    found = sorted(pyenv.glob(f"{minor}.*/bin/python{minor}"))
    if not found and (path := shutil.which(f"python{minor}")):
        found = [Path(path)]
    if not found and sys.version_info[:2] == tuple(map(int, minor.split("."))):
        found = [Path(sys.executable)]
    for candidate in found:
        if (
            subprocess.run([candidate, "-c", "import ctypes"], capture_output=True, check=False).returncode
            == 0
        ):
            return candidate
    pytest.skip(f"this machine has no Python {minor}")


@pytest.fixture(params=MINORS)
def python(request: pytest.FixtureRequest) -> Path:
    """Each Python that a container may have."""
    return interpreter(request.param)


@pytest.fixture(params=FEW)
def some_python(request: pytest.FixtureRequest) -> Path:
    """One for each way in which debugpy works: 1.5.1, 1.8.21, 1.8.22 tracing and with monitoring."""
    return interpreter(request.param)


@pytest.fixture
def step_folder(tmp_path: Path) -> Path:
    """Where a step's scripts lie."""
    folder = tmp_path / "code"
    folder.mkdir()
    return folder
