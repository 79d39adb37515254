"""The debugging of this one process: checks in with the bridge, then waits, arms or hooks crashes as the plan
says, and obeys the bridge's words: "attach", "release", "untrace".
"""

import os
import sys

from . import postmortem, startup, target  # all of it before we check in: "attach" may come at once
from .control import Control

_current = None


def begin(settings, role):
    """Called once, before the script. In mode "wait" it returns when the script may run."""
    global _current
    mode = settings.mode
    if role == target.USER and mode == "wait":
        mode = "arm"
    if mode == "off" and settings.post_mortem is None:
        return
    _current = Process(settings, role, mode)
    _current.check_in()
    try:
        _current.run()
    except Exception as error:
        _current.failed(error)


class Process:
    """States: armed -> listening -> (waiting) -> attached or released."""

    def __init__(self, settings, role, mode):
        self.settings = settings
        self.role = role
        self.mode = mode
        self.control = None
        self._pid = 0  # whose line `control` is
        self.debugger = None  # debugger.Debugger once debugpy is in
        self._loading = None  # a list while a thread loads debugpy
        self.hold = None  # debugger.Hold while the main thread waits for an editor

    def run(self):
        """Do as the plan says; returns when the script may run."""
        postmortem.install(self)
        if self.mode != "wait":
            return
        if target.listens_first(target.command_line()):
            from . import listening

            listening.before_serving(self.wait_for_first_editor)
        else:
            self.wait_for_editor()

    def wait_for_first_editor(self):
        """Wait in the midst of the program, which must not see it fail; not if an editor came meanwhile."""
        try:
            if self.debugger is None:
                self.wait_for_editor()
        except Exception as error:
            self.failed(error)

    def check_in(self, forked=False):
        """Connect and say who we are. Without a bridge the process just runs."""
        try:
            self.control = Control(self.settings.control, self._obey)
        except OSError as error:
            if forked:
                return
            raise OSError("the bridge does not answer (%s)" % error)
        self._pid = os.getpid()
        self.control.send(
            "hello",
            pid=self._pid,
            ppid=os.getppid(),
            python="%d.%d.%d" % sys.version_info[:3],
            executable=sys.executable or "",
            argv=[_printable(word) for word in target.command_line()],
            cwd=_printable(_working_folder()),
            role=self.role,
            mode=self.mode,
            forked=forked,
        )
        self.control.listen()
        if hasattr(os, "register_at_fork") and not forked:  # 3.7
            os.register_at_fork(after_in_child=self._forked)

    def ensure_connected(self):
        """For a forked child that needs the bridge after all."""
        if self._pid != os.getpid():
            self.check_in(forked=True)

    def start_debugger(self):
        """Load debugpy, once, ready for an editor. Raises where that fails."""
        if self.debugger is None:
            from . import debugger

            loaded = debugger.Debugger(self.settings)
            loaded.connect()
            self.debugger = loaded
        return self.debugger

    def wait_for_editor(self):
        facts = self.start_debugger().facts
        if self.hold_for_editor(self.settings.wait_seconds, "waiting", **facts):
            if self.settings.stop_on_entry:
                self.debugger.stop_on_entry()

    def hold_for_editor(self, limit, state, **facts):
        """Report `state`, then block the main thread until an editor is attached and configured: True; False
        when let go. `limit` is in seconds."""
        from .debugger import Hold

        self.hold = Hold(limit)  # before the report: "release" may follow it at once
        if self.control.is_open():
            self.control.send(state, **facts)
        else:
            self.hold.end("the bridge is gone")
        attached = self.debugger.wait(self.hold)
        why, self.hold = self.hold.why, None
        if attached:
            self.control.send("attached")
        else:
            self.control.send("released", why=why)
            self.debugger.untrace()
        return attached

    def _obey(self, word):
        """In the main thread, at any point of the program."""
        try:
            if word == "attach":
                self._attach()
            elif word == "untrace" and self.debugger is not None and self.hold is None:
                self.debugger.untrace()
            elif word in ("release", "") and self.hold is not None:
                self.hold.end("the bridge is gone" if not word else "released")
        except Exception as error:
            self.failed(error)

    def _attach(self):
        if self.debugger is not None:
            self.debugger.trace()
        elif self._loading is None:
            from . import attach

            self._loading = []
            attach.attach(self.control, self._load, self._listen, self.failed)

    def _load(self):
        """In a thread."""
        from . import debugger

        self._loading.append(debugger.Debugger(self.settings))

    def _listen(self):
        """In the main thread, once debugpy is loaded."""
        try:
            (loaded,), self._loading = self._loading, None
            if self.debugger is None:  # it crashed meanwhile, maybe, and loaded it by itself
                loaded.connect()
                self.debugger = loaded
            self.control.send("listening", **self.debugger.facts)
        except Exception as error:
            self.failed(error)

    def failed(self, error):
        """debugpy does not work here: say so, and leave the process alone."""
        self._loading = None
        self.control.send("failed", error="%s: %s" % (type(error).__name__, error))
        if self.debugger is not None:
            self.debugger.untrace()
        startup.complain(error)

    def _forked(self):
        """In a forked child: our parent's line is not ours. debugpy brings its own children along; the child
        of an armed process gets a line of its own, so that workers can be attached one by one."""
        try:
            self.control.close()
            self.hold = self._loading = None
            if self.debugger is None and self.mode != "off":
                self.check_in(forked=True)
        except Exception:
            pass


def _working_folder():
    try:
        return os.getcwd()
    except OSError:  # it is gone
        return ""


def _printable(word):
    return os.fsencode(word).decode("utf-8", "replace")
