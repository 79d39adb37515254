"""The one hierarchy of errors that a person reads.

Every message names the thing and where it stands; `hint` says what to do next. The faces (CLI, DAP, wire
service) print them; nothing below the faces formats or exits.
"""

from __future__ import annotations


class StepBridgeError(Exception):
    """Something the user can act on.

    Args:
        message: one sentence that names the thing and its place (file, step, argument).
        hint: the next thing to try, one sentence; empty where the message says it all.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message


class DefinitionError(StepBridgeError):
    """The pipeline definition cannot be read or is not valid."""


class ParameterError(StepBridgeError):
    """A pipeline parameter is unknown, missing, or has a value of the wrong type."""


class ConfigurationError(StepBridgeError):
    """`stepbridge.toml` or `[tool.stepbridge]` holds something we cannot use."""


class EngineError(StepBridgeError):
    """The container engine is absent, gone, or refused."""


class ImageNotFoundError(EngineError):
    """No local image answers to the image URI of a step."""


class StorageError(StepBridgeError):
    """An object or a folder of the store is missing or cannot be written."""


class ProgramError(StepBridgeError):
    """The user's pipeline program failed before a pipeline could start."""


class CompiledError(StepBridgeError):
    """A program that was only to be compiled has come to its first start; not a failure."""


class DebugError(StepBridgeError):
    """A step cannot be debugged, or not in the way that was asked for."""
