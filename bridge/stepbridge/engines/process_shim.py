"""The supervisor of one local step: a program of its own, started by process.py with a socket as its stdin.

It enters a private mount namespace, puts the step's mounts in place, starts the step's program, runs others
beside it on request, and leaves nothing behind when the program ends or its socket closes: it is the reaper
of everything that the step starts. Standard library only; imports nothing of StepBridge.

Messages are lines of JSON. From the engine: the order (see `Order`), then {"signal": number} and
{"exec": id, "argv": [...]} with three file descriptors. To the engine: {"started": pid} or {"failed": text},
{"exec": id, "exit": code}, at last {"exit": code, "oom": bool}.
"""

# Each import counts here: those below are half of the time in which a step starts. So no pathlib.

from __future__ import annotations

import ctypes
import errno
import json
import os
import select
import signal
import socket
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWUSER = 0x00020000, 0x04000000, 0x10000000
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_MOVE, MS_REC, MS_PRIVATE = 1, 32, 4096, 8192, 16384, 1 << 18
# Flags of a mount that a remount must repeat (in a user namespace they are locked): statvfs -> mount.
KEPT_FLAGS = {2: 2, 4: 4, 8: 8, 1024: 1024, 2048: 2048, 4096: 1 << 21}
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
PRIVATE = "/opt/ml"  # never this machine's own, even where it has one

libc = ctypes.CDLL(None, use_errno=True)


class RefusedError(Exception):
    """This machine does not let us make the step's surroundings; the text is for a person."""


def check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def mount(source: str, target: str, flags: int) -> None:
    check(
        libc.mount(os.fsencode(source), os.fsencode(target), None, ctypes.c_ulong(flags), None),
        f"cannot mount {source} at {target}",
    )


# -- the private mount namespace ---------------------------------------------------------------------------


def enter_namespaces() -> None:
    """Our own mounts and host name; by a user namespace where we are not privileged."""
    if libc.unshare(CLONE_NEWNS | CLONE_NEWUTS) != 0:
        if ctypes.get_errno() != errno.EPERM:
            check(-1, "cannot make a mount namespace")
        _enter_user_namespace()
    try:
        mount("none", "/", MS_REC | MS_PRIVATE)
    except OSError as error:
        raise RefusedError(
            "this system lets users make namespaces, but not mount in them "
            f"(on Ubuntu: sysctl kernel.apparmor_restrict_unprivileged_userns=0): {error}"
        ) from None


def _enter_user_namespace() -> None:
    uid, gid = os.geteuid(), os.getegid()
    if libc.unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWUTS) != 0:
        reason = os.strerror(ctypes.get_errno())
        raise RefusedError(f"this system lets users make no namespaces (unshare: {reason})")
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def build_root(root: str, mounts: Iterable[Sequence[Any]], workdir: str) -> None:
    """Make `root` (an empty folder) look like "/", with the mounts in place, and go there.

    Where a mount point is missing on this machine, the folders above it are ours: their entries appear in
    them one by one, and what the step adds goes to `root`.
    """
    mounts = sorted(
        ((source, _real(target), read_only) for source, target, read_only in mounts),
        key=lambda mount: mount[1].count("/"),
    )
    targets = {target for _, target, _ in mounts}
    opened = open_folders(targets)
    binds = []
    for folder in sorted(opened):
        _make_folder(root + folder, like=folder)
        binds += _entries(folder, root, opened | targets)
    # The entry that holds `root` itself comes first, before there is any mount below it to be copied.
    for path in sorted(binds, key=lambda path: not (root + "/").startswith(path + "/")):
        _bind_entry(path, root)
    mount(root, root, MS_BIND | MS_REC)
    for source, target, read_only in mounts:
        _bind(source, root + target, read_only)
    os.chdir(root)
    mount(".", "/", MS_MOVE)
    os.chroot(".")
    os.makedirs(workdir, exist_ok=True)


def open_folders(targets: set[str]) -> set[str]:
    """The folders that must be ours: those above mount points that are missing here, "/" and PRIVATE."""
    opened = {"/"}
    for target in (*targets, PRIVATE + "/model"):
        if os.path.lexists(target) and not (target + "/").startswith(PRIVATE + "/"):
            continue
        folder = os.path.dirname(target)
        # a folder of another mount belongs to that mount
        while folder != "/" and not any((folder + "/").startswith(other + "/") for other in targets):
            opened.add(folder)
            folder = os.path.dirname(folder)
    return opened


