"""Launch and attach configurations: what a user may write, checked, as values.

docs/editors.md is the reference for users. Starts nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from stepbridge.errors import ConfigurationError
from stepbridge.execution.execution import StepGate
from stepbridge.jobs.plan import as_text
from stepbridge.run_request import RunRequest
from stepbridge.settings import Workspace

from .types import Arguments

EXTENSION = "stepbridge-vscode"  # this client starts children and shows events itself


class LaunchArguments(Arguments, frozen=True, kw_only=True):
    """`"request": "launch"`: run a pipeline program under the debugger."""

    program: str
    cwd: str | None = None
    args: list[str] | dict[str, Any] | None = None
    program_arguments: list[str] | None = None
    parameters: dict[str, str | int | float | bool] | None = None
    steps: list[str] | None = None
    from_step: str | None = None
    use_cache: bool | None = None
    engine: str | None = None
    python: str | None = None
    aws: bool | None = None
    env: dict[str, str | int | float | bool | None] | None = None
    stop_on_entry: bool = False
    break_on_start: bool | list[str] = False
    just_my_code: bool | None = None
    post_mortem: bool = True
    no_debug: bool = False


class AttachArguments(Arguments, frozen=True, kw_only=True):
    """`"request": "attach"`: debug a step of a run that goes on already."""

    step: str = ""
    execution: str = "latest"
    cwd: str | None = None
    just_my_code: bool | None = None


class Hidden(Arguments, frozen=True, kw_only=True, rename=lambda name: f"__{name}"):
    """What our own servers and the extension write into a configuration, beside what users write."""

    client: str = ""
    token: str = ""
    run: str = ""
    step: str = ""
    pid: int = 0
    host: str = ""
    port: int = 0


class Launch(Struct, frozen=True):
    """A launch whose program exists."""

    arguments: LaunchArguments
    target: str  # absolute path, with the ":function" that was given
    program: Path
    workspace: Workspace

    def request(self, gate: StepGate, debug: Any) -> RunRequest:
        given = self.arguments
        return RunRequest(
            target=self.target,
            parameters={name: as_text(value) for name, value in (given.parameters or {}).items()},
            arguments=_function_arguments(given.args),
            program_arguments=tuple(given.program_arguments or ()),
            environment={name: as_text(value) for name, value in _set(given.env).items()},
            debug=debug,
            from_step=given.from_step,
            only=frozenset(given.steps or ()),
            use_cache=given.use_cache,
            gate=gate,
        )


def prepare(arguments: LaunchArguments, cwd: Path) -> Launch:
    """Find the program and its workspace.

    Raises:
        ConfigurationError: there is no such file, or a setting is malformed.
    """
    base = Path(arguments.cwd) if arguments.cwd else cwd
    file, colon, function = _split(arguments.program)
    program = (base / file).resolve()
    if not program.is_file():
        raise ConfigurationError(
            f"There is no pipeline program {program}",
            'Set "program" in the launch configuration: pipeline.py, pipeline.py:get_pipeline, or a '
            "definition.json.",
        )
    engines = ("auto", "docker", "process")
    if arguments.engine and arguments.engine not in engines:
        raise ConfigurationError(
            f"There is no engine {arguments.engine}", f"Choose from {', '.join(engines)}."
        )
    _function_arguments(arguments.args)
    return Launch(arguments, f"{program}{colon}{function}", program, Workspace.find(program))


def _split(program: str) -> tuple[str, str, str]:
    """`pipeline.py:get_pipeline` in its two parts; a drive's colon stays with the path."""
    file, colon, function = program.rpartition(":")
    return (
        (file, colon, function) if colon and function.isidentifier() and len(file) > 1 else (program, "", "")
    )


def _function_arguments(given: list[str] | Mapping[str, Any] | None) -> dict[str, str]:
    """Arguments of a function that makes the pipeline: an object, or words `name=value`."""
    if isinstance(given, Mapping):
        return {str(name): as_text(value) for name, value in given.items()}
    found = {}
    for word in given or ():
        name, equals, value = word.partition("=")
        if not equals:
            raise ConfigurationError(
                f'"args" has {word!r}, which is not name=value',
                'They are arguments of a get_pipeline function; a program\'s own go to "programArguments".',
            )
        found[name] = value
    return found


def _set(env: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (env or {}).items() if value is not None}
