"""Shows an uncaught error as the program's own: without our frames and without botocore's inner ones."""

import os
import sys
import traceback

from . import places

_NOISE = ("botocore", "boto3", "s3transfer", "urllib3", "IPython")
_NOISE_FILES = ("telemetry_logging.py", "telemetry_logger.py")


def install(record):
    """Write uncaught errors ourselves, and note them in `record`."""

    def report(kind, error, trace):
        record.error = describe(error, trace)
        if not issubclass(kind, KeyboardInterrupt):
            show(error, trace)

    sys.excepthook = report


def show(error, trace, stream=None):
    if os.environ.get("STEPBRIDGE_TRACEBACK") == "full":
        traceback.print_exception(type(error), error, trace, file=stream)
        return
    summary = traceback.TracebackException(type(error), error, trace)
    _trim(summary, set())
    stream = stream or sys.stderr
    for line in summary.format():
        stream.write(line)


def describe(error, trace):
    """Type, message and the innermost line of the user's own code."""
    found = {"type": type(error).__name__, "message": str(error), "file": "", "line": 0, "function": ""}
    if isinstance(error, SyntaxError) and error.filename:
        return dict(found, file=os.path.abspath(error.filename), line=error.lineno or 0, message=error.msg)
    for frame, line in traceback.walk_tb(trace):
        filename = frame.f_code.co_filename
        if places.kind(filename) == places.USER:
            found.update(file=os.path.abspath(filename), line=line, function=frame.f_code.co_name)
    return found


def _trim(summary, seen):
    if summary is None or id(summary) in seen:
        return
    seen.add(id(summary))
    kept = [frame for frame in summary.stack if not _is_noise(frame.filename)]
    if kept:
        summary.stack[:] = kept
    _trim(summary.__cause__, seen)
    _trim(summary.__context__, seen)


def _is_noise(filename):
    if places.kind(filename) == places.OURS or os.path.basename(filename) in _NOISE_FILES:
        return True
    if "<frozen importlib" in filename:
        return True
    parts = filename.replace(os.sep, "/").split("/")
    return "site-packages" in parts and any(package in parts for package in _NOISE)
