"""Which Python runs the user's program. Looks at files and names only; starts nothing."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from stepbridge.errors import ProgramError


class Interpreter(Struct, frozen=True):
    path: Path  # absolute; not resolved, since a virtual environment is known by its own path
    origin: str  # why this one: "--python", "setting", "VIRTUAL_ENV", ".venv" ...


def find_interpreter(
    program: Path,
    *,
    explicit: str | None = None,
    setting: str | None = None,
    root: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Interpreter:
    """The interpreter for `program`.

    The first of: `explicit`, `setting`, the active virtual or conda environment, `.venv` or `venv` beside the
    program or above it up to `root`, the environment of this tool where it holds the SDK, `python3` on PATH.

    Raises:
        ProgramError: the chosen one does not exist, or there is none at all.
    """
    environment = os.environ if environment is None else environment
    for origin, chosen in (("--python", explicit), ("the setting `python`", setting)):
        if chosen:
            return Interpreter(_resolve(chosen, origin, root or program.parent, environment), origin)
    for candidate in _candidates(program, root, environment):
        if candidate.path.is_file():
            return candidate
    raise ProgramError("No Python was found to run the program with.", "Name one with --python.")


def _candidates(program: Path, root: Path | None, environment: Mapping[str, str]) -> Iterator[Interpreter]:
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        if environment.get(variable):
            yield Interpreter(_python_in(Path(environment[variable])), variable)
    for folder in _folders_up(program.parent, root):
        for name in (".venv", "venv"):
            yield Interpreter(_python_in(folder / name), name)
    if sys.prefix != sys.base_prefix and importlib.util.find_spec("sagemaker") is not None:
        yield Interpreter(Path(sys.executable), "the environment of stepbridge")
    for name in ("python3", "python"):
        found = shutil.which(name, path=environment.get("PATH"))
        if found:
            yield Interpreter(Path(found).absolute(), "PATH")


def _folders_up(folder: Path, root: Path | None) -> Iterator[Path]:
    yield folder
    if root is not None and root in folder.parents:
        for parent in folder.parents:
            yield parent
            if parent == root:
                return


def _python_in(folder: Path) -> Path:
    return folder.absolute() / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _resolve(chosen: str, origin: str, base: Path, environment: Mapping[str, str]) -> Path:
    path = base / Path(chosen).expanduser()
    if path.is_dir() and _python_in(path).is_file():
        return _python_in(path)
    if path.is_file():
        return path.absolute()
    found = shutil.which(chosen, path=environment.get("PATH"))
    if found:
        return Path(found).absolute()
    raise ProgramError(
        f"{origin} names the Python {chosen!r}, which does not exist.",
        "Give a path to an interpreter, a folder of a virtual environment, or a name on PATH.",
    )
