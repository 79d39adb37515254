"""Functions as jobs (`@step`, `@remote` of both SDKs): what the SDK's own entry point leaves open.

The SDK pickles the function on the user's machine and has the job call it: `job_driver.sh` bootstraps, then
runs `python -m sagemaker...remote_function.invoke_function` with the image's interpreter. A pickled function
holds byte code, which only the same Python reads, and names the file that it was read from. So a check stands
before the entry point, and the file lies in the container where the function says it is: tracebacks show its
lines, and breakpoints in it stop. Reads pickles without loading them.
"""

from __future__ import annotations

import itertools
import pickletools
from collections.abc import Iterator, Sequence
from pathlib import Path

from stepbridge.engines.base import Mount
from stepbridge.storage.objects import ObjectStore

from .plan import PAYLOAD_TARGET, CodeMapping

MODULES = tuple(
    f"sagemaker.{part}remote_function.invoke_function" for part in ("", "core.", "train.")
)  # of SDK v2, and of v3
_DRIVER = "/sagemaker_remote_function_bootstrap/job_driver.sh"
_WORKSPACE = "/sagemaker_remote_function_workspace/"
_INSTALLED = ("site-packages", "dist-packages")

# `python` is what the SDK's own script calls. $0: the check, which starts what stands behind it; $1, $2: the
# step and the image.
_CHECKED = (
    "if ! command -v python >/dev/null 2>&1; then "
    "echo \"image $2 has no 'python', with which step $1 runs its function. Map the image to one that has "
    'it, and the SageMaker Python SDK ([images] in stepbridge.toml), or use --engine process" '
    "| tee /opt/ml/output/failure >&2; exit 1; fi; "
    'exec python "$0" "$@"'
)


def is_remote_function(entrypoint: Sequence[str]) -> bool:
    """Whether a training job's ContainerEntrypoint is the SDK's, which calls a pickled function."""
    return bool(entrypoint) and entrypoint[-1].endswith(_DRIVER)


def checked(entrypoint: Sequence[str], step: str, image: str) -> tuple[str, ...]:
    """The entry point, behind a check that the image's Python can call the function."""
    return ("/bin/sh", "-c", _CHECKED, f"{PAYLOAD_TARGET}/remote_function.py", step, image, *entrypoint)


def sources_of(
    store: ObjectStore, arguments: Sequence[str], workspace: Path | None
) -> tuple[CodeMapping, ...]:
    """The files of the workspace that the function was defined in, each where the function says it is.

    Args:
        arguments: ContainerArguments; they say where the pickled function lies.
        workspace: no file outside of it is shown to a job: the function may be somebody else's.
    """
    if workspace is None:
        return ()
    uri = "/".join(
        part.strip("/") if number else part.rstrip("/")
        for number, part in enumerate(_place(arguments))
        if part
    )
    info = store.head(f"{uri}/payload.pkl") if uri.startswith("s3://") else None
    if info is None:
        return ()
    names = dict.fromkeys(_strings(info.path.read_bytes()))
    found = [name for name in names if _is_source(name, workspace)]
    return tuple(CodeMapping(Path(name), name) for name in found)


def unpacked(code: Sequence[CodeMapping], workdir: str) -> tuple[CodeMapping, ...]:
    """Mappings of a job's channels, with the modules of `include_local_workdir` where the bootstrap unpacks
    them: below the folder that the job starts in."""
    return tuple(
        CodeMapping(item.local, f"{workdir.rstrip('/')}{_WORKSPACE}{item.remote.partition(_WORKSPACE)[2]}")
        if _WORKSPACE in item.remote
        else item
        for item in code
    )


def mounts_of(sources: Sequence[CodeMapping]) -> tuple[Mount, ...]:
    return tuple(Mount(item.local, item.remote, read_only=True) for item in sources)


def _place(arguments: Sequence[str]) -> tuple[str, str, str, str]:
    """The parts of the function's address, as the SDK joins them (`StoredFunction`)."""
    given = dict(itertools.pairwise(arguments))
    names = ("--s3_base_uri", "--pipeline_step_name", "--func_step_s3_dir")
    base, step, folder = (given.get(name, "") for name in names)
    return base, step, folder, "function"


def _strings(pickled: bytes) -> Iterator[str]:
    try:
        yield from (value for _, value, _ in pickletools.genops(pickled) if isinstance(value, str))
    except (ValueError, IndexError, UnicodeDecodeError):  # damaged: the job will say so itself
        return


def _is_source(name: str, workspace: Path) -> bool:
    path = Path(name)
    return (
        path.is_absolute()
        and path.suffix == ".py"
        and not any(part in _INSTALLED for part in path.parts)
        and path.is_file()
        and path.resolve().is_relative_to(workspace.resolve())
    )
