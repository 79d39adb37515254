"""Framing of the Debug Adapter Protocol: strict and bounded."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stepbridge.debug import dap_frames
from stepbridge.debug.dap_frames import FrameError


async def frames(data: bytes) -> list[bytes]:
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    found = []
    while (body := await dap_frames.read_frame(reader)) is not None:
        found.append(body)
    return found


async def test_bodies_come_out_as_they_went_in() -> None:
    message = {"seq": 1, "type": "event", "event": "output", "body": {"output": "ä\n" * 1000}}
    data = dap_frames.encode(message) + dap_frames.frame(b"{}")
    first, second = await frames(data)
    assert dap_frames.decode(first) == message
    assert dap_frames.head(first).event == "output"
    assert second == b"{}"


async def test_other_header_fields_and_cases_are_allowed() -> None:
    assert await frames(b"content-length: 2\r\nContent-Type: x; y\r\n\r\n{}") == [b"{}"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"Content-Length: 3\r\n\r\n{}", "inside of a message"),
        (b"Content-Len", "inside of a message's header"),
        (b"Content-Length: x\r\n\r\n{}", "not a number"),
        (b"Content-Length: -2\r\n\r\n{}", "not a number"),
        (b"Content-Type: x\r\n\r\n{}", "no Content-Length"),
        (b"GET / HTTP/1.1\r\n\r\n", "no colon"),
        (b"POST /a:b HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}", "Unknown header"),
        (b"Content-Length: 99999999999\r\n\r\n", "over the limit"),
        (b"A: " + b"x" * 5000 + b"\r\n\r\n", "too long"),
        (b"A: " + b"x" * 100_000, "too long"),
    ],
)
async def test_what_is_no_message_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(FrameError, match=message):
        await asyncio.wait_for(frames(data), 5)


@pytest.mark.parametrize("body", [b"[]", b"1", b"{", b"\xff", b'{"seq": "1"}'])
def test_what_is_no_message_object_is_refused(body: bytes) -> None:
    with pytest.raises(FrameError):
        dap_frames.head(body)


@given(st.binary(max_size=200))
def test_nothing_else_than_a_frame_error_ever_comes_of_bytes(data: bytes) -> None:
    async def read() -> None:
        try:
            for body in await frames(data):
                dap_frames.decode(body)
        except FrameError:
            pass

    asyncio.run(read())


async def test_a_cancelled_read_loses_nothing() -> None:
    class Stream:
        reader = asyncio.StreamReader()

        async def write(self, data: bytes) -> None: ...
        async def close(self) -> None: ...

    stream = dap_frames.FrameStream(Stream())
    Stream.reader.feed_data(b"Content-Length: 4\r\n\r\n{")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(stream.read(), 0.01)
    Stream.reader.feed_data(b"  }")
    assert await stream.read() == b"{  }"
    await stream.close()
