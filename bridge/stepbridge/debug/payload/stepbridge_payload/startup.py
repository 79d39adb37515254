"""First code of ours in every Python process of a step: chain-loads what our hook shadows, then starts the
debugging of this process if it is one to debug. Imports next to nothing, for the processes that are not.
"""

import os
import sys

_looked = False


def run(hook, here):
    """Called by the hook module `hook` ("sitecustomize" or "usercustomize") in folder `here`."""
    try:
        _load_shadowed(hook, here)
    finally:
        _look()


def _load_shadowed(hook, here):
    """Run the module of the same name that the image or the user brings. Its errors are its own."""
    import _frozen_importlib
    import _frozen_importlib_external

    elsewhere = [entry for entry in sys.path if os.path.abspath(entry or ".") != here]
    spec = _frozen_importlib_external.PathFinder.find_spec(hook, elsewhere)
    if spec is None or spec.loader is None:
        return
    module = _frozen_importlib.module_from_spec(spec)
    sys.modules[hook] = module
    spec.loader.exec_module(module)


def _look():
    global _looked
    if _looked:
        return
    _looked = True
    try:
        from . import settings, target

        wanted = settings.read()
        role = wanted and target.role(wanted, target.command_line())
        if role:
            from . import process

            process.begin(wanted, role)
    except Exception as error:  # a debugger must never fail the step
        complain(error)


def complain(error):
    """Say on standard error that this process goes on without a debugger."""
    try:
        sys.stderr.write("stepbridge: not debugging this process: %s: %s\n" % (type(error).__name__, error))
        sys.stderr.flush()
    except Exception:
        pass
