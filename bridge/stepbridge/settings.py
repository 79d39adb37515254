"""Settings of a workspace (`stepbridge.toml`, or `[tool.stepbridge]`) and its state folder.

Read once at the start of a command; every other module gets the values it needs, never this file.
"""

from __future__ import annotations

import fnmatch
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Struct

from .errors import ConfigurationError

DEFAULT_REGION = "us-east-1"
DEFAULT_ACCOUNT = "123456789012"


class DebugSettings(msgspec.Struct, frozen=True, kw_only=True, rename="kebab", forbid_unknown_fields=True):
    post_mortem_seconds: float = 600.0  # a crashed step waits so long for an editor
    wait_seconds: float = 3600.0  # a step in mode "wait" waits so long for its debugger
    just_my_code: bool = True


class Settings(msgspec.Struct, frozen=True, kw_only=True, rename="kebab", forbid_unknown_fields=True):
    """What a user may set; every default is the one most people want."""

    engine: Literal["auto", "docker", "process"] = "auto"
    python: str | None = None  # interpreter that runs pipeline programs; None: the active environment's
    region: str | None = None
    account: str = DEFAULT_ACCOUNT
    images: dict[str, str] = {}  # glob of an image URI -> local image
    process_python: dict[str, str] = {}  # glob of an image URI -> interpreter, for the process engine
    data: dict[str, str] = {}  # s3://bucket/prefix -> local file or folder
    gpus: Literal["auto", "all", "none"] = "auto"  # of steps whose instance type has some
    aws: bool = False  # what is missing in the local S3 comes from the real one, outputs go there
    aws_limit_gb: Annotated[float, msgspec.Meta(ge=0)] = (
        10.0  # most that one object or prefix may be to fetch
    )
    stubs: dict[str, dict[str, Any]] = {}  # step name -> its outputs
    environment: dict[str, str] = {}  # added to the pipeline program's environment
    debug: DebugSettings = DebugSettings()
    # read by the language server and `stepbridge check`
    select: list[str] = []
    ignore: list[str] = []
    severity: dict[str, str] = {}
    per_file_ignores: dict[str, list[str]] = {}

    def image_for(self, uri: str) -> str | None:
        """The local image that the user mapped `uri` to; the longest matching glob wins."""
        return longest_match(self.images, uri)

    def interpreter_for(self, uri: str) -> str | None:
        return longest_match(self.process_python, uri)


def longest_match(globs: Mapping[str, str], value: str) -> str | None:
    """The value of the longest glob that matches, None where none does."""
    matches = [glob for glob in globs if fnmatch.fnmatchcase(value, glob)]
    return globs[max(matches, key=len)] if matches else None


class Workspace(Struct, frozen=True):
    """A folder with a pipeline, its settings, and where its state lies."""

    root: Path
    settings: Settings

    @property
    def state(self) -> Path:
        """`.stepbridge/`, or `$STEPBRIDGE_STATE`."""
        chosen = os.environ.get("STEPBRIDGE_STATE")
        return Path(chosen).resolve() if chosen else self.root / ".stepbridge"

    @property
    def s3(self) -> Path:
        return self.state / "s3"

    @property
    def runs(self) -> Path:
        return self.state / "runs"

    @property
    def region(self) -> str:
        env = os.environ
        return (
            self.settings.region or env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION") or DEFAULT_REGION
        )

    def data_map(self) -> dict[str, Path]:
        """The `[data]` map with absolute paths; relative ones count from the workspace."""
        return {uri: (self.root / path).resolve() for uri, path in self.settings.data.items()}

    @classmethod
    def find(cls, start: Path) -> Workspace:
        """The nearest folder at or above `start` that holds settings, a `.git` or a `.stepbridge`.

        Raises:
            ConfigurationError: the settings cannot be read.
        """
        start = start.resolve()
        if start.is_file():
            start = start.parent
        for folder in (start, *start.parents):
            settings = _read_settings(folder)
            if settings is not None:
                return cls(folder, settings)
            if (folder / ".stepbridge").is_dir() or (folder / ".git").exists():
                return cls(folder, Settings())
        return cls(start, Settings())


def _read_settings(folder: Path) -> Settings | None:
    own = folder / "stepbridge.toml"
    if own.is_file():
        return _convert(_load(own), own)
    project = folder / "pyproject.toml"
    if project.is_file():
        table = _load(project).get("tool", {}).get("stepbridge")
        if table is not None:
            return _convert(table, project)
    return None


def _load(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: {error}", "Mend the TOML, then run again.") from None


def _convert(table: dict[str, Any], path: Path) -> Settings:
    try:
        return msgspec.convert(table, Settings)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"{path}: {error}", "docs/configuration.md lists every setting.") from None
