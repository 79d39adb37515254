"""A server that speaks as much of the Docker Engine API as a test tells it; a relay to the real one."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PODMAN = {
    "ApiVersion": "1.41",
    "MinAPIVersion": "1.24",
    "Version": "4.9.3",
    "Components": [{"Name": "Podman Engine", "Version": "4.9.3"}, {"Name": "Conmon"}],
}
DOCKER_DESKTOP = {
    "ApiVersion": "1.99",
    "MinAPIVersion": "1.44",
    "Version": "29.0.1",
    "Components": [{"Name": "Engine"}],
    "Platform": {"Name": "Docker Desktop"},
}


@dataclass
class FakeEngine:
    """`answers`: "METHOD /path" (no version, no query) -> status and JSON, or a list of JSON messages."""

    answers: Mapping[str, tuple[int, Any]]
    asked: list[str] = field(default_factory=list)  # request lines
    headers: list[dict[str, str]] = field(default_factory=list)

    @contextlib.asynccontextmanager
    async def serve(self, path: Path) -> AsyncIterator[str]:
        """Listen on the socket `path`; yields its URL for DOCKER_HOST."""
        server = await asyncio.start_unix_server(self._answer, path)
        async with server:
            yield f"unix://{path}"

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        request, *lines = head.strip().split("\r\n")
        self.asked.append(request)
        self.headers.append(dict(line.split(": ", 1) for line in lines))
        method, target, _ = request.split(" ")
        path = target.partition("?")[0]
        if path.startswith("/v1."):
            path = "/" + path.split("/", 2)[2]
        status, body = self.answers.get(f"{method} {path}", (404, {"message": f"no {path} here"}))
        writer.write(f"HTTP/1.0 {status} X\r\nContent-Type: application/json\r\n\r\n".encode())
        for message in body if isinstance(body, list) else [body]:
            writer.write(json.dumps(message).encode() + b"\r\n")
        await writer.drain()
        writer.close()


@dataclass
class Relay:
    """Carries bytes to a real engine until it is cut: then it is as if the engine had been killed."""

    target: str
    writers: list[asyncio.StreamWriter] = field(default_factory=list)
    server: asyncio.Server | None = None

    async def listen(self, path: Path) -> str:
        self.server = await asyncio.start_unix_server(self._carry, path)
        return f"unix://{path}"

    async def cut(self) -> None:
        assert self.server is not None
        self.server.close()
        for writer in self.writers:
            writer.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_unix_connection(self.target)
        self.writers += [writer, far_writer]
        await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
