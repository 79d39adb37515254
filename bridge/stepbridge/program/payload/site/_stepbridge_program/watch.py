"""Writes down what a compile depends on: files, folders and environment variables that the program looked at.

An audit hook sees each `open` and each listing of a folder in the workspace and notes who asked: the program
(its result depends on the content) or the SDK (it uploads the content). One JSON file per process, written at
exit and before each request that makes the service run something, so that it knows the code it is to run.
"""

import json
import os
import sys

from . import places
from .patches import replace

_NOT_READING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | getattr(os, "O_DIRECTORY", 0)
_SKIPPED = ("/.git/", "/__pycache__/", "/.stepbridge/", "/node_modules/", "/.venv/", "/.ipynb_checkpoints/")


class Record:
    def __init__(self, folder, workspace):
        self._folder = folder
        self._prefix = os.path.join(workspace, "")
        self._process = os.getpid()
        self._stopped = False
        self.read = {}  # absolute path -> set of "program", "sdk"
        self.listed = {}
        self.environment = {}  # name -> value or None
        self.error = None
        self.problem = None  # what the launcher could not do: {"kind": ..., ...}
        self.notices = []

    def start(self):
        sys.addaudithook(self._audit)
        self._watch_environment()

    def stop(self):
        """Note no more; Python keeps an audit hook for good."""
        self._stopped = True

    def _audit(self, event, arguments):
        if self._stopped:
            return
        if event == "open" or event in ("os.listdir", "os.scandir"):
            try:
                self._note_event(event, arguments)
            except Exception:  # a hook that raises would fail the program's own call
                return

    def _note_event(self, event, arguments):
        path = os.curdir if arguments[0] is None else arguments[0]
        if isinstance(path, int):
            return
        if event != "open":
            self._note(self.listed, path)
            return
        mode, flags = arguments[1], arguments[2] or 0
        if not mode and not os.path.isabs(path):
            return  # `os.open` may mean a path in the folder of a descriptor
        if not (any(letter in mode for letter in "wax+") if mode else flags & _NOT_READING):
            self._note(self.read, path)

    def _note(self, notes, path):
        path = os.path.abspath(os.fsdecode(path))
        if os.path.join(path, "").startswith(self._prefix) and not self._skipped(path):
            who = places.actor(sys._getframe(3))
            if who != places.IMPORT:
                notes.setdefault(path, set()).add("sdk" if who == places.SDK else "program")

    def _skipped(self, path):
        inside = "/" + path[len(self._prefix) :].replace(os.sep, "/") + "/"
        return any(folder in inside for folder in _SKIPPED)

    def _watch_environment(self):
        record = self.environment
        environ_class = type(os.environ)
        get_item = environ_class.__getitem__

        def get_noted_item(self, name):
            caller = sys._getframe(1)
            while caller is not None and caller.f_code.co_filename in _MAPPING_FILES:
                caller = caller.f_back
            user = caller is not None and places.kind(caller.f_code.co_filename) == places.USER
            try:
                value = get_item(self, name)
            except KeyError:
                if user:
                    record.setdefault(str(name), None)
                raise
            if user:
                record.setdefault(str(name), value)
            return value

        replace(environ_class, "__getitem__", get_noted_item)

    def write(self):
        if os.getpid() != self._process:  # a fork of the program
            return
        known = {
            "modules": sorted(_user_modules()),
            "read": {path: sorted(who) for path, who in list(self.read.items())},
            "listed": {path: sorted(who) for path, who in list(self.listed.items())},
            "environment": dict(self.environment),
            "interpreter": places.interpreter(),
            "packages": _packages(),
            "candidates": _pipelines_of_main(),
            "error": self.error,
            "problem": self.problem,
            "notices": self.notices,
        }
        path = os.path.join(self._folder, "{}.json".format(self._process))
        try:
            with open(path + ".part", "w", encoding="utf-8") as file:
                json.dump(known, file)
            os.replace(path + ".part", path)
        except FileNotFoundError:
            pass  # whoever wanted to read it was stopped, and has tidied up


_MAPPING_FILES = (
    os.__file__,
    "<frozen os>",
    "<frozen _collections_abc>",
    os.path.join(os.path.dirname(os.__file__), "_collections_abc.py"),
)


def _user_modules():
    for module in list(sys.modules.values()):
        path = getattr(module, "__file__", None)
        if isinstance(path, str) and places.is_user_file(path):
            yield os.path.abspath(path)


def _packages():
    """Where the AWS packages are installed; their metadata folder carries the version in its name."""
    found = {}
    for name in ("sagemaker", "boto3", "botocore"):
        module = sys.modules.get(name)
        if module is None:
            continue
        folder = os.path.dirname(os.path.dirname(os.path.abspath(module.__file__ or "")))
        for entry in os.listdir(folder) if os.path.isdir(folder) else ():
            if entry.startswith(name + "-") and entry.endswith(".dist-info"):
                found[name] = os.path.join(folder, entry)
    return found


def _pipelines_of_main():
    """Names in the program that look like a pipeline, or like a function that makes one."""
    found = []
    for name, value in list(vars(sys.modules["__main__"]).items()):
        if name.startswith("_") or isinstance(value, type):
            continue
        if all(hasattr(value, method) for method in ("upsert", "start", "definition")):
            found.append({"name": name, "kind": "pipeline"})
        elif name in ("get_pipeline", "create_pipeline", "build_pipeline", "make_pipeline") and callable(
            value
        ):
            found.append({"name": name, "kind": "function"})
    return found
