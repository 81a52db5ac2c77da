"""Other processes on the same PostgreSQL database: telling them that something has changed, and hearing it of them.

By LISTEN and NOTIFY, over a connection and in a thread of their own. What is missed while the connection is down does
not matter: it counts as news when it is back, and everybody looks by themselves now and then.
"""

import os
import select
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlalchemy import URL

from incident.store.engines import ANSWER_WITHIN

if TYPE_CHECKING:
    import psycopg

CHANNEL = "shopwatch"
_APART = 0.05  # seconds between what we tell, at the least: many changes are one piece of news
_AGAIN = 1.0  # until the next attempt to connect


class Neighbours:
    """`heard` is called in another thread. Nothing happens before `start`."""

    def __init__(self, url: URL, heard: Callable[[], None]) -> None:
        self._address = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._heard = heard
        self._closed = False
        self._wake_read, self._wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._thread = threading.Thread(target=self._run, name="neighbours", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def tell(self) -> None:
        """Soon, and once for all that happens until then."""
        try:
            os.write(self._wake_write, b".")
        except BlockingIOError:  # there is plenty to tell already
            return

    def close(self) -> None:
        self._closed = True
        self.tell()
        self._thread.join()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _run(self) -> None:
        import psycopg

        while not self._closed:
            try:
                with psycopg.connect(self._address, autocommit=True, **ANSWER_WITHIN) as connection:
                    connection.execute("SET synchronous_commit = off")  # news need not survive a crash
                    connection.execute(f"LISTEN {CHANNEL}".encode())
                    self._heard()
                    self._talk(connection)
            except psycopg.Error:  # the writer says what the matter with the server is
                time.sleep(0.0 if self._closed else _AGAIN)

    def _talk(self, connection: "psycopg.Connection") -> None:
        ours = connection.info.backend_pid
        news = False

        def noted(note: "psycopg.Notify") -> None:
            nonlocal news
            news = news or note.pid != ours

        connection.add_notify_handler(noted)
        while not self._closed:
            ready, _, _ = select.select([connection.fileno(), self._wake_read], [], [])
            if self._wake_read in ready:
                os.read(self._wake_read, 65536)
                connection.execute(f"NOTIFY {CHANNEL}".encode())
            connection.pgconn.consume_input()
            while (note := connection.pgconn.notifies()) is not None:
                news = news or note.be_pid != ours
            if news:
                news = False
                self._heard()
            if not self._closed:
                time.sleep(_APART)
