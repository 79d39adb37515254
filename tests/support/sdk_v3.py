"""Where SDK v3 is: in an environment of its own, since v2 has the same name (scripts/ensure_sdk_v3.sh)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
ENVIRONMENT = Path(os.environ.get("STEPBRIDGE_SDK_V3") or _CACHE / "stepbridge" / "sdk-v3")
PYTHON = ENVIRONMENT / "bin" / "python"

needs_sdk_v3 = pytest.mark.skipif(
    not PYTHON.exists(), reason=f"there is no SDK v3 at {ENVIRONMENT}; scripts/ensure_sdk_v3.sh installs it"
)
