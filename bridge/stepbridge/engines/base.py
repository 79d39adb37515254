"""What an engine is: it runs a `ContainerSpec` and hands back a `Container`.

Knows no pipeline, no job and no debugger. Two engines implement it (Docker, local processes); a test passes
its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Protocol

from msgspec import Struct, field
from msgspec.structs import replace


class Mount(Struct, frozen=True):
    """A file or folder of this machine at a path of the container."""

    source: Path  # absolute, on this machine
    target: str  # absolute, in the container
    read_only: bool = False


class ContainerSpec(Struct, frozen=True):
    """All that a container needs. Values are final: nothing in here is a reference."""

    name: str  # unique: <pipeline>-<step>-<execution>-<host>
    image: str  # a reference the engine can resolve without asking a registry (already mapped)
    entrypoint: tuple[str, ...] | None = None  # None: the image's own
    command: tuple[str, ...] | None = None  # None: the image's own
    environment: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    workdir: str | None = None
    user: str | None = None
    hostname: str | None = None
    network: str | None = None  # None: the engine's default; "none"; or the name of a `network()`
    aliases: tuple[str, ...] = ()  # names under which other containers of `network` find this one
    labels: Mapping[str, str] = field(default_factory=dict)
    read_only_root: bool = False
    shm_bytes: int | None = None
    gpus: int = 0  # how many it gets; -1: all that the engine has
    ports: Mapping[int, int] = field(default_factory=dict)  # container port -> loopback port here (0: free)
    memory_bytes: int | None = None

    def missing_source(self) -> Path | None:
        """The first mount source that is not on this machine. Engines refuse it: some would make a folder."""
        return next((mount.source for mount in self.mounts if not mount.source.exists()), None)

    def with_environment(self, **values: str) -> ContainerSpec:
        return replace(self, environment={**self.environment, **values})

    def with_mounts(self, *mounts: Mount) -> ContainerSpec:
        return replace(self, mounts=(*self.mounts, *mounts))


class OutputLine(Struct, frozen=True):
    stream: str  # "stdout" | "stderr"
    text: str  # without the line end; undecodable bytes replaced


class ExitStatus(Struct, frozen=True):
    code: int  # 128 + signal where a signal ended it
    out_of_memory: bool = False


class ImageConfig(Struct, frozen=True):
    """What we need to know of an image before we start it."""

    id: str  # content digest (sha256:...)
    entrypoint: tuple[str, ...]
    command: tuple[str, ...]
    environment: Mapping[str, str]
    workdir: str
    user: str


class ExecStream(Protocol):
    """Standard input and output of a process that was started beside a container's own; bytes, both ways."""

    reader: asyncio.StreamReader  # its standard output
    stderr: bytearray  # the last 16 KiB of its standard error, as they came so far

    async def write(self, data: bytes) -> None:
        """Raises EngineError where the process is gone."""
        ...

    async def write_eof(self) -> None:
        """Its standard input ends here; its output goes on."""
        ...

    async def close(self) -> None:
        """Both directions end. A process that does not end by that goes on until its container ends."""
        ...

    async def wait(self) -> int:
        """Exit code of the process, once it ended; 126 or 127 where there is no such program."""
        ...


class Container(Protocol):
    """A started container. Every method may be called after it ended."""

    id: str
    spec: ContainerSpec

    def lines(self) -> AsyncIterator[OutputLine]:
        """Its output, line by line, from the start to the end. May be iterated once."""
        ...

    async def wait(self) -> ExitStatus:
        """Its end. May be awaited by several at once, and cancelled.

        Raises:
            EngineError: the engine went away, or somebody else removed the container.
        """
        ...

    async def exec(self, argv: tuple[str, ...], user: str | None = None) -> ExecStream:
        """Run `argv` beside the container's own process, in its namespaces.

        A program that is not there shows in `wait()` (126 or 127): engines start it after they answered.

        Raises:
            EngineError: the container has ended, or the engine is gone.
        """
        ...

    async def kill(self, signal: str = "KILL") -> None:
        """Signal the container's first process. No error when it ended already."""
        ...

    async def stop(self, grace_seconds: float = 5.0) -> None:
        """TERM, then KILL after the grace; returns when it ended."""
        ...

    async def remove(self) -> None:
        """Forget it; nothing of it stays in the engine."""
        ...

    def published(self, port: int) -> int:
        """The loopback port of this machine under which `port` of the spec answers."""
        ...


class Engine(Protocol):
    """Runs containers. `name` is "docker", "podman" or "process"."""

    name: str

    async def has_gpus(self) -> bool:
        """Whether containers can have GPUs of this machine."""
        ...

    async def image(self, reference: str) -> ImageConfig | None:
        """The local image of that reference, or None. Asks no registry."""
        ...

    async def pull(
        self, reference: str, auth: Mapping[str, str] | None, progress: Callable[[str, float | None], None]
    ) -> None:
        """Fetch an image; `progress` gets a text and a share (0..1) where known.

        Raises:
            ImageNotFoundError: the registry has none, cannot be reached, or refused.
        """
        ...

    async def start(self, spec: ContainerSpec) -> Container:
        """Create and start. Raises EngineError where the engine refuses, ImageNotFoundError without image."""
        ...

    async def network(self, name: str, internal: bool = False) -> None:
        """Make a network of that name if there is none yet (a no-op for processes)."""
        ...

    async def remove_network(self, name: str) -> None: ...

    async def find(self, labels: Mapping[str, str]) -> list[Container]:
        """Containers (running or ended) that carry all these labels; to adopt or reap after a crash."""
        ...

    def host_address(self) -> str:
        """The address of this machine that a server binds to, so that containers reach it."""
        ...

    def host_name(self) -> str:
        """The name under which containers reach a server on `host_address()`.

        The address itself does not serve where the engine lives in a virtual machine (macOS).
        """
        ...

    async def close(self) -> None: ...
