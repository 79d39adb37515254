"""A start that is refused ends the program that asked for it."""

from __future__ import annotations

import asyncio
import threading

from stepbridge.errors import StepBridgeError

from .runner import OnOutput, ProgramResult


class Refusal:
    """Ends a program whose start we refuse, so that one clear error is all that a person sees."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._refused = asyncio.Event()
        self._ended = threading.Event()
        self._error: StepBridgeError | None = None

    def refuse(self, error: StepBridgeError) -> None:
        """Called on the endpoint's thread that answers the program; returns when the program has ended."""
        if threading.get_ident() == self._thread:
            return
        self._error = error
        self._loop.call_soon_threadsafe(self._refused.set)
        self._ended.wait(15.0)

    def quiet(self, on_output: OnOutput) -> OnOutput:
        """`on_output` until the refusal."""

        def output(stream: str, line: str) -> None:
            if self._error is None:
                on_output(stream, line)

        return output

    async def guard(self, program: asyncio.Task[ProgramResult]) -> ProgramResult:
        """The program's result. Raises the error of a refusal."""
        refused = asyncio.create_task(self._refused.wait())
        try:
            await asyncio.wait((program, refused), return_when=asyncio.FIRST_COMPLETED)
            if self._error is None:
                return await program
            program.cancel()
            await asyncio.wait((program,))
            raise self._error
        finally:
            refused.cancel()
            self._ended.set()
