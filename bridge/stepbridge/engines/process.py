"""Local processes in a private mount namespace, for machines without a container engine (Linux).

A step sees its mounts where a container would (/opt/ml ...), this machine's files everywhere else, and an
interpreter of this machine as its "image". process_shim.py is the step's supervisor: one process beside it,
which ends everything that the step started as soon as this engine lets go of it, by a crash too. What such a
step lacks: a network of its own, a limit of memory, a root file system that is read-only.
"""

from __future__ import annotations

import array
import asyncio
import contextlib
import functools
import grp
import hashlib
import itertools
import json
import os
import pwd
import secrets
import shlex
import shutil
import signal as signals
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from stepbridge.errors import EngineError, ImageNotFoundError

from .base import Container, ContainerSpec, ExecStream, ExitStatus, ImageConfig, Mount, OutputLine
from .output import OutputLines

SHIM = Path(__file__).with_name("process_shim.py")
PREFIX = "python:"  # an image reference that names an interpreter
STDERR_KEPT = 16 * 1024
# Of this machine's environment, a step gets what its interpreter and pip need; never credentials.
INHERITED = ("HOME", "LANG", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
INHERITED_PREFIXES = ("LC_", "PIP_", "UV_", "SSL_CERT_", "CUDA_")
INHERITED_LOWER = ("http_proxy", "https_proxy", "no_proxy")

Interpreters = Callable[[str], str | None]
"""Image reference -> path of the interpreter that stands for it."""


class ProcessEngine:
    """Runs steps as local processes.

    Args:
        interpreters: which interpreter stands for an image reference; `python:PATH` names its own.
        folder: where steps get their private folders; None: one of this user's in the temporary folder.
    """

    name = "process"

    def __init__(self, interpreters: Interpreters | None = None, folder: Path | None = None) -> None:
        if sys.platform != "linux":
            raise EngineError(
                "Steps can run as local processes on Linux only",
                "Start Docker, or another engine with its API, and use --engine docker.",
            )
        self._interpreters = interpreters or (lambda reference: sys.executable)
        self._folder = folder or _temporary_folder()
        self._mine = f"{os.getpid()}-{secrets.token_hex(4)}-"  # what we make in there starts so
        self._number = itertools.count(1)
        self._containers: dict[str, ProcessContainer] = {}
        self._networks: dict[str, Path] = {}
        _sweep(self._folder)

    async def has_gpus(self) -> bool:
        return Path("/dev/nvidia0").exists()

    async def image(self, reference: str) -> ImageConfig | None:
        interpreter = self._interpreter(reference)
        if interpreter is None:
            return None
        path = f"{self._programs(interpreter)}:{os.environ.get('PATH', os.defpath)}"
        return ImageConfig(
            id=_identity(interpreter),
            entrypoint=(),
            command=("python3",),
            environment={**_inherited(), "PATH": path},
            workdir="/",
            user="",
        )

    async def pull(
        self, reference: str, auth: Mapping[str, str] | None, progress: Callable[[str, float | None], None]
    ) -> None:
        raise ImageNotFoundError(
            f"No interpreter stands for {reference}",
            "Name one in [process-python] in stepbridge.toml, or set `python` there.",
        )

    async def start(self, spec: ContainerSpec) -> Container:
        image = await self.image(spec.image)
        if image is None:
            await self.pull(spec.image, None, lambda text, share: None)
            raise AssertionError
        if missing := spec.missing_source():
            raise EngineError(f"{spec.name} mounts {missing}, which is not there", "Start the run again.")
        argv = (*(spec.entrypoint or ()), *(spec.command or ())) or image.command
        identity = f"{self._mine}{next(self._number)}"
        folder = self._folder / identity
        (folder / "root").mkdir(parents=True)
        elsewhere = [mount for mount in spec.mounts if str(mount.source) != mount.target]  # others are there
        spec = replace(spec, mounts=(*elsewhere, self._hosts(spec, folder)))
        container = ProcessContainer(identity, spec, folder, self._containers)
        self._containers[identity] = container
        order = {
            "root": str(folder / "root"),
            "mounts": [(str(mount.source), mount.target, mount.read_only) for mount in spec.mounts],
            "hostname": spec.hostname,
            "argv": argv,
            "environment": _environment(image, spec),
            "workdir": spec.workdir or image.workdir,
        }
        try:
            await container._start({**order, "user": _user(spec.user)})
        except BaseException:
            await asyncio.shield(container.remove())
            raise
        return container

    async def network(self, name: str, internal: bool = False) -> None:
        """All processes share this machine's network; a named one is a common list of host names."""
        if name not in self._networks:
            self._folder.mkdir(parents=True, exist_ok=True)
            hosts = self._folder / f"{self._mine}hosts-{next(self._number)}"
            hosts.write_bytes(_system_hosts())
            self._networks[name] = hosts

    async def remove_network(self, name: str) -> None:
        hosts = self._networks.pop(name, None)
        if hosts is not None:
            hosts.unlink(missing_ok=True)

    async def find(self, labels: Mapping[str, str]) -> list[Container]:
        """Of this engine alone: processes end with the bridge that started them."""
        wanted = labels.items()
        return [found for found in self._containers.values() if wanted <= dict(found.spec.labels).items()]

    def host_address(self) -> str:
        return "127.0.0.1"

    def host_name(self) -> str:
        return "127.0.0.1"

    async def close(self) -> None:
        """Ends and forgets every container of this engine."""
        for container in tuple(self._containers.values()):
            await container.remove()
        await asyncio.to_thread(_remove, self._folder.glob(f"{self._mine}*"))
        with contextlib.suppress(OSError):  # another bridge uses it too
            self._folder.rmdir()

    def _interpreter(self, reference: str) -> Path | None:
        named = (
            reference.removeprefix(PREFIX) if reference.startswith(PREFIX) else self._interpreters(reference)
        )
        found = shutil.which(Path(named).expanduser()) if named else None
        # Not resolved: a virtual environment's interpreter is a link, and the link's place is what counts.
        return Path(os.path.abspath(found)) if found else None  # noqa: PTH100

    def _programs(self, interpreter: Path) -> str:
        """Folders for the front of PATH, in which `python` and `python3` are that interpreter."""
        own = interpreter.parent
        if all(
            (own / name).exists() and (own / name).samefile(interpreter) for name in ("python", "python3")
        ):
            return str(own)
        names = self._folder / f"{self._mine}bin-{hashlib.sha256(bytes(interpreter)).hexdigest()[:12]}"
        names.mkdir(parents=True, exist_ok=True)
        for name in ("python", "python3"):
            # A link would hide a virtual environment from its interpreter; a script does not.
            if not (names / name).exists():
                (names / name).write_text(f'#!/bin/sh\nexec {shlex.quote(str(interpreter))} "$@"\n')
                (names / name).chmod(0o755)
        return f"{names}:{own}"

    def _hosts(self, spec: ContainerSpec, folder: Path) -> Mount:
        """The step's /etc/hosts: all its names are this machine."""
        hosts = self._networks.get(spec.network or "")
        if hosts is None:
            hosts = folder / "hosts"
            hosts.write_bytes(_system_hosts())
        names = dict.fromkeys(name for name in (spec.hostname, *spec.aliases) if name)
        with hosts.open("a") as file:
            file.writelines(f"127.0.0.1\t{name}\n" for name in names)
        return Mount(hosts, "/etc/hosts", read_only=True)


class ProcessContainer:
    """A step's processes, seen through the socket of their supervisor."""

    def __init__(
        self, identity: str, spec: ContainerSpec, folder: Path, others: dict[str, ProcessContainer]
    ) -> None:
        self.id = identity
        self.spec = spec
        self._folder = folder
        self._others = others
        self._output = OutputLines()
        loop = asyncio.get_running_loop()
        self._started: asyncio.Future[int] = loop.create_future()
        self._exit: asyncio.Future[ExitStatus] = loop.create_future()
        for future in (self._started, self._exit):
            future.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._execs: dict[int, asyncio.Future[int]] = {}
        self._socket: socket.socket | None = None
        self._listening: asyncio.Task[None] | None = None
        self._open_streams = 0

    async def lines(self) -> AsyncIterator[OutputLine]:
        async for line in self._output:
            yield line

    async def wait(self) -> ExitStatus:
        self._output.release()
        return await asyncio.shield(self._exit)

    async def exec(self, argv: tuple[str, ...], user: str | None = None) -> ExecStream:
        if self._exit.done():
            raise EngineError(f"{self.spec.name} could not run {argv[0]}: it has ended")
        number = len(self._execs)
        ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._execs[number] = ended
        stream = ProcessExec(ended)
        theirs = await stream._open()
        try:
            chosen = _user(user if user is not None else self.spec.user)
            self._send({"exec": number, "argv": argv, "user": chosen}, theirs)
        except BaseException:
            await stream.close()
            raise
        finally:
            for descriptor in theirs:
                os.close(descriptor)
        return stream

    async def kill(self, signal: str = "KILL") -> None:
        if not self._exit.done():
            number = signals.Signals[f"SIG{signal.removeprefix('SIG')}"]
            with contextlib.suppress(EngineError):
                self._send({"signal": int(number)})

    async def stop(self, grace_seconds: float = 5.0) -> None:
        if grace_seconds > 0:
            await self.kill("TERM")
            await asyncio.wait([self._exit], timeout=grace_seconds)
        await self.kill("KILL")
        await asyncio.wait([self._exit])

    async def remove(self) -> None:
        self._others.pop(self.id, None)
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_WR)  # the supervisor ends the step and itself
        if self._listening is not None:
            await asyncio.wait([self._listening])
        elif self._socket is not None:
            self._socket.close()
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    def published(self, port: int) -> int:
        if port not in self.spec.ports:
            raise EngineError(f"{self.spec.name} publishes no port {port}")
        return port  # there is one network

    async def _start(self, order: Mapping[str, Any]) -> None:
        launching = asyncio.ensure_future(self._launch(order))
        try:
            await asyncio.shield(launching)
        except asyncio.CancelledError:
            await launching  # half a launch could not be taken back
            raise
        await asyncio.shield(self._started)

    async def _launch(self, order: Mapping[str, Any]) -> None:
        """Start the supervisor, listen to it and to the step, and tell it what to do."""
        self._socket, theirs = socket.socketpair()
        self._socket.setblocking(False)
        streams = {"stdout": os.pipe(), "stderr": os.pipe()}
        try:
            shim = await asyncio.to_thread(_spawn, theirs.fileno(), *(write for _, write in streams.values()))
        except OSError as error:
            for read_end, _ in streams.values():
                os.close(read_end)
            raise EngineError(f"{self.spec.name} could not start: {error}") from None
        finally:
            theirs.close()
            for _, write_end in streams.values():
                os.close(write_end)
        self._listening = asyncio.create_task(self._listen(self._socket, shim))
        for name, (read_end, _) in streams.items():
            await self._read_stream(name, read_end)
        with contextlib.suppress(OSError):  # it ended already, and `_listen` knows why
            await asyncio.get_running_loop().sock_sendall(self._socket, json.dumps(order).encode() + b"\n")

    async def _read_stream(self, name: str, descriptor: int) -> None:
        def protocol() -> _OutputPipe:
            return _OutputPipe(functools.partial(self._output.feed, name), self._stream_ended)

        self._open_streams += 1
        file = os.fdopen(descriptor, "rb", buffering=0)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(protocol, file)
        self._output.add_transport(transport)

    def _stream_ended(self) -> None:
        self._open_streams -= 1
        if self._open_streams == 0:
            self._output.end()

    async def _listen(self, connection: socket.socket, shim: subprocess.Popen[bytes]) -> None:
        """What the supervisor says, to its end."""
        loop = asyncio.get_running_loop()
        buffer = b""
        last: dict[str, Any] = {}
        with contextlib.suppress(OSError):
            while data := await loop.sock_recv(connection, 1 << 16):
                *lines, buffer = (buffer + data).split(b"\n")
                for line in lines:
                    last = self._hear(json.loads(line)) or last
        await asyncio.to_thread(shim.wait)
        connection.close()
        self._settle(last)

    def _hear(self, message: dict[str, Any]) -> dict[str, Any] | None:
        if "started" in message:
            self._started.set_result(message["started"])
        elif "exec" in message:
            self._execs[message["exec"]].set_result(message["exit"])
        else:
            return message  # of its end
        return None

    def _settle(self, last: Mapping[str, Any]) -> None:
        """Everybody who waits learns how it ended."""
        if "exit" in last:
            self._exit.set_result(ExitStatus(last["exit"], last["oom"]))
        elif "failed" in last:
            self._exit.set_exception(_not_started(self.spec, last["failed"], last["code"]))
        else:
            self._exit.set_exception(
                EngineError(
                    f"The supervisor of {self.spec.name} was killed, and the step with it",
                    "Run again; if it was out of memory, give this machine more.",
                )
            )
        if not self._started.done():
            self._started.set_exception(
                self._exit.exception() or EngineError(f"{self.spec.name} ended early")
            )
        for ended in self._execs.values():
            if not ended.done():
                ended.set_result(128 + signals.SIGKILL)

    def _send(self, message: Mapping[str, Any], descriptors: tuple[int, ...] = ()) -> None:
        assert self._socket is not None
        data = json.dumps(message).encode() + b"\n"
        rights = (
            [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
        )
        try:
            self._socket.sendmsg([data], rights)
        except OSError:
            raise EngineError(f"{self.spec.name} has ended") from None


class ProcessExec:
    """A process beside the step's own, over three pipes."""

    def __init__(self, ended: asyncio.Future[int]) -> None:
        self.reader = asyncio.StreamReader(limit=1 << 18)
        self.stderr = bytearray()
        self._ended = ended
        self._writer: asyncio.StreamWriter | None = None
        self._transports: list[asyncio.BaseTransport] = []

    async def _open(self) -> tuple[int, ...]:
        """Pipes to talk through; the other ends, for the process."""
        loop = asyncio.get_running_loop()
        (their_in, our_in), (our_out, their_out), (our_err, their_err) = os.pipe(), os.pipe(), os.pipe()
        out, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(self.reader), os.fdopen(our_out, "rb", buffering=0)
        )
        err, _ = await loop.connect_read_pipe(
            lambda: _OutputPipe(self._complain, lambda: None), os.fdopen(our_err, "rb", buffering=0)
        )
        flow = asyncio.StreamReaderProtocol(asyncio.StreamReader())  # for its flow control alone
        pipe, _ = await loop.connect_write_pipe(lambda: flow, os.fdopen(our_in, "wb", buffering=0))
        self._writer = asyncio.StreamWriter(pipe, flow, None, loop)
        self._transports = [out, err, pipe]
        return their_in, their_out, their_err

    async def write(self, data: bytes) -> None:
        assert self._writer is not None
        try:
            self._writer.write(data)
            await self._writer.drain()
        except OSError:
            raise EngineError("The process beside the step has ended") from None

    async def write_eof(self) -> None:
        assert self._writer is not None
        self._writer.close()

    async def close(self) -> None:
        for transport in self._transports:
            transport.close()

    async def wait(self) -> int:
        return await asyncio.shield(self._ended)

    def _complain(self, data: bytes) -> None:
        self.stderr += data
        del self.stderr[:-STDERR_KEPT]


