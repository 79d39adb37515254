"""A model becomes a serving container: transform jobs and endpoints start it in the same way.

The contract (documentation of the service, "Use your own inference code"): the command is `serve`, the
model's artifacts are unpacked at `/opt/ml/model`, the server answers `/ping` and `/invocations` on port 8080.
An image without `serve` gets our own script-mode server (payload/serve.py). Knows no registry: models come as
described.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import tarfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from stepbridge.engines.base import ContainerSpec, Mount
from stepbridge.errors import StepBridgeError, StorageError

from .channels import objects_of
from .model_client import until_ready
from .plan import (
    CodeMapping,
    JobContext,
    JobPlan,
    ModelServer,
    Request,
    container_name,
    read_request,
    writable,
)

PORT = 8080
MODEL = "/opt/ml/model"
CODE = f"{MODEL}/code"
# The toolkits of the older framework containers copy the code folder there and run it from there.
TOOLKIT_CODE = "/opt/ml/code"
PAYLOAD_TARGET = "/opt/stepbridge-jobs"
PORT_VARIABLE = "STEPBRIDGE_PORT"  # read by payload/serve.py; set where a server must not take 8080

# As for training: whether the image brings a server is decided inside the container. A local process never
# takes a `serve` that happens to be on this machine's PATH.
_LAUNCH = (
    f'if [ -z "${PORT_VARIABLE}" ] && command -v serve >/dev/null 2>&1; then exec serve; fi; '
    f"exec python3 {PAYLOAD_TARGET}/serve.py"
)
# The processes in which a model server runs the user's script, or forks those that do.
_SERVERS = (f"{PAYLOAD_TARGET}/serve.py", "serve", "gunicorn", "model_service_worker.py")
_PATIENCE = "86400"  # seconds; older multi-model-servers take it for minutes
# Limits after which a model server ends a worker that does not answer: not while somebody looks at it.
_PATIENT = {
    name: _PATIENCE
    for name in (
        "SAGEMAKER_MODEL_SERVER_TIMEOUT",  # the toolkits', for any server
        "SAGEMAKER_MODEL_SERVER_TIMEOUT_SECONDS",  # the inference toolkit's
        "MMS_DEFAULT_RESPONSE_TIMEOUT",  # multi-model-server's own two
        "MMS_DEFAULT_RESPONSE_TIMEOUT_SECONDS",
        "TS_DEFAULT_RESPONSE_TIMEOUT",  # TorchServe's own: a request
        "TS_DEFAULT_STARTUP_TIMEOUT",  # and the loading of the model
        "MODEL_SERVER_TIMEOUT",  # the service's examples of own containers, for gunicorn
    )
}
# The PyTorch toolkit: where one of these is set, each of the others has a value of its own.
_TORCHSERVE = "SAGEMAKER_TS_"
_FOR_EVER = 10 * 365 * 86_400.0  # seconds
_LARGEST_SCRIPT = 4 * 1024 * 1024  # bytes; larger files in a model are no scripts


class S3ModelSource(Request, frozen=True, kw_only=True):
    s3_uri: str
    s3_data_type: str = "S3Prefix"
    compression_type: str = "None"


class ModelSource(Request, frozen=True, kw_only=True):
    s3_data_source: S3ModelSource | None = None


class ContainerDefinition(Request, frozen=True, kw_only=True):
    image: str = ""
    mode: str = "SingleModel"
    model_data_url: str = ""
    model_data_source: ModelSource | None = None
    environment: dict[str, str] = {}

    @property
    def data(self) -> str:
        """Where the model's artifacts lie; empty for a model without any."""
        source = self.model_data_source.s3_data_source if self.model_data_source else None
        return source.s3_uri if source else self.model_data_url


class Model(Request, frozen=True, kw_only=True):
    """DescribeModel's response."""

    model_name: str
    primary_container: ContainerDefinition | None = None
    containers: list[ContainerDefinition] = []
    enable_network_isolation: bool = False
    vpc_config: dict[str, Any] | None = None

    @property
    def container(self) -> ContainerDefinition:
        """Its one container.

        Raises:
            StepBridgeError: it has several, no image, or serves several models.
        """
        all_of_them = [self.primary_container] if self.primary_container else self.containers
        what = f"model {self.model_name}"
        if len(all_of_them) != 1:
            raise StepBridgeError(
                f"{what} has {len(all_of_them)} containers; models of one container run on this machine",
                "Give each container a model of its own, or stub the step.",
            )
        container = all_of_them[0]
        if not container.image:
            raise StepBridgeError(f"{what} names no image", "Give its PrimaryContainer an Image.")
        if container.mode != "SingleModel":
            raise StepBridgeError(f"{what}: Mode {container.mode} does not run on this machine")
        return container


