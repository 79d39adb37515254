"""The line to the bridge: one stream socket, JSON lines out, one-word lines in, and no thread.

The kernel raises SIGURG in the main thread when the bridge writes (F_SETSIG, O_ASYNC), so an armed process
costs nothing until it is wanted. SIGURG because its default action is to be ignored: a program that resets
its handlers is not killed by us. The low-level modules `_socket` and `_signal` spare an armed process the
import of enum, selectors and the like.

The raw file descriptor is kept, not a socket object: nothing is closed behind the program's back when the
interpreter ends, and no ResourceWarning appears in its output.
"""

import fcntl
import os
import struct
import sys

import _signal
import _socket
import _thread

_F_SETOWN_EX = 15
_F_OWNER_TID = 0
_CONNECT_SECONDS = 5.0


class Control:
    """Connects on construction, in the main thread. `address`: "unix:PATH" or "tcp:HOST:PORT:TOKEN".

    on_word(word) is called in the main thread for each line of the bridge, with "" when the bridge is gone.
    """

    def __init__(self, address, on_word):
        self._on_word = on_word
        self._family, where, token = _parsed(address)
        sock = _socket.socket(self._family, _socket.SOCK_STREAM)
        try:
            sock.settimeout(_CONNECT_SECONDS)
            sock.connect(where)
            if self._family == _socket.AF_INET:
                sock.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
            sock.setblocking(False)
        except BaseException:
            sock.close()
            raise
        self._fd = sock.detach()
        self._inode = os.fstat(self._fd).st_ino
        self._pid = os.getpid()
        self._main_thread = _thread.get_ident()
        self._pending = b""
        self._token = token
        self._previous = None
        self._due = []  # functions for the main thread
        self._working = self._more = False

    def send(self, kind, **fields):
        """One JSON line. A bridge that is gone is no error."""
        if self._token:
            fields["token"] = self._token
        fields["type"] = kind
        line = (_json(fields) + "\n").encode("utf-8")
        sock = self._socket()
        if sock is None:
            return
        try:
            sock.settimeout(_CONNECT_SECONDS)
            while line:
                line = line[sock.send(line, _socket.MSG_NOSIGNAL) :]
        except OSError:
            pass
        finally:
            sock.setblocking(False)
            sock.detach()

    def listen(self):
        """From now on words of the bridge reach on_word, without a thread."""
        self._previous = _signal.signal(_signal.SIGURG, self._on_signal)
        fcntl.fcntl(self._fd, fcntl.F_SETSIG, int(_signal.SIGURG))
        owner = struct.pack(
            "ii", _F_OWNER_TID, self._pid
        )  # the main thread, so that a blocking call there ends
        fcntl.fcntl(self._fd, _F_SETOWN_EX, owner)
        flags = fcntl.fcntl(self._fd, fcntl.F_GETFL)
        fcntl.fcntl(self._fd, fcntl.F_SETFL, flags | os.O_ASYNC)
        self._work()  # what came before the kernel knew whom to tell

    def run_in_main_thread(self, function):
        """Have the main thread call it between two of its instructions, soon. Call it in another thread."""
        self._due.append(function)
        _signal.pthread_kill(self._main_thread, _signal.SIGURG)

    def close(self):
        """Drop the connection in this process (a forked child's copy, or ours)."""
        if self.is_open():
            os.close(self._fd)
        self._fd = -1

    def _on_signal(self, number, frame):
        if self._pid == os.getpid():
            self._work()
        if callable(self._previous):
            self._previous(number, frame)

    def _work(self):
        """Words and functions one after the other: a signal that comes meanwhile leaves its work to us."""
        self._more = True
        if self._working:
            return
        self._working = True
        try:
            while self._more:
                self._more = False
                self._receive()
                while self._due:
                    self._due.pop(0)()
        finally:
            self._working = False
        if self._more:  # it came after the last look
            _signal.pthread_kill(self._main_thread, _signal.SIGURG)

    def _receive(self):
        words = []
        gone = False
        sock = self._socket()
        if sock is None:
            return
        try:
            while True:
                data = sock.recv(4096)
                if not data:
                    gone = True
                    break
                self._pending += data
        except BlockingIOError:
            pass
        except OSError:
            gone = True
        finally:
            sock.detach()
        *lines, self._pending = self._pending.split(b"\n")
        words.extend(line.decode("utf-8", "replace") for line in lines)
        if gone:
            self.close()
            words.append("")
        for word in words:
            self._on_word(word)

    def _socket(self):
        """A socket object over our descriptor for one use (detach it after), or None when there is none."""
        if not self.is_open():
            return None
        sock = _socket.socket(self._family, _socket.SOCK_STREAM, 0, self._fd)
        sock.setblocking(False)
        return sock

    def is_open(self):
        """False when the program closed our descriptor (daemons close all), and maybe uses its number now."""
        try:
            return self._fd >= 0 and os.fstat(self._fd).st_ino == self._inode
        except OSError:
            return False


def _parsed(address):
    kind, _, rest = address.partition(":")
    if kind == "unix":
        return _socket.AF_UNIX, rest, ""
    host, port, token = rest.split(":")
    return _socket.AF_INET, (host, int(port)), token


def _json(value):
    """JSON of strings, numbers, booleans, lists and dicts with string keys, without the json package."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, dict):
        return "{" + ",".join(_quoted(key) + ":" + _json(item) for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(_json(item) for item in value) + "]"
    return _quoted(str(value))


try:
    from _json import encode_basestring_ascii as _quoted
except ImportError:  # an interpreter without the C accelerator
    from json.encoder import encode_basestring_ascii as _quoted

if sys.platform != "linux":
    raise ImportError("the control channel needs Linux")
