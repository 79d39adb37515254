"""What SDK v3's ModelTrainer brings along: a channel of driver scripts that find and run the user's own.

The job's command makes one of them executable, so the channel is a copy that can be written to, as every
channel of the service is. The user's source folder is the channel `code`.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import Path

from stepbridge.errors import StepBridgeError
from stepbridge.storage.objects import ObjectStore

from .channels import objects_of

DRIVERS = "sm_drivers"  # the channel's name


def copy_drivers(store: ObjectStore, uri: str, folder: Path) -> None:
    """Raises StorageError where nothing is at `uri`, the channel's source."""
    for relative, path in objects_of(store, uri, what=f"channel {DRIVERS}"):
        target = folder / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)


def entry_script(store: ObjectStore, uri: str) -> str:
    """`SourceCode.entry_script`, as the drivers read it; "" where the trainer has a command instead."""
    with contextlib.suppress(StepBridgeError, OSError, ValueError, AttributeError):
        described = store.required(f"{uri.rstrip('/')}/sourcecode.json")
        return str(json.loads(described.path.read_text("utf-8")).get("entry_script") or "")
    return ""
