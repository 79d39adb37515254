"""The local service inside of a running Python process: a notebook's kernel, a test, a REPL.

`stepbridge.local()` is a context manager, `%load_ext stepbridge` the same for as long as the kernel lives.
"""

from __future__ import annotations

from typing import Any

from .service import LocalService, local

_loaded: LocalService | None = None


def load_ipython_extension(shell: Any) -> None:
    """`%load_ext stepbridge`. Raises StepBridgeError."""
    from .magics import line_magic

    global _loaded
    _loaded = local().open()
    shell.register_magic_function(line_magic(_loaded), "line", "stepbridge")
    print(f"AWS calls of this kernel go to StepBridge; state in {_loaded.workspace.state}")


def unload_ipython_extension(shell: Any) -> None:
    """`%unload_ext stepbridge`."""
    global _loaded
    if _loaded is not None:
        _loaded.close()
        _loaded = None
    shell.magics_manager.magics["line"].pop("stepbridge", None)


__all__ = ["LocalService", "load_ipython_extension", "local", "unload_ipython_extension"]
