"""Which Python process is this: the step's own script, other code of the user, or none of our business?

Judged by the raw command line of the interpreter (`sys.argv` is not set yet in sitecustomize before 3.8, and
`sys.orig_argv` exists from 3.10).
"""

import os
import sys

SCRIPT = "script"  # the step's own script: follows the plan's mode
USER = "user"  # other code of the user: may be attached, never waits

# the workers of multi-model-server and of TorchServe
_LISTENS_FIRST = "model_service_worker.py"

# modules that run the script named in their arguments inside their own process
_RUNNERS = frozenset(["mpi4py", "mpi4py.run", "mpi4py.futures", "cProfile", "profile", "trace", "pdb"])
_LONG_OPTIONS_WITH_VALUE = frozenset(["--check-hash-based-pycs"])


def command_line():
    """This process' argument list as the kernel knows it."""
    try:
        with open("/proc/self/cmdline", "rb") as source:
            raw = source.read()
    except OSError:
        return list(getattr(sys, "orig_argv", None) or getattr(sys, "argv", []))
    return [os.fsdecode(word) for word in raw.split(b"\0")[:-1]]


def parse(words):
    """(kind, what, arguments): what the interpreter was told to run.

    kind: "file", "module", "code", or "" (standard input, prompt).
    """
    index = 1
    while index < len(words):
        word = words[index]
        if word == "--":
            index += 1
            break
        if not word.startswith("-") or word == "-":
            break
        if word.startswith("--"):
            index += 2 if word in _LONG_OPTIONS_WITH_VALUE else 1
            continue
        kind, value, taken = _short_options(word, words[index + 1 :])
        index += taken
        if kind:
            return kind, value, words[index:]
    if index >= len(words) or words[index] == "-":
        return "", "", []
    return "file", words[index], words[index + 1 :]


def _short_options(word, following):
    """(kind, value, number of words taken) of one word such as -u, -Bc CODE, -mpkg, -X opt, -Wignore."""
    for position, letter in enumerate(word[1:], 1):
        rest = word[position + 1 :]
        if letter in "cm":
            kind = "module" if letter == "m" else "code"
            if rest:
                return kind, rest, 1
            return kind, following[0] if following else "", 2
        if letter in "XW":
            return "", "", 1 if rest else 2
    return "", "", 1


def role(settings, words):
    """SCRIPT, USER or None for the process of that command line."""
    kind, what, arguments = parse(words)
    if kind == "module" and what in _RUNNERS:
        kind, what = "file", _first_script(arguments)
    if not what or _is_pydevd(settings, kind, what):
        return None
    if kind == "code":
        return USER if _is_worker(what) else None
    if kind == "module":
        found = what in settings.modules or what + ".__main__" in settings.modules
        found = found or _names(settings.files, _file_of_module(what))
    else:
        found = _names(settings.files, what)
    if found:
        return SCRIPT
    path = _file_of_module(what) if kind == "module" else what
    if path and _under(settings.prefixes, path):
        return USER if settings.files or settings.modules else SCRIPT
    return None


def listens_first(words):
    """Must the process of that command line listen for its server before it may wait? See listening.py."""
    kind, what, _ = parse(words)
    return kind == "file" and os.path.basename(what) == _LISTENS_FIRST


def _first_script(arguments):
    for word in arguments:
        if word.endswith(".py"):
            return word
    return ""


def _is_pydevd(settings, kind, what):
    """A child that an attached parent's debugpy already brings into its session."""
    return kind == "file" and os.path.basename(what) == "pydevd.py" and "pydevd" in os.path.dirname(what)


def _is_worker(code):
    """Children of multiprocessing with start method spawn or forkserver (not its resource tracker)."""
    return code.startswith(("from multiprocessing.spawn import", "from multiprocessing.forkserver import"))


def _file_of_module(name):
    """The file of a module that lies below the working folder, where `-m` looks first; else ""."""
    base = os.path.join(*name.split("."))
    for candidate in (base + ".py", os.path.join(base, "__main__.py")):
        if os.path.isfile(candidate):
            return candidate
    return ""


def _names(targets, path):
    """Is `path` one of the targets (absolute paths, paths relative to anywhere, or bare file names)?"""
    if not path:
        return False
    real = os.path.realpath(path)
    for target in targets:
        if target.startswith("/"):
            if real == os.path.realpath(target):
                return True
        elif real == target or real.endswith("/" + target):
            return True
    return False


def _under(prefixes, path):
    real = os.path.realpath(path)
    if "/site-packages/" in real or "/dist-packages/" in real:
        return False
    return any(real.startswith(os.path.realpath(prefix) + "/") for prefix in prefixes)
