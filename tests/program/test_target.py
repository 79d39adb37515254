from __future__ import annotations

from pathlib import Path

import pytest
from stepbridge.errors import ProgramError
from stepbridge.program.target import ProgramTarget, read_definition


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("pipeline.py", "script", ""),
        ("pipeline.py:get_pipeline", "function", "get_pipeline"),
        ("notebook.ipynb", "notebook", ""),
        ("definition.json", "definition", ""),
    ],
)
def test_kinds_of_programs(tmp_path: Path, text: str, kind: str, name: str) -> None:
    file = tmp_path / text.partition(":")[0]
    file.write_text("{}")

    target = ProgramTarget.parse(text, tmp_path)

    assert (target.path, target.kind, target.name) == (file, kind, name)
    assert str(target) == text


def test_absolute_paths_and_colons_in_folders(tmp_path: Path) -> None:
    folder = tmp_path / "a:b"
    folder.mkdir()
    (folder / "p.py").touch()
    assert ProgramTarget.parse(f"{folder}/p.py").path == folder / "p.py"
    assert ProgramTarget.parse(f"{folder}/p.py:make").name == "make"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nothing.py", "no file .*nothing.py.*\n.*holds pipeline.py"),
        ("folder", "is a folder"),
        ("data.csv", "is no program"),
        ("pipeline.py:no name", "no name of a function"),
    ],
)
def test_what_cannot_be_run_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "pipeline.py").touch()
    (tmp_path / "data.csv").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(ProgramError, match=message):
        ProgramTarget.parse(text, tmp_path)


def test_a_definition_document_is_named_by_its_file(tmp_path: Path) -> None:
    found = read_definition(_target(tmp_path, '{"Version": "2020-12-01", "Steps": []}'), "role")
    assert (found.name, found.role) == ("my-pipeline-v2", "role")
    assert found.definition == '{"Version": "2020-12-01", "Steps": []}'


def test_an_answer_of_describe_pipeline_carries_name_and_role(tmp_path: Path) -> None:
    text = '{"PipelineName": "p", "RoleArn": "r", "PipelineDefinition": "{}"}'
    found = read_definition(_target(tmp_path, text), "role")
    assert (found.name, found.role, found.definition) == ("p", "r", "{}")


@pytest.mark.parametrize(
    ("text", "message"),
    [('{\n"a": ]', r"\.json:2:6: "), ("[]", "no Steps"), ('{"Version": "1"}', "no Steps")],
)
def test_what_is_no_definition_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ProgramError, match=message):
        read_definition(_target(tmp_path, text), "role")


def _target(tmp_path: Path, text: str) -> ProgramTarget:
    (tmp_path / "my_pipeline.v2.json").write_text(text)
    return ProgramTarget.parse("my_pipeline.v2.json", tmp_path)
