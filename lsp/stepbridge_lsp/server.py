"""The language server: `stepbridge lsp`.

Importing this module costs nothing; pygls, the documents and the rules are loaded when serving begins.
"""

from __future__ import annotations

import gc


def serve(port: int | None) -> int:
    """Serve one client: on standard input and output, or on a loopback port (0: a free one, which is
    printed).

    Returns:
        0 where the client said goodbye, 1 where it just went.
    """
    import logging
    import sys

    gc.disable()  # what is loaded now stays: looking through it again and again takes a tenth of the start
    import asyncio

    from .connection import listen, make_server

    logging.basicConfig(stream=sys.stderr, level=logging.ERROR)
    server = make_server()
    gc.enable()
    if port is None:
        server.start_io()
    else:
        asyncio.run(listen(server, port))
    return 0 if server.protocol._shutdown else 1
