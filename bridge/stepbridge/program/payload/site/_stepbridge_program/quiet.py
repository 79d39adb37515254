"""Keeps the SDK from sending telemetry and from replacing tracebacks; its results stay the same."""

from .imports import after_import
from .patches import replace

_TELEMETRY = (
    "sagemaker.telemetry.telemetry_logging",
    "sagemaker.core.telemetry.telemetry_logging",
    "sagemaker.serve.utils.telemetry_logger",
)


def install():
    for name in _TELEMETRY:
        after_import(name, _silence)
    after_import("rich.traceback", _keep_excepthook)


def _silence(module):
    """The decorators hand back the function itself; the senders send nothing."""

    def undecorated(*arguments, **named):
        return lambda function: function

    for name in ("_telemetry_emitter", "_capture_telemetry"):
        if hasattr(module, name):
            replace(module, name, undecorated)
    for name in ("_send_telemetry_request", "_send_telemetry", "_requests_helper"):
        if hasattr(module, name):
            replace(module, name, lambda *arguments, **named: None)


def _keep_excepthook(module):
    """`sagemaker_core` installs rich's tracebacks for the whole process at import."""
    import sys

    install = module.install

    def install_for_others(*arguments, **named):
        caller = sys._getframe(1).f_globals.get("__name__", "")
        if caller.partition(".")[0] in ("sagemaker", "sagemaker_core"):
            return sys.excepthook
        return install(*arguments, **named)

    replace(module, "install", install_for_others)
