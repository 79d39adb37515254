"""Commands that start nothing: help, completion, data, clean, errors."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from stepbridge.cli.app import COMMANDS, invoke
from stepbridge.events import RunStatus
from stepbridge.execution.journal import ExecutionRecord, Journal
from stepbridge.service.records import Records

DEFINITION = json.dumps(
    {
        "Version": "2020-12-01",
        "Steps": [{"Name": "Stop", "Type": "Fail", "Arguments": {"ErrorMessage": "no"}}],
    }
)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".stepbridge").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STEPBRIDGE_STATE", raising=False)
    return tmp_path


def keep_run(folder: Path, run: str, started: float) -> None:
    journal = Journal(folder / ".stepbridge" / "history.sqlite")
    journal.save_execution(
        ExecutionRecord(
            run=run,
            arn=f"arn:{run}",
            pipeline="wine",
            pipeline_arn="arn:wine",
            role_arn="",
            definition_text=DEFINITION,
            parameters={"Trees": "3"},
            display_name="",
            description="",
            parallelism=None,
            status=RunStatus.FAILED,
            failure="Stop: no",
            started=started,
            ended=started + 2,
            program=None,
            client_token="",
            selective=None,
            owner=1,
        )
    )
    journal.close()
    step = folder / ".stepbridge" / "runs" / run / "Stop"
    step.mkdir(parents=True)
    (step / "log.txt").write_text("line\n")


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_explains_itself(name, capsys):
    assert invoke([name, "--help"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"Usage: stepbridge {name} ")
    assert len(shown.splitlines()) > 5


def test_a_misspelt_command_gets_a_suggestion(capsys):
    assert invoke(["rnu"]) == 2
    assert "Did you mean run?" in capsys.readouterr().err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell, capsys):
    assert invoke(["completion", shell]) == 0
    assert "_STEPBRIDGE_COMPLETE" in capsys.readouterr().out


def test_data_goes_in_and_out(here, capsys):
    (here / "in").mkdir()
    (here / "in" / "a.csv").write_text("1")
    assert invoke(["data", "put", "in", "s3://bucket/data/"]) == 0
    assert (here / ".stepbridge" / "s3" / "bucket" / "data" / "a.csv").read_text() == "1"
    assert invoke(["data", "ls", "s3://bucket/"]) == 0
    assert "s3://bucket/data/a.csv" in capsys.readouterr().out
    assert invoke(["data", "get", "s3://bucket/data", "out"]) == 0
    assert (here / "out" / "data" / "a.csv").read_text() == "1"
    assert invoke(["data", "get", "s3://bucket/none"]) == 1
    assert "nothing at s3://bucket/none" in capsys.readouterr().err
    assert invoke(["data", "put", "in", "bucket"]) == 2


def test_runs_and_show(here, capsys):
    keep_run(here, "abc123abc123", 1000.0)
    assert invoke(["runs", "--json"]) == 0
    (shown,) = json.loads(capsys.readouterr().out)
    assert (shown["run"], shown["status"], shown["seconds"]) == ("abc123abc123", "Failed", 2)
    assert invoke(["show", "abc"]) == 0
    assert "Trees = 3" in capsys.readouterr().out
    assert invoke(["show", "zzz"]) == 1
    assert "no run zzz" in capsys.readouterr().err


def test_graph_of_a_run(here, capsys):
    keep_run(here, "abc123abc123", 1000.0)
    assert invoke(["graph", "--run", "latest", "-o", "run.svg"]) == 0
    assert "Stop" in (here / "run.svg").read_text()
    assert invoke(["graph"]) == 2


def test_clean_keeps_the_newest(here, capsys):
    for number in range(3):
        keep_run(here, f"run{number}", 1000.0 + number)
    assert invoke(["clean", "--keep", "1", "--older-than", "0", "--dry-run"]) == 0
    assert len(list((here / ".stepbridge" / "runs").iterdir())) == 3
    assert invoke(["clean", "--keep", "1", "--older-than", "0"]) == 0
    assert [path.name for path in (here / ".stepbridge" / "runs").iterdir()] == ["run2"]
    assert invoke(["clean", "--everything"]) == 0
    assert not (here / ".stepbridge").exists()


def test_clean_takes_outputs_that_nothing_uses(here, capsys):
    outputs = {
        "run0": [
            "s3://bucket/run0/alone",
            "s3://bucket/run0/reused",
            "s3://bucket/run0/model.tar.gz",
            "s3://bucket/fixed",
        ],
        "run1": ["s3://bucket/run0/reused", "s3://bucket/fixed"],
    }
    journal = Journal(here / ".stepbridge" / "history.sqlite")
    for number, (run, uris) in enumerate(outputs.items()):
        keep_run(here, run, 1000.0 + number)
        named = {str(place): uri for place, uri in enumerate(uris)}
        journal.save_steps(run, [("Stop", {"name": "Stop", "outputs": named})])
    journal.save_cached("key", "wine", "Stop", {"outputs": {"out": "s3://bucket/run0/alone"}})
    records = Records(here / ".stepbridge" / "records.sqlite")
    records.add("model", "wine", {"ModelDataUrl": "s3://bucket/run0/model.tar.gz"})
    records.close()
    store = here / ".stepbridge" / "s3" / "bucket"
    for name in ("run0/alone/part", "run0/alone2", "run0/reused", "run0/model.tar.gz", "fixed"):
        (store / name).parent.mkdir(parents=True, exist_ok=True)
        (store / name).write_text("x" * 2**20)

    arguments = ["clean", "--keep", "1", "--older-than", "0", "--outputs"]
    assert invoke([*arguments, "--dry-run"]) == 0
    assert "would free 1.0 MB of 1 outputs" in capsys.readouterr().out
    assert (store / "run0" / "alone" / "part").exists()
    assert journal.cached("key") is not None
    assert invoke(arguments) == 0

    left = {str(path.relative_to(store)) for path in store.rglob("*") if path.is_file()}
    assert left == {"run0/alone2", "run0/reused", "run0/model.tar.gz", "fixed"}
    assert journal.cached("key") is None
    journal.close()


def test_nothing_has_run_yet(capsys):
    assert invoke(["runs"]) == 1
    assert "Nothing has run" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform != "linux", reason="local processes are Linux")
def test_doctor_says_which_engine_runs_the_steps(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody")
    assert invoke(["doctor", "engine", "--json"]) == 0
    found = {finding["subject"]: finding for finding in json.loads(capsys.readouterr().out)}
    assert list(found) == ["stepbridge", "workspace", "engine"]
    assert found["engine"]["facts"] == {"name": "process", "version": ""}
    assert f"{tmp_path}/nobody" in found["engine"]["text"]


def test_doctor_says_that_the_wanted_engine_is_missing(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody")
    assert invoke(["doctor", "engine", "--engine", "docker", "--json"]) == 1
    engine = json.loads(capsys.readouterr().out)[-1]
    assert (engine["state"], engine["facts"]) == ("missing", {})
    assert "No container engine answers" in engine["text"]
    assert "Start Docker" in engine["advice"]
