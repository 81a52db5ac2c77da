"""Our own sign of life: an address outside is called while the engine works, and misses us when it no longer does."""

import asyncio
import time
from typing import TYPE_CHECKING

import httpx
import structlog

from incident.intake.settings import Heartbeat
from probes.http import Transport

if TYPE_CHECKING:
    from incident.desk import Desk

log = structlog.get_logger("heartbeat")

TIMEOUT = 10.0
LOOK_AROUND = 5.0  # seconds between looks at the settings, where none is configured
PATIENCE = 15.0  # seconds without a pulse, at the least: a busy engine takes some for a cycle, and rests between them
FIRST_LOOK = 0.1  # seconds between looks for the first pulse


async def run(desk: "Desk") -> None:
    """For ever."""
    failures, watch = 0, Watch()
    while True:
        settings = desk.settings.heartbeat
        stands = watch.stands(desk.cycling.pulse, time.monotonic(), 0.0 if settings is None else settings.every)
        if settings is None:
            await asyncio.sleep(LOOK_AROUND)
        elif stands is None:
            await asyncio.sleep(FIRST_LOOK)
        else:
            if stands:
                log.error("no heartbeat sent: the engine stands")
            else:
                failures = _told(await beat(settings), failures)
            await asyncio.sleep(settings.every)


class Watch:
    """Whether the engine stands, by its pulse, which grows while it does not."""

    def __init__(self) -> None:
        self._pulse = 0
        self._since: float | None = None

    def stands(self, pulse: int, now: float, every: float) -> bool | None:
        """None as long as the first pulse is awaited. `now` and `every`, how often it is asked, are in seconds."""
        if pulse != self._pulse or self._since is None:
            self._pulse, self._since = pulse, now
        if now - self._since > max(every, PATIENCE):
            return True
        return None if pulse == 0 else False


async def beat(settings: Heartbeat) -> str | None:
    """Calls it once. What went wrong, if anything; never the address, whose path is most such services' secret."""
    deadline = asyncio.get_running_loop().time() + TIMEOUT
    try:
        async with (
            asyncio.timeout(TIMEOUT + 1),
            httpx.AsyncClient(transport=Transport(), trust_env=False) as client,
            client.stream(settings.method, settings.url, extensions={"deadline": deadline}) as answer,
        ):
            return None if answer.is_success else f"it was answered {answer.status_code}"
    except (httpx.HTTPError, OSError) as error:
        return f"{type(error).__name__} on the way to it"


def _told(problem: str | None, failures: int) -> int:
    if problem is None:
        if failures:
            log.info("heartbeats arrive again", failed=failures)
        return 0
    failures += 1
    if failures & (failures - 1) == 0:  # the 1st, 2nd, 4th, 8th …
        log.warning("a heartbeat did not arrive", why=problem, failed=failures)
    return failures
