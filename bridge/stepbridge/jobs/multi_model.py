"""Many models in one container (Mode MultiModel): each is loaded when a request first names it.

The contract (documentation of the service, "Build your own container for multi-model endpoints"): a model is
unpacked at `/opt/ml/models/<name>/model`; POST /models loads it, POST /models/<name>/invoke asks
it, DELETE /models/<name> unloads it, and 507 says that there is no memory for one more. Knows no endpoint; it
blocks, so that threads of the service call it.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from stepbridge.errors import StorageError

from .model_client import Answer, Invocation, ask, invoke

MODELS = "/opt/ml/models"
_NO_MEMORY = 507
_LOADED_ALREADY = 409

Unpack = Callable[[str, Path, str], None]
"""(URI of an archive, folder of this machine, the same folder in the container): unpacks it there."""


class LoadedModels:
    """The models of one container.

    Args:
        prefix: URI below which their archives lie.
        folder: of this machine; the container sees it as MODELS.
        unpack: raises StorageError where there is no such archive.
    """

    def __init__(self, prefix: str, folder: Path, unpack: Unpack) -> None:
        self._prefix = prefix.rstrip("/") + "/"
        self._folder = folder
        self._unpack = unpack
        self._lock = threading.Lock()
        self._loaded: dict[str, str] = {}  # target -> name; the one that was asked last comes last

    def place(self, target: str) -> str:
        """Unpack an archive, named by its path below the prefix, if that was not done; returns its name.

        Raises:
            StorageError: there is none of that path, or it is no archive.
        """
        name = _name_of(target)
        folder = self._folder / name
        if not folder.exists():
            try:
                self._unpack(self._prefix + target, folder, f"{MODELS}/{name}")
            except StorageError:
                shutil.rmtree(folder, ignore_errors=True)
                raise
        return name

    def invoke(self, port: int, target: str, body: bytes, headers: Mapping[str, str]) -> Invocation:
        """One inference by the model of that path, which is loaded first where it has to be.

        Raises:
            StorageError: see `place`.
            OSError, HTTPException: the server gave no answer.
        """
        with self._lock:
            name = self._loaded.pop(target, "")
            if not name:
                name = self.place(target)
                refused = self._load(port, name)
                if refused is not None:
                    return Invocation(
                        refused.status, {"content-type": refused.content_type}, iter((refused.body,))
                    )
            self._loaded[target] = name
        return invoke((port,), body, headers, f"/models/{name}/invoke")

    def _load(self, port: int, name: str) -> Answer | None:
        """None where it is loaded; those that were not asked for the longest time make room for it."""
        request = json.dumps({"model_name": name, "url": f"{MODELS}/{name}/model"}).encode()
        while True:
            answer = ask(port, "POST", "/models", request, {"Content-Type": "application/json"})
            if answer.status in (200, _LOADED_ALREADY):
                return None
            if answer.status != _NO_MEMORY or not self._loaded:
                return answer
            ask(port, "DELETE", f"/models/{self._loaded.pop(next(iter(self._loaded)))}")


def _name_of(target: str) -> str:
    """A name for a container: of the path, readable, and another one for another path."""
    readable = re.sub(r"[^A-Za-z0-9]+", "-", target.removesuffix(".tar.gz")).strip("-")
    return f"{readable[:40]}-{hashlib.sha256(target.encode()).hexdigest()[:8]}"