def _real(target: str) -> str:
    """`target` without symbolic links above it, as this machine has them (/bin is /usr/bin)."""
    parent, name = os.path.split(os.path.normpath(target))
    return os.path.join(os.path.realpath(parent), name)


def _make_folder(path: str, like: str) -> None:
    os.makedirs(path, exist_ok=True)
    try:
        os.chmod(path, stat.S_IMODE(os.stat(like).st_mode))
    except OSError:  # not there, or not ours to look at
        os.chmod(path, 0o755)


def _entries(folder: str, root: str, elsewhere: set[str]) -> list[str]:
    """What `folder` holds on this machine and is to be seen; symbolic links are made at once."""
    if (folder + "/").startswith(PRIVATE + "/"):
        return []
    try:
        entries = list(os.scandir(folder))
    except OSError:  # not there, or not ours to look at
        return []
    paths = []
    for entry in entries:
        path = os.path.join(folder, entry.name)
        if entry.is_symlink():
            os.symlink(os.readlink(path), root + path)
        elif path not in elsewhere:
            paths.append(path)
    return paths


def _bind_entry(path: str, root: str) -> None:
    try:
        _make_mount_point(path, root + path)
        mount(path, root + path, MS_BIND | MS_REC)
    except OSError:  # vanished, or of a kind that cannot be bound: the step does not see it
        return


def _bind(source: str, target: str, read_only: bool) -> None:
    _make_mount_point(source, target)
    mount(source, target, MS_BIND | MS_REC)
    if read_only:
        kept = os.statvfs(target).f_flag
        flags = sum(flag for seen, flag in KEPT_FLAGS.items() if kept & seen)
        mount("none", target, MS_BIND | MS_REMOUNT | MS_RDONLY | flags)


def _make_mount_point(source: str, target: str) -> None:
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    elif not os.path.exists(target):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.close(os.open(target, os.O_CREAT | os.O_CLOEXEC, 0o644))


# -- processes ---------------------------------------------------------------------------------------------


def start(argv: Sequence[str], order: dict[str, Any], descriptors: Sequence[int]) -> int:
    """Start a program with these standard streams; its pid, or OSError where it cannot be executed."""
    said, says = os.pipe()
    pid = os.fork()
    if pid == 0:
        place = order["workdir"]
        try:
            _prepare(order, descriptors)
            place = argv[0]
            os.execve(_find(argv[0], order["environment"]), list(argv), order["environment"])
        except OSError as error:
            os.write(says, json.dumps([error.errno or errno.EINVAL, place]).encode())
        finally:
            os._exit(127)
    os.close(says)
    failure = os.read(said, 4096)
    os.close(said)
    if failure:
        os.waitpid(pid, 0)
        number, place = json.loads(failure)
        raise OSError(number, os.strerror(number), place)
    return pid


def _find(program: str, environment: dict[str, str]) -> str:
    """As execvp, but a folder of PATH that we may not read does not turn "missing" into "not permitted"."""
    if "/" in program:
        return program
    for folder in environment.get("PATH", os.defpath).split(":"):
        path = os.path.join(folder, program)
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), program)


def _prepare(order: dict[str, Any], descriptors: Sequence[int]) -> None:
    os.setsid()
    libc.prctl(PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL), 0, 0, 0)
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
    for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD):  # Python ignores, or we handle them
        signal.signal(number, signal.SIG_DFL)
    if order["user"] is not None:
        uid, gid = order["user"]
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    os.chdir(order["workdir"])


def kill_children(ended: Callable[[int, int], None]) -> None:
    """Kill and reap all that is below us; orphans become our children, so this comes to an end."""
    while True:
        for pid in _children():
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                continue
        try:
            pid, status = os.waitpid(-1, 0)
        except ChildProcessError:
            return
        ended(pid, status)


def _children() -> list[int]:
    me = os.getpid()
    try:
        with open(f"/proc/{me}/task/{me}/children") as file:
            return [int(pid) for pid in file.read().split()]
    except OSError:  # a kernel without CONFIG_PROC_CHILDREN
        return [pid for pid in _processes() if _parent(pid) == me]


