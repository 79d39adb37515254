"""The bridges of a workspace that run in other processes, as commands and debug sessions reach them."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from .errors import StepBridgeError
from .execution.executions import is_alive
from .settings import Workspace


class RemoteBridge(Struct, frozen=True):
    """A bridge in another process of this machine."""

    pid: int
    url: str
    token: str

    def get(self, path: str) -> Any:
        """JSON of a route below `/_stepbridge/`. Raises StepBridgeError with the bridge's own words."""
        return self._json("GET", path)

    def post(self, path: str, value: object = None) -> Any:
        """The same, having sent `value` as JSON."""
        return self._json("POST", path, json.dumps(value).encode() if value is not None else b"")

    def lines(self, path: str) -> Iterator[Mapping[str, Any]]:
        """JSON objects of a route that streams them, as they come."""
        connection, answer = self._ask("GET", path)
        try:
            for line in answer:
                yield json.loads(line)
        finally:
            connection.close()

    def _json(self, method: str, path: str, body: bytes = b"") -> Any:
        connection, answer = self._ask(method, path, body)
        try:
            return json.loads(answer.read())
        finally:
            connection.close()

    def _ask(
        self, method: str, path: str, body: bytes = b""
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc)
        headers = {"Authorization": f"Bearer {self.token}", "Content-Length": str(len(body))}
        try:
            connection.request(method, f"/_stepbridge/{path}", body or None, headers)
            answer = connection.getresponse()
        except OSError as error:
            raise StepBridgeError(f"The bridge with process id {self.pid} does not answer: {error}") from None
        if answer.status >= 400:
            said = json.loads(answer.read())
            connection.close()
            raise StepBridgeError(said["message"], said.get("hint", ""))
        return connection, answer


def bridges(workspace: Workspace) -> list[RemoteBridge]:
    """Those that live now; announcements of dead ones are removed."""
    found = []
    for path in sorted((workspace.state / "bridges").glob("*.json")):
        pid = int(path.stem.partition("-")[0])  # one process may have several bridges
        if not is_alive(pid):
            path.unlink(missing_ok=True)
            continue
        content = json.loads(path.read_text("utf-8"))
        found.append(RemoteBridge(pid, content["url"], content["token"]))
    return found


def bridge_of(workspace: Workspace, run: str) -> tuple[RemoteBridge, str]:
    """The bridge that runs a run, and the run's id. run: an id, the beginning of one, or "latest".

    Raises:
        StepBridgeError: no such run is under way.
    """
    found = [
        (bridge, str(item["run"]))
        for bridge in bridges(workspace)
        for item in bridge.get("runs")
        if run == "latest" or str(item["run"]).startswith(run)
    ]
    if not found:
        raise StepBridgeError(
            "No run is under way" if run == "latest" else f"Run {run} is not under way",
            "stepbridge runs lists those that have ended.",
        )
    return found[-1]
