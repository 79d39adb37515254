"""A raw client of the Debug Adapter Protocol for tests: asyncio, strict, with futures for what comes in.

Strict means: a message that is no DAP, a response to no request of ours, or a request that no test expects
fails the test at its next call. Written from the protocol's specification alone, with no code of the product.

    async with await DapClient.connect("127.0.0.1", port) as client:
        await client.attach(breakpoints={"/x/train.py": [3]})
        stopped = await client.stopped()
        frames = await client.stack(stopped["threadId"])
        values = await client.local_variables(frames[0]["id"])
        await client.resume(stopped["threadId"])
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

JSON = dict[str, Any]

TIMEOUT = 60.0  # seconds; generous, for a busy machine


class DapError(AssertionError):
    """The other side broke the protocol, or said no."""


class Refusal(Exception):
    """Raised by what `answer` was given: the answer is no."""


class RequestFailed(DapError):
    """A response with success false."""

    def __init__(self, response: JSON) -> None:
        super().__init__(f"{response['command']}: {response.get('message', '')} {response.get('body', '')}")
        self.response = response


class DapClient:
    """One session. All that came in is kept in `messages`, in order."""

    def __init__(self, reader: asyncio.StreamReader, write: Callable[[bytes], Any], close: Callable[[], Any]):
        self.messages: list[JSON] = []
        self.closed = asyncio.Event()
        self.capabilities: JSON = {}
        self._reader = reader
        self._write = write
        self._close = close
        self._seq = 0
        self._pending: dict[int, tuple[str, asyncio.Future[JSON]]] = {}
        self._seen = 0  # messages before this index were consumed by `event`
        self._changed = asyncio.Condition()
        self._broken: Exception | None = None
        self._answers: dict[str, Callable[[JSON], JSON]] = {}
        self._task = asyncio.create_task(self._read_all())

    @classmethod
    async def connect(cls, host: str, port: int) -> DapClient:
        reader, writer = await asyncio.open_connection(host, port)
        return cls(reader, writer.write, writer.close)

    @classmethod
    async def over(cls, stream: Any) -> DapClient:
        """Over a byte stream with `reader`, `async write(bytes)` and `async close()`."""
        tasks: set[asyncio.Task[None]] = set()

        def later(work: Any) -> None:
            task = asyncio.ensure_future(work)
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        return cls(stream.reader, lambda data: later(stream.write(data)), lambda: later(stream.close()))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
        if kind is None:
            self._check()

    # -- messages -------------------------------------------------------------------------------------

    def send(self, message: JSON) -> int:
        """Send with the next sequence number; returns it."""
        self._seq += 1
        body = json.dumps({"seq": self._seq, **message}).encode()
        self._write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        return self._seq

    def begin(self, command: str, arguments: JSON | None = None) -> asyncio.Future[JSON]:
        """Send a request now; the future is its response's body. RequestFailed where the answer is no."""
        self._check()
        message: JSON = {"type": "request", "command": command}
        if arguments is not None:
            message["arguments"] = arguments
        future: asyncio.Future[JSON] = asyncio.get_running_loop().create_future()
        self._pending[self.send(message)] = command, future
        return future

    async def request(self, command: str, arguments: JSON | None = None) -> JSON:
        """A request and its response's body."""
        return await asyncio.wait_for(self.begin(command, arguments), TIMEOUT)

    def answer(self, command: str, how: Callable[[JSON], JSON]) -> None:
        """Answer reverse requests of that name with the body `how(arguments)`; no where it raises Refusal."""
        self._answers[command] = how

    async def event(self, name: str, where: Callable[[JSON], bool] = lambda body: True) -> JSON:
        """The body of the next event of that name (after those consumed before); waits for it."""
        return (
            await self.next(lambda m: m["type"] == "event" and m["event"] == name and where(body_of(m)))
        ).get("body", {})

    async def next(self, matches: Callable[[JSON], bool]) -> JSON:
        """The next message that matches, of any kind; consumes it and all before it."""
        async with asyncio.timeout(TIMEOUT), self._changed:
            while True:
                for index in range(self._seen, len(self.messages)):
                    if matches(self.messages[index]):
                        self._seen = index + 1
                        return self.messages[index]
                self._check()
                if self.closed.is_set():
                    raise DapError(f"closed while waiting; the last messages: {self.messages[-5:]}")
                await self._changed.wait()

    async def more(self, seen: int) -> None:
        """Returns when there are more than `seen` messages, or the session is closed."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self.messages) > seen or self.closed.is_set())

    def events(self, name: str) -> list[JSON]:
        """Bodies of all events of that name so far."""
        return [body_of(m) for m in self.messages if m["type"] == "event" and m["event"] == name]

    def output(self, category: str | None = None) -> str:
        return "".join(
            body["output"]
            for body in self.events("output")
            if (category is None or body.get("category") == category) and body.get("category") != "telemetry"
        )

    # -- what every session does ----------------------------------------------------------------------

    async def initialize(self, **arguments: Any) -> JSON:
        given = {"clientID": "test", "adapterID": "debugpy", "pathFormat": "path", **arguments}
        self.capabilities = await self.request("initialize", given)
        return self.capabilities

    async def attach(
        self,
        arguments: JSON | None = None,
        *,
        command: str = "attach",
        breakpoints: Mapping[str, Sequence[int | JSON]] | None = None,
        exceptions: Sequence[str] = (),
        initialize: JSON | None = None,
        expect_verified: bool = True,
    ) -> JSON:
        """initialize, attach (or launch), breakpoints, configurationDone; returns the attach response."""
        await self.initialize(**(initialize or {}))
        attached = self.begin(command, arguments or {})
        await self.first_of(attached, self.event("initialized"))
        for path, lines in (breakpoints or {}).items():
            answer = await self.set_breakpoints(path, lines)
            if expect_verified:
                assert all(b["verified"] for b in answer), answer
        await self.request("setExceptionBreakpoints", {"filters": list(exceptions)})
        await self.request("configurationDone")
        return await asyncio.wait_for(attached, TIMEOUT)

    async def first_of(self, may_fail: asyncio.Future[JSON], wanted: Any) -> None:
        """Wait for `wanted`, but fail at once when the request fails."""
        task = asyncio.ensure_future(wanted)
        await asyncio.wait({task, may_fail}, timeout=TIMEOUT, return_when=asyncio.FIRST_COMPLETED)
        if may_fail.done() and may_fail.exception() is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            may_fail.result()
        await task

    async def set_breakpoints(self, path: str, lines: Sequence[int | JSON]) -> list[JSON]:
        given = [line if isinstance(line, dict) else {"line": line} for line in lines]
        answer = await self.request("setBreakpoints", {"source": {"path": path}, "breakpoints": given})
        result: list[JSON] = answer["breakpoints"]
        return result

    async def stopped(self, reason: str | None = None) -> JSON:
        """The body of the next `stopped` event, which must have that reason."""
        body = await self.event("stopped")
        assert reason is None or body["reason"] == reason, body
        return body

    async def stack(self, thread: int) -> list[JSON]:
        frames: list[JSON] = (await self.request("stackTrace", {"threadId": thread}))["stackFrames"]
        return frames

    async def local_variables(self, frame: int) -> dict[str, str]:
        """{name: value as shown} of the frame's first scope."""
        scopes = (await self.request("scopes", {"frameId": frame}))["scopes"]
        shown = await self.request("variables", {"variablesReference": scopes[0]["variablesReference"]})
        groups = ("special variables", "function variables", "class variables")  # debugpy's folded rows
        return {v["name"]: v["value"] for v in shown["variables"] if v["name"] not in groups}

    async def evaluate(self, expression: str, frame: int) -> str:
        answer = await self.request(
            "evaluate", {"expression": expression, "frameId": frame, "context": "repl"}
        )
        return str(answer["result"])

    async def resume(self, thread: int, command: str = "continue") -> None:
        """continue, next, stepIn, stepOut."""
        await self.request(command, {"threadId": thread})

    async def where(self) -> tuple[str, int, JSON, JSON]:
        """(path, line, top frame, stopped body) of the next stop."""
        body = await self.stopped()
        top = (await self.stack(body["threadId"]))[0]
        return top["source"]["path"], top["line"], top, body

    async def disconnect(self, **arguments: Any) -> None:
        await self.request("disconnect", arguments)
        await self.close()

    async def close(self) -> None:
        """Hang up, as an editor that dies does."""
        self._close()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    # -- inside ---------------------------------------------------------------------------------------

    async def _read_all(self) -> None:
        try:
            while (message := await self._read_one()) is not None:
                self._take(message)
                async with self._changed:
                    self.messages.append(message)
                    self._changed.notify_all()
        except (DapError, ConnectionError) as error:
            self._broken = error if isinstance(error, DapError) else None
        finally:
            self.closed.set()
            for _, future in self._pending.values():
                if not future.done():
                    future.set_exception(DapError(f"closed before the response; {self._broken or ''}"))
                    future.exception()  # retrieved: whoever still waits gets it all the same
            with contextlib.suppress(asyncio.CancelledError):
                async with self._changed:
                    self._changed.notify_all()

    async def _read_one(self) -> JSON | None:
        try:
            header = await self._reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            if error.partial:
                raise DapError(f"the stream ended inside a header: {error.partial!r}") from None
            return None
        if not header.startswith(b"Content-Length: "):
            raise DapError(f"not a DAP header: {header!r}")
        try:
            message = json.loads(await self._reader.readexactly(int(header[16:])))
        except (ValueError, asyncio.IncompleteReadError) as error:
            raise DapError(f"a bad message: {error}") from None
        return dict(message)

    def _take(self, message: JSON) -> None:
        kind = message.get("type")
        if not isinstance(message.get("seq"), int) or kind not in ("request", "response", "event"):
            raise DapError(f"not a message of the protocol: {message}")
        if kind == "response":
            command, future = self._pending.pop(message["request_seq"], (None, None))
            if future is None or command != message["command"]:
                raise DapError(f"a response to no request of ours: {message}")
            if future.cancelled():
                return
            if message["success"]:
                future.set_result(message.get("body") or {})
            else:
                future.set_exception(RequestFailed(message))
                future.exception()
        elif kind == "request":
            how = self._answers.get(message["command"])
            if how is None:
                raise DapError(f"a request that no one expects: {message}")
            answer = {"type": "response", "request_seq": message["seq"], "command": message["command"]}
            try:
                body = how(message.get("arguments", {}))
            except Refusal as refusal:
                self.send({**answer, "success": False, "message": str(refusal)})
            else:
                self.send({**answer, "success": True, "body": body})

    def _check(self) -> None:
        if self._broken is not None:
            raise self._broken


