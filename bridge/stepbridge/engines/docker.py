"""Containers of Docker, or of Podman through its Docker-compatible API.

One create, attach before start, start: no line of output is lost and nothing is polled. Knows no step and no
job; the protocol's bytes are docker_wire's.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from stepbridge.errors import EngineError, ImageNotFoundError

from . import docker_images
from .base import Container, ContainerSpec, ExecStream, ExitStatus, ImageConfig, OutputLine
from .docker_host import candidates
from .docker_spec import HOST_NAME, create_body, image_config, published_ports, spec_of
from .docker_wire import ApiError, Frames, Wire, segment
from .output import OutputLines

STDERR_KEPT = 16 * 1024
# What an engine says where a container cannot start -> what to try.
HINTS = (
    (
        "executable file",
        "The image has no such program; see its ENTRYPOINT with `docker image inspect`.",
    ),
    (
        "no such file or directory",
        "A file that the container starts with is missing in its image or its mounts.",
    ),
    (
        "permission denied",
        "The container's program may not be executed (chmod +x), or its user may not read it.",
    ),
    ("could not select device driver", "Install the NVIDIA container toolkit, or give the step no GPU."),
    ("no space left on device", "Free some disk space: `docker system df` shows what the engine holds."),
    ("is already in use by container", "Remove the container of that name: docker rm -f NAME."),
    ("port is already allocated", "Another program has that port; choose port 0 for a free one."),
    ("address already in use", "Another program has that port; choose port 0 for a free one."),
    (
        "all predefined address pools have been fully subnetted",
        "Remove unused networks: docker network prune.",
    ),
)


class DockerEngine:
    """Use `connect`."""

    name: str

    def __init__(
        self, wire: Wire, name: Literal["docker", "podman"], version: str, gateway: str | None
    ) -> None:
        self._wire = wire
        self.name = name
        self.version = version
        self._gateway = (
            gateway  # None: the engine's network is not this machine's (virtual machine, rootless)
        )

    @classmethod
    async def connect(cls, timeout: float = 5.0) -> DockerEngine:
        """The first engine that answers.

        Raises:
            EngineError: none answers; the message names who was asked.
        """
        failure: EngineError | None = None
        for address in candidates():
            wire = Wire(address)
            try:
                version = await wire.negotiate(timeout)
            except EngineError as error:
                failure = failure or error
                continue
            names = [part.get("Name", "") for part in version.get("Components") or []]
            podman = any("podman" in name.lower() for name in names)
            gateway = await _gateway(wire, "podman" if podman else "bridge")
            return cls(wire, "podman" if podman else "docker", version.get("Version", ""), gateway)
        raise failure or EngineError(
            "No container engine answers on this machine",
            "Start Docker, set DOCKER_HOST to your engine, or use --engine process.",
        )

    async def has_gpus(self) -> bool:
        """What the NVIDIA container toolkit registers is a runtime of that name."""
        try:
            found = await self._wire.call("GET", "/info")
        except ApiError:
            return False
        return "nvidia" in (found.get("Runtimes") or {})

    async def image(self, reference: str) -> ImageConfig | None:
        try:
            found = await self._wire.call("GET", f"/images/{segment(reference)}/json")
        except ApiError as error:
            if error.status in (400, 404) or _is_no_reference(error):
                return None
            raise _engine_error(f"The engine could not tell about the image {reference}", error) from None
        return image_config(found)

    async def pull(
        self, reference: str, auth: Mapping[str, str] | None, progress: Callable[[str, float | None], None]
    ) -> None:
        await docker_images.pull(self._wire, reference, auth, progress)

    async def build(
        self, context: Path, tag: str, arguments: Mapping[str, str], output: Callable[[str], None]
    ) -> str:
        """See docker_images.build; not a part of the Engine protocol."""
        return await docker_images.build(self._wire, context, tag, arguments, output)

    async def start(self, spec: ContainerSpec) -> Container:
        creating = asyncio.ensure_future(self._create(spec))
        try:
            container = await asyncio.shield(creating)
        except asyncio.CancelledError:
            await (await creating).remove()  # what was on its way must not stay behind
            raise
        try:
            await container._attach()
            await container._start()
        except ApiError as error:
            await container.remove()
            raise _not_started(spec, error) from None
        except BaseException:
            with contextlib.suppress(EngineError):
                await asyncio.shield(container.remove())
            raise
        return container

    async def network(self, name: str, internal: bool = False) -> None:
        try:
            await self._wire.call("GET", f"/networks/{segment(name)}")
            return
        except ApiError as error:
            if error.status != 404:
                raise _engine_error(f"The engine could not tell about the network {name}", error) from None
        labels = {"stepbridge.network": name}
        body = {
            "Name": name,
            "Driver": "bridge",
            "Internal": internal,
            "CheckDuplicate": True,
            "Labels": labels,
        }
        try:
            await self._wire.call("POST", "/networks/create", body)
        except ApiError as error:
            if error.status != 409:  # made meanwhile
                raise _engine_error(f"The engine could not make the network {name}", error) from None

    async def remove_network(self, name: str) -> None:
        try:
            await self._wire.call("DELETE", f"/networks/{segment(name)}")
        except ApiError as error:
            if error.status != 404:
                raise _engine_error(f"The engine could not remove the network {name}", error) from None

    async def find(self, labels: Mapping[str, str]) -> list[Container]:
        filters = json.dumps({"label": [f"{key}={value}" for key, value in labels.items()]})
        found: list[Container] = []
        for item in await self._wire.call("GET", "/containers/json", query={"all": 1, "filters": filters}):
            with contextlib.suppress(ApiError):  # removed meanwhile
                inspected = await self._wire.call("GET", f"/containers/{item['Id']}/json")
                container = DockerContainer(self._wire, item["Id"], spec_of(inspected), adopted=True)
                container._ports = published_ports(inspected)
                found.append(container)
        return found

    def host_address(self) -> str:
        return self._gateway or "127.0.0.1"

    def host_name(self) -> str:
        return HOST_NAME

    async def close(self) -> None:
        """Nothing is held open between calls."""

    async def _create(self, spec: ContainerSpec) -> DockerContainer:
        if missing := spec.missing_source():
            raise EngineError(f"{spec.name} mounts {missing}, which is not there", "Start the run again.")
        body = create_body(spec, self._gateway)
        try:
            created = await self._wire.call("POST", "/containers/create", body, {"name": spec.name})
        except ApiError as error:
            if "no such image" in error.message.lower() or _is_no_reference(error):
                raise ImageNotFoundError(
                    f"There is no image {spec.image} on this machine",
                    "Build or pull it, or map it to another one ([images] in stepbridge.toml).",
                ) from None
            raise _not_started(spec, error) from None
        return DockerContainer(self._wire, created["Id"], spec)


class DockerContainer:
    """A container that this engine started, or found again (`adopted`: its output comes from the log)."""

    def __init__(self, wire: Wire, identity: str, spec: ContainerSpec, adopted: bool = False) -> None:
        self.id = identity
        self.spec = spec
        self._wire = wire
        self._path = f"/containers/{identity}"
        self._adopted = adopted
        self._output = OutputLines()
        self._frames: Frames | None = None
        self._exit: asyncio.Task[ExitStatus] | None = None
        self._ports: dict[int, int] = {}

    async def lines(self) -> AsyncIterator[OutputLine]:
        if self._adopted and self._frames is None:
            with self._explained("could not be read"):
                await self._open("GET", f"{self._path}/logs?follow=1&stdout=1&stderr=1")
        async for line in self._output:
            yield line

    async def wait(self) -> ExitStatus:
        self._output.release()
        if self._exit is None:
            self._exit = asyncio.create_task(self._watch_exit())
            self._exit.add_done_callback(lambda task: task.cancelled() or task.exception())
        return await asyncio.shield(self._exit)

    async def exec(self, argv: tuple[str, ...], user: str | None = None) -> ExecStream:
        body = {
            "Cmd": list(argv),
            "User": user or "",
            "AttachStdin": True,
            "AttachStdout": True,
            "AttachStderr": True,
        }
        with self._explained(f"could not run {argv[0]}"):
            created = await self._wire.call("POST", f"{self._path}/exec", body)
            stream = DockerExec(self._wire, created["Id"])
            await stream._start()
        return stream

    async def kill(self, signal: str = "KILL") -> None:
        try:
            await self._wire.call("POST", f"{self._path}/kill", query={"signal": signal})
        except ApiError as error:
            if error.status != 404 and not _has_ended(error):
                raise _engine_error(f"{self.spec.name} could not be signalled", error) from None

    async def stop(self, grace_seconds: float = 5.0) -> None:
        if grace_seconds > 0:
            await self.kill("TERM")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(grace_seconds):
                    await self._ended()
                    return
        await self.kill("KILL")
        await self._ended()

    async def remove(self) -> None:
        try:
            await self._wire.call("DELETE", self._path, query={"force": 1, "v": 1})
        except ApiError as error:
            if error.status not in (404, 409):  # gone, or on its way
                raise _engine_error(f"{self.spec.name} could not be removed", error) from None
        finally:
            if self._frames is not None:
                self._frames.close()

    def published(self, port: int) -> int:
        try:
            return self._ports[port]
        except KeyError:
            raise EngineError(f"{self.spec.name} publishes no port {port}") from None

    async def _attach(self) -> None:
        await self._open("POST", f"{self._path}/attach?stream=1&stdout=1&stderr=1")

    async def _start(self) -> None:
        await self._wire.call("POST", f"{self._path}/start")
        if self.spec.ports:
            self._ports = published_ports(await self._wire.call("GET", f"{self._path}/json"))

    async def _open(self, method: str, path: str) -> None:
        self._frames = Frames(self._output.feed, self._output.end)
        await self._wire.upgrade(method, path, self._frames)
        if self._frames.transport is not None:
            self._output.add_transport(self._frames.transport)

    async def _watch_exit(self) -> ExitStatus:
        with self._explained("was removed before it ended"):
            answer = await self._wire.call("POST", f"{self._path}/wait")
        if answer is None:
            raise EngineError(
                f"The container engine went away while {self.spec.name} ran",
                "Start the engine again, then run again.",
            )
        code = int(answer["StatusCode"])
        return ExitStatus(code, out_of_memory=code != 0 and await self._was_out_of_memory())

    async def _was_out_of_memory(self) -> bool:
        try:
            state = (await self._wire.call("GET", f"{self._path}/json"))["State"]
        except ApiError:  # removed: nobody knows any more
            return False
        return bool(state.get("OOMKilled"))

    async def _ended(self) -> None:
        with contextlib.suppress(ApiError):
            await self._wire.call("POST", f"{self._path}/wait")

    @contextlib.contextmanager
    def _explained(self, what: str) -> Any:
        try:
            yield
        except ApiError as error:
            if _has_ended(error):
                raise EngineError(f"{self.spec.name} {what}: it has ended") from None
            if error.status == 404:
                raise EngineError(f"{self.spec.name} {what}: somebody removed it") from None
            raise _engine_error(f"{self.spec.name} {what}", error) from None


class DockerExec:
    """A process beside a container's own, over one upgraded connection."""

    def __init__(self, wire: Wire, identity: str) -> None:
        self.reader = asyncio.StreamReader(limit=1 << 18)
        self.stderr = bytearray()
        self._wire = wire
        self._path = f"/exec/{identity}"
        self._frames = Frames(self._take, self.reader.feed_eof)
        self._first = True

    async def _start(self) -> None:
        await self._wire.upgrade("POST", f"{self._path}/start", self._frames, {"Detach": False, "Tty": False})
        if self._frames.transport is not None:
            self.reader.set_transport(self._frames.transport)

    async def write(self, data: bytes) -> None:
        self._frames.send(data)
        await self._frames.drain()
        if self._frames.ended.done():
            raise EngineError("The process inside of the container has ended")

    async def write_eof(self) -> None:
        self._frames.send_eof()

    async def close(self) -> None:
        self._frames.close()

    async def wait(self) -> int:
        await asyncio.shield(self._frames.ended)
        try:
            state = await self._wire.call("GET", f"{self._path}/json")
        except ApiError as error:
            raise _engine_error("The engine forgot a process that it ran in a container", error) from None
        return int(state["ExitCode"]) if state.get("ExitCode") is not None else -1

    def _take(self, stream: str, data: bytes) -> None:
        # The engine's own complaint about a program that is not there comes as output of that program.
        if self._first and data.startswith(b"OCI runtime exec failed"):
            stream = "stderr"
        self._first = False
        if stream == "stdout":
            self.reader.feed_data(data)
        else:
            self.stderr += data
            del self.stderr[:-STDERR_KEPT]


async def _gateway(wire: Wire, network: str) -> str | None:
    """The engine's gateway, where it is an address of this very machine."""
    try:
        found = await wire.call("GET", f"/networks/{network}")
    except ApiError:
        return None
    for config in (found.get("IPAM") or {}).get("Config") or []:
        # Docker leaves the gateway out until the bridge has had its first container; it is the first address.
        address = config.get("Gateway") or str(ipaddress.ip_network(config["Subnet"])[1])
        if _is_ours(address):
            return str(address)
    return None


def _is_ours(address: str) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True


def _has_ended(error: ApiError) -> bool:
    """The engine will not do that to a container that does not run; Podman says so with status 500."""
    return error.status == 409 or "container state improper" in error.message


def _is_no_reference(error: ApiError) -> bool:
    return "invalid reference format" in error.message


def _not_started(spec: ContainerSpec, error: ApiError) -> EngineError:
    return _engine_error(f"{spec.name} (image {spec.image}) could not start", error)


def _engine_error(what: str, error: ApiError) -> EngineError:
    reason = error.message.strip()
    lower = reason.lower()
    hint = next((hint for part, hint in HINTS if part in lower), "")
    return EngineError(f"{what}: {reason}", hint)
