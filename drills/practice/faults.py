"""What happens to requests before the shop sees them: bodies are bounded, and some switches slow or break them all."""

import asyncio
import contextlib
import random
from collections.abc import Coroutine
from typing import Any

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from drills.practice.switches import Switchboard

LARGEST_BODY = 256 * 1024
LOOK_EVERY = 0.1  # seconds between looks at whether a hang is over
UNTOUCHED = ("/_practice/", "/-/")


class Faults:
    def __init__(self, app: ASGIApp, board: Switchboard) -> None:
        self.app = app
        self.board = board

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(UNTOUCHED):
            await self.app(scope, receive, send)
            return
        body = await _read(receive)
        if body is None:
            await PlainTextResponse("The request is too large.", 413)(scope, receive, send)
            return
        if not await self._delayed(receive):
            return
        if random.random() < self.board.number("error_rate"):  # noqa: S311 - a fault, not a secret
            await PlainTextResponse("Internal Server Error", 500)(scope, receive, send)
            return
        await self.app(scope, _replay(body, receive), send)

    async def _delayed(self, receive: Receive) -> bool:
        """Waits as the switches say. False where the client has left meanwhile."""
        if self.board.on("hang") and not await _unless_gone(receive, self._hang()):
            return False
        delay = self.board.number("slow")
        return not delay or await _unless_gone(receive, asyncio.sleep(delay))

    async def _hang(self) -> None:
        while self.board.on("hang"):  # noqa: ASYNC110 - a lease ends by the clock, and nobody is told of it
            await asyncio.sleep(LOOK_EVERY)


async def _read(receive: Receive) -> bytes | None:
    """The whole body; None where it is too large."""
    body = b""
    while True:
        message = await receive()
        part: bytes = message.get("body", b"")
        body += part
        if len(body) > LARGEST_BODY:
            return None
        if not message.get("more_body", False):
            return body


async def _unless_gone(receive: Receive, wait: Coroutine[Any, Any, None]) -> bool:
    waiting = asyncio.ensure_future(wait)
    leaving = asyncio.ensure_future(receive())  # after the body, the next message is that the client has left
    try:
        await asyncio.wait((waiting, leaving), return_when=asyncio.FIRST_COMPLETED)
        return waiting.done() and not leaving.done()
    finally:
        for task in (waiting, leaving):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


def _replay(body: bytes, receive: Receive) -> Receive:
    told = False

    async def again() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