def read_model(described: Mapping[str, Any]) -> Model:
    """Raises StepBridgeError for a malformed one."""
    return read_request(Model, _with_text_environments(described), "model")


def _with_text_environments(described: Mapping[str, Any]) -> dict[str, Any]:
    """Pipelines put numbers into a container's environment, which the service hands on as text."""

    def texts(container: Mapping[str, Any]) -> dict[str, Any]:
        environment = {name: str(value) for name, value in (container.get("Environment") or {}).items()}
        return {**container, "Environment": environment}

    result = dict(described)
    if result.get("PrimaryContainer"):
        result["PrimaryContainer"] = texts(result["PrimaryContainer"])
    result["Containers"] = [texts(container) for container in result.get("Containers") or ()]
    return result


class ServingContainer(Struct, frozen=True):
    """A container that serves a model, and what a job plan needs beside it."""

    spec: ContainerSpec
    scripts: tuple[str, ...]
    code: tuple[CodeMapping, ...]
    notices: tuple[str, ...]

    @property
    def debug_environment(self) -> dict[str, str]:
        """What lets a process stand at a breakpoint as long as it takes; whatever the model says."""
        if any(name.startswith(_TORCHSERVE) for name in self.spec.environment):
            return {**_PATIENT, f"{_TORCHSERVE}RESPONSE_TIMEOUT": _PATIENCE}
        return dict(_PATIENT)


def serving_container(
    model: Model, context: JobContext, environment: Mapping[str, str] | None = None
) -> ServingContainer:
    """The container that serves `model`; its files are unpacked below the step's folder.

    Args:
        environment: beside the model's own, and before it where both set a variable.

    Raises:
        StorageError: the model's artifacts are not there, or are no archive.
    """
    container = model.container
    folder = context.folder / "algo-1"
    mappings = list(_unpack_model(container, context, writable(folder / "model"), model.model_name))
    values = dict(container.environment)
    submitted = values.get("SAGEMAKER_SUBMIT_DIRECTORY", "")
    if submitted.startswith(("s3://", "file://")):
        copy = writable(folder / "model" / "code")
        found = context.sources.unpack(submitted, copy)
        values["SAGEMAKER_SUBMIT_DIRECTORY"] = CODE
        mappings += [CodeMapping(item.local, f"{CODE}/{item.remote}") for item in found or ()]
    mappings += [
        CodeMapping(item.local, TOOLKIT_CODE + item.remote.removeprefix(CODE))
        for item in mappings
        if item.remote.startswith(f"{CODE}/")
    ]
    has_entrypoint = bool(context.image_config.entrypoint)
    spec = ContainerSpec(
        name=container_name(context.name, "algo-1"),
        image=context.image,
        entrypoint=None if has_entrypoint else ("/bin/sh", "-c", _LAUNCH),
        command=("serve",) if has_entrypoint else (),
        environment={
            **context.environment,
            "AWS_REGION": context.region,
            "SAGEMAKER_MODEL_SERVER_WORKERS": "1",
            "SAGEMAKER_MODEL_SERVER_TIMEOUT": "3600",
            **values,
            **(environment or {}),
        },
        mounts=(
            # artifacts that are no archive are hard links to the store's own files
            Mount(folder / "model", MODEL, read_only=not _is_archive(container.data)),
            Mount(context.payload, PAYLOAD_TARGET, read_only=True),
        ),
        hostname="algo-1",
        aliases=("algo-1",),
        labels={**context.labels, "stepbridge.host": "algo-1"},
        ports={PORT: 0},
    )
    return ServingContainer(spec, _SERVERS, tuple(dict.fromkeys(mappings)), _notices(model))


