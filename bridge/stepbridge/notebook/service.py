"""`stepbridge.local()`: this process's AWS calls go to a bridge in this process.

The bridge runs on a thread of its own. What the program runner does for a program it starts (environment
variables, boto3's endpoint, the SDK's local mode) is done for this process, and put back at the end.
"""

from __future__ import annotations

import asyncio
import atexit
import contextvars
import gc
import importlib
import io
import os
import sys
import tempfile
import threading
from collections.abc import Coroutine, Iterable, Mapping
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, Self, TypeVar

from stepbridge.bridge import Bridge
from stepbridge.cli.console import lines_to
from stepbridge.cli.launch_json import LaunchJsonWriter
from stepbridge.cli.progress import PlainView
from stepbridge.debug import DebugChoice
from stepbridge.errors import StepBridgeError
from stepbridge.program.runner import PAYLOAD, VARIABLE, program_environment
from stepbridge.run_request import RunRequest
from stepbridge.settings import Workspace

T = TypeVar("T")
_open: LocalService | None = None


def local(
    folder: str | Path = ".",
    *,
    debug: str | Iterable[str] = (),
    arm: bool = False,
    post_mortem: bool = False,
    use_cache: bool | None = None,
    engine: str | None = None,
    images: Mapping[str, str] | None = None,
    aws: bool | None = None,
    quiet: bool = False,
) -> LocalService:
    """The local service for this process, from `with` (or `open()`) to the block's end (or `close()`).

        with stepbridge.local(debug="Train"):
            session = PipelineSession()
            ...
            pipeline.start().wait()

    boto3 clients made inside, and processes started inside, talk to it; clients made before, to AWS.

    Args:
        folder: where to look for the workspace and its settings.
        debug: steps that wait for a debugger, by name; "all".
        arm: every step can be attached to at any time.
        post_mortem: a step that crashes waits for a debugger at the raising line.
        use_cache: reuse unchanged steps, or never; None: as each step's CacheConfig says.
        engine: "auto", "docker" or "process"; None: as the settings say.
        images: glob of an image URI -> local image, before those of the settings.
        aws: missing inputs come from the user's own S3, outputs go there; None: as the settings say.
        quiet: print nothing of what the steps do.

    Raises:
        ConfigurationError: the settings cannot be read.
    """
    service = LocalService(
        Workspace.find(Path(folder)), engine=engine, images=images or {}, aws=aws, quiet=quiet
    )
    service.ask(debug=debug, arm=arm, post_mortem=post_mortem, use_cache=use_cache)
    return service


class LocalService:
    """A bridge for this process. `open` once, `close` once; a context manager does both."""

    def __init__(
        self,
        workspace: Workspace,
        *,
        engine: str | None,
        images: Mapping[str, str],
        aws: bool | None,
        quiet: bool,
    ) -> None:
        self.workspace = workspace
        self._engine = engine
        self._images = images
        self._aws = aws
        self._quiet = quiet
        self._request = RunRequest(target="")
        self._thread: _LoopThread | None = None
        self._bridge: Bridge | None = None
        self._before: dict[str, str | None] = {}  # the environment variables that we changed

    def ask(
        self,
        *,
        debug: str | Iterable[str] = (),
        arm: bool = False,
        post_mortem: bool = False,
        use_cache: bool | None = None,
    ) -> None:
        """How executions run that start from now on; the arguments are those of `local`."""
        wait = frozenset([debug] if isinstance(debug, str) else debug)
        choice = DebugChoice(wait, arm, post_mortem, self.workspace.settings.debug)
        self._request = RunRequest(
            target="", debug=choice.plan, debugged_steps=choice.named, use_cache=use_cache
        )
        if self._thread is not None:
            self._thread.call(self._serve())

    @property
    def url(self) -> str:
        """Of the endpoint that stands in for AWS. Raises StepBridgeError where the service is not open."""
        if self._bridge is None:
            raise StepBridgeError("The local service is not open", "Use it in a with block, or call open().")
        return self._bridge.endpoint.url

    def open(self) -> Self:
        """Raises StepBridgeError where another one is open in this process."""
        global _open
        if _open is not None:
            raise StepBridgeError(
                "A local service is open in this process already", "Close it before the next one opens."
            )
        _open = self
        self._records = tempfile.TemporaryDirectory(prefix="stepbridge-program-")
        self._thread = _LoopThread()
        try:
            self._thread.call(self._start())
            self._enter()
        except BaseException:
            self.close()
            raise
        atexit.register(self.close)
        return self

    def close(self) -> None:
        """Stop what runs; this process's AWS calls go where they went before."""
        global _open
        if self._thread is None:
            return
        atexit.unregister(self.close)
        self._leave()
        if self._bridge is not None:
            self._thread.call(self._bridge.close())
            self._bridge = None
        self._thread.close()
        self._thread = None
        self._records.cleanup()
        _open = None

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # on the bridge's thread

    async def _start(self) -> None:
        self._bridge = bridge = await Bridge.open(
            self.workspace, engine=self._engine, images=self._images, aws=self._aws
        )
        bridge.bus.listen(LaunchJsonWriter(bridge))
        if not self._quiet:
            bridge.bus.listen(PlainView(lines_to(_StandardOutput()), self.workspace.s3))
        await self._serve()

    async def _serve(self) -> None:
        assert self._bridge is not None
        self._program_endpoint = self._bridge.serve(self._request, Path(self._records.name))

    # on the caller's

    def _enter(self) -> None:
        before = dict(os.environ)
        wanted = program_environment(
            before, self._program_endpoint, Path(self._records.name), self.workspace.root.resolve()
        )
        self._before = {name: before.get(name) for name in before.keys() | wanted.keys()}
        _set_environment({name: wanted.get(name) for name in self._before})
        for note in _clients_of_before():
            print(note, file=sys.stderr)
        _payload().enter(wanted[VARIABLE])

    def _leave(self) -> None:
        if not self._before:
            return
        _payload().leave()
        _set_environment(self._before)
        self._before = {}


class _LoopThread:
    """An asyncio loop on a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        # an empty context: what is printed there belongs to the cell that runs, not to the one that began
        context = contextvars.Context()
        self._thread = threading.Thread(
            target=context.run, args=(self._loop.run_forever,), name="stepbridge", daemon=True
        )
        self._thread.start()

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """The coroutine's result, waited for on the caller's thread."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class _StandardOutput(io.StringIO):
    """Standard output as it is at each write: kernels and tests exchange it."""

    def write(self, text: str) -> int:
        return sys.stdout.write(text)

    def flush(self) -> None:
        sys.stdout.flush()


def _payload() -> ModuleType:
    """`_stepbridge_program.startup`, which needs no place on the path once it is imported."""
    sys.path.insert(0, str(PAYLOAD))
    try:
        return importlib.import_module("_stepbridge_program.startup")
    finally:
        sys.path.remove(str(PAYLOAD))


def _set_environment(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _clients_of_before() -> list[str]:
    """A note where AWS clients exist already; whoever holds one would be surprised to find it at AWS."""
    module = sys.modules.get("botocore.client")
    if module is None:
        return []
    clients = [item for item in gc.get_objects() if issubclass(type(item), module.BaseClient)]
    elsewhere = [client for client in clients if "//127.0.0.1:" not in client.meta.endpoint_url]
    names = sorted({client.meta.service_model.service_name for client in elsewhere})
    if not names:
        return []
    made = ", ".join(names)
    return [f"stepbridge: AWS clients made before ({made}) still talk to AWS; make sessions afterwards."]
