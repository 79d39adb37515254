"""A crash waits for the editor: when the script dies of an exception, the process holds at the raising frame.

The traceback is printed first and by whom it would have been printed anyway; the exit code stays. Covered: an
exception that nobody catches, and `sys.exit(non-zero)` while an exception is being handled (the pattern of
SageMaker's own container examples). Not covered: `raise SystemExit`, `os._exit`, worker threads.
"""

import sys
import types

_done = False


def install(process):
    """Hook this interpreter's end. `process` is the process.Process that talks to the bridge."""
    _guard_excepthook(process)
    _guard_exit(process)


def _guard_excepthook(process):
    """Code that assigns sys.excepthook later (rich, wandb, sentry, torch) must neither lose its hook nor
    ours: it sees and sets the inner one through the property; CPython takes ours from the module's dict."""
    inner = [sys.excepthook]

    def hook(exception_type, value, trace):
        try:
            inner[0](exception_type, value, trace)
        finally:
            _hold(process, (exception_type, value, trace))

    class Sys(types.ModuleType):
        @property
        def excepthook(self):
            return inner[0]

        @excepthook.setter
        def excepthook(self, function):
            inner[0] = function

        @excepthook.deleter
        def excepthook(self):
            inner[0] = sys.__excepthook__

    sys.__dict__["excepthook"] = hook
    sys.__class__ = Sys


def _guard_exit(process):
    plain = sys.exit

    def exit(*status):  # noqa: A001
        info = sys.exc_info()
        if info[0] is not None and status and status[0] not in (None, 0):
            _hold(process, info)
        plain(*status)

    exit.__doc__ = plain.__doc__
    sys.exit = exit


def _hold(process, exc_info):
    """Wait for an editor, show it the frames, return when it goes on or is given up."""
    global _done
    if _done or not _is_crash(exc_info):
        return
    _done = True
    try:
        if process.debugger is not None and process.debugger.is_attached():
            process.debugger.stop_at_uncaught(exc_info)  # attached all along: the editor's filter decides
            return
        if process.settings.post_mortem is None:
            return
        _flush()
        process.ensure_connected()
        facts = dict(process.start_debugger().facts)
        name, line = _raised_at(exc_info[2])
        error = "%s: %s" % (exc_info[0].__name__, exc_info[1])
        facts.update(file=name, line=line, error=error)
        if process.hold_for_editor(process.settings.post_mortem, "crashed", **facts):
            process.debugger.stop_at(exc_info)
            process.control.send("released", why="the editor went on")
    except Exception as error:
        from . import startup

        startup.complain(error)


def _is_crash(exc_info):
    exception_type, _, trace = exc_info
    if trace is None or issubclass(exception_type, (KeyboardInterrupt, SystemExit, GeneratorExit)):
        return False
    import threading

    return threading.current_thread() is threading.main_thread()


def _flush():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            pass


def _raised_at(trace):
    while trace.tb_next is not None:
        trace = trace.tb_next
    return trace.tb_frame.f_code.co_filename, trace.tb_lineno
