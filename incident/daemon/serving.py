"""The web server of the daemon: how many it lets in at once, within the files that it may open, and for how long."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from incident.web.protocol import BoundedProtocol

CONNECTIONS = 1000  # at once; more are answered 503, or take the place of those that wait (see `BoundedProtocol`)
FEWEST = 20  # however few files there are
OWN_FILES = 128  # the database's, the prober's, those of what is being delivered
GRACE = 1  # seconds that requests under way have when the daemon ends
# Seconds that a connection may wait for its next request: longer than Prometheus rests between two batches, whose POST
# would be lost if we closed at the moment at which it comes.
KEEP_ALIVE = 300


class Server(uvicorn.Server):
    """Signals are the daemon's business, not the web server's."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def web_server(app: object) -> Server:
    most = connections()
    config = uvicorn.Config(
        app,  # type: ignore[arg-type]
        http=BoundedProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # who is loopback must not be a matter of what a header says
        limit_concurrency=most,
        backlog=2 * most,  # so many are let in at a time, before any of them is looked at
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=GRACE,
    )
    return Server(config)


def connections() -> int:
    """How many there may be at once. Asks the system for as many files as that takes, and makes do with what it gives.

    Where none are left, the database could not be opened either: a crowd at the door must never take the last one.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OWN_FILES + 3 * CONNECTIONS
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY:
        return CONNECTIONS
    return max(FEWEST, min(CONNECTIONS, (soft - OWN_FILES) // 3))
