"""Installs everything that a pipeline program needs to run against the local endpoint."""

import atexit
import json
import os
import sys

record = None  # of this process; the launcher adds to it


def activate(configuration):
    """Act on the JSON that `stepbridge.program.runner` put into `STEPBRIDGE_PROGRAM`."""
    from . import failure, speed

    chosen = json.loads(configuration)
    _redirect(chosen)
    speed.install()
    failure.install(record)
    atexit.register(record.write)
    _cache_bytecode(chosen.get("bytecode"))


def enter(configuration):
    """`activate` for a process that goes on after us: a notebook's kernel. `leave` ends it."""
    _redirect(json.loads(configuration))


def leave():
    """Put back what `enter` changed. Clients made since then stay as they are."""
    from . import imports, patches

    record.stop()
    imports.uninstall()
    patches.undo()


def _redirect(chosen):
    global record
    from . import clients, imports, local_mode, polling, quiet, watch

    imports.install()
    record = watch.Record(chosen["record"], chosen["workspace"])
    target = clients.Target(
        chosen["endpoint"], chosen["access_key"], chosen["secret_key"], chosen.get("services", ())
    )
    clients.redirect(target, before_start=record.write)
    quiet.install()
    polling.install()
    local_mode.install(chosen["role"], record.notices.append)
    record.start()


def _cache_bytecode(folder):
    """Where the user wants no `.pyc` beside sources, keep them apart; compiling the SDK takes seconds."""
    if folder and sys.dont_write_bytecode and not _has_bytecode():
        sys.pycache_prefix = folder
        sys.dont_write_bytecode = False
    else:
        return
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = folder


def _has_bytecode():
    """Whether the SDK was compiled when it was installed."""
    for entry in sys.path:
        package = os.path.join(entry, "sagemaker")
        if os.path.isfile(os.path.join(package, "__init__.py")):
            return os.path.isdir(os.path.join(package, "__pycache__"))
    return True
