"""StepBridge: run and debug SageMaker pipelines on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .notebook import load_ipython_extension, local, unload_ipython_extension

__version__ = "0.1.0"
__all__ = ["__version__", "load_ipython_extension", "local", "unload_ipython_extension"]


def __getattr__(name: str) -> Any:
    """What runs inside of a notebook is imported when it is asked for: commands do without."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import notebook

    return getattr(notebook, name)
