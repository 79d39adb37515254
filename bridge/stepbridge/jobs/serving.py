"""A model becomes serving containers: transform jobs and endpoints start them in the same way.

A model has one container, or is an inference pipeline of several, through which a request goes. The contract
(documentation of the service, "Use your own inference code"): the command is `serve`, the model's artifacts
are unpacked at `/opt/ml/model`, the server answers `/ping` and `/invocations` on port 8080. An image without
`serve` gets our own script-mode server (payload/serve.py). Knows no registry: models come as described.
"""

from __future__ import annotations

import asyncio
import os
import re
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
from .multi_model import MODELS, LoadedModels
from .plan import (
    CodeMapping,
    JobContext,
    JobPlan,
    ModelServer,
    Request,
    container_name,
    gpus_of,
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
_PATIENT = dict.fromkeys(
    (
        "SAGEMAKER_MODEL_SERVER_TIMEOUT",  # the toolkits', for any server
        "SAGEMAKER_MODEL_SERVER_TIMEOUT_SECONDS",  # the inference toolkit's
        "MMS_DEFAULT_RESPONSE_TIMEOUT",  # multi-model-server's own two
        "MMS_DEFAULT_RESPONSE_TIMEOUT_SECONDS",
        "TS_DEFAULT_RESPONSE_TIMEOUT",  # TorchServe's own: a request
        "TS_DEFAULT_STARTUP_TIMEOUT",  # and the loading of the model
        "MODEL_SERVER_TIMEOUT",  # the service's examples of own containers, for gunicorn
    ),
    _PATIENCE,
)
# The PyTorch toolkit: where one of these is set, each of the others has a value of its own.
_TORCHSERVE = "SAGEMAKER_TS_"
_FOR_EVER = 10 * 365 * 86_400.0  # seconds
_HOST = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")  # the API's pattern
_LARGEST_SCRIPT = 4 * 1024 * 1024  # bytes; larger files in a model are no scripts


class S3ModelSource(Request, frozen=True, kw_only=True):
    s3_uri: str
    s3_data_type: str = "S3Prefix"
    compression_type: str = "None"


class ModelSource(Request, frozen=True, kw_only=True):
    s3_data_source: S3ModelSource | None = None


class ContainerDefinition(Request, frozen=True, kw_only=True):
    image: str = ""
    container_hostname: str = ""
    mode: str = "SingleModel"
    model_data_url: str = ""
    model_data_source: ModelSource | None = None
    environment: dict[str, str] = {}

    @property
    def data(self) -> str:
        """Where the model's artifacts lie; empty for a model without any."""
        source = self.model_data_source.s3_data_source if self.model_data_source else None
        return source.s3_uri if source else self.model_data_url


class InferenceExecutionConfig(Request, frozen=True, kw_only=True):
    mode: str = "Serial"  # or Direct


class Model(Request, frozen=True, kw_only=True):
    """DescribeModel's response."""

    model_name: str
    primary_container: ContainerDefinition | None = None
    containers: list[ContainerDefinition] = []
    inference_execution_config: InferenceExecutionConfig = InferenceExecutionConfig()
    enable_network_isolation: bool = False
    vpc_config: dict[str, Any] | None = None

    @property
    def served(self) -> tuple[ContainerDefinition, ...]:
        """Its containers, in the order in which a request goes through them; one, or an inference pipeline.

        Raises:
            StepBridgeError: there is none, one has no image, or a Mode that does not go with the others.
        """
        what = f"model {self.model_name}"
        named = dict(zip(self.hosts, self._definitions, strict=True))
        if len(named) != len(self._definitions):
            raise StepBridgeError(f"{what} has two containers of one name", "Change a ContainerHostname.")
        if not named:
            raise StepBridgeError(f"{what} has no container", "Give it a PrimaryContainer or Containers.")
        for host, container in named.items():
            where = f"container {host} of {what}" if len(named) > 1 else what
            if not _HOST.fullmatch(host):
                raise StepBridgeError(
                    f"{where}: that is no ContainerHostname", "Use letters, digits and hyphens, at most 63."
                )
            if not container.image:
                raise StepBridgeError(f"{where} names no image", "Give its container an Image.")
            self._check_mode(container, where)
        return self._definitions

    def _check_mode(self, container: ContainerDefinition, where: str) -> None:
        if container.mode not in ("SingleModel", "MultiModel"):
            raise StepBridgeError(
                f"{where}: there is no Mode {container.mode}", "Use SingleModel or MultiModel."
            )
        if container.mode == "MultiModel" and len(self._definitions) > 1:
            raise StepBridgeError(
                f"{where}: Mode MultiModel in a model of several containers does not run on this machine",
                "Give the container a model of its own.",
            )
        if container.mode == "MultiModel" and not container.data:
            raise StepBridgeError(
                f"{where} has Mode MultiModel and no ModelDataUrl", "Name the prefix of its archives."
            )

    @property
    def hosts(self) -> tuple[str, ...]:
        """The names of its containers."""
        if len(self._definitions) == 1:
            return ("algo-1",)
        return tuple(
            one.container_hostname or f"container-{number}" for number, one in enumerate(self._definitions, 1)
        )

    @property
    def images(self) -> tuple[str, ...]:
        """Their image URIs. Raises as `served` does."""
        return tuple(one.image for one in self.served)

    @property
    def direct(self) -> bool:
        """Each request goes to the one container that it names, not through all of them."""
        return self.inference_execution_config.mode == "Direct" and len(self._definitions) > 1

    @property
    def multi_model(self) -> bool:
        """Each request names the model that is to answer it."""
        return any(container.mode == "MultiModel" for container in self._definitions)

    def refuse_in_batch(self, what: str) -> None:
        """Raises StepBridgeError where requests would have to name a container or a model."""
        if self.multi_model:
            raise StepBridgeError(
                f"{what}: model {self.model_name} has Mode MultiModel, which is for endpoints",
                "Create a model for the archive that the job is to use.",
            )
        if self.direct:
            raise StepBridgeError(
                f"{what}: model {self.model_name} has containers that are asked one by one (Mode Direct)",
                "Give it a model whose InferenceExecutionConfig has Mode Serial.",
            )

    @property
    def _definitions(self) -> tuple[ContainerDefinition, ...]:
        return (self.primary_container,) if self.primary_container else tuple(self.containers)


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


class Served(Struct, frozen=True):
    """The containers that serve a model, and what a job plan needs beside them."""

    specs: tuple[ContainerSpec, ...]
    scripts: tuple[str, ...]
    code: tuple[CodeMapping, ...]
    notices: tuple[str, ...]
    models: LoadedModels | None = None  # of Mode MultiModel

    @property
    def debug_environment(self) -> dict[str, dict[str, str]]:
        """By host: what lets a process stand at a breakpoint as long as it takes, whatever the model says."""
        return {spec.hostname or "": _patient(spec.environment) for spec in self.specs}


def _patient(environment: Mapping[str, str]) -> dict[str, str]:
    if any(name.startswith(_TORCHSERVE) for name in environment):
        return {**_PATIENT, f"{_TORCHSERVE}RESPONSE_TIMEOUT": _PATIENCE}
    return dict(_PATIENT)


def serving_containers(
    model: Model,
    context: JobContext,
    environment: Mapping[str, str] | None = None,
    *,
    instance_type: str = "",
) -> Served:
    """The containers that serve `model`; their files are unpacked below the step's folder.

    Args:
        environment: beside each container's own, and before it where both set a variable.
        instance_type: of the host; empty: one without GPUs.

    Raises:
        StepBridgeError: the model cannot be served here, see `Model.served`.
        StorageError: a container's artifacts are not there, or are no archive.
    """
    if model.multi_model:
        return _multi_model_container(model, context, instance_type)
    specs: list[ContainerSpec] = []
    code: list[CodeMapping] = []
    for number, (host, container) in enumerate(zip(model.hosts, model.served, strict=True), 1):
        folder = context.folder / f"algo-{number}"
        what = f"the artifacts of model {model.model_name}"
        what = f"{what}, container {host}" if len(model.hosts) > 1 else what
        variables, mappings = _container_files(container, context, folder, what)
        variables |= environment or {}
        # artifacts that are no archive are hard links to the store's own files
        mount = Mount(folder / "model", MODEL, read_only=not _is_archive(container.data))
        image = context.with_image(container.image)
        specs.append(_container_spec(image, host, mount, variables, instance_type))
        shown_to = host if len(model.hosts) > 1 else ""
        code += [CodeMapping(item.local, item.remote, shown_to) for item in mappings]
    return Served(tuple(specs), _SERVERS, tuple(dict.fromkeys(code)), _notices(model))


def _multi_model_container(model: Model, context: JobContext, instance_type: str) -> Served:
    """The container of Mode MultiModel. What lies below the prefix now is unpacked before it starts, so that
    the code in it is known; what comes later, when a request names it."""
    (container,) = model.served
    folder = writable(context.folder / "algo-1" / "models")
    what = f"the models of {model.model_name}"
    code: list[CodeMapping] = []

    def unpack(uri: str, place: Path, shown: str) -> None:
        code.extend(_unpack_artifacts(uri, context, place, what, f"{shown}/model"))

    models = LoadedModels(container.data, folder, unpack)
    for relative, _ in objects_of(context.store, container.data.rstrip("/") + "/", what=what):
        if _is_archive(relative):
            models.place(relative)
    environment = {**container.environment, "SAGEMAKER_MULTI_MODEL": "true"}
    mount = Mount(folder, MODELS)
    image = context.with_image(container.image)
    spec = _container_spec(image, "algo-1", mount, environment, instance_type)
    return Served((spec,), _SERVERS, tuple(dict.fromkeys(code)), _notices(model), models)


def _container_files(
    container: ContainerDefinition, context: JobContext, folder: Path, what: str
) -> tuple[dict[str, str], list[CodeMapping]]:
    """Unpack a container's artifacts into `folder`; its environment, and where its code is seen."""
    mappings = list(_unpack_artifacts(container.data, context, folder, what, MODEL))
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
    return values, mappings


def _container_spec(
    context: JobContext, host: str, artifacts: Mount, values: Mapping[str, str], instance_type: str
) -> ContainerSpec:
    has_entrypoint = bool(context.image_config.entrypoint)
    return ContainerSpec(
        name=container_name(context, host),
        image=context.image,
        entrypoint=None if has_entrypoint else ("/bin/sh", "-c", _LAUNCH),
        command=("serve",) if has_entrypoint else (),
        environment={
            **context.environment,
            "AWS_REGION": context.region,
            "SAGEMAKER_MODEL_SERVER_WORKERS": "1",
            "SAGEMAKER_MODEL_SERVER_TIMEOUT": "3600",
            **values,
        },
        mounts=(artifacts, Mount(context.payload, PAYLOAD_TARGET, read_only=True)),
        hostname=host,
        aliases=(host,),
        labels={**context.labels, "stepbridge.host": host},
        ports={PORT: 0},
        gpus=gpus_of(instance_type),
    )


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
    model: Model,
    ready: Callable[[tuple[int, ...], LoadedModels | None], None],
    limit: float,
    request: Mapping[str, Any],
    context: JobContext,
) -> JobPlan:
    """A job that serves `model` until it is stopped.

    Args:
        ready: told the loopback ports, and the models of Mode MultiModel, when /ping of all answers; `limit`
            is how many seconds that may take.
    """
    served = serving_containers(model, context, instance_type=str(request.get("InstanceType", "")))

    async def serve(server: ModelServer) -> None:
        await until_ready(server, limit)
        ready(server.ports, served.models)
        await asyncio.Event().wait()  # the containers end first

    return JobPlan(
        containers=served.specs,
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


def _unpack_artifacts(
    uri: str, context: JobContext, host_folder: Path, what: str, place: str
) -> Iterator[CodeMapping]:
    """Write the artifacts into `model` below that folder, the workspace's scripts as they are now; yields
    their mappings. place: where the container sees them."""
    folder = writable(host_folder / "model")
    if not uri:
        return
    scratch = host_folder / "artifacts"
    if _is_archive(uri):
        known = context.sources.materialize(uri, scratch)
        archive = scratch / uri.rpartition("/")[2] if known is not None else _archive(context, uri, what)
        extract(archive, folder, what)
        for item in known or ():
            yield CodeMapping(item.local, f"{place}/{item.remote}")
    else:
        _copy_folder(context, uri, folder, what)
    yield from _scripts_of_the_workspace(folder, context, place)


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


def _scripts_of_the_workspace(folder: Path, context: JobContext, place: str) -> Iterator[CodeMapping]:
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
        yield CodeMapping(local, f"{place}/{path.relative_to(folder).as_posix()}")
