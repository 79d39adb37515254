from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_of_rules_is_current():
    script = ROOT / "scripts" / "build_rules_doc.py"
    asked = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, check=False)
    assert asked.returncode == 0, asked.stderr
