"""A ContainerSpec in the words of the Docker Engine API, and back. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .base import ContainerSpec, ImageConfig, Mount

HOST_NAME = "host.docker.internal"


def create_body(spec: ContainerSpec, gateway: str | None) -> dict[str, Any]:
    """The body of /containers/create; `gateway`: where HOST_NAME leads, None where the engine knows it."""
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


def spec_of(inspected: Mapping[str, Any]) -> ContainerSpec:
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
        ports=published_ports(inspected),
    )


def published_ports(inspected: Mapping[str, Any]) -> dict[int, int]:
    """Container port -> loopback port here."""
    ports = (inspected.get("NetworkSettings") or {}).get("Ports") or {}
    return {int(name.split("/")[0]): int(bound[0]["HostPort"]) for name, bound in ports.items() if bound}


def _words(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value or ())


def _environment(pairs: list[str] | None) -> dict[str, str]:
    return {name: value for name, _, value in (pair.partition("=") for pair in pairs or [])}


def image_config(inspected: Mapping[str, Any]) -> ImageConfig:
    config = inspected.get("Config") or {}
    return ImageConfig(
        id=inspected["Id"],
        entrypoint=_words(config.get("Entrypoint")),
        command=_words(config.get("Cmd")),
        environment=_environment(config.get("Env")),
        workdir=config.get("WorkingDir") or "/",
        user=config.get("User") or "",
    )
