"""A loopback port for stock DAP clients (VS Code's debugpy type, nvim-dap, dape ...): "attach" there reaches
the step, whichever of its processes is to be debugged, whenever that comes to life.

One editor per process; further processes that hold for an editor (ranks of a distributed job) are announced
to the editor that is there, in debugpy's own way for sub-processes. Opens no port but its own, on loopback.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from stepbridge.errors import DebugError

from . import dap_frames
from .control import DebugStream
from .dap_frames import FrameError, FrameStream
from .proxy import CAPABILITIES, PROCESS_KEY, AttachOptions, Proxy, let_go, response
from .session import StepDebugger


class RelayServer:
    """Serves one step. `listen`, then `close` when the step has ended.

    just_my_code and the debugger's path mappings count where a client's attach request brings none.
    """

    def __init__(self, debugger: StepDebugger, *, just_my_code: bool = True) -> None:
        self._debugger = debugger
        self._just_my_code = just_my_code
        self._server: asyncio.Server | None = None
        self._sessions: set[asyncio.Task[None]] = set()
        # pid -> its editor's session, and the arguments that it attached with
        self._roots: dict[int, tuple[Proxy, dict[str, Any]]] = {}
        self._announced: set[int] = set()
        self._seen: set[tuple[int, int]] = set()  # (process, its sub-process) that an editor came for
        self._announcer: asyncio.Task[None] | None = None
        self.port = 0

    async def listen(self, port: int = 0) -> int:
        """Open the port (0: a free one) and return it.

        Raises:
            DebugError: the port is in use.
        """
        try:
            self._server = await asyncio.start_server(self._connected, "127.0.0.1", port)
        except OSError as error:
            raise DebugError(
                f"Port {port} for the debugger cannot be opened: {error.strerror}.",
                "Choose another --debug-port.",
            ) from None
        self.port = int(self._server.sockets[0].getsockname()[1])
        self._announcer = asyncio.create_task(self._announce())
        return self.port

    async def close(self) -> None:
        """Close the port and end every session; clients get `terminated`."""
        if self._server is not None:
            self._server.close()
        tasks = [*self._sessions, *([self._announcer] if self._announcer else [])]
        await self._finish(tasks)

    async def _finish(self, tasks: list[asyncio.Task[None]]) -> None:
        """Sessions of an ended step say goodbye by themselves; those of a running one are cut off."""
        if self._debugger.ended and self._sessions:
            await asyncio.wait(self._sessions, timeout=3.0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._sessions.add(task)
        client = FrameStream(DebugStream(reader, writer))
        try:
            await self._serve(client)
        except (FrameError, ConnectionError, asyncio.CancelledError):
            pass  # no DAP, gone, or the relay closes: nobody is left to tell
        finally:
            self._sessions.discard(task)
            await client.close()

    async def _serve(self, client: FrameStream) -> None:
        initialize = await self._request(client, "initialize")
        if initialize is None:
            return
        await client.send({"seq": 1, **response(initialize, body=CAPABILITIES)})
        attach = await self._request(client, "attach")
        if attach is None:
            return
        given = attach.get("arguments") or {}
        try:
            pid, stream, sub_process = await self._find_while_present(client, given)
        except DebugError as error:
            await client.send({"seq": 2, **_refusal(attach, error)})
            await client.send({"seq": 3, "type": "event", "event": "terminated"})
            return
        folder = self._debugger.working_folder(pid)
        options = AttachOptions(self._debugger.mappings, self._just_my_code, self.port, folder)
        arguments = options.arguments(given, pid, sub_process=sub_process)
        proxy = Proxy(client, stream, initialize, {**attach, "arguments": arguments})
        if sub_process:
            self._seen.add((pid, given["subProcessId"]))
        else:
            self._roots[pid] = proxy, arguments if given.get("pathMappings") else _without_mappings(arguments)
        try:
            await proxy.run()
        finally:
            if not sub_process:
                self._roots.pop(pid, None)
                self._announced.discard(pid)
                await self._let_go(pid, proxy.children)

    async def _let_go(self, pid: int, children: set[int]) -> None:
        """The editor left between debugpy's announcement of these and its attaching to them."""
        for child in children:
            if (pid, child) not in self._seen:
                with contextlib.suppress(DebugError):
                    await let_go(await self._debugger.connect_more(pid), child)

    async def _request(self, client: FrameStream, command: str) -> dict[str, Any] | None:
        """The next request if it is that one; everything else is answered. None: the client leaves."""
        while (body := await client.read()) is not None:
            message = dap_frames.decode(body)
            if message.get("type") != "request":
                continue
            if message.get("command") == command:
                return message
            leaves = message.get("command") == "disconnect"
            text = "" if leaves else f"{command} is expected here; this server attaches to one pipeline step."
            await client.send({"seq": 2, **response(message, success=leaves, message=text)})
            if leaves:
                return None
        return None

    async def _find_while_present(
        self, client: FrameStream, given: dict[str, Any]
    ) -> tuple[int, DebugStream, bool]:
        """`_process_for`, given up when the client leaves meanwhile. Raises ConnectionError then."""
        finding = asyncio.create_task(self._process_for(given))
        leaving = asyncio.create_task(self._request(client, "configurationDone"))
        try:
            await asyncio.wait((finding, leaving), return_when=asyncio.FIRST_COMPLETED)
            if finding.done():
                return finding.result()
            raise ConnectionAbortedError("the client left before its step came")
        finally:
            leaving.cancel()
            if not finding.done():
                finding.cancel()
                with contextlib.suppress(asyncio.CancelledError, DebugError):
                    await (await finding)[1].close()
            await asyncio.gather(leaving, return_exceptions=True)

    async def _process_for(self, given: dict[str, Any]) -> tuple[int, DebugStream, bool]:
        """(pid, stream, is a sub-process that debugpy announced) for a client's attach arguments."""
        known = {process.pid for process in self._debugger.processes()}
        named, child = given.get(PROCESS_KEY), given.get("subProcessId")
        if isinstance(named, int) and child is not None and child not in known:
            return named, await self._debugger.connect_more(named), True
        wanted = child if child in known else named
        if isinstance(wanted, int):
            return wanted, await self._debugger.connect(wanted), False
        while True:
            process = await self._debugger.candidate()
            with contextlib.suppress(DebugError):
                return process.pid, await self._debugger.connect(process.pid), False

    async def _announce(self) -> None:
        """Tell the editor that is there of processes which hold for one."""
        with contextlib.suppress(DebugError):
            while True:
                await self._debugger.changed()
                if not self._roots:
                    continue
                proxy, arguments = next(iter(self._roots.values()))
                for process in self._debugger.waiting():
                    if process.pid not in self._announced:
                        self._announced.add(process.pid)
                        await proxy.start_session(_configuration(arguments, process.pid))


def _without_mappings(arguments: dict[str, Any]) -> dict[str, Any]:
    """A process that is announced gets its own, where the client has none."""
    return {key: value for key, value in arguments.items() if key != "pathMappings"}


def _configuration(arguments: dict[str, Any], pid: int) -> dict[str, Any]:
    kept = {
        key: value for key, value in arguments.items() if key not in ("request", "preLaunchTask", "processId")
    }
    return {**kept, "name": f"Process {pid}", "subProcessId": pid, PROCESS_KEY: pid}


def _refusal(request: dict[str, Any], error: DebugError) -> dict[str, Any]:
    body = {"error": {"id": 1, "format": str(error), "showUser": True}}
    return response(request, success=False, message=error.message, body=body)
