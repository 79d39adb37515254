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
from pathlib import Path

from msgspec import Struct, field

from stepbridge.errors import ProgramError

from .calls import Call, CallLog, PipelineDeclaration, PipelineStart, declarations, starts
from .observation import Observation, read_observations
from .problems import explain, suggest
from .target import ProgramTarget

PAYLOAD = Path(__file__).parent / "payload" / "site"
VARIABLE = "STEPBRIDGE_PROGRAM"  # read by payload/site/sitecustomize.py
_GRACE_SECONDS = 5.0
_DRAIN_SECONDS = 1.0  # for output that is still in the pipe when the program has ended

OnOutput = Callable[[str, str], None]  # stream ("stdout" | "stderr"), line without its end


class Endpoint(Struct, frozen=True):
    """Where the program's AWS calls go. services: only these ("sagemaker", ...); empty: all."""

    url: str
    access_key: str
    secret_key: str
    region: str
    role: str  # ARN of the role that the endpoint's identity assumes
    services: tuple[str, ...] = ()


class ProgramResult(Struct, frozen=True):
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
    records: Path | None = None,
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
        records: an empty folder for what the program's processes observe, for a caller who needs that before
            the program ends (`read_observations`): a pipeline starts while its program still runs.

    Raises:
        ProgramError: the interpreter cannot be started.
    """
    began, mark = time.time(), calls.mark()
    with tempfile.TemporaryDirectory(prefix="stepbridge-program-") as temporary:
        records = records or Path(temporary)
        variables = program_environment(
            {**os.environ, **(environment or {})}, endpoint, records, workspace.resolve()
        )
        command = _command(target, python, arguments or {}, program_arguments)
        process = await _run(command, variables, _working_directory(target, cwd), on_output)
        made = tuple(calls.since(mark))
        observation = read_observations(records, process.pid)
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


# What leads to a real account, and would win over, or contradict, the variables that lead to us.
ACCOUNT_VARIABLES = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
)


def program_environment(
    base: Mapping[str, str], endpoint: Endpoint, records: Path, workspace: Path
) -> dict[str, str]:
    """The program's environment variables: `base`, with all that leads to AWS led to `endpoint`."""
    variables = dict(base)
    variables[VARIABLE] = json.dumps(
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
    if not endpoint.services:
        return client_environment(variables, endpoint)
    _ask_no_proxy(variables)
    return variables


def client_environment(base: Mapping[str, str], endpoint: Endpoint) -> dict[str, str]:
    """The environment variables of any AWS client that is to talk to `endpoint`: the CLI, an SDK.

    No credential, profile or setting of a real account that `base` has stays in effect.
    """
    variables = {
        name: value
        for name, value in base.items()
        if name not in ACCOUNT_VARIABLES and not name.startswith("AWS_ENDPOINT_URL_")  # of one service
    }
    variables.update(
        AWS_ACCESS_KEY_ID=endpoint.access_key,
        AWS_SECRET_ACCESS_KEY=endpoint.secret_key,
        AWS_ENDPOINT_URL=endpoint.url,
        AWS_DEFAULT_REGION=endpoint.region,
        AWS_REGION=endpoint.region,
        AWS_CONFIG_FILE=os.devnull,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        AWS_EC2_METADATA_DISABLED="true",
        AWS_REQUEST_CHECKSUM_CALCULATION="when_required",
    )
    _ask_no_proxy(variables)
    return variables


def _ask_no_proxy(variables: dict[str, str]) -> None:
    """The endpoint is on this machine."""
    for name in ("NO_PROXY", "no_proxy"):
        variables[name] = ",".join(filter(None, [variables.get(name), "127.0.0.1,localhost"]))


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


async def _run(
    command: list[str], variables: Mapping[str, str], cwd: Path, on_output: OnOutput
) -> asyncio.subprocess.Process:
    """Run to the end, passing the output on. A child that the program left behind is not waited for."""
    async with _Output("stdout", on_output) as out, _Output("stderr", on_output) as err:
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                env=variables,
                cwd=cwd,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out.write_end,
                stderr=err.write_end,
                start_new_session=True,  # a Ctrl-C reaches it from us, once
            )
        except OSError as error:
            raise ProgramError(
                f"{command[0]} cannot be started: {error.strerror}.",
                "Name another interpreter with --python.",
            ) from None
        readers = [out.read(), err.read()]
        try:
            await process.wait()
            await asyncio.wait(readers, timeout=_DRAIN_SECONDS)
        except asyncio.CancelledError:
            await _stop(process)
            raise
        return process


class _Output:
    """A pipe that the program writes to. Our own, since asyncio's waits for whoever else holds it."""

    def __init__(self, name: str, on_output: OnOutput) -> None:
        self._name = name
        self._on_output = on_output
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> _Output:
        read_end, self.write_end = os.pipe()
        loop = asyncio.get_running_loop()
        self._stream = asyncio.StreamReader()
        self._transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(self._stream), os.fdopen(read_end, "rb", 0)
        )
        return self

    def read(self) -> asyncio.Task[None]:
        """Start to pass lines on; the task ends when nobody can write any more."""
        self._close_write_end()
        self._task = asyncio.create_task(self._pass_on())
        return self._task

    async def _pass_on(self) -> None:
        async for line in _lines(self._stream):
            self._on_output(self._name, line)

    def _close_write_end(self) -> None:
        if self.write_end >= 0:
            os.close(self.write_end)
            self.write_end = -1

    async def __aexit__(self, *error: object) -> None:
        self._close_write_end()
        self._transport.close()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)


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
