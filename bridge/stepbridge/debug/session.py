"""The debugger of one container: what it adds to the container's spec, which processes checked in, and a way
to each of them.

Nothing of the user's is touched: no entry point, no file, no port. A mount, and an environment variable that
Python itself looks at. Knows ContainerSpec and Container; knows neither steps nor editors.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from stepbridge.engines.base import ContainerSpec, Mount
from stepbridge.errors import DebugError

from .control import ControlServer, DebuggedProcess, DebugStream
from .debugpy_cache import DebugpyCache
from .plan import VARIABLE, DebugPlan, PathMapping, ScriptTarget, encode, to_local

ROOT = "/opt/stepbridge"  # of what we mount into containers

_HOLDING = ("crashed", "waiting")
_OPEN = ("listening", "detached", "released")


class Waits(Protocol):
    """All that `watch` needs of a container."""

    async def wait(self) -> object: ...


class StepDebugger:
    """One per container. `instrument` before it starts, `watch` beside it, the rest in between.

    Args:
        runtime: a short private folder for this container alone (its path under 90 bytes).
        script: which processes are the user's; None: any script in the usual folders.
        on_state: called as on_state(state, process) at each change, states as in events.StepDebug.
        tcp_host: see ControlServer; `host` is then this machine's name inside of containers.
    """

    def __init__(
        self,
        plan: DebugPlan,
        *,
        script: ScriptTarget | None,
        mappings: tuple[PathMapping, ...],
        runtime: Path,
        debugpy: DebugpyCache,
        on_state: Callable[[str, DebuggedProcess], None] | None = None,
        tcp_host: str | None = None,
        host: str = "host.docker.internal",
    ) -> None:
        self.plan = plan
        self.mappings = mappings
        self.on_state = on_state
        self._script = script or ScriptTarget()
        self._runtime = runtime
        self._cache = debugpy
        self._tcp_host = tcp_host
        self._host = host
        self._server: ControlServer | None = None
        self._taken: set[int] = set()  # pids that an editor holds now
        self._ended = False

    # -- before and beside the container --------------------------------------------------------------

    def instrument(
        self, spec: ContainerSpec, image_environment: Mapping[str, str] | None = None, root: str = ROOT
    ) -> ContainerSpec:
        """The spec with our mounts and environment; unchanged where nothing is to be debugged.

        image_environment: the image's own variables; its PYTHONPATH stays behind ours.
        root: where the container sees our files.

        Raises:
            DebugError: debugpy is not to be had, or the runtime folder's path is too long.
        """
        if not self.plan.active:
            return spec
        versions = self._cache.prepare()
        payload = self._cache.payload()
        self._server = ControlServer(self._runtime, self._changed, tcp_host=self._tcp_host)
        mounts = (
            Mount(payload, f"{root}/payload", read_only=True),
            Mount(versions, f"{root}/debugpy", read_only=True),
            Mount(self._server.shared, f"{root}/run", read_only=True),
        )
        environment = self.environment(f"{root}/payload", f"{root}/debugpy", f"{root}/run")
        own = spec.environment.get("PYTHONPATH") or (image_environment or {}).get("PYTHONPATH") or ""
        environment["PYTHONPATH"] = environment["PYTHONPATH"] + (f":{own}" if own else "")
        return spec.with_mounts(*mounts).with_environment(**environment)

    def environment(self, payload: str, debugpy: str, run: str) -> dict[str, str]:
        """What tells a Python process of ours, given where it sees the payload, debugpy and the socket."""
        assert self._server is not None
        control = self._server.address(run, self._host)
        return {
            "PYTHONPATH": f"{payload}/site",
            VARIABLE: encode(self.plan, self._script, control, debugpy),
        }

    async def watch(self, container: Waits) -> None:
        """Serve the processes of the container until it has ended. Reports "absent" where none checked in."""
        if self._server is None:
            await container.wait()
            return
        await self._server.serve()
        try:
            await container.wait()
        finally:
            self._ended = True
            seen = self._server.seen_any
            await self._server.close()
        if not seen:
            self._report("absent", DebuggedProcess(pid=0, state="absent"))

    async def close(self) -> None:
        """For a container that never started."""
        self._ended = True
        if self._server is not None:
            await self._server.close()

    @property
    def ended(self) -> bool:
        return self._ended

    # -- processes ------------------------------------------------------------------------------------

    def processes(self) -> tuple[DebuggedProcess, ...]:
        """Those that run now and checked in."""
        return self._server.processes() if self._server else ()

    async def candidate(self) -> DebuggedProcess:
        """The process that an editor which asks for "the step" gets; waits until there is one.

        Prefers one that crashed, then one that waits, then one that listens, then (mode "arm") an armed one,
        and each time the step's own script; of armed model servers the youngest, which is a worker.

        Raises:
            DebugError: the step has ended, or nothing in it is to be debugged.
        """
        while True:
            if (best := self._best()) is not None:
                return best
            await self._live().changed()

    def _best(self) -> DebuggedProcess | None:
        ranked = [
            (rank, process.role != "script", *self._age(index, process), process)
            for index, process in enumerate(self.processes())
            if process.pid not in self._taken and (rank := self._rank(process.state)) is not None
        ]
        return min(ranked, key=lambda entry: entry[:4])[4] if ranked else None

    def _age(self, index: int, process: DebuggedProcess) -> tuple[bool, int]:
        """The lowest comes first."""
        youngest = self._script.servers and process.state == "armed"
        return (False, -index) if youngest else (process.forked, index)

    def _rank(self, state: str) -> int | None:
        if state in _HOLDING:
            return _HOLDING.index(state)
        if state in _OPEN:
            return 2
        return 3 if state == "armed" and self.plan.mode == "arm" else None

    async def changed(self) -> None:
        """Returns at the next change of a process; raises DebugError when the step has ended."""
        await self._live().changed()

    def waiting(self) -> tuple[DebuggedProcess, ...]:
        """Processes that hold for an editor and have none."""
        return tuple(p for p in self.processes() if p.state in _HOLDING and p.pid not in self._taken)

    async def attach_now(self, pid: int | None = None) -> None:
        """Have armed processes (all, or that one) load debugpy now; returns when they listen.

        Raises:
            DebugError: there is no such process, or debugpy does not load there.
        """
        armed = [p.pid for p in self.processes() if p.state == "armed" and pid in (None, p.pid)]
        for each in armed:
            self._live().tell(each, "attach")
        await asyncio.gather(*(self._until_listening(each) for each in armed))

    async def connect(self, pid: int) -> DebugStream:
        """A stream to the debugpy of that process; an armed one is woken up. One editor at a time.

        Raises:
            DebugError: the process is gone, is held by another editor, or debugpy did not load in it.
        """
        process = self._process(pid)
        if pid in self._taken:
            raise DebugError(
                f"Process {pid} is being debugged by another editor.", "Disconnect that one first."
            )
        self._taken.add(pid)
        try:
            if process.state in ("armed", "detached", "released"):
                self._live().tell(pid, "attach")  # loads debugpy, or has it trace again
            await self._until_listening(pid)
            stream = await self._live().tunnel(pid)
        except BaseException:
            self._taken.discard(pid)
            raise
        if self._process(pid).state in _OPEN:
            self._live().update(pid, state="attached")
        return _Taken(stream, lambda: self._left(pid))

    async def connect_more(self, pid: int) -> DebugStream:
        """One more stream to an adapter that an editor holds, for sub-processes that debugpy announced."""
        self._process(pid)
        return await self._live().tunnel(pid, more=True)

    async def release(self, pid: int | None = None) -> None:
        """Let processes that wait or crashed (all, or that one) go on."""
        for process in self.processes():
            if process.state in _HOLDING and pid in (None, process.pid):
                self._live().tell(process.pid, "release")

    def working_folder(self, pid: int) -> str:
        """Of a process when it started, in the container; "" where that is not known."""
        return next((process.cwd for process in self.processes() if process.pid == pid), "")

    def local_file(self, remote: str) -> Path | None:
        return to_local(self.mappings, remote)

    # -- inside ---------------------------------------------------------------------------------------

    def _live(self) -> ControlServer:
        if self._server is None:
            raise DebugError("Nothing in this step is to be debugged.", "Start it with --debug or --arm.")
        if self._ended:
            raise DebugError("The step has ended.")
        return self._server

    def _process(self, pid: int) -> DebuggedProcess:
        for process in self.processes():
            if process.pid == pid:
                return process
        raise DebugError(f"Process {pid} of the step has ended.")

    async def _until_listening(self, pid: int) -> None:
        while (process := self._process(pid)).state in ("started", "armed"):
            await self._live().changed()
        if process.state == "failed":
            raise DebugError(f"debugpy did not load in process {pid}: {process.error}")

    def _left(self, pid: int) -> None:
        self._taken.discard(pid)
        if self._server is None or self._ended:
            return
        with contextlib.suppress(DebugError):
            if self._process(pid).state == "attached":
                self._server.update(pid, state="detached")
            self._server.tell(pid, "untrace")
        self._server.wake()

    def _changed(self, process: DebuggedProcess) -> None:
        if process.state != "started":
            self._report(process.state, process)

    def _report(self, state: str, process: DebuggedProcess) -> None:
        if self.on_state is not None:
            self.on_state(state, process)


class _Taken(DebugStream):
    """A stream whose end frees its process for the next editor."""

    def __init__(self, stream: DebugStream, left: Callable[[], None]) -> None:
        self.reader = stream.reader
        self._stream = stream
        self._left: Callable[[], None] | None = left

    async def write(self, data: bytes) -> None:
        await self._stream.write(data)

    async def close(self) -> None:
        left, self._left = self._left, None
        try:
            await self._stream.close()
        finally:
            if left is not None:
                left()
