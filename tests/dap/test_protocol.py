"""Frames and messages: what is read, and how everything else ends."""

from __future__ import annotations

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stepbridge.dap.protocol import (
    Event,
    FramingError,
    MessageError,
    Request,
    Response,
    decode,
    encode,
    frame,
    read_frame,
)


def stream(data: bytes, *, end: bool = True) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    if end:
        reader.feed_eof()
    return reader


@pytest.mark.parametrize(
    "header",
    [
        b"Content-Length: 2\r\n\r\n",
        b"content-length:2\r\n\r\n",
        b"Content-Length: 2\r\nContent-Type: application/vscode-jsonrpc; charset=utf-8\r\n\r\n",
        b"Content-Length: 2\n\n",
    ],
)
async def test_headers_that_are_read(header: bytes) -> None:
    assert await read_frame(stream(header + b"{}")) == b"{}"


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"POST /x:y HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}",  # what a web page can send here
        b"Content-Length: two\r\n\r\n{}",
        b"Content-Length: -2\r\n\r\n{}",
        b"Content-Length: +2\r\n\r\n{}",
        b"Content-Length: 1_0\r\n\r\n{}",
        b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
        b"Content-Length: 99999999999999999999\r\n\r\n",
        b"Content-Length: 2\r\nX-Other: 1\r\n\r\n{}",
        b"Content-Type: x\r\n\r\n{}",
        b"\r\n{}",
        b"x" * 100_000,
        b"Content-Length: 5\r\n\r\n{}",
        b"Content-Len",
    ],
)
async def test_what_is_no_frame_ends_the_stream(data: bytes) -> None:
    with pytest.raises(FramingError):
        await read_frame(stream(data))


async def test_a_message_over_the_limit_is_refused_before_it_is_read() -> None:
    with pytest.raises(FramingError, match="limit"):
        await read_frame(stream(b"Content-Length: 11\r\n\r\n", end=False), limit=10)


async def test_a_message_that_never_completes_does_not_hang() -> None:
    with pytest.raises(FramingError, match="complete"):
        await read_frame(stream(b"Content-Length: 11\r\n\r\n{", end=False), seconds=0.05)


async def test_the_end_between_two_frames_is_no_error() -> None:
    reader = stream(frame(b"{}"))
    assert await read_frame(reader) == b"{}"
    assert await read_frame(reader) is None


@pytest.mark.parametrize(
    ("content", "seq"),
    [
        (b"", 0),
        (b"nonsense", 0),
        (b"[]", 0),
        (b'{"seq": 7, "type": "request"}', 7),
        (b'{"seq": 7, "type": "wish", "command": "x"}', 7),
        (b'{"seq": "7", "type": "request", "command": "x"}', 0),
        (b'{"seq": true, "type": "request", "command": 1}', 0),
        (b'{"seq": 7, "type": "request", "command": "x", "arguments": []}', 7),
        (b"[" * 100_000, 0),
        (b'{"seq": 1, "type": "request", "command": "\xff"}', 0),
    ],
)
def test_what_is_no_message_says_which_it_was(content: bytes, seq: int) -> None:
    with pytest.raises(MessageError) as raised:
        decode(content)
    assert raised.value.seq == seq


@given(st.binary(max_size=200))
def test_no_content_breaks_the_reader(content: bytes) -> None:
    try:
        decode(content)
    except MessageError:
        pass


@pytest.mark.parametrize(
    "message",
    [
        Request(3, "launch", {"program": "x"}),
        Request(3, "threads"),
        Response(4, 3, True, "launch", body={"a": [1]}),
        Response(4, 3, False, "launch", message="no"),
        Event(5, "output", {"output": "é\n"}),
    ],
)
def test_messages_come_back_as_they_were_written(message: Request | Response | Event) -> None:
    content = encode(message)
    assert decode(content) == message
    assert None not in json.loads(content).values()
