"""What runs in the user's interpreter, on the Pythons that are here; no SDK needed."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from stepbridge.program.runner import PAYLOAD

from .conftest import Runner

FILES = sorted(PAYLOAD.rglob("*.py"))
VERSIONS = ["3.8", "3.9", "3.10", "3.11", "3.12", "3.13"]


def interpreter(version: str) -> str | None:
    """One that starts: a version manager's stand-in may be there for a version that is not."""
    for found in filter(None, [shutil.which(f"python{version}"), *_managed(version)]):
        asked = subprocess.run([found, "-c", ""], capture_output=True, check=False)
        if asked.returncode == 0:
            return found
    return None


def _managed(version: str) -> list[str]:
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    return [str(path) for path in sorted(root.glob(f"{version}.*/bin/python"))]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_oldest_python_reads_it(path: Path) -> None:
    ast.parse(path.read_text(), feature_version=(3, 8))


@pytest.mark.parametrize("version", VERSIONS)
def test_it_starts_silently_and_leaves_its_record(tmp_path: Path, version: str) -> None:
    python = interpreter(version)
    if python is None:
        pytest.skip(f"Python {version} is not on this machine")
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "records").mkdir()
    program = tmp_path / "program.py"
    program.write_text("import os\nopen('config.json').close()\nos.environ.get('STAGE')\n1 / 0\n")
    configuration = {
        **{"endpoint": "http://127.0.0.1:1", "access_key": "a", "secret_key": "b", "role": "r"},
        **{"record": str(tmp_path / "records"), "workspace": str(tmp_path)},
    }
    environment = {"PYTHONPATH": str(PAYLOAD), "STEPBRIDGE_PROGRAM": json.dumps(configuration)}

    ended = subprocess.run(
        [python, "program.py"], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert ended.stdout == ""
    assert ended.stderr.splitlines()[0] == "Traceback (most recent call last):"
    assert ended.stderr.splitlines()[-1] == "ZeroDivisionError: division by zero"
    (path,) = (tmp_path / "records").glob("*.json")
    record = json.loads(path.read_text())
    assert record["read"] == {str(tmp_path / "config.json"): ["program"]}
    assert record["environment"] == {"STAGE": None}
    assert (record["error"]["type"], record["error"]["line"]) == ("ZeroDivisionError", 4)


def test_without_its_variable_it_does_nothing(tmp_path: Path) -> None:
    code = "import sys; print([name for name in sys.modules if name.startswith('_stepbridge')])"
    environment = {"PYTHONPATH": str(PAYLOAD)}
    ended = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True)
    assert ended.stdout.strip() == b"[]"


def test_what_goes_wrong_in_it_fails_no_program() -> None:
    environment = {"PYTHONPATH": str(PAYLOAD), "STEPBRIDGE_PROGRAM": "no JSON"}
    ended = subprocess.run(
        [sys.executable, "-c", "print('ran')"], env=environment, capture_output=True, text=True, check=True
    )
    assert ended.stdout == "ran\n"
    assert ended.stderr.startswith("stepbridge: activate failed: JSONDecodeError")
    assert len(ended.stderr.splitlines()) == 1


@pytest.mark.parametrize("compiled", [False, True])
async def test_bytecode_is_kept_apart_where_the_user_wants_none_beside_sources(
    runner: Runner, tmp_path: Path, compiled: bool
) -> None:
    runner.write("lib/sagemaker/__init__.py", "")
    if compiled:
        runner.write("lib/sagemaker/__pycache__/x", "")
    runner.write("own.py", "")
    runner.write("program.py", "import sagemaker, own, sys; print(sys.dont_write_bytecode)")
    environment = {
        "PYTHONPATH": str(runner.workspace / "lib"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }

    await runner.run("program.py", environment=environment)

    assert runner.printed() == [str(compiled)]
    assert not list(runner.workspace.rglob("own*.pyc"))
    assert bool(list((tmp_path / "cache" / "stepbridge" / "bytecode").rglob("own*.pyc"))) is not compiled
