"""What makes a container's Python processes debuggable, and a way from an editor to each of them.

Never reads a pipeline definition and never starts a container; a `ContainerSpec` goes in and comes out.
`payload/` runs inside of containers and is not part of this package's imports.
"""

from .control import DebuggedProcess, DebugStream
from .debugpy_cache import DebugpyCache
from .plan import DebugChoice, DebugPlan, PathMapping, ScriptTarget
from .relay import RelayServer
from .session import StepDebugger

__all__ = [
    "DebugChoice",
    "DebugPlan",
    "DebugStream",
    "DebuggedProcess",
    "DebugpyCache",
    "PathMapping",
    "RelayServer",
    "ScriptTarget",
    "StepDebugger",
]
