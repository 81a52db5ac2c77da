"""uvicorn's HTTP, with bounds on what it leaves without: how large the head of a request is, how slow, and how many."""

import asyncio
from collections import Counter
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES = 128 * 1024
HEAD_SECONDS = 15.0


class BoundedProtocol(HttpToolsProtocol):
    """Hangs up on who sends more than `HEAD_BYTES` before a request, or takes longer than `HEAD_SECONDS` over it.

    A connection that waits for its next request is uvicorn's own business (`timeout_keep_alive`).

    Where nine tenths of all connections are taken, each new one takes the place of one that waits for its own client:
    of the address that has most of them, the one that waits longest. So nobody shuts others out by holding connections.
    """

    head_seconds = HEAD_SECONDS

    def __init__(self, *args: Any, **keys: Any) -> None:
        super().__init__(*args, **keys)
        self._head_bytes = 0
        self._in_head = True
        self._too_late: asyncio.TimerHandle | None = None
        self._since = self.loop.time()  # when what it does now began: to wait, to send a body, not to read

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()
        if self.limit_concurrency is not None and len(self.connections) > self.limit_concurrency * 9 // 10:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_watching()
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
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_head, self._head_bytes = True, 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        self._since = self.loop.time()
        super().on_response_complete()

    def pause_writing(self) -> None:
        self._since = self.loop.time()
        super().pause_writing()

    @property
    def _waits_for_its_client(self) -> bool:
        answering = self.cycle is not None and not self.cycle.response_complete
        return not answering or not self._in_head or self.flow.write_paused

    def _make_room(self) -> None:
        others = [
            one
            for one in self.connections
            if isinstance(one, BoundedProtocol) and one is not self and one._waits_for_its_client
        ]
        others = [one for one in others if not one.transport.is_closing()]
        held = Counter(one.client[0] if one.client else "" for one in others)
        if others:
            min(others, key=lambda one: (-held[one.client[0] if one.client else ""], one._since))._hang_up()

    def _watch(self) -> None:
        if self._too_late is None:
            self._too_late = self.loop.call_later(self.head_seconds, self._hang_up)

    def _stop_watching(self) -> None:
        if self._too_late is not None:
            self._too_late.cancel()
            self._too_late = None

    def _hang_up(self) -> None:
        self._stop_watching()
        if not self.transport.is_closing():
            self.transport.abort()
