"""A "container" that is a plain process of this machine: enough to test the debugger without an engine.

The paths which a container would see are this machine's own, by the debugger's `environment`.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from msgspec.structs import replace
from stepbridge.debug import DebuggedProcess, DebugPlan, DebugpyCache, PathMapping, ScriptTarget, StepDebugger
from stepbridge.engines.base import ContainerSpec, ExitStatus


class LocalStep:
    """Runs one command under a StepDebugger.

    async with LocalStep(cache, plan, ["python3.9", "train.py"], cwd=folder) as step:
        process = await step.state("waiting")
    """

    def __init__(
        self,
        cache: DebugpyCache,
        plan: DebugPlan,
        argv: Sequence[str],
        *,
        cwd: Path,
        script: ScriptTarget | None = None,
        mappings: tuple[PathMapping, ...] = (),
        environment: dict[str, str] | None = None,
        python_path: str = "",
    ) -> None:
        self.states: list[tuple[str, DebuggedProcess]] = []
        self._argv = [str(word) for word in argv]
        self._cwd = cwd
        self._extra = environment or {}
        self._python_path = python_path
        self._runtime = tempfile.TemporaryDirectory(prefix="sb-")
        self.runtime = Path(self._runtime.name)
        self._changed = asyncio.Condition()
        self._cache = cache
        self.debugger = StepDebugger(
            plan,
            script=script or ScriptTarget(files=("script.py",), prefixes=(str(cwd),)),
            mappings=mappings,
            runtime=self.runtime,
            debugpy=cache,
            on_state=self._on_state,
        )

    def _on_state(self, state: str, process: DebuggedProcess) -> None:
        self.states.append((state, process))
        asyncio.ensure_future(self._notify())  # noqa: RUF006

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def environment(self) -> dict[str, str]:
        spec = ContainerSpec(name="local", image="none", environment={"PYTHONPATH": self._python_path})
        spec = self.debugger.instrument(spec)
        ours = dict(spec.environment)
        for mount in spec.mounts:  # where a container would see the target, this process sees the source
            ours = {key: value.replace(mount.target, str(mount.source)) for key, value in ours.items()}
        plain = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "STEPBRIDGE"))}
        ours = {key: value for key, value in ours.items() if value}
        return {**plain, **ours, **self._extra}

    async def __aenter__(self) -> Self:
        self.process = await asyncio.create_subprocess_exec(
            *self._argv,
            cwd=self._cwd,
            env=self.environment(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        self._output = asyncio.create_task(self.process.communicate())
        self._watching = asyncio.create_task(self.debugger.watch(self))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.returncode is None:
            self.process.kill()
        await asyncio.gather(self._output, self._watching, return_exceptions=True)
        self._runtime.cleanup()

    async def wait(self) -> ExitStatus:
        code = await self.process.wait()
        return ExitStatus(code if code >= 0 else 128 - code)

    async def state(self, *wanted: str, timeout: float = 60.0) -> DebuggedProcess:
        """The first process that is, or was, in one of these states."""
        async with asyncio.timeout(timeout), self._changed:
            while True:
                for state, process in self.states:
                    if state in wanted:
                        return replace(process)
                if self.process.returncode is not None and self._watching.done():
                    out, err = await self._output
                    raise AssertionError(f"ended in {self.names()}; {out.decode()} {err.decode()}")
                waiting = asyncio.ensure_future(self._changed.wait())
                await asyncio.wait({waiting}, timeout=1.0)
                if not waiting.done():
                    waiting.cancel()
                    await asyncio.gather(waiting, return_exceptions=True)

    def names(self) -> list[str]:
        return [state for state, _ in self.states]

    async def result(self, timeout: float = 60.0) -> tuple[int, str, str]:
        """(exit code, standard output, standard error) once it has ended and the debugger has noticed."""
        async with asyncio.timeout(timeout):
            out, err = await self._output
            await self._watching
        return (await self.wait()).code, out.decode(), err.decode()


async def plain(
    argv: Sequence[str], *, cwd: Path, environment: dict[str, str] | None = None
) -> tuple[int, str, str]:
    """The same command with no debugger at all."""
    clean: dict[str, Any] = {
        k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "STEPBRIDGE"))
    }
    process = await asyncio.create_subprocess_exec(
        *[str(word) for word in argv],
        cwd=cwd,
        env={**clean, **(environment or {})},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    code = process.returncode
    assert code is not None
    return code if code >= 0 else 128 - code, out.decode(), err.decode()


PYTHON = sys.executable
