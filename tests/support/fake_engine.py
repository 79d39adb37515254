"""An engine whose containers are Python functions: for tests of what happens around containers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path

from stepbridge.engines.base import Container, ContainerSpec, ExecStream, ExitStatus, ImageConfig, OutputLine
from stepbridge.errors import EngineError


class FakeContainer:
    """Runs `script(container)`; what it returns is the exit code."""

    def __init__(self, spec: ContainerSpec, script: Script) -> None:
        self.id = spec.name
        self.spec = spec
        self.removed = False
        self._lines: asyncio.Queue[OutputLine | None] = asyncio.Queue()
        self._task = asyncio.create_task(self._run(script))
        self._task.add_done_callback(lambda task: self._lines.put_nowait(None))

    async def _run(self, script: Script) -> int:
        try:
            return await script(self)
        except asyncio.CancelledError:
            return 143

    def path(self, inside: str) -> Path:
        """Where a path of the container lies on this machine."""
        mounts = [m for m in self.spec.mounts if inside == m.target or inside.startswith(m.target + "/")]
        mount = max(mounts, key=lambda m: len(m.target))
        return mount.source / inside[len(mount.target) :].lstrip("/")

    def say(self, text: str, stream: str = "stdout") -> None:
        self._lines.put_nowait(OutputLine(stream, text))

    async def lines(self) -> AsyncIterator[OutputLine]:
        while (line := await self._lines.get()) is not None:
            yield line

    async def wait(self) -> ExitStatus:
        await asyncio.wait([self._task])
        return ExitStatus(143 if self._task.cancelled() else self._task.result())  # before it had begun

    async def exec(self, argv: tuple[str, ...], user: str | None = None) -> ExecStream:
        raise EngineError("a fake container runs nothing beside its script")

    async def kill(self, signal: str = "KILL") -> None:
        self._task.cancel()

    async def stop(self, grace_seconds: float = 5.0) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])

    async def remove(self) -> None:
        self.removed = True

    def published(self, port: int) -> int:
        raise EngineError(f"port {port} is not published")


Script = Callable[[FakeContainer], Awaitable[int]]


class FakeEngine:
    """Every image exists; `scripts` maps a step's name (its label) to its script."""

    name = "fake"
    gpus = False

    def __init__(self, scripts: Mapping[str, Script]) -> None:
        self.scripts = dict(scripts)
        self.started: list[FakeContainer] = []
        self.networks: set[str] = set()

    async def has_gpus(self) -> bool:
        return self.gpus

    async def image(self, reference: str) -> ImageConfig | None:
        return ImageConfig("sha256:fake", (), ("python3",), {}, "/", "")

    async def pull(
        self, reference: str, auth: Mapping[str, str] | None, progress: Callable[[str, float | None], None]
    ) -> None:
        raise EngineError("a fake engine pulls nothing")

    async def start(self, spec: ContainerSpec) -> Container:
        container = FakeContainer(spec, self.scripts[spec.labels["stepbridge.step"]])
        self.started.append(container)
        return container

    async def network(self, name: str, internal: bool = False) -> None:
        self.networks.add(name)

    async def remove_network(self, name: str) -> None:
        self.networks.discard(name)

    async def find(self, labels: Mapping[str, str]) -> list[Container]:
        return [c for c in self.started if labels.items() <= dict(c.spec.labels).items()]

    def host_address(self) -> str:
        return "127.0.0.1"

    async def close(self) -> None:
        return None
