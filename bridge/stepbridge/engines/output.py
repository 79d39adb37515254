"""Bytes of a container's two output streams become lines, in the order in which they came.

Knows no engine: a transport feeds it, one consumer iterates it. Where the consumer is slower than the
container, the transports are paused, so that memory stays bounded and the container waits as at any pipe.
"""

from __future__ import annotations

import asyncio
import codecs
import io
from collections import deque
from collections.abc import AsyncIterator

from .base import OutputLine

PAUSE_AT = 20_000  # lines that wait for the consumer
RESUME_AT = 5_000
LONGEST_LINE = 1 << 20  # characters; a longer line comes in pieces


class LineSplitter:
    """One byte stream as text lines. A lone carriage return ends a line too: progress bars draw with it."""

    def __init__(self) -> None:
        utf8 = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._decoder = io.IncrementalNewlineDecoder(utf8, translate=True)
        self._pieces: list[str] = []  # of the line that has not ended yet
        self._length = 0

    def feed(self, data: bytes, final: bool = False) -> list[str]:
        """The lines that `data` completed; `final`: with what stands behind the last line end."""
        lines = self._decoder.decode(data, final).split("\n")
        rest = lines.pop()
        if lines:
            lines[0] = self._take() + lines[0]
        self._pieces.append(rest)
        self._length += len(rest)
        if self._length > LONGEST_LINE or (final and self._length):
            lines.append(self._take())
        return lines

    def _take(self) -> str:
        text = "".join(self._pieces)
        self._pieces, self._length = [], 0
        return text


class OutputLines:
    """The lines of a container, for one consumer; `feed` and `end` are for the engine's transports."""

    def __init__(self) -> None:
        self._splitters = {"stdout": LineSplitter(), "stderr": LineSplitter()}
        self._lines: deque[OutputLine] = deque()
        self._changed = asyncio.Event()
        self._ended = False
        self._consumed = False  # somebody iterates
        self._held = True  # keep every line for a consumer who may still come
        self._transports: list[asyncio.ReadTransport] = []
        self._paused = False

    def add_transport(self, transport: asyncio.ReadTransport) -> None:
        self._transports.append(transport)

    def feed(self, stream: str, data: bytes) -> None:
        self._add(stream, self._splitters[stream].feed(data))
        if len(self._lines) <= PAUSE_AT:
            return
        if self._consumed or self._held:
            self._pause()
        else:
            self._let_go()

    def end(self) -> None:
        """No more comes; what stands behind the last line end is a line too."""
        if self._ended:
            return
        for stream, splitter in self._splitters.items():
            self._add(stream, splitter.feed(b"", final=True))
        self._ended = True
        self._changed.set()

    def release(self) -> None:
        """Somebody waits for the container's end, perhaps without reading: it must not hang on a full pipe.

        Until a consumer comes, only the last lines are kept from now on.
        """
        self._held = False
        if not self._consumed and self._paused:
            self._let_go()
            self._resume()

    async def __aiter__(self) -> AsyncIterator[OutputLine]:
        self._consumed = True
        while True:
            while self._lines:
                line = self._lines.popleft()
                if self._paused and len(self._lines) < RESUME_AT:
                    self._resume()
                yield line
            if self._ended:
                return
            self._changed.clear()
            await self._changed.wait()

    def _add(self, stream: str, texts: list[str]) -> None:
        if texts:
            self._lines.extend(OutputLine(stream, text) for text in texts)
            self._changed.set()

    def _let_go(self) -> None:
        while len(self._lines) > RESUME_AT:
            self._lines.popleft()

    def _pause(self) -> None:
        if self._paused:
            return
        self._paused = True
        for transport in self._transports:
            if not transport.is_closing():
                transport.pause_reading()

    def _resume(self) -> None:
        if self._paused:
            self._paused = False
            for transport in self._transports:
                if not transport.is_closing():
                    transport.resume_reading()
