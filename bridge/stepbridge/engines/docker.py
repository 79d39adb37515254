"""Containers of Docker, or of Podman through its Docker-compatible API.

One create, attach before start, start: no line of output is lost and nothing is polled. Knows no step and no
job; the protocol's bytes are docker_wire's.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ipaddress
import json
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from stepbridge.errors import EngineError, ImageNotFoundError

from .base import Container, ContainerSpec, ExecStream, ExitStatus, ImageConfig, Mount, OutputLine
from .docker_host import candidates
from .docker_wire import ApiError, Frames, Wire, segment
from .output import OutputLines

HOST_NAME = "host.docker.internal"
STDERR_KEPT = 16 * 1024
# What an engine says where a container cannot start -> what to try.
HINTS = (
    (
        "executable file not found",
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
    ("bind source path does not exist", "A file of this run was deleted; start the run again."),
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

    async def image(self, reference: str) -> ImageConfig | None:
        try:
            found = await self._wire.call("GET", f"/images/{segment(reference)}/json")
        except ApiError as error:
            if error.status in (400, 404):
                return None
            raise _engine_error(f"The engine could not tell about the image {reference}", error) from None
        config = found.get("Config") or {}
        return ImageConfig(
            id=found["Id"],
            entrypoint=_words(config.get("Entrypoint")),
            command=_words(config.get("Cmd")),
            environment=_environment(config.get("Env")),
            workdir=config.get("WorkingDir") or "/",
            user=config.get("User") or "",
        )

    async def pull(
        self, reference: str, auth: Mapping[str, str] | None, progress: Callable[[str, float | None], None]
    ) -> None:
        if auth is None:
            auth = await asyncio.to_thread(_stored_credentials, reference)
        headers = (
            {"X-Registry-Auth": base64.urlsafe_b64encode(json.dumps(dict(auth)).encode()).decode()}
            if auth
            else {}
        )
        layers = PullProgress()
        last = None
        try:
            async for message in self._wire.messages(
                "POST", "/images/create", {"fromImage": _tagged(reference)}, headers
            ):
                if "error" in message:
                    raise _not_pulled(reference, str(message["error"]))
                if (shown := layers.add(message)) != last:
                    progress(*shown)
                    last = shown
        except ApiError as error:
            raise _not_pulled(reference, error.message) from None

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
                container = DockerContainer(self._wire, item["Id"], _spec(inspected), adopted=True)
                container._ports = _published(inspected)
                found.append(container)
        return found

    def host_address(self) -> str:
        return self._gateway or "127.0.0.1"

    def host_name(self) -> str:
        return HOST_NAME

    async def close(self) -> None:
        """Nothing is held open between calls."""

    async def _create(self, spec: ContainerSpec) -> DockerContainer:
        body = _create_body(spec, self._gateway)
        try:
            created = await self._wire.call("POST", "/containers/create", body, {"name": spec.name})
        except ApiError as error:
            if "no such image" in error.message.lower() or "invalid reference" in error.message:
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
            if error.status not in (404, 409):  # gone, or ended
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
            self._ports = _published(await self._wire.call("GET", f"{self._path}/json"))

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
            if error.status == 409:
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


class PullProgress:
    """The messages of a pull as one text and one share."""

    def __init__(self) -> None:
        self._downloaded: dict[str, tuple[int, int]] = {}  # layer -> (bytes so far, bytes in all)
        self._extracted: dict[str, tuple[int, int]] = {}
        self._share: float | None = None
        self._text = "pulling"

    def add(self, message: Mapping[str, Any]) -> tuple[str, float | None]:
        layer, status = str(message.get("id", "")), str(message.get("status", ""))
        detail = message.get("progressDetail") or {}
        current, total = int(detail.get("current") or 0), int(detail.get("total") or 0)
        if status == "Downloading" and total:
            self._downloaded[layer] = (current, total)
        elif (
            status in ("Download complete", "Verifying Checksum", "Pull complete")
            and layer in self._downloaded
        ):
            size = self._downloaded[layer][1]
            self._downloaded[layer] = (size, size)
            if status == "Pull complete":
                self._extracted[layer] = (size, size)
        elif status == "Extracting" and total:
            self._extracted[layer] = (current, total)
        self._sum_up()
        return self._text, self._share

    def _sum_up(self) -> None:
        total = sum(size for _, size in self._downloaded.values())
        if not total:
            return
        here = sum(done for done, _ in self._downloaded.values())
        unpacked = sum(done for done, _ in self._extracted.values())
        share = round(min((0.8 * here + 0.2 * unpacked) / total, 1.0), 2)
        self._share = max(share, self._share or 0.0)
        verb = "downloading" if here < total else "unpacking"
        self._text = f"{verb} {here / 1e6:.0f} of {total / 1e6:.0f} MB"


def _create_body(spec: ContainerSpec, gateway: str | None) -> dict[str, Any]:
    body: dict[str, Any] = {
        "Image": spec.image,
        "Env": [f"{key}={value}" for key, value in spec.environment.items()],
        "Labels": dict(spec.labels),
        "AttachStdout": True,
        "AttachStderr": True,
        "ExposedPorts": {f"{port}/tcp": {} for port in spec.ports},
        "HostConfig": _host_config(spec, gateway),
    }
    if spec.entrypoint is not None:
        body["Entrypoint"] = list(spec.entrypoint) or [""]  # [""]: none, also not the image's
    if spec.command is not None:
        body["Cmd"] = list(spec.command)
    for key, value in (("WorkingDir", spec.workdir), ("User", spec.user), ("Hostname", spec.hostname)):
        if value:
            body[key] = value
    if spec.network not in (None, "none"):
        body["NetworkingConfig"] = {"EndpointsConfig": {spec.network: {"Aliases": list(spec.aliases)}}}
    return body


def _host_config(spec: ContainerSpec, gateway: str | None) -> dict[str, Any]:
    config: dict[str, Any] = {
        "Mounts": [
            {"Type": "bind", "Source": str(mount.source), "Target": mount.target, "ReadOnly": mount.read_only}
            for mount in spec.mounts
        ],
        "ReadonlyRootfs": spec.read_only_root,
        "PortBindings": {
            f"{port}/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(here or "")}]
            for port, here in spec.ports.items()
        },
        # The whole log, whatever the engine's own setting: an adopted container is read from its start.
        "LogConfig": {"Type": "json-file", "Config": {}},
        "SecurityOpt": ["label=disable"],  # SELinux: mounts of a home folder keep their label
    }
    if spec.network is not None:
        config["NetworkMode"] = spec.network
    if gateway is not None and spec.network != "none":
        config["ExtraHosts"] = [f"{HOST_NAME}:{gateway}"]
    if spec.read_only_root and all(mount.target != "/tmp" for mount in spec.mounts):
        config["Tmpfs"] = {"/tmp": "rw,exec,mode=1777"}
    if spec.shm_bytes:
        config["ShmSize"] = spec.shm_bytes
    if spec.memory_bytes:
        config["Memory"] = config["MemorySwap"] = spec.memory_bytes
    if spec.gpus:
        config["DeviceRequests"] = [{"Count": spec.gpus, "Capabilities": [["gpu"]]}]
    return config


def _spec(inspected: Mapping[str, Any]) -> ContainerSpec:
    """What a container was started from, as far as the engine tells."""
    config, host = inspected["Config"], inspected["HostConfig"]
    network = host.get("NetworkMode")
    return ContainerSpec(
        name=inspected["Name"].removeprefix("/"),
        image=config["Image"],
        entrypoint=_words(config.get("Entrypoint")) or None,
        command=_words(config.get("Cmd")) or None,
        environment=_environment(config.get("Env")),
        mounts=tuple(
            Mount(Path(item["Source"]), item["Destination"], not item.get("RW", True))
            for item in inspected.get("Mounts") or []
            if item.get("Type") == "bind"
        ),
        workdir=config.get("WorkingDir") or None,
        user=config.get("User") or None,
        hostname=config.get("Hostname") or None,
        network=None if network in ("default", "bridge") else network,
        labels=config.get("Labels") or {},
        read_only_root=bool(host.get("ReadonlyRootfs")),
        ports=_published(inspected),
    )


def _published(inspected: Mapping[str, Any]) -> dict[int, int]:
    ports = (inspected.get("NetworkSettings") or {}).get("Ports") or {}
    return {int(name.split("/")[0]): int(bound[0]["HostPort"]) for name, bound in ports.items() if bound}


def _words(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value or ())


def _environment(pairs: list[str] | None) -> dict[str, str]:
    return {name: value for name, _, value in (pair.partition("=") for pair in pairs or [])}


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


def _tagged(reference: str) -> str:
    """Without a tag the engine would fetch every tag that there is."""
    last = reference.rsplit("/", 1)[-1]
    return reference if ":" in last or "@" in reference else f"{reference}:latest"


def _stored_credentials(reference: str) -> Mapping[str, str] | None:
    """What `docker login` (or a credential program) holds for the reference's registry."""
    from docker import auth, errors

    try:
        registry, _ = auth.resolve_repository_name(_tagged(reference))
        found = auth.load_config().resolve_authconfig(registry)
    except (errors.DockerException, OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _not_pulled(reference: str, reason: str) -> ImageNotFoundError:
    return ImageNotFoundError(
        f"{reference} could not be pulled: {reason.strip()}",
        "Check its name, your network and `docker login`, or map it to a local image ([images]).",
    )


def _not_started(spec: ContainerSpec, error: ApiError) -> EngineError:
    return _engine_error(f"{spec.name} (image {spec.image}) could not start", error)


def _engine_error(what: str, error: ApiError) -> EngineError:
    reason = error.message.strip()
    lower = reason.lower()
    hint = next((hint for part, hint in HINTS if part in lower), "")
    return EngineError(f"{what}: {reason}", hint)
