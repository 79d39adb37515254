"""`serve`: the endpoint alone, for clients that StepBridge does not start."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from stepbridge.errors import ProgramError
from stepbridge.program.runner import ACCOUNT_VARIABLES, client_environment
from stepbridge.settings import Workspace

from .console import err
from .progress import PlainView
from .run import HOW, LOGS, open_bridge, request_of, with_options
from .views import JsonView, View


@click.command(epilog="Exit code: that of the command; 0 after Ctrl-C where there is none.")
@click.argument("command", nargs=-1, metavar="[-- COMMAND...]")
@click.option("--port", type=int, default=0, help="Loopback port of the endpoint (default: a free one).")
@with_options(tuple(option for option in HOW if option is not LOGS))  # logs are always shown
def serve(command: tuple[str, ...], port: int, **options: Any) -> int:
    """Serve AWS clients until Ctrl-C, or for as long as COMMAND runs.

    Without a command it prints the environment variables that lead any AWS client here. What clients start
    runs as with `stepbridge run`; its progress goes to standard error.

    \b
    stepbridge serve -- bash
    stepbridge serve -- aws sagemaker list-pipelines
    stepbridge serve --port 4600 --debug Train
    """
    workspace = Workspace.find(Path.cwd())
    options["target"] = ""
    return asyncio.run(_serve(workspace, command, port, options))


async def _serve(workspace: Workspace, command: Sequence[str], port: int, options: Mapping[str, Any]) -> int:
    view = _view(workspace, as_json=options["as_json"], to_errors=bool(command))
    bridge = await open_bridge(workspace, view, options, port)
    try:
        here = bridge.serve(request_of(workspace, options))
        interrupted = _interrupts()
        if command:
            code = await _run(command, client_environment(os.environ, here), interrupted)
            if not interrupted.is_set():
                await bridge.executions.idle()
            return code
        _announce(client_environment({}, here), as_json=options["as_json"])
        await interrupted.wait()
        return 0
    finally:
        await bridge.close()


def _view(workspace: Workspace, *, as_json: bool, to_errors: bool) -> View:
    """A command has standard output to itself."""
    if as_json:
        return JsonView(sys.stderr if to_errors else sys.stdout)
    return PlainView(err(), workspace.s3)


def _interrupts() -> asyncio.Event:
    """Set by Ctrl-C and by TERM, for as long as the loop runs."""
    event = asyncio.Event()
    if sys.platform != "win32":
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, event.set)
    return event


async def _run(command: Sequence[str], environment: Mapping[str, str], interrupted: asyncio.Event) -> int:
    """Run a command to its end, or to our own; its exit code (128 + signal where a signal ended it)."""
    try:
        process = await asyncio.create_subprocess_exec(*command, env=environment)
    except OSError as error:
        raise ProgramError(f"{command[0]} cannot be started: {error.strerror}") from None
    ended = asyncio.create_task(process.wait())
    told = asyncio.create_task(interrupted.wait())
    await asyncio.wait({ended, told}, return_when=asyncio.FIRST_COMPLETED)
    told.cancel()
    if not ended.done():
        process.terminate()
    code = await ended
    return code if code >= 0 else 128 - code


def _announce(variables: Mapping[str, str], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"event": "serving", "environment": variables}))
        return
    click.echo(f"unset {' '.join(ACCOUNT_VARIABLES)}")
    for name, value in variables.items():
        click.echo(f"export {name}={shlex.quote(value)}")
