"""Runs one practice service: uvicorn on a socket that was bound before, ended by SIGTERM at once or with its parent."""

import socket
import sys
from errno import EADDRINUSE
from typing import Any

from drills.errors import DrillsError
from probes import lifeline


class PortInUse(DrillsError):
    """The port is taken."""


def bind(port: int, host: str = "127.0.0.1") -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises PortInUse."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        why = "is in use" if error.errno == EADDRINUSE else f"cannot be used ({error.strerror or error})"
        raise PortInUse(f"port {port} on {host} {why}: choose another with --port, 0 takes a free one") from error
    sock.listen(256)
    sock.setblocking(False)
    return sock


def serve(app: Any, sock: socket.socket, *, supervised: bool) -> None:
    """Until SIGTERM or SIGINT; when `supervised`, also until standard input closes, which is when the parent is gone.

    Requests under way are cut: what is kept is in memory and about to go anyway.
    """
    import uvicorn  # here, so that the launcher and the command line need not pay for it

    config = uvicorn.Config(
        app,
        log_level="critical",
        access_log=False,
        lifespan="on",
        http="httptools",
        ws="none",
        loop="asyncio",
        server_header=False,
        timeout_graceful_shutdown=0,
        timeout_keep_alive=30,
    )
    server = uvicorn.Server(config)
    if supervised:
        lifeline.watch()
    try:
        server.run(sockets=[sock])
    except KeyboardInterrupt:
        sys.exit(130)
