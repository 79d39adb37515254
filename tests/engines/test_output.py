"""Bytes become lines the same way, however a transport cuts them."""

from __future__ import annotations

import asyncio
import itertools

from hypothesis import given
from hypothesis import strategies as st
from stepbridge.engines import output
from stepbridge.engines.base import OutputLine
from stepbridge.engines.output import LineSplitter, OutputLines


def split(*chunks: bytes) -> list[str]:
    splitter = LineSplitter()
    lines = [line for chunk in chunks for line in splitter.feed(chunk)]
    return lines + splitter.feed(b"", final=True)


def test_each_line_end_ends_a_line_once() -> None:
    assert split(b"a\nb\r\nc\rd") == ["a", "b", "c", "d"]
    assert split(b"a\r", b"\nb") == ["a", "b"]
    assert split(b"\n\n") == ["", ""]
    assert split(b"") == []


def test_half_a_character_waits_for_its_other_half() -> None:
    assert split(b"\xc3", b"\xa4\n") == ["ä"]
    assert split(b"x\xc3") == ["x\ufffd"]


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=8))
def test_chunks_make_no_difference(data: bytes, cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(data)]
    chunks = [data[start:end] for start, end in itertools.pairwise(places)]
    whole = split(data)
    assert split(*chunks) == whole
    text = data.decode(errors="replace").replace("\r\n", "\n").replace("\r", "\n")
    assert "\n".join(whole) == text.removesuffix("\n")


def test_an_endless_line_comes_in_pieces() -> None:
    splitter = LineSplitter()
    pieces = [piece for _ in range(40) for piece in splitter.feed(b"x" * (output.LONGEST_LINE // 8))]
    assert pieces
    assert all(len(piece) <= 2 * output.LONGEST_LINE for piece in pieces)


class FakeTransport(asyncio.ReadTransport):
    paused = False

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False


async def test_a_slow_reader_pauses_the_container() -> None:
    lines, transport = OutputLines(), FakeTransport()
    lines.add_transport(transport)
    lines.feed("stdout", b"x\n" * (output.PAUSE_AT + 1))
    assert transport.paused
    reader = aiter(lines)
    for _ in range(output.PAUSE_AT - output.RESUME_AT + 2):
        assert await anext(reader) == OutputLine("stdout", "x")
    assert not transport.paused


async def test_who_only_waits_keeps_the_last_lines() -> None:
    lines, transport = OutputLines(), FakeTransport()
    lines.add_transport(transport)
    for number in range(3 * output.PAUSE_AT):
        lines.feed("stdout", b"%d\n" % number)
        if number == output.PAUSE_AT + 10:
            assert transport.paused
            lines.release()
    lines.end()
    assert not transport.paused
    texts = [line.text async for line in lines]
    assert texts[-1] == str(3 * output.PAUSE_AT - 1)
    assert len(texts) <= output.PAUSE_AT
