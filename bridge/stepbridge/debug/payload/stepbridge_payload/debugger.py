"""debugpy in this process: its adapter as a process of its own, reached through the bridge's socket only.

Not `debugpy.listen()`: that starts the adapter after all imports, lets it keep the step's output open (a
parent which reads the pipe to its end, as sagemaker-training does, hangs until the editor leaves), and
opens a port that asks for no password. Here the adapter starts first, beside the imports, quiet, portless.
"""

import os
import sys
import time

_PAYLOAD = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Hold:
    """Why and how long the main thread waits for an editor; pydevd polls `is_set` 50 times a second."""

    def __init__(self, seconds):
        self.why = ""
        self._limit = time.monotonic() + seconds

    def end(self, why):
        self.why = self.why or why

    def is_set(self):
        if not self.why and time.monotonic() > self._limit:
            self.why = "no editor came in time"
        return bool(self.why)

    def set(self):
        """pydevd calls it when the editor is there."""
        self.end("attached")


class Debugger:
    """Loads debugpy and starts its adapter; `connect` does the rest. Both raise RuntimeError or OSError where
    that fails."""

    def __init__(self, settings):
        self._began = time.time()
        os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
        folder = _debugpy_folder(settings.debugpy)
        self._adapter = Adapter(folder, settings.control)
        try:
            _import_debugpy(folder)
            self._api = sys.modules["debugpy.server.api"]
            if _global_debugger() is not None:
                raise RuntimeError("the script runs a debugger of its own")
            self._port = self._adapter.port()
        finally:
            self._adapter.forget()
        self._tracing = False
        self._shown = []
        self.facts = {"debugpy": sys.modules["debugpy"].__version__}

    def connect(self):
        """Trace this process from now on. Call it in the main thread: its frames are then traced too."""
        self._connect(self._port, self._adapter.token)
        self._tracing = True
        self._shown = _note_uncaught()
        self.facts["seconds"] = time.time() - self._began

    def _connect(self, port, token):
        api = self._api

        def connect(address, settrace_kwargs):
            hidden = tuple(settrace_kwargs.get("dont_trace_start_patterns", ()))
            settrace_kwargs["dont_trace_start_patterns"] = hidden + (_PAYLOAD,)
            api._settrace(
                host=address[0],
                port=address[1],
                wait_for_ready_to_run=False,
                block_until_connected=True,
                access_token=token,
                **settrace_kwargs,
            )

        api._starts_debugging(connect)(("127.0.0.1", port))

        _keep_scripts_own_calls_harmless(api)

    def is_attached(self):
        import pydevd

        return pydevd._is_attached()

    def wait(self, hold):
        """Block until an editor has sent configurationDone: True; False when `hold` ended before."""
        import pydevd

        pydevd._wait_for_attach(cancel=hold)
        return pydevd._is_attached()

    def stop_on_entry(self):
        """Stop at the first line of the user's code that comes to run."""
        from _pydevd_bundle.pydevd_api import PyDevdAPI

        PyDevdAPI().stop_on_entry()

    def untrace(self):
        """No editor is there: take the main thread's trace function off (before 3.12 it costs up to ten times
        the program's own time). Call it in the main thread."""
        if sys.version_info < (3, 12) and self._tracing and not self.is_attached():
            import pydevd_tracing

            self._tracing = False
            pydevd_tracing.SetTrace(None)

    def trace(self):
        """An editor comes again. Call it in the main thread."""
        if not self._tracing:
            self._tracing = True
            _global_debugger().enable_tracing()
            _global_debugger().set_tracing_for_untraced_contexts()

    def stop_at(self, exc_info):
        """Show the raising frame of `exc_info` to the editor, whatever its exception filters say."""
        if hasattr(self._api, "trigger_exception_handler"):  # debugpy >= 1.8.22
            self._api.trigger_exception_handler(exc_info, as_uncaught=False)
        else:
            _stop_at_traceback(exc_info)

    def stop_at_uncaught(self, exc_info):
        """Show an exception that nobody caught, where the editor's filter "uncaught" is on.

        pydevd looks for them at the outermost frame of a thread as it was when tracing began. That was before
        the script here, so that it misses most of them; those it has shown are not shown again.
        """
        import threading

        from _pydevd_bundle.pydevd_breakpoints import stop_on_unhandled_exception

        if any(shown is exc_info[1] for shown in self._shown):
            return
        py_db = _global_debugger()
        thread = threading.current_thread()
        info = py_db.set_additional_thread_info(thread)
        info.is_tracing += 1
        try:
            stop_on_unhandled_exception(py_db, thread, info, exc_info)
        finally:
            info.is_tracing -= 1