def _notices(model: Model) -> tuple[str, ...]:
    notes = []
    if model.enable_network_isolation:
        notes.append(
            f"model {model.model_name}: network isolation is left out, as the server must be reached"
        )
    if model.vpc_config:
        notes.append("VpcConfig has no meaning on this machine and is ignored")
    return tuple(notes)


def on_a_free_port(spec: ContainerSpec) -> ContainerSpec:
    """The spec for an engine whose containers share this machine's network: its server takes a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    bound = {PORT_VARIABLE: str(port), "SAGEMAKER_BIND_TO_PORT": str(port)}
    return replace(spec, ports={port: port}).with_environment(**bound)


def plan_endpoint(
    model: Model, ready: Callable[[int], None], limit: float, request: Mapping[str, Any], context: JobContext
) -> JobPlan:
    """A job that serves `model` until it is stopped.

    Args:
        ready: told the loopback port when /ping answers; `limit` is how many seconds that may take.
    """
    served = serving_container(model, context)

    async def serve(server: ModelServer) -> None:
        await until_ready(server, limit)
        ready(server.port)
        await asyncio.Event().wait()  # the container ends first

    return JobPlan(
        containers=(served.spec,),
        outputs=(),
        failure_files={},
        time_limit=_FOR_EVER,
        scripts=served.scripts,
        code=served.code,
        notices=served.notices,
        client=serve,
        debug_environment=served.debug_environment,
    )


# -- the model's files -------------------------------------------------------------------------------------


def _unpack_model(
    container: ContainerDefinition, context: JobContext, folder: Path, name: str
) -> Iterator[CodeMapping]:
    """Write the artifacts into `folder`, the workspace's scripts as they are now; yields their mappings."""
    uri = container.data
    if not uri:
        return
    what = f"the artifacts of model {name}"
    scratch = context.folder / "algo-1" / "artifacts"
    if _is_archive(uri):
        known = context.sources.materialize(uri, scratch)
        archive = scratch / uri.rpartition("/")[2] if known is not None else _archive(context, uri, what)
        extract(archive, folder, what)
        for item in known or ():
            yield CodeMapping(item.local, f"{MODEL}/{item.remote}")
    else:
        _copy_folder(context, uri, folder, what)
    yield from _scripts_of_the_workspace(folder, context)


def _is_archive(uri: str) -> bool:
    return uri.endswith((".tar.gz", ".tgz"))


def _archive(context: JobContext, uri: str, what: str) -> Path:
    path = Path(uri.removeprefix("file://")) if uri.startswith("file://") else context.store.path(uri)
    if not path.is_file():
        raise StorageError(
            f"{what}: there is nothing at {uri}", f"Place the file there: stepbridge data put PATH {uri}"
        )
    return path


def _copy_folder(context: JobContext, uri: str, folder: Path, what: str) -> None:
    """Uncompressed artifacts. Linked, not copied: they may be large, and servers only read them."""
    for relative, path in objects_of(context.store, uri, what=what):
        target = folder / relative
        if not target.resolve().is_relative_to(folder.resolve()):
            raise StorageError(f"{what}: {relative} leaves its folder", "Rename the object.")
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(path, target)
        except OSError:  # another file system
            shutil.copy2(path, target)


def extract(archive: Path, folder: Path, what: str) -> None:
    """Unpack a .tar.gz; nothing of it leaves `folder`.

    Raises:
        StorageError: it is no archive, or a member leads out of the folder.
    """
    try:
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")
    except (tarfile.TarError, EOFError, OSError) as error:
        raise StorageError(f"{what}: {archive.name} cannot be unpacked: {error}") from None


def _scripts_of_the_workspace(folder: Path, context: JobContext) -> Iterator[CodeMapping]:
    """Python files in the artifacts which a program of this workspace uploaded with that content.

    A training job or RepackModel has packed them; they run as the workspace has them now.
    """
    for path in sorted(folder.rglob("*.py")):
        if path.is_symlink() or not path.is_file() or path.stat().st_size > _LARGEST_SCRIPT:
            continue
        content = path.read_bytes()
        local = context.sources.origin(path.name, content) if content else None
        if local is None:
            continue
        now = local.read_bytes()
        if now != content:
            path.unlink()  # not through a hard link
            path.write_bytes(now)
        yield CodeMapping(local, f"{MODEL}/{path.relative_to(folder).as_posix()}")
