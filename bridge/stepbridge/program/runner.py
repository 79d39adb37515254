"""Runs the user's program in the user's interpreter, with every boto3 client pointed at the local endpoint.

Knows no pipeline executor: what the program created and started comes from the endpoint's call log, what it
read from the record that the payload leaves. The program's files and environment stay as they are.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stepbridge.errors import ProgramError

from .calls import Call, CallLog, PipelineDeclaration, PipelineStart, declarations, starts
from .observation import Observation, read_observations
from .problems import explain, suggest
from .target import ProgramTarget

PAYLOAD = Path(__file__).parent / "payload" / "site"
_GRACE_SECONDS = 5.0

OnOutput = Callable[[str, str], None]  # stream ("stdout" | "stderr"), line without its end


@dataclass(frozen=True)
class Endpoint:
    """Where the program's AWS calls go. services: only these ("sagemaker", ...); empty: all."""

    url: str
    access_key: str
    secret_key: str
    region: str
    role: str  # ARN of the role that the endpoint's identity assumes
    services: tuple[str, ...] = ()


@dataclass(frozen=True)
class ProgramResult:
    """How a program ended and what it did at the endpoint."""

    exit_code: int  # 128 + signal where a signal ended it
    began: float  # seconds since the epoch
    seconds: float
    declared: tuple[PipelineDeclaration, ...]
    started: tuple[PipelineStart, ...]
    failure: ProgramError | None = None  # set where exit_code is not 0
    suggestion: str = ""  # what to try where the program declared and started nothing
    notices: tuple[str, ...] = ()
    observation: Observation = field(default_factory=Observation)
    calls: tuple[Call, ...] = ()


