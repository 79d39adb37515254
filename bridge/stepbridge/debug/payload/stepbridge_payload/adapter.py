"""debugpy's adapter as a process beside the one that is debugged: `adapter.py FOLDER-OF-DEBUGPY PIPE`.

Instead of listening on a port for editors, it keeps one connection to the bridge in store and takes an editor
from it: the bridge writes "go" and lets DAP follow. Such a connection needs no exec into the container, works
without network, and is out of reach for everybody else.
"""

import os
import sys
import threading

_FREE_SECONDS = 5.0
_CONNECT_SECONDS = 60.0  # a debuggee that failed meanwhile never comes


class _NoListener(object):
    """Stands in for the listening socket of editors, which debugpy asks for its address."""

    def getsockname(self):
        return "127.0.0.1", 0

    def close(self):
        pass


def main(folder, pipe):
    debuggee, token, control = os.environ.pop("STEPBRIDGE_ADAPTER").split(";", 2)
    sys.path[0] = folder  # was this file's folder
    import debugpy  # noqa: F401

    from debugpy.adapter import clients, servers, sessions
    from debugpy.common import log

    if os.fork() != 0:
        os._exit(0)
    os.chdir("/")
    log.to_file(prefix="debugpy.adapter")  # only where DEBUGPY_LOG_DIR says so
    servers.access_token = token
    clients.listener = _NoListener()
    port = servers.serve("127.0.0.1")[1]
    os.write(pipe, b"%d\n" % port)
    os.close(pipe)
    thread = threading.Thread(target=_take_editors, args=(clients.Client, sessions, control, int(debuggee)))
    thread.daemon = True
    thread.start()
    deadline = threading.Timer(_CONNECT_SECONDS, servers.dont_wait_for_first_connection)
    deadline.daemon = True
    deadline.start()
    servers.wait_until_disconnected()
    sessions.wait_until_ended()


def _take_editors(client, sessions, address, debuggee):
    """One connection in store at any time, until the bridge is gone. "go" is an editor for the debuggee,
    "more" one for a sub-process of it."""
    while True:
        connection = _connect(address, debuggee)
        word = b""
        while not word.endswith(b"\n"):
            byte = connection.recv(1)
            if not byte:
                return
            word += byte
        if word == b"go\n":
            _until_free(sessions.get(debuggee))
        client(connection)


def _until_free(session):
    """The editor before may have gone a moment ago: attaching before debugpy has noticed fails, or hangs."""
    if session is not None:
        session.wait_for(
            lambda: not any(part and part.is_connected for part in (session.client, session.server)),
            timeout=_FREE_SECONDS,
        )


def _connect(address, debuggee):
    import socket

    kind, _, rest = address.partition(":")
    if kind == "unix":
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.connect(rest)
        token = ""
    else:
        host, port, token = rest.split(":")
        connection = socket.create_connection((host, int(port)))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.sendall(b'{"type":"adapter","pid":%d,"token":"%s"}\n' % (debuggee, token.encode("ascii")))
    return connection


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
