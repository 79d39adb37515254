"""The debug session of a whole pipeline: what each request of the client does.

Requests come in as values and answers go out as values; where they come from is not known here. One session
has one program, which may be started again.
"""

from __future__ import annotations

import asyncio
import sys
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from stepbridge.errors import StepBridgeError
from stepbridge.events import AnyEvent, RunStarted

from . import types
from .breakpoints import Breakpoints
from .children import ProcessKey
from .connection import RequestError
from .debugged import DebuggedRun, OpenBridge
from .evaluate import names
from .inline import InlineSteps
from .inspection import Frame
from .launch import EXTENSION, Hidden, Launch, LaunchArguments, prepare
from .narration import Narrator
from .positions import Positions
from .protocol import Request
from .statements import FIRST_ID, PipelineThread, Stop
from .types import NoArguments, read_arguments


class Client(Protocol):
    """The editor."""

    def event(self, name: str, body: Any = None) -> None: ...
    async def ask(self, command: str, arguments: dict[str, Any]) -> Any: ...
    @property
    def backlog(self) -> int: ...


class RunRegistry(Protocol):
    """Where child sessions find the run that they belong to."""

    def add(self, run: str, session: PipelineSession) -> None: ...
    def child_keys(self) -> dict[str, Any]:
        """What a child's configuration must carry in order to be let in."""
        ...