def _processes() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _parent(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return int(file.read().rpartition(")")[2].split()[1])
    except (OSError, IndexError):
        return 0


def out_of_memory_kills() -> int:
    try:
        with open("/proc/vmstat") as file:
            return sum(int(line.split()[1]) for line in file if line.startswith("oom_kill "))
    except OSError:
        return 0


# -- supervision -------------------------------------------------------------------------------------------


class Control:
    """Lines of JSON over a Unix socket; file descriptors may come with them."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.descriptors: list[int] = []
        self._buffer = b""

    def fileno(self) -> int:
        return self.connection.fileno()

    def receive(self) -> list[dict[str, Any]] | None:
        """The messages that came by now; waits for more bytes. None: the engine closed."""
        data, descriptors, _, _ = socket.recv_fds(self.connection, 1 << 16, 48, flags=socket.MSG_CMSG_CLOEXEC)
        self.descriptors += descriptors
        if not data:
            return None
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        return [json.loads(line) for line in lines]

    def order(self) -> dict[str, Any]:
        messages: list[dict[str, Any]] = []
        while not messages:
            received = self.receive()
            if received is None:
                raise SystemExit
            messages = received
        return messages[0]

    def send(self, **message: Any) -> None:
        try:
            self.connection.sendall(json.dumps(message).encode() + b"\n")
        except OSError:  # the engine is gone; we notice it by our next receive
            return


class Supervisor:
    def __init__(self, control: Control, order: dict[str, Any]) -> None:
        self.control = control
        self.order = order
        self.execs: dict[int, int] = {}  # pid -> the engine's number for it
        self.main = 0
        self.status: int | None = None  # wait status of the main program
        self.killed = False  # by us: then no lack of memory

    def run(self) -> None:
        kills = out_of_memory_kills()
        woken, wakes = os.pipe()
        os.set_blocking(wakes, False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
        if not self._start_main():
            return
        while self.status is None:
            ready, _, _ = select.select([self.control.fileno(), woken], [], [])
            if woken in ready:
                os.read(woken, 4096)
                self._reap()
            if self.control.fileno() in ready and not self._obey():
                break
        kill_children(self._ended)
        assert self.status is not None  # it was our child
        code = os.waitstatus_to_exitcode(self.status)
        lacked = code == -signal.SIGKILL and not self.killed and out_of_memory_kills() > kills
        self.control.send(exit=code if code >= 0 else 128 - code, oom=lacked)

    def _start_main(self) -> bool:
        nothing = os.open(os.devnull, os.O_RDWR)
        try:
            self.main = start(self.order["argv"], self.order, (nothing, 1, 2))
        except OSError as error:
            self.control.send(failed=f"{error.strerror}: {error.filename}", code=error.errno)
            return False
        for number in (1, 2):  # the step's own from now on: its reader sees the end when the step has ended
            os.dup2(nothing, number)
        os.close(nothing)
        self.control.send(started=self.main)
        return True

    def _obey(self) -> bool:
        """Whether the engine is still there."""
        messages = self.control.receive()
        for message in messages or ():
            if "signal" in message and self.status is None:
                self.killed = self.killed or message["signal"] == signal.SIGKILL
                os.kill(self.main, message["signal"])
            elif "exec" in message:
                self._exec(message)
        return messages is not None

    def _exec(self, message: dict[str, Any]) -> None:
        descriptors, self.control.descriptors = self.control.descriptors[:3], self.control.descriptors[3:]
        order = {**self.order, "user": message["user"]}
        try:
            self.execs[start(message["argv"], order, descriptors)] = message["exec"]
        except OSError as error:
            os.write(descriptors[2], f"{error.strerror}: {error.filename}\n".encode())
            code = 127 if error.errno == errno.ENOENT else 126
            self.control.send(exec=message["exec"], exit=code)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._ended(pid, status)

    def _ended(self, pid: int, status: int) -> None:
        if pid == self.main:
            self.status = status
        elif pid in self.execs:
            code = os.waitstatus_to_exitcode(status)
            self.control.send(exec=self.execs.pop(pid), exit=code if code >= 0 else 128 - code)


def main() -> None:
    control = Control(socket.socket(fileno=0))
    order = control.order()
    try:
        enter_namespaces()
        build_root(order["root"], order["mounts"], order["workdir"])
        if order["hostname"]:
            name = order["hostname"].encode()
            check(libc.sethostname(name, len(name)), "cannot set the host name")
        check(libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "cannot become a reaper")
        Supervisor(control, order).run()
    except RefusedError as error:
        control.send(failed=str(error), code=0)
    except OSError as error:
        control.send(failed=str(error), code=-1)
    except Exception:
        import traceback

        control.send(failed=traceback.format_exc(), code=0)


if __name__ == "__main__":
    main()
