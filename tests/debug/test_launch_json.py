"""The user's launch.json: ours comes and goes, the rest stays to the letter."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stepbridge.debug.launch_json import MARK, AttachEntry, configurations, merged, write
from stepbridge.debug.plan import PathMapping
from stepbridge.errors import ConfigurationError

USERS = """\
{
    // Use IntelliSense to learn about possible attributes.
    "version": "0.2.0",
    "configurations": [
        {
            "name": "mine", /* keep */ "type": "debugpy",
            "request": "launch", // "StepBridge: not an entry"
            "args": ["a", "b",],
        }, // after mine
    ],
    "compounds": [],
}
"""


def entries(workspace: Path, *ports: int) -> list[AttachEntry]:
    mapping = PathMapping(workspace / "code", "/opt/ml/code")
    return [AttachEntry(f"Step{port}", port, (mapping,)) for port in ports]


def test_the_configuration_is_one_that_debugpy_attaches_with(tmp_path: Path) -> None:
    deep = PathMapping(tmp_path / "code" / "lib", "/opt/ml/code/lib")
    other = PathMapping(Path("/elsewhere"), "/opt/ml/processing")
    entry = AttachEntry("Train", 5678, (PathMapping(tmp_path / "code", "/opt/ml/code"), deep, other), False)
    assert configurations([entry], tmp_path) == [
        {
            "name": "StepBridge: Train",
            "type": "debugpy",
            "request": "attach",
            "connect": {"host": "127.0.0.1", "port": 5678},
            "pathMappings": [
                {"localRoot": "/elsewhere", "remoteRoot": "/opt/ml/processing"},
                {"localRoot": "${workspaceFolder}/code/lib", "remoteRoot": "/opt/ml/code/lib"},
                {"localRoot": "${workspaceFolder}/code", "remoteRoot": "/opt/ml/code"},
            ],
            "justMyCode": False,
        }
    ]


def test_a_file_is_made_where_there_is_none(tmp_path: Path) -> None:
    path = write(tmp_path, entries(tmp_path, 1))
    content = json.loads(path.read_text())
    assert [c["name"] for c in content["configurations"]] == ["StepBridge: Step1"]
    assert content["version"] == "0.2.0"


def test_the_users_text_stays_to_the_letter_and_ours_can_go_again(tmp_path: Path) -> None:
    (tmp_path / ".vscode").mkdir()
    path = tmp_path / ".vscode" / "launch.json"
    path.write_text(USERS)
    write(tmp_path, entries(tmp_path, 1, 2))
    once = path.read_text()
    for line in USERS.splitlines():
        assert line in once
    assert once.count(MARK + "Step") == 2
    stamp = path.stat().st_mtime_ns
    write(tmp_path, entries(tmp_path, 1, 2))
    assert path.stat().st_mtime_ns == stamp  # not even touched
    write(tmp_path, entries(tmp_path, 3))
    assert path.read_text().count(MARK + "Step") == 1
    write(tmp_path, [])
    assert path.read_text() == USERS


def test_indentation_follows_the_file() -> None:
    ours = configurations([AttachEntry("A", 1)])
    text = merged('{\n\t"configurations": [\n\t\t{"name": "x"}\n\t]\n}', ours)
    assert '\n\t\t{\n\t\t\t"name": "StepBridge: A"' in text


@pytest.mark.parametrize("text", ["", "{}", '{"configurations": []}', '{"version": "1"}', "\ufeff{ // x\n}"])
def test_small_files(text: str) -> None:
    ours = configurations([AttachEntry("A", 1)])
    once = merged(text, ours)
    assert merged(once, ours) == once
    assert once.count("StepBridge: A") == 1


@pytest.mark.parametrize(
    "text", ["[1]", "{", '{"a" 1}', '{"configurations": {}}', "{} x", "{/* }", '{"a": nope}']
)
def test_what_is_no_launch_json_is_left_alone(tmp_path: Path, text: str) -> None:
    (tmp_path / ".vscode").mkdir()
    path = tmp_path / ".vscode" / "launch.json"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=r"launch\.json"):
        write(tmp_path, entries(tmp_path, 1))
    assert path.read_text() == text


names = st.text(st.characters(blacklist_categories=("Cs",)), max_size=8)
users = st.lists(
    st.dictionaries(names, st.one_of(st.integers(), names, st.lists(names, max_size=2)), max_size=3)
)


@given(users, st.integers(0, 3), st.integers(0, 3), st.sampled_from([None, 1, 4, "\t"]), st.booleans())
def test_any_file_keeps_its_own_entries(
    own: list[dict[str, object]], first: int, second: int, indent: int | str | None, at_end: bool
) -> None:
    own = [entry for entry in own if not str(entry.get("name", "")).startswith(MARK)]
    text = json.dumps({"a": 1, "configurations": own}, indent=indent)
    if not at_end:
        text = json.dumps({"configurations": own, "z": [1]}, indent=indent)
    for count in (first, second):
        ours = configurations([AttachEntry(f"S{n}", n) for n in range(count)])
        text = merged(text, ours)
        assert json.loads(text)["configurations"] == own + ours
