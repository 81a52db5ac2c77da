"""Our own sign of life: an address outside is called while the engine works, and misses us when it no longer does."""

import asyncio
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


async def run(desk: "Desk") -> None:
    """For ever."""
    failures, last = 0, None
    while True:
        settings = desk.settings.heartbeat
        if settings is None:
            await asyncio.sleep(LOOK_AROUND)
            continue
        pulse = desk.cycling.pulse
        if pulse == last:
            log.error("no heartbeat sent: the engine stands")
        else:
            failures = _told(await beat(settings), failures)
        last = pulse
        await asyncio.sleep(settings.every)


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
