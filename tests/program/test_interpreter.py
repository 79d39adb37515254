from __future__ import annotations

from pathlib import Path

import pytest
from stepbridge.errors import ProgramError
from stepbridge.program.interpreter import find_interpreter


def python(folder: Path) -> Path:
    path = folder / "bin" / "python"
    path.parent.mkdir(parents=True)
    path.touch(mode=0o755)
    return path


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "project" / "pipelines" / "p.py"
    path.parent.mkdir(parents=True)
    path.touch()
    return path


def test_the_order_of_choice(program: Path, tmp_path: Path) -> None:
    root = tmp_path / "project"
    venv, conda = python(tmp_path / "active"), python(tmp_path / "conda")
    above, beside = python(root / ".venv"), python(program.parent / "venv")
    given, setting = python(tmp_path / "given"), python(tmp_path / "setting")
    environment = {"VIRTUAL_ENV": str(tmp_path / "active"), "CONDA_PREFIX": str(tmp_path / "conda")}

    def chosen(**options: str) -> Path:
        return find_interpreter(program, root=root, environment=environment, **options).path

    assert chosen(explicit=str(given), setting=str(setting)) == given
    assert chosen(setting=str(setting)) == setting
    assert chosen() == venv
    del environment["VIRTUAL_ENV"]
    assert chosen() == conda
    del environment["CONDA_PREFIX"]
    assert chosen() == beside
    beside.unlink()
    assert chosen() == above


def test_a_folder_of_an_environment_stands_for_its_python(program: Path, tmp_path: Path) -> None:
    path = python(tmp_path / "env")
    found = find_interpreter(program, explicit=str(tmp_path / "env"), environment={})
    assert (found.path, found.origin) == (path, "--python")


def test_a_name_is_looked_for_on_the_path(program: Path, tmp_path: Path) -> None:
    tool = tmp_path / "tools" / "python9"
    tool.parent.mkdir()
    tool.touch(mode=0o755)
    environment = {"PATH": str(tool.parent)}
    assert find_interpreter(program, setting="python9", environment=environment).path == tool


def test_an_environment_above_the_root_is_not_taken(program: Path, tmp_path: Path) -> None:
    python(tmp_path / ".venv")
    found = find_interpreter(program, root=tmp_path / "project", environment={"PATH": ""})
    assert tmp_path not in found.path.parents


def test_a_choice_that_does_not_exist_is_an_error(program: Path) -> None:
    with pytest.raises(ProgramError, match="setting `python` names the Python 'nope'"):
        find_interpreter(program, setting="nope", environment={"PATH": ""})
