"""Says in one sentence why a program failed or declared nothing, and what to try."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from stepbridge.errors import ProgramError

from .observation import Failure, Observation
from .target import ProgramTarget

_MODULES = ("sagemaker", "boto3", "botocore")


def explain(target: ProgramTarget, python: Path, exit_code: int, seen: Observation) -> ProgramError:
    """The error for a program that ended with `exit_code` (not 0). Its traceback was shown already."""
    if seen.problem is not None:
        return _launch_problem(target, python, seen.problem)
    if seen.error is None:
        return ProgramError(f"{target} ended with exit code {exit_code}.")
    missing = _missing_module(seen.error)
    if missing:
        return ProgramError(
            f"{target} imports {missing}, which {python} does not have.",
            f"Choose the environment that has it with --python, or install it: "
            f"{shlex.quote(str(python))} -m pip install {missing}",
        )
    return ProgramError(f"{_place(target, seen.error)}: {_error_text(seen.error)}")


def suggest(target: ProgramTarget, seen: Observation) -> str:
    """What to run instead of a program that declared no pipeline."""
    if target.kind != "script":
        return ""
    for candidate in seen.candidates:
        what = f"{candidate.name}()" if candidate.kind == "function" else f"the pipeline `{candidate.name}`"
        return f"{target} creates no pipeline, but it has {what}: run {target.path.name}:{candidate.name}"
    return f"{target} creates no pipeline: it never calls `upsert()`, `create()` or `start()`."


def _missing_module(error: Failure) -> str:
    if error.type not in ("ModuleNotFoundError", "ImportError"):
        return ""
    name = error.message.partition("'")[2].partition("'")[0].partition(".")[0]
    return name if error.message.startswith("No module named") else ""


def _place(target: ProgramTarget, error: Failure) -> str:
    return f"{error.file}:{error.line}" if error.file else str(target.path)


def _error_text(error: Failure) -> str:
    first = error.message.strip().partition("\n")[0]
    return f"{error.type}: {first}" if first else error.type


def _launch_problem(target: ProgramTarget, python: Path, problem: dict[str, Any]) -> ProgramError:
    file, name = target.path, problem.get("name", "")
    known = ", ".join(problem.get("names", ()))
    match problem["kind"]:
        case "missing-arguments":
            options = " ".join(f"-a {argument}=..." for argument in problem["names"])
            return ProgramError(f"{name}() in {file} needs a value for {known}.", f"Give {options}")
        case "unknown-argument":
            close = problem.get("close") or []
            guess = f"Did you mean {close[0]}?" if close else f"It takes {known or 'no argument'}."
            return ProgramError(f"{target.name}() in {file} takes no argument {name}.", guess)
        case "bad-argument":
            value, wanted = problem["value"], problem["type"]
            return ProgramError(f"Argument {name} of {target.name}() is {value!r}, which is no {wanted}.")
        case "no-such-name":
            return ProgramError(f"{file} has no {name}.", f"It has {known}." if known else "")
        case "no-pipeline":
            return ProgramError(f"{target.name}() in {file} gives a {name} where a Pipeline was expected.")
        case _:
            return ProgramError(f"{python} has no package {name}.", "Choose another one with --python.")
