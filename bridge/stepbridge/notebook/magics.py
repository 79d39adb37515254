"""The line magic `%stepbridge`: says how the next runs go."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from typing import Any

import click

from stepbridge.cli.run import ARM, CACHE, DEBUG, POST_MORTEM, with_options
from stepbridge.errors import StepBridgeError

from .service import LocalService


def line_magic(service: LocalService) -> Callable[[str], None]:
    """`%stepbridge`, for a service that is open."""

    @click.command("%stepbridge", context_settings={"help_option_names": ["-h", "--help"]})
    @with_options((DEBUG, ARM, POST_MORTEM, CACHE))
    def ask(**options: Any) -> None:
        """How pipelines and jobs run that start from now on.

        Without options nothing waits for a debugger, and each step's CacheConfig counts.
        """
        service.ask(
            debug=options["debug_steps"],
            arm=options["arm"],
            post_mortem=options["post_mortem"],
            use_cache=options["use_cache"],
        )

    def magic(line: str) -> None:
        try:
            ask.main(shlex.split(line), standalone_mode=False)
        except click.ClickException as error:
            print(error.format_message(), file=sys.stderr)
        except (StepBridgeError, ValueError) as error:  # a quotation without its end
            print(f"%stepbridge: {error}", file=sys.stderr)

    return magic
