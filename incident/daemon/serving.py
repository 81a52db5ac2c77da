"""The web server of the daemon: how many it lets in at once, within the files that it may open, and for how long."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from incident.web.protocol import BoundedProtocol

CONNECTIONS = 1000  # at once; more are answered 503, or take the place of those that wait (see `BoundedProtocol`)
FEWEST = 20  # however few files there are
OWN_FILES = 128  # the database's, the prober's, those of what is being delivered
_CROWDS = 4  # let in one after the other before asyncio has closed the first of them
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
    most, burst = connections()
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
        backlog=burst,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=GRACE,
    )
    return Server(config)


def connections() -> tuple[int, int]:
    """How many there may be at once, and how many are let in at a time, before any of them is looked at.

    Asks the system for as many files as that takes, and makes do with what it gives. Where none are left, the database
    could not be opened either: a crowd at the door must never take the last one. On a busy machine it has grown again
    by the time that it was let in: so often before the first of a crowd are turned away and their files free.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OWN_FILES + (1 + 2 * _CROWDS) * CONNECTIONS
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY:
        return CONNECTIONS, 2 * CONNECTIONS
    room = soft - OWN_FILES
    most = max(FEWEST, min(CONNECTIONS, room // 3))
    return most, max(FEWEST // 2, min(2 * most, (room - most) // _CROWDS))
