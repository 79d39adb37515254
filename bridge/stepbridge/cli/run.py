"""`run` and `debug`: a pipeline program, from its first line to the closing table."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import click
from msgspec.structs import replace

from stepbridge.bridge import Bridge
from stepbridge.debug import DebugChoice
from stepbridge.events import RunStatus
from stepbridge.execution.journal import ExecutionRecord
from stepbridge.run_request import RunRequest
from stepbridge.settings import Workspace

from .launch_json import LaunchJsonWriter
from .views import JsonView, View

Start = Callable[[Bridge, View], Awaitable[tuple[ExecutionRecord, ...]]]
STOP_GRACE = 2.0  # seconds that containers get after Ctrl-C


def pairs(values: Iterable[str], option: str) -> dict[str, str]:
    """`Name=value` words as a dict. Raises UsageError for a word without `=`."""
    found = {}
    for word in values:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise click.UsageError(f"{option} {word}: write it as {option} Name=value")
        found[name] = value
    return found


CACHE = click.option(
    "--cache/--no-cache",
    "use_cache",
    default=None,
    help="Reuse unchanged steps, or never; default: as each step's CacheConfig says.",
)
DEBUG = click.option(
    "--debug",
    "debug_steps",
    multiple=True,
    metavar="STEP",
    help="This step waits for a debugger; repeatable; `all` for every step.",
)
ARM = click.option(
    "--arm",
    is_flag=True,
    help="Every step can be attached to at any time; costs nothing until then.",
)
POST_MORTEM = click.option(
    "--post-mortem",
    is_flag=True,
    help="A step that crashes waits for a debugger at the raising line.",
)

LOGS = click.option("--logs/--no-logs", "show_logs", default=None, help="Print the steps' output in full.")

_WHAT = (
    click.argument("target", metavar="PROGRAM"),
    click.argument("program_arguments", nargs=-1, metavar="[-- ARGUMENTS...]"),
    click.option(
        "-p",
        "--parameter",
        "parameters",
        multiple=True,
        metavar="NAME=VALUE",
        help="A pipeline parameter; repeatable.",
    ),
    click.option(
        "-a",
        "--argument",
        "arguments",
        multiple=True,
        metavar="NAME=VALUE",
        help="An argument of get_pipeline(); repeatable.",
    ),
    click.option(
        "--from",
        "from_step",
        metavar="STEP",
        help="Run from this step on; earlier results come from the last run.",
    ),
    click.option("--only", "only", multiple=True, metavar="STEP", help="Run only this step; repeatable."),
    CACHE,
)

HOW = (
    click.option(
        "--python",
        metavar="PATH",
        help="Interpreter of the program, and of steps that run as local processes.",
    ),
    click.option("--engine", type=click.Choice(["auto", "docker", "process"]), help="What runs the steps."),
    click.option(
        "--image",
        "images",
        multiple=True,
        metavar="GLOB=IMAGE",
        help="A local image for image URIs; repeatable, before [images].",
    ),
    click.option(
        "--aws/--no-aws",
        default=None,
        help="Missing s3:// inputs come from your own S3, and outputs go there too (default: no).",
    ),
    DEBUG,
    click.option(
        "--debug-port",
        type=int,
        default=0,
        help="Loopback port of the first step that waits, then +1 (default: free ones).",
    ),
    ARM,
    POST_MORTEM,
    click.option(
        "--launch-json/--no-launch-json",
        default=True,
        help="Write .vscode/launch.json entries for steps that wait.",
    ),
    LOGS,
    click.option("--json", "as_json", is_flag=True, help="Events as JSON lines on standard output."),
)


def with_options(options: tuple[Any, ...]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator that gives a command these options, in their order."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


@click.command(epilog="Exit code: 0 when every execution succeeded, 1 otherwise, 2 for wrong usage.")
@with_options(_WHAT + HOW)
def run(**options: Any) -> int:
    """Run a pipeline program on this machine.

    PROGRAM is pipeline.py, pipeline.py:get_pipeline, or a definition.json.

    \b
    stepbridge run pipeline.py
    stepbridge run pipeline.py -p Epochs=1 --debug Train
    stepbridge run pipeline.py:get_pipeline -a region=us-east-1
    stepbridge run pipeline.py --from Evaluate
    """
    return _main(**options)


@click.command(epilog="Exit code: 0 when every execution succeeded, 1 otherwise, 2 for wrong usage.")
@with_options(_WHAT + HOW)
def debug(**options: Any) -> int:
    """Run a pipeline; its steps wait for a debugger. `run --debug all --post-mortem`, in short.

    \b
    stepbridge debug pipeline.py
    stepbridge debug pipeline.py --debug Train
    """
    options["debug_steps"] = options["debug_steps"] or (DebugChoice.ALL,)
    options["post_mortem"] = True
    return _main(**options)


def _main(**options: Any) -> int:
    path = Path(str(options["target"]).partition(":")[0])
    workspace = Workspace.find(path if path.exists() else Path.cwd())
    request = replace(
        request_of(workspace, options),
        parameters=pairs(options["parameters"], "-p"),
        arguments=pairs(options["arguments"], "-a"),
        program_arguments=tuple(options["program_arguments"]),
        from_step=options["from_step"],
        only=frozenset(options["only"]),
        use_cache=options["use_cache"],
    )

    async def start(bridge: Bridge, view: View) -> tuple[ExecutionRecord, ...]:
        return await bridge.run(request, view.program_output)

    return show(workspace, start, options)


def show(workspace: Workspace, start: Start, options: Mapping[str, Any]) -> int:
    """Open a bridge, start what is to run, and show it to its end; returns the exit code.

    options: those of HOW, and `target`, the program.
    """
    view = make_view(workspace, as_json=options["as_json"], show_logs=options["show_logs"])
    try:
        return asyncio.run(_show(workspace, view, start, options))
    finally:
        view.close()


def make_view(workspace: Workspace, *, as_json: bool, show_logs: bool | None) -> View:
    if as_json:
        return JsonView()
    from .console import out
    from .progress import LiveView, PlainView

    console = out()
    if console.is_terminal:
        return LiveView(console, workspace.s3, show_logs=bool(show_logs))
    return PlainView(console, workspace.s3)


async def open_bridge(workspace: Workspace, view: View, options: Mapping[str, Any], port: int = 0) -> Bridge:
    """A bridge as the options of HOW ask for, whose events the view shows."""
    bridge = await Bridge.open(
        workspace,
        engine=options["engine"],
        python=options["python"],
        images=pairs(options["images"], "--image"),
        aws=options["aws"],
        port=port,
    )
    if options["launch_json"] and (options["debug_steps"] or options["post_mortem"]):
        bridge.bus.listen(LaunchJsonWriter(bridge))  # before the view: what that tells of is there then
    bridge.bus.listen(view)
    return bridge


async def _show(workspace: Workspace, view: View, start: Start, options: Mapping[str, Any]) -> int:
    bridge = await open_bridge(workspace, view, options)
    try:
        view.begin(Path(options["target"]).name)
        with _stop_on_interrupt(bridge, view):
            records = await start(bridge, view)
            ended = [await bridge.executions.finished(record.run) for record in records]
    finally:
        await bridge.close()
    code = _exit_code(ended)
    if code == 0 and bridge.program_failure is not None:
        raise bridge.program_failure
    return code


def request_of(workspace: Workspace, options: Mapping[str, Any]) -> RunRequest:
    """What the options of HOW ask for."""
    choice = DebugChoice(
        frozenset(options["debug_steps"]), options["arm"], options["post_mortem"], workspace.settings.debug
    )
    return RunRequest(
        target=options["target"],
        debug=choice.plan,
        debugged_steps=choice.named,
        debug_port=options["debug_port"],
    )


@contextlib.contextmanager
def _stop_on_interrupt(bridge: Bridge, view: View) -> Any:
    """Ctrl-C stops the containers; a second one leaves at once."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None

    def interrupt() -> None:
        loop.remove_signal_handler(signal.SIGINT)
        live = list(bridge.executions.live.values())
        state = bridge.workspace.state
        view.program_output("stderr", f"stopping; logs and outputs so far stay in {state}")
        if not live:
            task.cancel()
        for execution in live:
            bridge.executions.stop(execution.run, STOP_GRACE)

    if sys.platform != "win32":
        loop.add_signal_handler(signal.SIGINT, interrupt)
        loop.add_signal_handler(signal.SIGTERM, interrupt)
    try:
        yield
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    finally:
        if sys.platform != "win32":
            loop.remove_signal_handler(signal.SIGINT)
            loop.remove_signal_handler(signal.SIGTERM)


def _exit_code(records: list[ExecutionRecord]) -> int:
    return 0 if all(record.status is RunStatus.SUCCEEDED for record in records) else 1