async def run_program(
    target: ProgramTarget,
    *,
    python: Path,
    endpoint: Endpoint,
    workspace: Path,
    calls: CallLog,
    on_output: OnOutput,
    arguments: Mapping[str, str] | None = None,
    program_arguments: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> ProgramResult:
    """Run `target` to its end.

    Cancelling stops the program: an interrupt as from a keyboard, then a kill after a grace.

    Args:
        target: a script, function or notebook; a definition needs no program (`read_definition`).
        python: the interpreter.
        workspace: files below it are watched (what the compile depends on).
        on_output: called in this loop's thread for each line as it appears.
        arguments: of the function (kind "function"): name -> value as typed.
        program_arguments: `sys.argv[1:]` of the program.
        environment: variables added to this process's.
        cwd: the program's working directory; this process's where None (a notebook: its own folder).

    Raises:
        ProgramError: the interpreter cannot be started.
    """
    began, mark = time.time(), calls.mark()
    with tempfile.TemporaryDirectory(prefix="stepbridge-program-") as records:
        variables = program_environment(
            {**os.environ, **(environment or {})}, endpoint, Path(records), workspace.resolve()
        )
        command = _command(target, python, arguments or {}, program_arguments)
        process = await _start(command, variables, _working_directory(target, cwd))
        await _stream(process, on_output)
        made = tuple(calls.since(mark))
        observation = read_observations(Path(records), process.pid)
    code = process.returncode or 0
    code = 128 - code if code < 0 else code
    declared, started = declarations(made), starts(made)
    return ProgramResult(
        exit_code=code,
        began=began,
        seconds=time.time() - began,
        declared=declared,
        started=started,
        failure=explain(target, python, code, observation) if code else None,
        suggestion="" if code or declared or started else suggest(target, observation),
        notices=observation.notices,
        observation=observation,
        calls=made,
    )


def program_environment(
    base: Mapping[str, str], endpoint: Endpoint, records: Path, workspace: Path
) -> dict[str, str]:
    """The program's environment variables: `base`, with all that leads to AWS led to `endpoint`."""
    variables = dict(base)
    variables["STEPBRIDGE_PROGRAM"] = json.dumps(
        {
            "endpoint": endpoint.url,
            "access_key": endpoint.access_key,
            "secret_key": endpoint.secret_key,
            "services": endpoint.services,
            "role": endpoint.role,
            "record": str(records),
            "workspace": str(workspace),
            "bytecode": str(_bytecode_folder(base)),
        }
    )
    variables["STEPBRIDGE_ROLE"] = endpoint.role
    paths = [str(PAYLOAD), *filter(None, [base.get("PYTHONPATH")])]
    variables["PYTHONPATH"] = os.pathsep.join(paths)
    variables["PYTHONUNBUFFERED"] = "1"
    variables["AWS_DEFAULT_REGION"] = variables["AWS_REGION"] = endpoint.region
    variables.setdefault("SAGEMAKER_SUPPRESS_V2_WARNING", "1")
    variables["SAGEMAKER_VALIDATE_ROLE"] = "false"  # SDK v3 simulates the role's policies
    for name in ("NO_PROXY", "no_proxy"):
        variables[name] = ",".join(filter(None, [base.get(name), "127.0.0.1,localhost"]))
    if not endpoint.services:
        _leave_aws(variables, endpoint)
    return variables


def _leave_aws(variables: dict[str, str], endpoint: Endpoint) -> None:
    """No credential, profile or setting of a real account stays in effect."""
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_ROLE_ARN"):
        variables.pop(name, None)
    for name in ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"):
        variables.pop(name, None)
    variables.update(
        AWS_ACCESS_KEY_ID=endpoint.access_key,
        AWS_SECRET_ACCESS_KEY=endpoint.secret_key,
        AWS_ENDPOINT_URL=endpoint.url,
        AWS_CONFIG_FILE=os.devnull,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        AWS_EC2_METADATA_DISABLED="true",
        AWS_REQUEST_CHECKSUM_CALCULATION="when_required",
    )


def _bytecode_folder(base: Mapping[str, str]) -> Path:
    cache = base.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "stepbridge" / "bytecode"


def _command(
    target: ProgramTarget, python: Path, arguments: Mapping[str, str], program_arguments: Sequence[str]
) -> list[str]:
    launch = str(PAYLOAD / "_stepbridge_program" / "launch.py")
    path = str(target.path)
    if target.kind == "script":
        return [str(python), path, *program_arguments]
    if target.kind == "notebook":
        return [str(python), launch, "notebook", path, *program_arguments]
    if target.kind == "function":
        named = json.dumps(dict(arguments))
        return [str(python), launch, "function", path, target.name, named, *program_arguments]
    raise ProgramError(f"{target.path} is a definition; it needs no Python.")


def _working_directory(target: ProgramTarget, cwd: Path | None) -> Path:
    return cwd or (target.path.parent if target.kind == "notebook" else Path.cwd())


async def _start(command: list[str], variables: Mapping[str, str], cwd: Path) -> asyncio.subprocess.Process:
    try:
        return await asyncio.create_subprocess_exec(
            *command,
            env=variables,
            cwd=cwd,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,  # a Ctrl-C reaches it from us, once
        )
    except OSError as error:
        raise ProgramError(
            f"{command[0]} cannot be started: {error.strerror}.", "Name another interpreter with --python."
        ) from None


async def _stream(process: asyncio.subprocess.Process, on_output: OnOutput) -> None:
    """Pass the output on until the program ended. Whoever else holds its pipes is not waited for."""
    assert process.stdout is not None
    assert process.stderr is not None
    readers = [
        asyncio.create_task(_pass_on(process.stdout, "stdout", on_output)),
        asyncio.create_task(_pass_on(process.stderr, "stderr", on_output)),
    ]
    try:
        await process.wait()
        await asyncio.wait(readers, timeout=1.0)  # a daemon it left behind may keep them open
    except asyncio.CancelledError:
        await _stop(process)
        raise
    finally:
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)


async def _pass_on(stream: asyncio.StreamReader, name: str, on_output: OnOutput) -> None:
    async for line in _lines(stream):
        on_output(name, line)


async def _lines(stream: asyncio.StreamReader) -> AsyncIterator[str]:
    """Lines of any length. Of a line that was overwritten by carriage returns, the last state."""
    rest = b""
    while chunk := await stream.read(1 << 16):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield _text(line)
    if rest:
        yield _text(rest)


def _text(line: bytes) -> str:
    return line.rstrip(b"\r").rpartition(b"\r")[2].decode("utf-8", "replace")


async def _stop(process: asyncio.subprocess.Process) -> None:
    for number, seconds in ((signal.SIGINT, _GRACE_SECONDS), (signal.SIGKILL, _GRACE_SECONDS)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(process.wait(), seconds)
            return
