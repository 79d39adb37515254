"""What a user asks to run: a script, a function in a script, a notebook, or a definition document.

Reads no more than it needs to tell them apart; runs nothing.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from msgspec import Struct

from stepbridge.errors import ProgramError

from .calls import PipelineDeclaration

Kind = Literal["script", "function", "notebook", "definition"]
_KINDS: dict[str, Kind] = {".py": "script", ".ipynb": "notebook", ".json": "definition"}


class ProgramTarget(Struct, frozen=True):
    """A file that can be run, and how. `name` is the function (or pipeline object) of kind "function"."""

    path: Path  # absolute, exists
    kind: Kind
    name: str = ""

    @classmethod
    def parse(cls, text: str, base: Path | None = None) -> ProgramTarget:
        """Read `pipeline.py`, `pipeline.py:get_pipeline`, `notebook.ipynb` or `definition.json`.

        Args:
            text: as typed by a user; a relative path counts from `base`.
            base: folder; the working directory where None.

        Raises:
            ProgramError: no such file, or a kind of file that cannot be run.
        """
        file, _, name = text.rpartition(":") if ".py:" in text else (text, "", "")
        path = ((base or Path.cwd()) / Path(file).expanduser()).resolve()
        if path.is_dir():
            raise ProgramError(f"{path} is a folder.", f"Name the program in it, such as {file}/pipeline.py.")
        if not path.is_file():
            raise ProgramError(f"There is no file {path}.", _nearby(path))
        kind = _KINDS.get(path.suffix)
        if kind is None:
            raise ProgramError(
                f"{path} is no program that can be run here.",
                "Name a .py file, a function in one (pipeline.py:get_pipeline), a .ipynb or a .json file.",
            )
        if name and not name.isidentifier():
            raise ProgramError(f"{name!r} in {text!r} is no name of a function.")
        return cls(path, "function" if name else kind, name)

    def __str__(self) -> str:
        return f"{self.path.name}:{self.name}" if self.name else self.path.name


def _nearby(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f"{folder} does not exist either."
    programs = sorted(entry.name for entry in folder.iterdir() if entry.suffix in _KINDS)[:5]
    return f"{folder} holds {', '.join(programs)}." if programs else f"{folder} holds no program."


def read_definition(target: ProgramTarget, role: str) -> PipelineDeclaration:
    """The pipeline of a definition document, or of a saved DescribePipeline answer or CreatePipeline request.

    Raises:
        ProgramError: not JSON, or JSON of another kind. (Whether the definition is valid is not checked.)
    """
    text = target.path.read_text("utf-8")
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        place = f"{target.path}:{error.lineno}:{error.colno}"
        raise ProgramError(f"{place}: {error.msg}.", "Mend the JSON, then run again.") from None
    if isinstance(document, dict) and isinstance(document.get("PipelineDefinition"), str):
        return PipelineDeclaration(
            name=document.get("PipelineName", target.path.stem),
            definition=document["PipelineDefinition"],
            role=document.get("RoleArn", role),
            description=document.get("PipelineDescription"),
        )
    if not isinstance(document, dict) or "Steps" not in document:
        raise ProgramError(
            f"{target.path} is no pipeline definition: it has no Steps.",
            "Write one with `pipeline.definition()` or `aws sagemaker describe-pipeline`.",
        )
    return PipelineDeclaration(name=_pipeline_name(target.path.stem), definition=text, role=role)


def _pipeline_name(stem: str) -> str:
    name = "".join(letter if letter.isalnum() else "-" for letter in stem).strip("-")
    return name or "pipeline"
