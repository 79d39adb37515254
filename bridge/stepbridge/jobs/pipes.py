"""Named pipes of channels in input mode Pipe: `<channel>_0`, `<channel>_1` ..., one for each epoch.

The contract (documentation of the service, "How SageMaker provides training information"): the container
opens a pipe, reads to its end or closes it early, and finds the next one. A thread of this process writes
into the folder that the container has mounted, so it needs an engine on this machine's own kernel.

A container may do to that folder what it likes. So we hold the folder and every pipe by descriptors: a link
or a file that the container puts in a pipe's place is never written to.
"""

from __future__ import annotations

import contextlib
import os
import select
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from msgspec import Struct

from stepbridge.errors import StepBridgeError

_RETRY_SECONDS = 0.02  # between two attempts to end a thread, which may just be about to block again


class Pipe(Struct, frozen=True):
    """A channel of one host.

    folder: this machine's side of /opt/ml/input/data. epoch: the bytes of an epoch, counted from 0.
    """

    folder: Path
    channel: str
    epoch: Callable[[int], Iterator[bytes]]


def refuse_elsewhere(what: str) -> None:
    """Raises StepBridgeError where containers are not on this machine's kernel: pipes do not reach them."""
    if sys.platform != "linux":
        raise StepBridgeError(
            f"{what}: input mode Pipe works on Linux only",
            "Use FastFile or File: the script then reads files of the channel's folder.",
        )


class Feeder:
    """Writes one channel, epoch after epoch. `start` it before the container, `stop` it when that has ended.

    failed: called on the feeder's thread with what went wrong; nothing is written after that.
    """

    def __init__(self, pipe: Pipe, failed: Callable[[StepBridgeError], None]) -> None:
        self._pipe = pipe
        self._failed = failed
        self._lock = threading.Lock()  # around what `_current` means
        self._stopping = False
        self._folder, self._end, self._ends = -1, -1, -1  # the last two: a pipe whose end wakes who writes
        self._current: tuple[str, int] | None = None  # name and handle of the pipe that is next to be read
        self._thread = threading.Thread(target=self._run, name=f"pipe {pipe.channel}", daemon=True)

    def start(self) -> None:
        """Make the first pipe and wait for its reader.

        Raises:
            StepBridgeError: the pipe cannot be made.
        """
        self._folder = os.open(self._pipe.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._end, self._ends = os.pipe()
        self._current = self._make(0)
        self._thread.start()

    def stop(self) -> None:
        """End the thread, whatever it waits for, and remove the pipe that nobody read. Idempotent."""
        if self._stopping or self._folder < 0:
            return
        self._stopping = True
        os.close(self._ends)
        while self._thread.is_alive():
            self._wake()
            self._thread.join(_RETRY_SECONDS)
        if self._current is not None:
            self._discard(*self._current)
        os.close(self._end)
        os.close(self._folder)

    def _wake(self) -> None:
        """For a moment we are the next pipe's reader: a thread that waits for one goes on."""
        with self._lock:
            if self._current is not None:
                os.close(os.open(_path(self._current[1]), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))

    def _run(self) -> None:
        number = 0
        try:
            while self._current is not None and self._feed(number):
                number += 1
        except StepBridgeError as error:
            self._failed(error)
        except Exception as error:  # a fault of ours must not leave the container waiting
            name = f"{self._pipe.channel}_{number}"
            self._failed(StepBridgeError(f"The pipe {name} cannot be written: {error!r}"))

    def _feed(self, number: int) -> bool:
        """One epoch; False: it is the end. The next pipe is there before this one is at its end."""
        assert self._current is not None
        name, handle = self._current
        descriptor = os.open(_path(handle), os.O_WRONLY | os.O_CLOEXEC)  # until somebody reads
        try:
            if self._stopping:
                return False
            following = self._make(number + 1)
            with self._lock:
                self._current = following
            try:
                self._write(descriptor, number)
            finally:
                self._discard(name, handle)
        finally:
            os.close(descriptor)
        return not self._stopping

    def _write(self, descriptor: int, number: int) -> None:
        """To the end of the epoch, or until the reader has enough of it, or we are to end."""
        os.set_blocking(descriptor, False)
        poll = select.poll()
        poll.register(descriptor, select.POLLOUT)
        poll.register(self._end, 0)
        with contextlib.suppress(BrokenPipeError):
            for chunk in self._pipe.epoch(number):
                rest = memoryview(chunk)
                while rest:
                    if self._end in dict(poll.poll()):
                        return
                    with contextlib.suppress(BlockingIOError):
                        rest = rest[os.write(descriptor, rest) :]

    def _make(self, number: int) -> tuple[str, int]:
        name = f"{self._pipe.channel}_{number}"
        try:
            os.mkfifo(name, 0o666, dir_fd=self._folder)
            handle = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._folder)
        except OSError as error:
            raise StepBridgeError(
                f"The pipe {name} of the channel {self._pipe.channel} cannot be made: {error.strerror}",
                "Nothing else may be written to /opt/ml/input/data under that name.",
            ) from None
        if not stat.S_ISFIFO(os.fstat(handle).st_mode):
            os.close(handle)
            raise StepBridgeError(f"The pipe {name} was replaced by something else")
        os.chmod(_path(handle), 0o666)  # noqa: PTH101 - the umask took something, whoever reads is another user
        return name, handle

    def _discard(self, name: str, handle: int) -> None:
        os.close(handle)
        with contextlib.suppress(OSError):
            os.unlink(name, dir_fd=self._folder)


def _path(handle: int) -> str:
    """What a handle stands for, wherever its name has gone."""
    return f"/proc/self/fd/{handle}"
