from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent


@pytest.mark.slow
def test_the_definitions_are_what_the_sdk_compiles(tmp_path: Path) -> None:
    code = (
        f"import sys, json; sys.path.insert(0, {str(FOLDER)!r}); import sdk_programs; "
        f"open({str(tmp_path / 'all.json')!r}, 'w').write(json.dumps(sdk_programs.build_all()))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, timeout=280)
    built = json.loads((tmp_path / "all.json").read_text(encoding="utf-8"))
    kept = {
        p.stem: json.loads(p.read_text(encoding="utf-8")) for p in (FOLDER / "definitions").glob("*.json")
    }
    assert set(built) == set(kept)
    for name, definition in built.items():
        assert definition == kept[name], f"{name}: run python tests/definition/sdk_programs.py"