def _note_uncaught():
    """A list to which every exception is added that pydevd stops at as uncaught."""
    shown = []
    py_db = _global_debugger()
    stop = py_db.do_stop_on_unhandled_exception

    def noted(thread, frame, frames_byid, exc_info):
        shown.append(exc_info[1])
        return stop(thread, frame, frames_byid, exc_info)

    py_db.do_stop_on_unhandled_exception = noted
    return shown


def _debugpy_folder(root):
    """The folder that holds the right `debugpy` for this interpreter.

    A debugpy that the program imported already stays: two of them do not go together.
    """
    loaded = sys.modules.get("debugpy")
    if loaded is not None:
        return os.path.dirname(os.path.dirname(os.path.abspath(loaded.__file__)))
    if "pydevd" in sys.modules:
        raise RuntimeError("another debugger (pydevd) is in this process")
    with open(os.path.join(root, "versions")) as table:
        for line in table:
            minimum, version = line.split()
            if sys.version_info[:2] >= tuple(int(part) for part in minimum.split(".")):
                return os.path.join(root, version)
    raise RuntimeError("there is no debugpy for Python %d.%d" % sys.version_info[:2])


def _import_debugpy(folder):
    def importing():
        sys.path.insert(0, folder)
        try:
            import debugpy
            import debugpy.server.api  # noqa: F401  what is imported lazily, while the folder is on the path
        finally:
            sys.path.remove(folder)

    _patiently(importing)


def _patiently(importing):
    """In a thread beside a program which imports the same modules, Python hands out modules that are half-way
    loaded rather than wait for ever; a moment later they are whole."""
    for pause in (0.02, 0.05, 0.1, 0.2, 0):
        try:
            return importing()
        except (AttributeError, ImportError):
            if not pause:
                raise
            time.sleep(pause)


def _global_debugger():
    """pydevd's debugger of this process, or None."""
    from _pydevd_bundle.pydevd_constants import get_global_debugger

    return get_global_debugger()


def _keep_scripts_own_calls_harmless(api):
    """A script with a debugpy.listen() of its own must not fail: it is debugged already."""

    def done(*args, **kwargs):
        return "127.0.0.1", 0

    done.called = True
    api.listen = api.connect = api.configure = api.log_to = done


def _stop_at_traceback(exc_info):
    """What trigger_exception_handler does, for debugpy before 1.8.22."""
    import threading

    exception_type, value, trace = exc_info
    py_db = _global_debugger()
    frames, innermost = {}, None
    while trace is not None:
        frames[id(trace.tb_frame)] = trace.tb_frame
        if py_db.get_file_type(trace.tb_frame) != py_db.PYDEV_FILE:
            innermost = trace.tb_frame
        trace = trace.tb_next
    if innermost is None:
        return
    thread = threading.current_thread()
    info = py_db.set_additional_thread_info(thread)
    info.pydev_message = "%s: %s" % (exception_type.__name__, value)
    info.is_tracing += 1
    try:
        py_db.do_stop_on_unhandled_exception(thread, innermost, frames, exc_info)
    finally:
        info.is_tracing -= 1


class Adapter:
    """Starts `adapter.py` as a process; `port` is where the debuggee's half of debugpy connects."""

    def __init__(self, folder, control):
        binascii, subprocess = _patiently(_adapters_modules)
        self.token = binascii.hexlify(os.urandom(32)).decode("ascii")
        reading, writing = os.pipe()
        try:
            environment = {key: value for key, value in os.environ.items() if not _is_pythons(key)}
            environment["STEPBRIDGE_ADAPTER"] = "%d;%s;%s" % (os.getpid(), self.token, control)
            script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "adapter.py")
            self._process = subprocess.Popen(
                [_interpreter(), "-S", script, folder, str(writing)],
                pass_fds=(writing,),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=environment,
                start_new_session=True,
            )
        except BaseException:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        self._reading = reading

    def port(self):
        """Blocks until the adapter is up."""
        text = b""
        while True:
            data = os.read(self._reading, 64)
            if not data:
                break
            text += data
        if not text.strip().isdigit():
            raise RuntimeError("debugpy's adapter did not start")
        return int(text)

    def forget(self):
        """Reap the process which forked the adapter; the adapter itself is nobody's child."""
        os.close(self._reading)
        self._process.wait()


def _adapters_modules():
    import binascii
    import subprocess

    return binascii, subprocess


def _is_pythons(variable):
    return variable.startswith("PYTHON") and variable != "PYTHONHOME"


def _interpreter():
    """This interpreter's program; sys.executable is empty or another program where Python is embedded."""
    version = "python%d.%d" % sys.version_info[:2]
    candidates = [sys.executable, os.path.join(sys.base_prefix, "bin", version)]
    for path in candidates:
        if path and "python" in os.path.basename(path) and os.access(path, os.X_OK):
            return path
    return sys.executable or version
