"""A model server's worker listens first and waits for the editor afterwards: the server in front of it ends
a worker that does not listen within two minutes (multi-model-server and TorchServe; no setting changes it).
The user's script is loaded when the server has connected, on the server's word.
"""


def before_serving(wait):
    """Call wait() once, in the thread that accepts this process' first connection, before it is served."""
    import socket

    accept = socket.socket.accept

    def accept_once(self):
        accepted = accept(self)
        socket.socket.accept = accept
        wait()
        return accepted

    socket.socket.accept = accept_once
