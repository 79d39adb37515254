"""Installs everything that a pipeline program needs to run against the local endpoint."""

import json
import os
import sys

record = None  # of this process; the launcher adds to it


def activate(configuration):
    """Act on the JSON that `stepbridge.program.runner` put into `STEPBRIDGE_PROGRAM`."""
    global record
    from . import clients, failure, imports, local_mode, quiet, speed, watch

    chosen = json.loads(configuration)
    imports.install()
    record = watch.Record(chosen["record"], chosen["workspace"])
    target = clients.Target(
        chosen["endpoint"], chosen["access_key"], chosen["secret_key"], chosen.get("services", ())
    )
    clients.redirect(target, before_start=record.write)
    quiet.install()
    speed.install()
    local_mode.install(chosen["role"], record.notices.append)
    failure.install(record)
    record.start()
    _cache_bytecode(chosen.get("bytecode"))


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
