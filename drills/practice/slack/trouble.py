"""Trouble that the practice Slack can be told to make: the ways in which the real one fails."""

import socket
import struct
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

TRANSPORT = "practice.transport"

KINDS = ("error_500", "rate_limited", "lose_answer", "hang", "reset")
"""Answers 500; 429; does as asked and closes the connection without an answer; never answers; resets the connection
without doing anything."""


@dataclass(slots=True)
class Trouble:
    """For the next `times` calls of `method` (`*`: any; `response_url` for those)."""

    method: str
    kind: str
    times: int
    retry_after: int = 1


@dataclass(slots=True)
class Troubles:
    waiting: list[Trouble] = field(default_factory=list)

    def next(self, method: str) -> Trouble | None:
        for trouble in self.waiting:
            if trouble.method in ("*", method):
                trouble.times -= 1
                if trouble.times <= 0:
                    self.waiting.remove(trouble)
                return trouble
        return None


class Cut(Response):
    """No answer: the connection is reset at once, or with `hang` once the client has given up."""

    def __init__(self, *, hang: bool = False) -> None:
        super().__init__()
        self.hang = hang

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self.hang:
            reset(scope[TRANSPORT])
        message = await receive()
        while message["type"] != "http.disconnect":
            message = await receive()


def with_transport(scope: Scope, send: Send) -> Scope:
    """ASGI has no word for hanging up; uvicorn's own `send` belongs to the cycle that holds the transport."""
    return {**scope, TRANSPORT: send.__self__.transport}  # type: ignore[attr-defined]


def reset(transport: Any) -> None:
    """The peer sees a reset, rather than an orderly end."""
    sock = transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
