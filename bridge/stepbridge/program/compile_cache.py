"""Remembers what a program created and started, so that an unchanged program need not run again.

A record holds while everything the compile depended on stays the same: the program, the files and folders it
read, the environment variables it looked at, its arguments, interpreter and SDK. Source code that was only
uploaded does not count: jobs take it as it is on disk (`sources`). A program that did more at the endpoint
than can be repeated from its requests leaves no record.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from .calls import Call, PipelineDeclaration, PipelineStart, uploads
from .observation import Observation
from .provenance import Provenance, digest
from .runner import ProgramResult
from .target import ProgramTarget

_VERSION = 1
_READING = ("Describe", "List", "Get", "Head", "Search", "Simulate", "BatchGet", "Query")
_REPEATABLE = ("CreatePipeline", "UpdatePipeline", "StartPipelineExecution", "AddTags", "AssumeRole")
_STORING = ("CreateBucket", "PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload")
_WAITING = "DescribePipelineExecution"
_ENVIRONMENT = ("AWS_REGION", "AWS_DEFAULT_REGION", "PYTHONPATH", "SAGEMAKER_USER_CONFIG_OVERRIDE")
_ABSENT = "absent"


class CompileKey(Struct, frozen=True):
    """What is asked for. Equal keys share one record; a later record replaces an earlier one."""

    target: ProgramTarget
    python: Path
    region: str
    cwd: Path
    arguments: Mapping[str, str]
    program_arguments: Sequence[str]

    def digest(self) -> str:
        parts = [
            *(str(self.target.path), self.target.name, str(self.python), self.region, str(self.cwd)),
            *(f"{name}={value}" for name, value in sorted(self.arguments.items())),
            "--",
            *self.program_arguments,
        ]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()


class CompileRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a program, and the state of all it depended on (digests; "absent" where nothing was)."""

    version: int = _VERSION
    seconds: float  # that the program took
    files: dict[str, str]
    folders: dict[str, str]
    environment: dict[str, str | None]
    interpreter: str
    packages: dict[str, str]
    objects: tuple[str, ...]  # URIs that the pipelines need
    pipelines: tuple[PipelineDeclaration, ...]
    starts: tuple[PipelineStart, ...]
    provenance: Provenance


class CompileCache:
    """Records in one folder of the workspace's state, one file each.

    Args:
        folder: made on demand.
        has_object: whether the object of a URI is still in the store.
    """

    def __init__(self, folder: Path, has_object: Callable[[str], bool]) -> None:
        self._folder = folder
        self._has_object = has_object

    def find(self, key: CompileKey, environment: Mapping[str, str]) -> CompileRecord | None:
        """The record for `key`, where everything it depended on is as it was; else None."""
        path = self._path(key)
        try:
            record = msgspec.json.decode(path.read_bytes(), type=CompileRecord)
        except (OSError, msgspec.DecodeError):
            return None
        return record if self._holds(record, key, environment) else None

    def _holds(self, record: CompileRecord, key: CompileKey, environment: Mapping[str, str]) -> bool:
        return (
            record.version == _VERSION
            and record.interpreter == _interpreter_digest(key.python)
            and all(_file_digest(Path(path)) == known for path, known in record.packages.items())
            and all(environment.get(name) == value for name, value in record.environment.items())
            and all(_file_digest(Path(path)) == known for path, known in record.files.items())
            and all(_folder_digest(Path(path)) == known for path, known in record.folders.items())
            and all(self._has_object(uri) for uri in record.objects)
        )

    def keep(
        self,
        key: CompileKey,
        environment: Mapping[str, str],
        result: ProgramResult,
        provenance: Provenance,
    ) -> str:
        """Write a record of `result`. Returns why it was not kept, or "" where it was."""
        record = _record(key, environment, result, provenance)
        reason = why_not_repeatable(result) or _changed_meanwhile(record, result.began)
        if reason:
            with contextlib.suppress(FileNotFoundError):
                self._path(key).unlink()
            return reason
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}.part")
        part.write_bytes(msgspec.json.encode(record))
        part.replace(path)
        return ""

    def _path(self, key: CompileKey) -> Path:
        return self._folder / f"{key.digest()}.json"


def why_not_repeatable(result: ProgramResult) -> str:
    """The call that cannot be repeated from the program's requests; "" where all can."""
    if result.exit_code:
        return f"the program ended with exit code {result.exit_code}"
    if not result.declared:
        return "the program created no pipeline"
    started = False
    for call in result.calls:
        if started and call.operation not in (_WAITING, "StartPipelineExecution"):
            return f"the program called {call.operation} after its start"
        if not _can_repeat(call):
            return f"the program called {call.operation}"
        started = started or call.operation == "StartPipelineExecution"
    return ""


def _changed_meanwhile(record: CompileRecord, began: float) -> str:
    """A file that was changed while the program ran: whether before or after it was read is not known."""
    for path in record.files:
        with contextlib.suppress(OSError):
            if Path(path).stat().st_mtime >= began:
                return f"{path} was changed while the program ran"
    return ""


def _can_repeat(call: Call) -> bool:
    return call.operation.startswith(_READING) or call.operation in (*_REPEATABLE, *_STORING)


def _record(
    key: CompileKey, environment: Mapping[str, str], result: ProgramResult, provenance: Provenance
) -> CompileRecord:
    seen = result.observation
    folders = [path for path, askers in seen.listed.items() if "program" in askers]
    packages = [os.path.join(folder, "METADATA") for folder in seen.packages.values()]  # noqa: PTH118
    return CompileRecord(
        seconds=result.seconds,
        files={path: _file_digest(Path(path)) for path in _inputs(key.target.path, seen, provenance)},
        folders={path: _folder_digest(Path(path)) for path in folders},
        environment={**{name: environment.get(name) for name in _ENVIRONMENT}, **seen.environment},
        interpreter=_interpreter_digest(key.python),
        packages={path: _file_digest(Path(path)) for path in packages},
        objects=uploads(result.calls),
        pipelines=result.declared,
        starts=tuple(msgspec.structs.replace(start, arn="") for start in result.started),
        provenance=provenance,
    )


def _inputs(program: Path, seen: Observation, provenance: Provenance) -> list[str]:
    """Files whose change changes the compile: all that were read, save source code that was only uploaded."""
    only_uploaded = {
        member.path
        for uri, source in provenance.sources.items()
        if provenance.is_code(uri)
        for member in source.members.values()
    }
    read = [path for path, askers in seen.read.items() if "program" in askers or path not in only_uploaded]
    return sorted({str(program), *seen.modules, *read})


def _file_digest(path: Path) -> str:
    try:
        return digest(path.read_bytes())
    except OSError:
        return _ABSENT


def _folder_digest(path: Path) -> str:
    try:
        names = sorted(
            entry.name for entry in path.iterdir() if not entry.name.startswith((".", "__pycache__"))
        )
    except OSError:
        return _ABSENT
    return digest("\0".join(names).encode())


def _interpreter_digest(python: Path) -> str:
    try:
        real = python.resolve(strict=True)
        status = real.stat()
    except OSError:
        return _ABSENT
    return f"{real}:{status.st_mtime_ns}:{status.st_size}"
