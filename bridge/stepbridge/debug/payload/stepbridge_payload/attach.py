"""Attach on demand: load debugpy into a program that is in full swing.

Called in the main thread between two of its instructions, on top of whatever it does. Where debugpy can
trace threads other than the current one, a helper thread does the work and the program goes on meanwhile;
else (Python < 3.12 elsewhere than on x86-64 with glibc) it is done here, so that at least the main thread is
traced.
"""

import os
import sys

_SWITCH_SECONDS = 0.00005


def attach(start):
    """Run `start` in a thread if that can trace the main thread, else here."""
    if not _can_trace_other_threads():
        start()
        return
    import threading

    thread = threading.Thread(target=_hurried, args=(start,), name="stepbridge-attach")
    thread.daemon = True
    thread.pydev_do_not_trace = True
    thread.is_pydev_daemon_thread = True
    thread.start()


def _hurried(start):
    """Importing gives the GIL away at each file; a busy main thread would keep it 5 ms each time."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_SECONDS)
    try:
        start()
    finally:
        sys.setswitchinterval(before)


def _can_trace_other_threads():
    if sys.version_info >= (3, 12):
        return True
    try:
        import ctypes  # noqa: F401

        return os.uname().machine == "x86_64" and bool(os.confstr("CS_GNU_LIBC_VERSION"))
    except (ImportError, ValueError, OSError):
        return False
