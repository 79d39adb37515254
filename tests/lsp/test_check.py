"""`stepbridge check` as a person and as a program use it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from stepbridge_lsp.check import main

WRONG = """\
from sagemaker.workflow.parameters import ParameterString

bucket = ParameterString(name="Bucket")
label = "😀"; uri = f"s3://{bucket}/data"
"""
RIGHT = "from sagemaker.workflow.parameters import ParameterString\n\nbucket = ParameterString(name='B')\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    (tmp_path / ".git").mkdir()
    (tmp_path / "pipeline.py").write_text(WRONG)
    return tmp_path


def test_text_shows_the_line_and_a_caret(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pipeline.py"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("pipeline.py:4:28: error P001 ")
    assert lines[2] == '4 | label = "😀"; uri = f"s3://{bucket}/data"'
    assert lines[3] == "  | " + " " * 27 + "^" * 6
    assert lines[-1].startswith("1 error in 1 file")


def test_json_is_a_list_of_places(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--format", "json", "."]) == 1
    (entry,) = json.loads(capsys.readouterr().out)
    assert entry.pop("message")
    assert entry == {
        "path": "pipeline.py",
        "line": 4,
        "column": 28,
        "end_line": 4,
        "end_column": 34,
        "code": "P001",
        "severity": "error",
    }


def test_sarif_and_github(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--format", "sarif", "."]) == 1
    run = json.loads(capsys.readouterr().out)["runs"][0]
    assert run["results"][0]["ruleId"] == run["tool"]["driver"]["rules"][0]["id"] == "P001"
    assert run["results"][0]["locations"][0]["physicalLocation"]["region"]["startColumn"] == 28
    assert main(["--format", "github", "."]) == 1
    assert capsys.readouterr().out.startswith("::error file=pipeline.py,line=4,endLine=4,")


def test_exit_status(folder: Path) -> None:
    assert main(["--ignore", "P001", "."]) == 0
    assert main(["--select", "P04", "."]) == 0
    assert main(["nowhere.py"]) == 2
    assert main(["--format", "nonsense", "."]) == 2
    (folder / "stepbridge.toml").write_text("select = 3\n")
    assert main(["."]) == 2


def test_fix_writes_what_was_meant(folder: Path) -> None:
    assert main(["--fix", "."]) == 0
    fixed = (folder / "pipeline.py").read_text()
    assert 'uri = Join(on="", values=["s3://", bucket, "/data"])' in fixed
    assert "from sagemaker.workflow.functions import Join\n" in fixed


def test_fix_edits_the_cell_of_a_notebook(folder: Path) -> None:
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": ["# text"]},
        {
            "cell_type": "code",
            "metadata": {},
            "outputs": [],
            "source": ["%pip install x\n", *RIGHT.splitlines(True)],
        },
        {"cell_type": "code", "metadata": {}, "outputs": [], "source": ["uri = str(bucket)"]},
    ]
    (folder / "pipeline.py").unlink()
    path = folder / "n.ipynb"
    path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    assert main(["--fix", "."]) == 0
    fixed = json.loads(path.read_text())["cells"]
    assert fixed[2]["source"] == ["uri = bucket.to_string()"]
    assert fixed[1]["source"][0] == "%pip install x\n"


@pytest.mark.parametrize(
    ("settings", "status"),
    [
        ('ignore = ["P001"]', 0),
        ('severity = { P001 = "hint" }', 0),
        ('severity = { P0 = "off" }', 0),
        ('severity = { P0 = "off", P001 = "warning" }', 1),
        ('per-file-ignores = { "*.py" = ["P"] }', 0),
        ('per-file-ignores = { "other/*" = ["P"] }', 1),
    ],
)
def test_settings(folder: Path, settings: str, status: int) -> None:
    (folder / "stepbridge.toml").write_text(settings)
    assert main(["."]) == status
    (folder / "stepbridge.toml").unlink()
    (folder / "pyproject.toml").write_text(f"[tool.stepbridge]\n{settings}\n")
    assert main(["."]) == status


@pytest.mark.parametrize(
    ("comment", "status"),
    [("  # stepbridge: ignore[P001]", 0), ("  # stepbridge: ignore", 0), ("  # stepbridge: ignore[P002]", 1)],
)
def test_a_comment_silences_its_line(folder: Path, comment: str, status: int) -> None:
    (folder / "pipeline.py").write_text(WRONG.rstrip("\n") + comment + "\n")
    assert main(["."]) == status


def test_a_comment_of_its_own_silences_the_file(folder: Path) -> None:
    (folder / "pipeline.py").write_text("# stepbridge: ignore[P001]\n" + WRONG)
    assert main(["."]) == 0


def test_environments_and_foreign_files_are_passed_over(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "pipeline.py").unlink()
    for name in (".venv/lib/x.py", "node_modules/x.py", "package.json"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(WRONG if name.endswith(".py") else "{}")
    assert main(["."]) == 0
    assert capsys.readouterr().out == "No problems in 0 files.\n"
