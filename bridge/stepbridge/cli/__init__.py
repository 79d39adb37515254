"""The `stepbridge` command."""

from __future__ import annotations


def main() -> None:
    """Entry point of the console script; the exit code is 0, 1 (it failed) or 2 (used wrongly)."""
    from .app import run

    run()


__all__ = ["main"]
