"""Asks a model server over loopback HTTP: waits until it answers /ping, then sends it requests.

Time in the debugger is the user's own: no limit runs out while somebody holds the server's process. Knows no
job and no endpoint. The blocking connections live in threads, here alone.
"""

from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import Awaitable, Iterator, Mapping
from typing import Any, TypeVar

from msgspec import Struct

from .plan import JobFailure, ModelServer

PING_LIMIT = 600.0  # seconds; the default of ContainerStartupHealthCheckTimeoutInSeconds
_PING_INTERVAL = (0.02, 1.0)  # seconds: the first, and the longest
_T = TypeVar("_T")


class Answer(Struct, frozen=True):
    status: int
    content_type: str
    body: bytes


class Invocation(Struct, frozen=True):
    """What a model's container answered, to be read as it comes; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: Iterator[bytes]


def ask(port: int, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] = {}) -> Answer:
    """One request, on a connection of its own. Raises OSError or HTTPException where there is no answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    try:
        connection.request(method, path, body or None, dict(headers))
        response = connection.getresponse()
        return Answer(response.status, response.getheader("Content-Type") or "", response.read())
    finally:
        connection.close()


async def until_ready(server: ModelServer, limit: float = PING_LIMIT) -> None:
    """Returns when /ping answers 200. The contract of model servers is this polling.

    Raises:
        JobFailure: it did not within `limit` seconds.
    """
    try:
        await within(limit, _ping(server.port), server)
    except TimeoutError:
        raise JobFailure(
            f"AlgorithmError: the model server did not answer /ping with 200 within {limit:g} seconds."
        ) from None


async def _ping(server_port: int) -> None:
    pause, longest = _PING_INTERVAL
    while True:
        try:
            answer = await asyncio.to_thread(ask, server_port, "GET", "/ping")
            if answer.status == 200:
                return
        except (OSError, http.client.HTTPException):
            pass  # not listening yet; the end of the container cancels us
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, longest)


async def execution_parameters(server: ModelServer) -> Mapping[str, Any]:
    """What /execution-parameters says, which a server need not have; empty then."""
    try:
        answer = await asyncio.to_thread(ask, server.port, "GET", "/execution-parameters")
        value = json.loads(answer.body) if answer.status == 200 else {}
    except (OSError, http.client.HTTPException, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


async def within(limit: float, work: Awaitable[_T], server: ModelServer) -> _T:
    """The result of `work`, which may take `limit` seconds outside of the debugger. Raises TimeoutError."""
    task = asyncio.ensure_future(work)
    try:
        while True:
            done, _ = await asyncio.wait({task}, timeout=limit)
            if done:
                return task.result()
            held = asyncio.ensure_future(server.unheld())
            await asyncio.sleep(0)
            if held.done():
                raise TimeoutError
            await held
    finally:
        task.cancel()