class PipelineSession:
    """`handle` each request; `ended` is set when the session is over; `close` when the client has left."""

    def __init__(
        self,
        client: Client,
        features: types.InitializeArguments,
        registry: RunRegistry,
        open_bridge: OpenBridge,
        cwd: Path,
    ) -> None:
        self.run: DebuggedRun | None = None
        self.ended = asyncio.Event()
        self._client = client
        self._features = features
        self._registry = registry
        self._open_bridge = open_bridge
        self._cwd = cwd
        self._extension = False
        self._positions = Positions()
        self._breakpoints = Breakpoints(self._positions)
        self._launch: Launch | None = None
        self._narrator: Narrator
        self._task: asyncio.Task[None] | None = None
        self._going_on = False  # the client left, the run stays
        self._restarting = False
        self._inline = InlineSteps(
            client,
            features.as_given(),
            lambda: self._running().children,
            lambda step, text: self.complain(f"{step}: {text}", step),
        )
        self._handlers = self._table()

    @property
    def _is_alone(self) -> bool:
        """The client cannot start sessions for steps."""
        return not (self._extension or self._features.supports_start_debugging_request)

    # requests

    async def handle(self, request: Request) -> Any:
        """The response's body.

        Raises:
            RequestError, ArgumentsError, StepBridgeError: the request cannot be answered.
        """
        return await (self._inline_request(request) if self._is_alone else self._own_request(request))

    async def _own_request(self, request: Request) -> Any:
        found = self._handlers.get(request.command)
        if found is None:
            raise RequestError(f"This session has no request {request.command!r}.")
        shape, handler = found
        return await handler(read_arguments(shape, request.arguments))

    async def _inline_request(self, request: Request) -> Any:
        """A request in a session that has a step's process inside of it."""
        inline = self._inline
        inline.note(request)
        if not inline.is_about_process(request):
            return await inline.merge(request, await self._own_request(request))
        if request.command == "restartFrame" and inline.key is not None:
            await self._running().restart_step(inline.key.run, inline.key.step)
            return None
        return await inline.ask(request)

    def _table(self) -> dict[str, tuple[type[types.Arguments], Callable[[Any], Awaitable[Any]]]]:
        return {
            "setBreakpoints": (types.SetBreakpointsArguments, self._set_breakpoints),
            "setFunctionBreakpoints": (types.SetFunctionBreakpointsArguments, self._set_functions),
            "setExceptionBreakpoints": (types.SetExceptionBreakpointsArguments, self._set_exceptions),
            "breakpointLocations": (types.BreakpointLocationsArguments, self._locations),
            "configurationDone": (NoArguments, self._configuration_done),
            "threads": (NoArguments, self._threads),
            "stackTrace": (types.StackTraceArguments, self._stack_trace),
            "scopes": (types.FrameArguments, self._scopes),
            "variables": (types.VariablesArguments, self._variables),
            "setVariable": (types.SetVariableArguments, self._set_variable),
            "setExpression": (types.SetExpressionArguments, self._set_expression),
            "evaluate": (types.EvaluateArguments, self._evaluate),
            "completions": (types.CompletionsArguments, self._completions),
            "continue": (types.ThreadArguments, self._continue),
            "next": (types.ThreadArguments, self._next),
            "stepIn": (types.ThreadArguments, self._step_in),
            "stepOut": (types.ThreadArguments, self._continue),
            "pause": (types.ThreadArguments, self._pause),
            "restartFrame": (types.FrameArguments, self._restart_frame),
            "restart": (types.RestartArguments, self._restart),
            "terminate": (NoArguments, self._terminate),
            "stepbridge/restartStep": (types.StepArguments, self._restart_step),
        }

    # start and end

    async def launch(self, arguments: dict[str, Any]) -> None:
        """Check the configuration and open the bridge; the run starts with configurationDone."""
        self._extension = read_arguments(Hidden, arguments).client == EXTENSION
        self._launch = prepare(read_arguments(LaunchArguments, arguments), self._cwd)
        self.run = await self._make_run(self._launch)

    async def _make_run(self, launch: Launch) -> DebuggedRun:
        self._narrator = Narrator(
            self._client,
            place=lambda step: self.run.place(step) if self.run else None,
            mappings=lambda run, step: self.run.bridge.debuggers.mappings(run, step) if self.run else (),
            line_out=self._line_out,
            progress=self._features.supports_progress_reporting,
            raw=self._extension,
        )
        bridge = await self._open_bridge(launch)
        return DebuggedRun(launch, bridge, self._breakpoints, self._positions, self, self._line_out)

    async def _configuration_done(self, _: NoArguments) -> None:
        self._start()

    def _start(self) -> None:
        if self._task is None and self.run is not None:
            self._task = asyncio.create_task(self._execute(self.run), name="pipeline run")

    async def _execute(self, run: DebuggedRun) -> None:
        """The run, from the program's first line to the session's last event."""
        self._narrator.begin("program", f"Running {run.launch.program.name}")
        code = 1
        try:
            code = await run.run()
        except Exception as error:
            traceback.print_exception(error, file=sys.stderr)
            self.complain(f"The run broke off: {error!r}")
        finally:
            self._narrator.end("program")
            await self._inline.close()
            await run.close()
        self._narrator.flush()
        self._client.event("exited", {"exitCode": code})
        self._client.event("terminated", {})
        self.ended.set()

    async def _terminate(self, _: NoArguments) -> None:
        """Stop the run; it then ends as every run does."""
        if self.run is None or self._task is None:
            self._client.event("terminated", {})
            self.ended.set()
        elif not self.run.stop():
            await self._break_off()
            self._client.event("exited", {"exitCode": 130})
            self._client.event("terminated", {})
            self.ended.set()

    async def _break_off(self) -> None:
        """End the run at once; nothing of it stays."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await self._inline.close()
        if self.run is not None:
            await self.run.close()

    async def _restart(self, arguments: types.RestartArguments) -> None:
        """The whole pipeline again, with the program as it is now."""
        given = arguments.arguments
        if given and given.get("program"):
            self._launch = prepare(read_arguments(LaunchArguments, given), self._cwd)
        if self._launch is None or self.run is None:
            raise RequestError("There is nothing to restart yet.")
        for thread in self.run.statements.threads():
            self._client.event("thread", {"reason": "exited", "threadId": thread.id})
        await self._break_off()
        self.run = await self._make_run(self._launch)
        self.ended.clear()
        self._start()

    async def leave(self, *, terminate: bool) -> None:
        """The client goes. With `terminate` the run ends, else it goes on without a debugger."""
        if self.run is None:
            return
        if terminate or self._task is None or self._task.done():
            await self._break_off()
        else:
            await self._inline.close()
            await self.run.detach()

    async def wait(self) -> None:
        """Until a run that goes on without its client has ended."""
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    # breakpoints

    async def _set_breakpoints(self, arguments: types.SetBreakpointsArguments) -> Any:
        path = self._path(arguments.source)
        given = [self._with_line(b) for b in arguments.breakpoints or ()]
        answers = self._breakpoints.set_source(path, given)
        if self.run is not None:
            self.run.children.breakpoints_changed(path)
        return {"breakpoints": [self._shown(answer) for answer in answers]}

    def _with_line(self, given: types.SourceBreakpoint) -> types.SourceBreakpoint:
        if self._features.lines_start_at1:
            return given
        return types.SourceBreakpoint(
            line=given.line + 1,
            condition=given.condition,
            hit_condition=given.hit_condition,
            log_message=given.log_message,
        )

    def _shown(self, answer: types.Breakpoint) -> types.Breakpoint:
        if self._features.lines_start_at1 or answer.line is None:
            return answer
        return types.Breakpoint(
            id=answer.id,
            verified=answer.verified,
            message=answer.message,
            source=answer.source,
            line=answer.line - 1,
            reason=answer.reason,
        )

    async def _set_functions(self, arguments: types.SetFunctionBreakpointsArguments) -> Any:
        known = self.run.step_names() if self.run else []
        return {"breakpoints": self._breakpoints.set_functions(arguments.breakpoints or (), known)}

    async def _set_exceptions(self, arguments: types.SetExceptionBreakpointsArguments) -> Any:
        options = [option.filter_id for option in arguments.filter_options or ()]
        self._breakpoints.filters = frozenset([*(arguments.filters or ()), *options])

    async def _locations(self, arguments: types.BreakpointLocationsArguments) -> Any:
        offset = 0 if self._features.lines_start_at1 else 1
        first = arguments.line + offset
        last = (arguments.end_line if arguments.end_line is not None else arguments.line) + offset
        steps = self._positions.of(self._path(arguments.source)).steps
        lines = sorted({step.line for step in steps if first <= step.line <= last})
        return {"breakpoints": [{"line": self._line_out(line)} for line in lines]}

    # threads and stepping

    async def _threads(self, _: NoArguments) -> Any:
        found = self.run.statements.threads() if self.run else []
        return {"threads": found or [types.Thread(id=FIRST_ID, name="pipeline")]}

    async def _stack_trace(self, arguments: types.StackTraceArguments) -> Any:
        stop = self.run.statements.stop_of(arguments.thread_id) if self.run else None
        if self.run is None or stop is None:
            return {"stackFrames": [], "totalFrames": 0}
        frames = self.run.inspection.stack(stop)
        first = arguments.start_frame or 0
        last = first + arguments.levels if arguments.levels else None
        return {"stackFrames": frames[first:last], "totalFrames": len(frames)}

    async def _continue(self, arguments: types.ThreadArguments) -> Any:
        run, stop = self._held(arguments.thread_id)
        run.statements.go_on(stop)
        return {"allThreadsContinued": False}

    async def _next(self, arguments: types.ThreadArguments) -> None:
        run, stop = self._held(arguments.thread_id)
        run.statements.step_over(stop)

    async def _step_in(self, arguments: types.ThreadArguments) -> None:
        run, stop = self._held(arguments.thread_id)
        run.statements.step_into(stop)

    async def _pause(self, arguments: types.ThreadArguments) -> None:
        if self.run is not None:
            self.run.statements.pause(arguments.thread_id)

    async def _restart_frame(self, arguments: types.FrameArguments) -> None:
        frame = self._running().inspection.need(arguments.frame_id)
        if frame.state is None:
            raise RequestError("The pipeline itself is run again by restart.", show=True)
        if frame.held:
            self._client.event("stopped", self._stopped_body(frame.stop, "restart"))
            return
        await self._running().statements.run_again(frame.stop.execution, frame.state.plan.name)

    async def _restart_step(self, arguments: types.StepArguments) -> None:
        run = self._running()
        runs = [arguments.run] if arguments.run else list(run.executions)
        await run.restart_step(runs[0] if runs else "", arguments.step)

    def _held(self, thread: int) -> tuple[DebuggedRun, Stop]:
        run = self._running()
        stop = run.statements.stop_of(thread)
        if stop is None:
            raise RequestError("That thread is not stopped.")
        return run, stop

    def _running(self) -> DebuggedRun:
        if self.run is None:
            raise RequestError("The pipeline has not started.")
        return self.run

    # looking and changing

    async def _scopes(self, arguments: types.FrameArguments) -> Any:
        inspection = self._running().inspection
        return {"scopes": inspection.scopes(inspection.need(arguments.frame_id))}

    async def _variables(self, arguments: types.VariablesArguments) -> Any:
        if arguments.filter == "indexed" and not arguments.count:
            arguments = types.VariablesArguments(variables_reference=arguments.variables_reference)
        inspection = self._running().inspection
        found = inspection.variables(arguments.variables_reference, arguments.start, arguments.count)
        return {"variables": found}

    async def _set_variable(self, arguments: types.SetVariableArguments) -> Any:
        inspection = self._running().inspection
        changed = inspection.set_variable(arguments.variables_reference, arguments.name, arguments.value)
        return _as_value(changed)

    async def _set_expression(self, arguments: types.SetExpressionArguments) -> Any:
        inspection = self._running().inspection
        frame = inspection.frame(arguments.frame_id)
        return _as_value(inspection.set_expression(arguments.expression, arguments.value, frame))

    async def _evaluate(self, arguments: types.EvaluateArguments) -> Any:
        run = self._running()
        frame = self._frame(run, arguments.frame_id)
        try:
            return run.inspection.evaluate(arguments.expression, frame)
        except StepBridgeError as error:
            if arguments.context == "hover":
                raise RequestError(error.message) from None
            raise RequestError(str(error)) from None

    def _frame(self, run: DebuggedRun, frame_id: int | None) -> Frame:
        """That frame, or where none is given the top of what stopped last."""
        if frame_id is not None:
            return run.inspection.need(frame_id)
        stop = next(reversed(list(run.statements.stops())), None)
        if stop is None:
            raise RequestError("The pipeline is running: there is nothing to evaluate in.")
        return run.inspection.need(run.inspection.stack(stop)[0].id)

    async def _completions(self, arguments: types.CompletionsArguments) -> Any:
        run = self._running()
        typed = arguments.text[: max(arguments.column - (1 if self._features.columns_start_at1 else 0), 0)]
        found = names(run.inspection.view(self._frame(run, arguments.frame_id)))
        matching = [name for name in found if name.lower().startswith(typed.lower())]
        return {"targets": [{"label": name, "start": 0, "length": len(typed)} for name in matching[:200]]}

    # what a run tells (debugged.Listener)

    def stopped(self, stop: Stop) -> None:
        self._narrator.flush()
        self._client.event("stopped", self._stopped_body(stop, stop.reason))

    def _stopped_body(self, stop: Stop, reason: str) -> dict[str, Any]:
        body: dict[str, Any] = {
            "reason": reason,
            "description": f"Before step {stop.step}",
            "threadId": stop.thread.id,
            "allThreadsStopped": False,
        }
        return body | ({"hitBreakpointIds": list(stop.breakpoints)} if stop.breakpoints else {})

    def resumed(self, stop: Stop) -> None:
        self._client.event("continued", {"threadId": stop.thread.id, "allThreadsContinued": False})

    def thread_started(self, thread: PipelineThread) -> None:
        self._client.event("thread", {"reason": "started", "threadId": thread.id})

    def thread_exited(self, thread: PipelineThread) -> None:
        self._client.event("thread", {"reason": "exited", "threadId": thread.id})

    def take(self, event: AnyEvent) -> None:
        if isinstance(event, RunStarted):
            self._narrator.end("program")
            self._registry.add(event.run, self)
        self._narrator.take(event)

    def program_output(self, stream: str, line: str) -> None:
        self._narrator.program(stream, line)

    def complain(self, text: str, step: str = "") -> None:
        self._narrator.complain(text, step)

    def log_point(self, step: str, text: str) -> None:
        self._narrator.log_point(step, text)

    async def begin_child(self, configuration: dict[str, Any]) -> None:
        configuration = configuration | self._registry.child_keys()
        if self._extension:
            self._client.event("stepbridge/child", {"configuration": configuration})
        elif self._features.supports_start_debugging_request:
            arguments = {"request": configuration["request"], "configuration": configuration}
            await self._client.ask("startDebugging", arguments)
        else:
            self._inline.add(
                ProcessKey(*(configuration[name] for name in ("__run", "__step", "__host", "__pid")))
            )

    # lines and paths as this client counts and writes them

    def _line_out(self, line: int) -> int:
        return line if self._features.lines_start_at1 else line - 1

    def _path(self, source: types.Source) -> Path:
        if not source.path:
            raise RequestError("A breakpoint needs a file: source.path is missing.")
        if self._features.path_format == "uri":
            return Path(unquote(urlsplit(source.path).path))
        return Path(source.path)


def _as_value(changed: types.Evaluated) -> dict[str, Any]:
    body: dict[str, Any] = {"value": changed.result, "variablesReference": changed.variables_reference}
    return body | ({"type": changed.type} if changed.type else {})
