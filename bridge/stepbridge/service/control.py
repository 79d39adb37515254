"""What other commands of this workspace may ask a running bridge: its runs, their debuggers, to stop.

Routes under `/_stepbridge/`, for holders of the bridge's token. Answers are JSON; events are JSON lines.
"""

from __future__ import annotations

import json
import queue
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from stepbridge import events
from stepbridge.errors import StepBridgeError
from stepbridge.events import AnyEvent, EventBus
from stepbridge.execution.debugging import Debuggers
from stepbridge.execution.executions import Executions

from .admin import json_answer
from .endpoint import Endpoint
from .http import Request, Response

Parts = Mapping[str, str]
_BODY_LIMIT = 1 << 20  # bytes


class Control:
    """The routes of one bridge. Handlers run on the endpoint's threads."""

    def __init__(
        self,
        executions: Executions,
        debuggers: Debuggers,
        bus: EventBus,
        in_loop: Callable[[Callable[[], Any]], Any],
    ) -> None:
        self._executions = executions
        self._debuggers = debuggers
        self._bus = bus
        self._in_loop = in_loop  # runs a function on the bridge's loop, returns its result

    def install(self, endpoint: Endpoint) -> None:
        prefix = "/_stepbridge/runs"
        endpoint.route(f"GET {prefix}", self._runs)
        endpoint.route(f"POST {prefix}/{{run}}/stop", self._stop)
        endpoint.route(f"GET {prefix}/{{run}}/events", self._events)
        endpoint.route(f"GET {prefix}/{{run}}/steps", self._steps)
        endpoint.route(f"GET {prefix}/{{run}}/steps/{{step}}/debug", self._debug)
        endpoint.route(f"POST {prefix}/{{run}}/steps/{{step}}/restart", self._restart)
        endpoint.route("GET /_stepbridge/callbacks", self._callbacks)
        endpoint.route("POST /_stepbridge/callbacks/{token}", self._answer)

    def _runs(self, request: Request, parts: Parts) -> Response:
        return json_answer([{"run": run, "pipeline": e.record.pipeline} for run, e in self._live().items()])

    def _stop(self, request: Request, parts: Parts) -> Response:
        self._executions.stop(self._need(parts["run"]))
        return json_answer({})

    def _restart(self, request: Request, parts: Parts) -> Response:
        self._executions.restart_step(self._need(parts["run"]), parts["step"])
        return json_answer({})

    def _callbacks(self, request: Request, parts: Parts) -> Response:
        return json_answer(self._executions.waiting_callbacks())

    def _answer(self, request: Request, parts: Parts) -> Response:
        """Body: {"outputs": {name: text}} for success, {"failure": text} for failure."""
        said = json.loads(request.read_all(_BODY_LIMIT))
        if "failure" in said:
            found = self._executions.step_failed(parts["token"], said["failure"])
        else:
            found = self._executions.step_succeeded(parts["token"], said["outputs"])
        if found is None:
            raise StepBridgeError(f"No step waits with the token {parts['token']}")
        return json_answer({"execution": found})

    def _steps(self, request: Request, parts: Parts) -> Response:
        """Names of the steps that run now."""
        execution = self._executions.live[self._need(parts["run"])]
        return json_answer(self._in_loop(lambda: execution.under_way))

    def _debug(self, request: Request, parts: Parts) -> Response:
        """Port, processes and path mappings of a step that can be debugged now; `port` is algo-1's."""
        run, step = self._need(parts["run"]), parts["step"]

        def look() -> dict[str, Any]:
            return {
                "port": self._debuggers.relay_port(run, step),
                "ports": {s.host: s.relay.port for s in self._debuggers.sessions(run, step)},
                "processes": [
                    {
                        "host": session.host,
                        "pid": p.pid,
                        "state": p.state,
                        "python": p.python,
                        "argv": list(p.argv),
                    }
                    for session in self._debuggers.sessions(run, step)
                    for p in session.debugger.processes()
                ],
                "pathMappings": [mapping.as_dap() for mapping in self._debuggers.mappings(run, step)],
            }

        return json_answer(self._in_loop(look))

    def _events(self, request: Request, parts: Parts) -> Response:
        """The run's events from now on, one JSON object a line, until it has finished."""
        run = self._need(parts["run"])
        found: queue.SimpleQueue[AnyEvent] = queue.SimpleQueue()

        def listen() -> Callable[[], None] | None:
            live = self._executions.live.get(run)
            ended = live is None or live.finished.is_set()
            return None if ended else self._bus.listen(found.put)

        forget = self._in_loop(listen)

        def lines() -> Iterator[bytes]:
            try:
                while forget is not None:
                    event = found.get()
                    if event.run == run:
                        yield events.encode(event) + b"\n"
                    if isinstance(event, events.RunFinished) and event.run == run:
                        return
            finally:
                if forget is not None:
                    self._in_loop(forget)

        return Response(200, {"Content-Type": "application/x-ndjson"}, lines())

    def _live(self) -> dict[str, Any]:
        return dict(self._executions.live)

    def _need(self, run: str) -> str:
        live = self._live()
        if run == "latest" and live:
            return max(live, key=lambda name: live[name].record.started)
        if run not in live:
            raise StepBridgeError(f"Run {run} is not under way", "stepbridge runs lists all.")
        return run