def body_of(message: JSON) -> JSON:
    body: JSON = message.get("body") or {}
    return body


@contextlib.asynccontextmanager
async def follow(host: str, port: int, breakpoints: Mapping[str, Sequence[int]]) -> AsyncIterator[Editor]:
    """An editor at a step's relay that opens a session for each process it is told of, as VS Code does."""
    editor = Editor(host, port, breakpoints)
    try:
        await editor.open()
        yield editor
    finally:
        await editor.close()


class Editor:
    """Sessions with the same breakpoints. Made by `follow`."""

    def __init__(self, host: str, port: int, breakpoints: Mapping[str, Sequence[int]]) -> None:
        self.clients: list[DapClient] = []
        self._address = host, port
        self.breakpoints = breakpoints
        self._stops: asyncio.Queue[tuple[DapClient, JSON]] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self, configuration: JSON | None = None) -> None:
        client = await DapClient.connect(*self._address)
        self.clients.append(client)
        await client.attach(configuration, breakpoints=self.breakpoints)
        self._tasks.append(asyncio.create_task(self._watch(client)))

    async def stopped(self) -> tuple[DapClient, JSON]:
        """The session that stops next, and the body of its event."""
        return await asyncio.wait_for(self._stops.get(), TIMEOUT)

    async def _watch(self, client: DapClient) -> None:
        seen = 0
        while not client.closed.is_set() or seen < len(client.messages):
            await client.more(seen)
            new, seen = client.messages[seen:], len(client.messages)
            for message in new:
                if message.get("event") == "debugpyAttach":
                    await self.open(body_of(message))
                elif message.get("event") == "stopped":
                    self._stops.put_nowait((client, body_of(message)))

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for client in self.clients:
            await client.close()