class _OutputPipe(asyncio.Protocol):
    def __init__(self, on_data: Callable[[bytes], None], on_end: Callable[[], None]) -> None:
        self._on_data = on_data
        self._on_end = on_end

    def data_received(self, data: bytes) -> None:
        self._on_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._on_end()


def _spawn(stdin: int, stdout: int, stderr: int) -> subprocess.Popen[bytes]:
    """A supervisor; in a session of its own, so that Ctrl-C in a terminal is the bridge's to handle."""
    return subprocess.Popen(
        [sys.executable, "-I", "-S", str(SHIM)],
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        env={"PATH": os.defpath},
        cwd="/",
        start_new_session=True,
    )


def _environment(image: ImageConfig, spec: ContainerSpec) -> dict[str, str]:
    name = {"HOSTNAME": spec.hostname} if spec.hostname else {}
    return {**image.environment, **name, **spec.environment}


def _inherited() -> dict[str, str]:
    def wanted(name: str) -> bool:
        return name in INHERITED or name.startswith(INHERITED_PREFIXES) or name.lower() in INHERITED_LOWER

    return {name: value for name, value in os.environ.items() if wanted(name)}


def _user(wanted: str | None) -> tuple[int, int] | None:
    """Numbers of `user[:group]`; None where it is who we are."""
    if not wanted:
        return None
    name, _, group_name = wanted.partition(":")
    try:
        entry = pwd.getpwuid(int(name)) if name.isdigit() else pwd.getpwnam(name)
        uid, gid = entry.pw_uid, entry.pw_gid
    except KeyError:
        if not name.isdigit():
            raise EngineError(f"There is no user {name} on this machine") from None
        uid, gid = int(name), int(name)
    if group_name:
        gid = int(group_name) if group_name.isdigit() else grp.getgrnam(group_name).gr_gid
    if (uid, gid) == (os.geteuid(), os.getegid()):
        return None
    if os.geteuid() != 0:
        raise EngineError(
            f"Only root runs steps as another user ({wanted}) without containers",
            "Use --engine docker, or leave the user out.",
        )
    return uid, gid


