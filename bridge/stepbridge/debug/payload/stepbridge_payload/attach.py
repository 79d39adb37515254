"""Attach on demand: load debugpy into a program that is in full swing.

The word comes in the main thread, between two instructions of whatever the program does: it may be half-way
through an import, or hold a lock. So a thread does the loading, which takes its time and needs locks. Only
the last part is done in the main thread, on top of the program's frames: that makes the frames that run
now traceable, on every processor and libc (debugpy's way to trace other threads needs a library which exists
for x86-64 with glibc only).
"""

import sys
import time

import _thread

_SWITCH_SECONDS = 0.00005


def attach(control, load, finish, failed, attempts=50):
    """Run load() in a thread, then finish() in the main thread; failed(error) there when one raises."""

    def once_more():
        attach(control, load, finish, failed, attempts - 1)

    try:
        import threading

        threading.main_thread()  # the last thing that it defines
    except (AttributeError, ImportError) as error:
        # the program is half-way through importing it, or what it imports: once more when it has gone on
        if attempts:
            _later(lambda: control.run_in_main_thread(once_more))
        else:
            failed(error)
        return

    def work():
        try:
            _hurried(load)
        except Exception as error:
            reason = error
            control.run_in_main_thread(lambda: failed(reason))
        else:
            control.run_in_main_thread(finish)

    thread = threading.Thread(target=work, name="stepbridge-attach")
    thread.daemon = True
    thread.pydev_do_not_trace = True
    thread.is_pydev_daemon_thread = True
    thread.start()


def _later(function):
    def work():
        time.sleep(0.01)
        function()

    _thread.start_new_thread(work, ())


def _hurried(load):
    """Importing gives the GIL away at each file; a busy main thread would keep it 5 ms each time."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_SECONDS)
    try:
        load()
    finally:
        sys.setswitchinterval(before)
