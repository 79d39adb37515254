"""Asks a model server over loopback HTTP: waits until it answers /ping, then sends it requests.

Time in the debugger is the user's own: no limit runs out while somebody holds the server's process. Knows no
job and no endpoint. The blocking connections live in threads, here alone.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from .plan import JobFailure, ModelServer

if TYPE_CHECKING:
    from http.client import HTTPConnection, HTTPResponse

PING_LIMIT = 600.0  # seconds; the default of ContainerStartupHealthCheckTimeoutInSeconds
_INVOCATIONS = "/invocations"
_HOP_BY_HOP = ("transfer-encoding", "connection", "keep-alive")
_CHUNK = 64 * 1024  # bytes
_PING_INTERVAL = (0.02, 1.0)  # seconds: the first, and the longest
_T = TypeVar("_T")


class Answer(Struct, frozen=True):
    status: int
    content_type: str
    body: bytes
    container: int = 0  # which one of an inference pipeline said it, counted from 0


class Invocation(Struct, frozen=True):
    """What a model's container answered, to be read as it comes; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: Iterator[bytes]
    container: int = 0  # as Answer's
    said_by: str = "primary"  # the same in the service's words


def ask(port: int, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] = {}) -> Answer:
    """One request, on a connection of its own. Raises OSError or HTTPException where there is no answer."""
    import http.client  # 20 ms, which a run without models need not spend

    connection = http.client.HTTPConnection("127.0.0.1", port)
    try:
        connection.request(method, path, body or None, dict(headers))
        response = connection.getresponse()
        return Answer(response.status, response.getheader("Content-Type") or "", response.read())
    finally:
        connection.close()


def ask_pipeline(ports: Sequence[int], body: bytes, headers: Mapping[str, str]) -> Answer:
    """One inference by containers that work one after the other, or by a single one.

    Each answer is the next container's request, its type that request's type. What the client accepts
    concerns the last answer alone. An answer other than 200 ends it. Raises OSError or HTTPException.
    """
    asked = _up_to_last(ports, body, headers)
    if isinstance(asked, Answer):
        return asked
    return replace(ask(ports[-1], "POST", _INVOCATIONS, *asked), container=len(ports) - 1)


def invoke(
    ports: Sequence[int], body: bytes, headers: Mapping[str, str], path: str = _INVOCATIONS
) -> Invocation:
    """The same; the answer is read as its reader takes it. Raises OSError or HTTPException.

    path: of the last container's request.
    """
    import http.client

    asked = _up_to_last(ports, body, headers)
    if isinstance(asked, Answer):
        return Invocation(
            asked.status, {"content-type": asked.content_type}, iter((asked.body,)), asked.container
        )
    connection = http.client.HTTPConnection("127.0.0.1", ports[-1])
    try:
        connection.request("POST", path, *asked)
        response = connection.getresponse()
    except BaseException:
        connection.close()
        raise
    kept = {key.lower(): value for key, value in response.getheaders()}
    for header in _HOP_BY_HOP:
        kept.pop(header, None)
    return Invocation(response.status, kept, _pieces(connection, response), len(ports) - 1)


def _up_to_last(
    ports: Sequence[int], body: bytes, headers: Mapping[str, str]
) -> Answer | tuple[bytes, dict[str, str]]:
    """What the last container is to be sent; or the answer of one before it that did not do its work."""
    kept = {key: value for key, value in headers.items() if key.lower() not in ("accept", "content-type")}
    kinds = {key: value for key, value in headers.items() if key.lower() == "content-type"}
    accepted = {key: value for key, value in headers.items() if key.lower() == "accept"}
    for place, port in enumerate(ports[:-1]):
        answer = ask(port, "POST", _INVOCATIONS, body, {**kept, **kinds})
        if answer.status != 200:
            return replace(answer, container=place)
        body = answer.body
        kinds = {"Content-Type": answer.content_type} if answer.content_type else {}
    return body, {**kept, **kinds, **accepted}


def _pieces(connection: HTTPConnection, response: HTTPResponse) -> Iterator[bytes]:
    try:
        yield from iter(partial(response.read, _CHUNK), b"")
    finally:
        connection.close()


def broken() -> tuple[type[Exception], ...]:
    """What a connection raises that gives no answer: for `except`."""
    import http.client

    return OSError, http.client.HTTPException


async def until_ready(server: ModelServer, limit: float = PING_LIMIT) -> None:
    """Returns when /ping of every container answers 200. The contract of model servers is this polling.

    Raises:
        JobFailure: it did not within `limit` seconds.
    """
    try:
        await within(limit, _ping_all(server.ports), server)
    except TimeoutError:
        raise JobFailure(
            f"AlgorithmError: the model server did not answer /ping with 200 within {limit:g} seconds."
        ) from None


async def _ping_all(ports: Sequence[int]) -> None:
    await asyncio.gather(*(_ping(port) for port in ports))


async def _ping(server_port: int) -> None:
    pause, longest = _PING_INTERVAL
    while True:
        try:
            answer = await asyncio.to_thread(ask, server_port, "GET", "/ping")
            if answer.status == 200:
                return
        except broken():
            pass  # not listening yet; the end of the container cancels us
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, longest)


async def execution_parameters(server: ModelServer) -> Mapping[str, Any]:
    """What /execution-parameters of the first container says, which need not have it; empty then."""
    try:
        answer = await asyncio.to_thread(ask, server.ports[0], "GET", "/execution-parameters")
    except broken():
        return {}
    try:
        value = json.loads(answer.body) if answer.status == 200 else {}
    except ValueError:
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
