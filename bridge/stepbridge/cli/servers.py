"""`lsp` and `dap`: the two servers that editors start."""

from __future__ import annotations

import click


@click.command()
@click.option(
    "--port", type=int, help="Listen on this loopback port instead of standard input (0: a free one)."
)
def lsp(port: int | None) -> int:
    """Start the language server, on standard input and output.

    \b
    stepbridge lsp
    """
    from stepbridge_lsp.server import serve

    return serve(port)


@click.command()
@click.option(
    "--port", type=int, help="Listen on this loopback port instead of standard input (0: a free one)."
)
@click.option("--token", is_flag=True, help="With --port: clients must present the token that is printed.")
def dap(port: int | None, token: bool) -> int:
    """Start the debug adapter for whole pipelines.

    \b
    stepbridge dap
    stepbridge dap --port 0
    """
    from stepbridge.dap.server import serve

    return serve(port, token=token)
