"""Who changes something next, when many want to: an ASGI middleware behind the gate.

Thousands of alerts at once are not read and handed to the database all together, which would let nobody else in
meanwhile, but a part of a megabyte at a time; and those who wait are served in turn, one request of each sender's.
"""

import asyncio
from collections import OrderedDict, deque

from starlette.types import ASGIApp, Receive, Scope, Send

from incident.web.gate import Refusal, answer
from incident.web.guards import SAFE

KIB = 1024
ROOM = 256 * KIB  # bytes of bodies that are worked on at once; a larger one alone
LEAST = 4 * KIB  # what a request counts for, however small: it is a row in a transaction too
WAITING = 256 * 1024 * KIB  # bytes of bodies that wait for their turn

Sender = tuple[str, str]
Waiting = tuple[int, asyncio.Future[None]]


class Turns:
    def __init__(self, app: ASGIApp, room: int = ROOM, waiting: int = WAITING) -> None:
        self.app = app
        self._room = room
        self._most_waiting = waiting
        self._inside = 0
        self._held = 0  # bytes that wait
        self._queues: OrderedDict[Sender, deque[Waiting]] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in SAFE:
            await self.app(scope, receive, send)
            return
        size = _size(scope)
        if self._held + size > self._most_waiting:
            refusal = Refusal(503, "too much is waiting to be worked on: come again")
            await answer(scope["path"], refusal)(scope, receive, send)
            return
        await self._enter(_sender(scope), size)
        try:
            await self.app(scope, receive, send)
        finally:
            self._inside -= size
            self._let_in()

    async def _enter(self, sender: Sender, size: int) -> None:
        if not self._queues and self._fits(size):
            self._inside += size
            return
        turn = asyncio.get_running_loop().create_future()
        self._queues.setdefault(sender, deque()).append((size, turn))
        self._held += size
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # it had its turn already, and does not take it
                self._inside -= size
                self._let_in()
            raise

    def _let_in(self) -> None:
        """As many as there is room for: the first of one sender, and then that sender waits behind the others."""
        while self._queues:
            sender, queue = next(iter(self._queues.items()))
            size, turn = queue[0]
            if not turn.cancelled():
                if not self._fits(size):
                    return
                self._inside += size
                turn.set_result(None)
            queue.popleft()
            self._held -= size
            self._queues.move_to_end(sender)
            if not queue:
                del self._queues[sender]

    def _fits(self, size: int) -> bool:
        return self._inside == 0 or self._inside + size <= self._room


def _size(scope: Scope) -> int:
    """The gate has read the body by now; one whose length was not said before counts as a large one."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            return max(LEAST, int(value)) if value.isdigit() else ROOM
        if name == b"transfer-encoding":
            return ROOM // 4
    return LEAST


def _sender(scope: Scope) -> Sender:
    """Two people, or two programs, behind one address are two where they have tokens."""
    actor = scope.get("state", {}).get("actor")
    client = scope.get("client")
    return (client[0] if client else "", actor.name if actor is not None else "")
