"""The command group: names and one-liners here, each command's code in a module imported when it runs.

So `stepbridge --help` and completion stay quick, and a run pays for what it uses.
"""

from __future__ import annotations

import difflib
import gc
import importlib
import sys
from types import ModuleType
from typing import Any

import click

from stepbridge import __version__
from stepbridge.errors import StepBridgeError

COMMANDS = {
    "run": ("run", "Run a pipeline program on this machine."),
    "debug": ("run", "Run a pipeline; its steps wait for a debugger."),
    "serve": ("serve", "Serve AWS clients: the AWS CLI, boto3, a shell."),
    "resume": ("resume", "Go on with a run that failed or was stopped."),
    "runs": ("history", "List runs."),
    "show": ("history", "Show one run: steps, durations, outputs."),
    "logs": ("history", "Print the log of a step."),
    "stop": ("live", "Stop a run."),
    "callback": ("callback", "Answer a callback step that waits."),
    "attach": ("live", "Attach a debugger to a step that runs."),
    "launch-config": ("launch_config", "Print or write VS Code launch configurations."),
    "check": ("stepbridge_lsp.check", "Validate pipeline programs and definitions."),
    "graph": ("graph", "Draw a pipeline as SVG."),
    "data": ("data", "Place local files at s3:// addresses."),
    "image": ("image", "Build local images for steps."),
    "doctor": ("doctor", "Look whether this machine can run pipelines."),
    "clean": ("clean", "Remove old runs and cached results."),
    "lsp": ("servers", "Start the language server."),
    "dap": ("servers", "Start the debug adapter."),
    "completion": ("completion", "Print the shell's completion script."),
}


class LazyGroup(click.Group):
    """Imports a command's module when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = getattr(_load(COMMANDS[cmd_name][0]), cmd_name.replace("-", "_"))
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            near = difflib.get_close_matches(name, COMMANDS, n=1)
            hint = f"Did you mean {near[0]}?" if near else "stepbridge --help lists them."
            ctx.fail(f"There is no command {name}. {hint}")
        return super().resolve_command(ctx, args)


def _load(place: str) -> ModuleType:
    """Import a command's module; the garbage collector need not look at what will stay."""
    gc.disable()
    try:
        return importlib.import_module(place if "." in place else f"{__package__}.{place}")
    finally:
        gc.freeze()
        gc.enable()


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with: stepbridge run pipeline.py, then stepbridge run pipeline.py --debug Train",
)
@click.version_option(__version__, prog_name="stepbridge")
def stepbridge() -> None:
    """Run and debug SageMaker pipelines on this machine.

    No AWS account and no network are needed. Every step runs in its container, with a debugger ready inside.
    """


def run(arguments: list[str] | None = None) -> None:
    """Run a command line and exit."""
    sys.exit(invoke(arguments))


def invoke(arguments: list[str] | None = None) -> int:
    """Run a command line; returns the exit code. Errors are printed, never raised."""
    try:
        result: Any = stepbridge.main(arguments, prog_name="stepbridge", standalone_mode=False)
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return 130
    except BrokenPipeError:
        return 141
    except StepBridgeError as error:
        from .console import print_error

        print_error(error)
        return 1
    return result if isinstance(result, int) else 0
