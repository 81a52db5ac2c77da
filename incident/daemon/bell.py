"""Waking whoever waits for work."""

import asyncio


class Bell:
    """Each listener has an event of its own, and clears it before looking for work, so that no ring is missed."""

    def __init__(self) -> None:
        self._listeners: set[asyncio.Event] = set()

    def listen(self) -> asyncio.Event:
        event = asyncio.Event()
        self._listeners.add(event)
        return event

    def leave(self, event: asyncio.Event) -> None:
        self._listeners.discard(event)

    def ring(self) -> None:
        for event in self._listeners:
            event.set()


async def heard(event: asyncio.Event, timeout: float) -> bool:
    """Waits for a ring, at most `timeout` seconds. Returns whether there was one."""
    try:
        async with asyncio.timeout(timeout):
            await event.wait()
    except TimeoutError:
        return False
    return True
