"""uvicorn's HTTP, with bounds on what it leaves without: heads, readers that do not read, and connections."""

import asyncio
from collections import Counter
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES = 128 * 1024
HEAD_SECONDS = 15.0
READ_SECONDS = 30.0  # without taking a byte of its answer
MOST_AHEAD = 16  # requests of one connection that wait for the answer to the one before


class TooManyAhead(Exception):
    """Ends the parsing of a connection's data."""


class BoundedProtocol(HttpToolsProtocol):
    """Hangs up on who sends more than `HEAD_BYTES` before a request or takes longer than `HEAD_SECONDS` over it, on who
    takes nothing of an answer for `READ_SECONDS`, and on who sends `MOST_AHEAD` requests before reading an answer.

    A connection that waits for its next request is uvicorn's own business (`timeout_keep_alive`).

    Where nine tenths of all connections are taken, new ones take the place of those that wait for their own clients:
    of the address that has most of them, those that wait longest. So nobody shuts others out by holding connections.
    """

    head_seconds = HEAD_SECONDS
    read_seconds = READ_SECONDS

    def __init__(self, *args: Any, **keys: Any) -> None:
        super().__init__(*args, **keys)
        self._head_bytes = 0
        self._in_head = True
        self._too_late: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None
        self._since = self.loop.time()  # when what it does now began: to wait, to send a body, not to read
        self._hung_up = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()
        if self.limit_concurrency is not None and len(self.connections) > self.limit_concurrency * 9 // 10:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        self._hung_up = True
        self._stop_watching()
        if self._unread is not None:
            self._unread.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            self._watch()
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > HEAD_BYTES:
            self._hang_up()

    def on_headers_complete(self) -> None:
        self._in_head, self._since = False, self.loop.time()
        self._stop_watching()
        if len(self.pipeline) >= MOST_AHEAD:
            self._hang_up()
            raise TooManyAhead
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_head, self._head_bytes = True, 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        self._since = self.loop.time()
        super().on_response_complete()
        self._watch_reading()

    def pause_writing(self) -> None:
        self._since = self.loop.time()
        super().pause_writing()
        self._watch_reading()

    @property
    def _waits_for_its_client(self) -> bool:
        if self._hung_up or (self.transport.is_closing() and not self.transport.get_write_buffer_size()):
            return False  # it is as good as gone
        answering = self.cycle is not None and not self.cycle.response_complete
        return not answering or not self._in_head or self.flow.write_paused

    def _make_room(self) -> None:
        """For a few at once: looking at all of them takes its time."""
        waiting = [
            one
            for one in self.connections
            if isinstance(one, BoundedProtocol) and one is not self and one._waits_for_its_client
        ]
        held = Counter(one.client[0] if one.client else "" for one in waiting)
        waiting.sort(key=lambda one: (-held[one.client[0] if one.client else ""], one._since))
        for one in waiting[: max(1, (self.limit_concurrency or 0) // 50)]:
            one._hang_up()

    def _watch(self) -> None:
        if self._too_late is None:
            self._too_late = self.loop.call_later(self.head_seconds, self._hang_up)

    def _stop_watching(self) -> None:
        if self._too_late is not None:
            self._too_late.cancel()
            self._too_late = None

    def _watch_reading(self) -> None:
        """As long as something of an answer has not been taken."""
        if self._unread is None and (size := self.transport.get_write_buffer_size()):
            self._unread = self.loop.call_later(self.read_seconds, self._look_at_reading, size)

    def _look_at_reading(self, size: int) -> None:
        self._unread = None
        if self.transport.get_write_buffer_size() == size:
            self._hang_up()
        else:
            self._watch_reading()

    def _hang_up(self) -> None:
        """Even where it is closing, which waits for the client to take what was sent."""
        self._hung_up = True
        self._stop_watching()
        self.connections.discard(self)  # now, and not when the loop gets there: a crowd comes all at once
        self.transport.abort()
