"""What a job request is turned into: containers to start, code they run, outputs to move afterwards."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from stepbridge.engines.base import ContainerSpec, ImageConfig
from stepbridge.errors import StepBridgeError
from stepbridge.storage.objects import ObjectStore

from .images import LocalImage
from .pipes import Pipe

PAYLOAD_TARGET = "/opt/stepbridge-jobs"  # where containers see what of ours runs in them


class CodeMapping(Struct, frozen=True):
    """A file or folder of the workspace and where a container sees it."""

    local: Path  # absolute
    remote: str  # absolute, in the container
    host: str = ""  # the one that sees it; empty: all of them


class SourceCode(Protocol):
    """Code objects and the workspace files they were made from (provenance by content, DESIGN.md)."""

    def materialize(self, uri: str, folder: Path) -> tuple[CodeMapping, ...] | None:
        """Write the code object `uri` into `folder` as the workspace has it now.

        A script becomes a file of its own name; an archive stays an archive of its own name, rebuilt where a
        member changed. Mappings name `remote` relative to `folder`; members of an archive are relative to
        where it would be unpacked. None: `uri` is no code of this workspace (data, or uploaded elsewhere).
        """
        ...

    def unpack(self, uri: str, folder: Path) -> tuple[CodeMapping, ...] | None:
        """The same, with the archive unpacked into `folder`."""
        ...

    def origin(self, name: str, content: bytes) -> Path | None:
        """The workspace file that a program uploaded under that file name with that content; None: unknown.

        For code inside of archives that jobs made: a model.tar.gz with an inference script, say.
        """
        ...


class JobContext(Struct, frozen=True):
    """What every plan needs beside the request."""

    name: str  # job name
    arn: str
    region: str
    account: str
    folder: Path  # the step's own folder, emptied by the caller before a new attempt
    store: ObjectStore
    image: str  # the local image that stands for the request's image
    image_config: ImageConfig
    sources: SourceCode
    environment: Mapping[str, str] = field(default_factory=dict)  # endpoint and credentials
    labels: Mapping[str, str] = field(default_factory=dict)
    payload: Path = Path(__file__).parent / "payload"
    workspace: Path | None = None  # the user's own folder
    images: Mapping[str, LocalImage] = field(default_factory=dict)  # of every image URI that the job needs

    def with_image(self, uri: str) -> JobContext:
        """The same for a container of the image which stands for that URI."""
        image = self.images.get(uri)
        return replace(self, image=image.reference, image_config=image.config) if image else self


class OutputMove(Struct, frozen=True):
    """After the job: what lies in `folders`, one a host, goes to `uri`.

    Hosts must not write files of the same name (documentation of the service, "How SageMaker processes
    training output"); where they do, the first host's file counts.
    """

    name: str  # output name, "model" or "output"
    folders: tuple[Path, ...]
    uri: str
    archive: bool = False  # pack into one .tar.gz object instead of one object per file
    on_failure: bool = False  # the service keeps it for a failed job as well
    optional: bool = False  # nothing is written where the folder is empty


class JobFailure(Exception):  # noqa: N818 - the service's word
    """What was asked of a job's container went wrong; `reason` becomes its FailureReason.

    host: the container that it went wrong in, where that is known.
    """

    def __init__(self, reason: str, host: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.host = host


class ModelServer(Protocol):
    """A job's containers, which answer HTTP, as the job's client sees them."""

    @property
    def ports(self) -> tuple[int, ...]:
        """On loopback: of each container, in the plan's order."""
        ...

    async def unheld(self) -> None:
        """Returns at once, or as soon as no debugger holds a process of the containers any more."""
        ...


JobClient = Callable[[ModelServer], Awaitable[None]]
"""Asks a model server what is to be asked; its containers end when it returns. Raises JobFailure."""


class JobPlan(Struct, frozen=True):
    containers: tuple[ContainerSpec, ...]  # one per host, algo-1 first
    outputs: tuple[OutputMove, ...]
    failure_files: Mapping[str, Path]  # host -> its /opt/ml/output/failure as seen from here
    time_limit: float  # seconds
    scripts: tuple[str, ...]  # names or container paths of the user's own scripts; empty: not known
    code: tuple[CodeMapping, ...]
    modules: tuple[str, ...] = ()  # those that `python -m` runs as the user's own
    internal_network: bool = False
    notices: tuple[str, ...] = ()  # arguments without meaning on this machine
    client: JobClient | None = None  # the containers are servers: they do nothing by themselves
    pipes: tuple[Pipe, ...] = ()  # what is to be written while the containers run
    debug_environment: Mapping[str, Mapping[str, str]] = field(
        default_factory=dict
    )  # host -> with a debugger


_GPU_INSTANCES = re.compile(r"local_gpu|ml\.(p|g|gr)\d+[a-z]*\..+")


def gpus_of(instance_type: str) -> int:
    """`ContainerSpec.gpus` of a host: all there are where the instance type has some, otherwise none."""
    return -1 if _GPU_INSTANCES.fullmatch(instance_type) else 0


class Request(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """Base of the wire shapes: botocore's names, unknown members ignored."""


R = TypeVar("R", bound=Request)


def read_request(shape: type[R], request: Mapping[str, object], what: str) -> R:
    """The request as a typed value; numbers and booleans may arrive as strings, as the service accepts them.

    Raises:
        StepBridgeError: a member is missing or has the wrong type; names it by its path.
    """
    try:
        return msgspec.convert(_texts(request), shape, strict=False)
    except msgspec.ValidationError as error:
        raise StepBridgeError(
            f"{what}: {error}", "Compare the step's arguments with the API's shape."
        ) from None


_TEXT_MAPS = ("HyperParameters", "Environment")


def _texts(request: Mapping[str, object]) -> dict[str, object]:
    """Parameters reach hyperparameters and environment as numbers; the service hands them on as text."""
    return {
        name: {key: as_text(item) for key, item in value.items()}
        if name in _TEXT_MAPS and isinstance(value, Mapping)
        else value
        for name, value in request.items()
    }


def as_text(value: object) -> str:
    """A value as the service writes it into a string: booleans in lower case."""
    return str(value).lower() if isinstance(value, bool) else str(value)


HOMOGENEOUS = "homogeneousCluster"  # the group of a cluster without instance groups


class HostGroup(Struct, frozen=True):
    """Hosts of one instance type: all of a job's, or those of one of its instance groups."""

    name: str
    instance_type: str
    hosts: tuple[str, ...]


def host_names(count: int) -> tuple[str, ...]:
    """The names of a job's hosts on their network, algo-1 first."""
    return tuple(f"algo-{number + 1}" for number in range(count))


def all_hosts(groups: tuple[HostGroup, ...]) -> tuple[str, ...]:
    return tuple(host for group in groups for host in group.hosts)


def resource_config(host: str, groups: tuple[HostGroup, ...]) -> dict[str, object]:
    """`resourceconfig.json` of one host (contract: shared by training and processing containers).

    `hosts` is sorted as text, as the service does it: algo-10 comes before algo-2.
    """
    own = next(group for group in groups if host in group.hosts)
    return {
        "current_host": host,
        "hosts": sorted(all_hosts(groups)),
        "network_interface_name": "eth0",
        "current_instance_type": own.instance_type,
        "current_group_name": own.name,
        "instance_groups": [
            {
                "instance_group_name": group.name,
                "instance_type": group.instance_type,
                "hosts": sorted(group.hosts),
            }
            for group in groups
        ],
    }


def writable(folder: Path) -> Path:
    """A folder that whichever user a container runs as may write to."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o777)
    return folder


def container_name(context: JobContext, host: str) -> str:
    return f"{network_name(context.name, context.folder)}-{host}"


def network_name(job: str, folder: Path) -> str:
    """Of a job's network, and the beginning of its containers' names. Another workspace may run a job, or an
    endpoint, of that name at the same time: its folder is another one.
    """
    return f"stepbridge-{job}-{hashlib.sha256(bytes(folder)).hexdigest()[:8]}"
