"""`completion`: the script that teaches a shell the commands."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the shell's completion script.

    \b
    stepbridge completion bash >> ~/.bashrc
    stepbridge completion zsh >> ~/.zshrc
    stepbridge completion fish > ~/.config/fish/completions/stepbridge.fish
    """
    root = ctx.find_root().command
    maker = get_completion_class(shell)
    assert maker is not None
    click.echo(maker(root, {}, "stepbridge", "_STEPBRIDGE_COMPLETE").source())
