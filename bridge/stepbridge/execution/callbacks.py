"""Callback steps wait here for SendPipelineExecutionStepSuccess or -Failure."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Mapping

from msgspec import Struct


class Answer(Struct, frozen=True):
    outputs: Mapping[str, str]
    failure: str | None  # None: success


class Callbacks:
    """Tokens of one run that are waited for. Lives on the run's loop."""

    def __init__(self) -> None:
        self._waiting: dict[str, asyncio.Future[Answer]] = {}

    @contextlib.contextmanager
    def expected(self, token: str) -> Iterator[asyncio.Future[Answer]]:
        """What somebody will answer with this token. It may be answered from now on."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[token] = future
        try:
            yield future
        finally:
            del self._waiting[token]

    def waits(self, token: str) -> bool:
        return token in self._waiting

    def answer(self, token: str, outputs: Mapping[str, str], failure: str | None) -> None:
        future = self._waiting.get(token)
        if future is not None and not future.done():
            future.set_result(Answer(outputs, failure))
