"""The page of what runs says what the tests show."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "build_compatibility.py"


def test_the_page_is_current_and_its_tests_are_there() -> None:
    asked = subprocess.run([sys.executable, SCRIPT, "--check"], capture_output=True, text=True, check=False)
    assert asked.returncode == 0, asked.stdout + asked.stderr