def _system_hosts() -> bytes:
    try:
        return Path("/etc/hosts").read_bytes().rstrip(b"\n") + b"\n"
    except OSError:
        return b"127.0.0.1\tlocalhost\n"


def _identity(interpreter: Path) -> str:
    """Changes with the interpreter and with what is installed beside it."""
    digest = hashlib.sha256()
    real = interpreter.resolve()
    status = real.stat()
    digest.update(f"{interpreter}\0{real}\0{status.st_size}\0{status.st_mtime_ns}".encode())
    for packages in sorted(interpreter.parent.parent.glob("lib/python3*/*-packages/*.dist-info")):
        digest.update(packages.name.encode() + b"\0")
    return f"sha256:{digest.hexdigest()}"


def _not_started(spec: ContainerSpec, reason: str, code: int) -> EngineError:
    hint = ""
    if code == 0:
        hint = "Use --engine docker, or allow user namespaces on this system."
    elif code == 2:
        hint = f"The environment of the interpreter for {spec.image} has no such program."
    return EngineError(f"{spec.name} could not start as a local process: {reason}", hint)


def _temporary_folder() -> Path:
    """The same for all bridges of this user, so that each can tidy up after one that was killed."""
    folder = Path(tempfile.gettempdir()) / f"stepbridge-{os.geteuid()}"
    with contextlib.suppress(OSError):
        folder.mkdir(mode=0o711)
    status = folder.lstat()
    if stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o022:
        return folder
    return Path(tempfile.mkdtemp(prefix="stepbridge-"))  # somebody else took the name


def _sweep(folder: Path) -> None:
    """Remove what bridges left behind that did not live to do it; their processes ended with them."""

    def is_orphan(name: str) -> bool:
        owner = name.split("-")[0]
        return owner.isdigit() and not Path(f"/proc/{owner}").exists()

    _remove(item for item in folder.glob("*-*") if is_orphan(item.name))


def _remove(items: Iterable[Path]) -> None:
    for item in items:
        if item.is_dir():
            shutil.rmtree(item, ignore_errors=True)
        else:
            item.unlink(missing_ok=True)
