"""From a client to a debug server in another process, and back, frame by frame.

For a child session whose editor started a server of its own for it, and for attaching to a step that another
process runs. Knows no run.
"""

from __future__ import annotations

import asyncio
import contextlib

from .connection import Connection
from .protocol import FramingError, Request, Response, decode, encode, frame, read_frame


async def pass_on(connection: Connection, initialize: Request, start: Request, port: int) -> None:
    """Serve the client by the server on that loopback port. `initialize` was answered already."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        connection.refuse(start, "The run has ended: its debug server is gone.", show=True)
        connection.event("terminated", {})
        return
    connection.share_numbers()
    for request in (initialize, start):
        writer.write(frame(encode(request)))
    down = asyncio.create_task(_down(reader, connection, initialize.seq))
    up = asyncio.create_task(_up(connection, writer))
    try:
        await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (up, down):
            task.cancel()
        await asyncio.gather(up, down, return_exceptions=True)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def _up(connection: Connection, writer: asyncio.StreamWriter) -> None:
    while (received := await connection.receive()) is not None:
        writer.write(frame(received[1]))
        await writer.drain()


async def _down(reader: asyncio.StreamReader, connection: Connection, answered: int) -> None:
    with contextlib.suppress(FramingError, ConnectionError):
        while (content := await read_frame(reader)) is not None:
            message = decode(content)
            if isinstance(message, Response) and message.request_seq == answered:
                continue
            connection.forward(content)
            await connection.drain()
