"""Where a Docker-compatible engine may answer here: DOCKER_HOST, the Docker context, known sockets.

Reads files, asks no engine.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import Struct

from stepbridge.errors import EngineError


class Address(Struct, frozen=True):
    """A Unix socket, or host and port of a plain TCP endpoint."""

    url: str  # as a person writes it in DOCKER_HOST
    socket: str | None = None
    host: str = ""
    port: int = 0

    @classmethod
    def parse(cls, url: str) -> Address:
        """Raises EngineError for transports behind which the engine cannot see this machine's files."""
        parts = urlsplit(url)
        if parts.scheme == "unix":
            return cls(url, socket=parts.netloc + parts.path)
        if parts.scheme in ("tcp", "http") and parts.hostname and not os.environ.get("DOCKER_TLS_VERIFY"):
            return cls(url, host=parts.hostname, port=parts.port or 2375)
        raise EngineError(
            f"StepBridge cannot use the engine at {url}: steps mount this machine's files",
            "Set DOCKER_HOST to a local engine (unix:///...), or use --engine process.",
        )


def candidates() -> list[Address]:
    """Addresses to try, the likeliest first; one alone where the user named it.

    Raises:
        EngineError: the user named one that cannot serve.
    """
    named = os.environ.get("DOCKER_HOST") or _context_host()
    if named:
        return [Address.parse(named)]
    runtime = os.environ.get("XDG_RUNTIME_DIR", f"/run/user/{os.getuid()}")
    sockets = (
        "/var/run/docker.sock",
        f"{runtime}/docker.sock",
        str(Path.home() / ".docker/run/docker.sock"),
        f"{runtime}/podman/podman.sock",
        "/run/podman/podman.sock",
    )
    return [Address.parse(f"unix://{path}") for path in sockets if _is_there(path)]


def _is_there(path: str) -> bool:
    try:
        return Path(path).is_socket()
    except OSError:  # a folder we may not look into
        return False


def _context_host() -> str | None:
    """The endpoint of the context that `docker context use` chose; Docker Desktop and Colima set one."""
    folder = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    try:
        config = json.loads((folder / "config.json").read_text("utf-8"))
        name = os.environ.get("DOCKER_CONTEXT") or config.get("currentContext") or "default"
        if name == "default":
            return None
        digest = hashlib.sha256(name.encode()).hexdigest()
        context = json.loads((folder / "contexts/meta" / digest / "meta.json").read_text("utf-8"))
        host = context["Endpoints"]["docker"]["Host"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return host if isinstance(host, str) and host else None
