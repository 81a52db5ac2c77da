import asyncio
from collections.abc import AsyncIterator

import pytest

from incident.daemon import engine
from incident.desk import Desk
from tests.incident.conftest import Clock, firing

pytestmark = pytest.mark.anyio


@pytest.fixture
async def running(desk: Desk) -> AsyncIterator[Desk]:
    task = asyncio.create_task(engine.run(desk))
    yield desk
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def cycles(desk: Desk, count: int = 2) -> None:
    """Lets the engine look so many times."""
    for _ in range(count):
        before = desk.cycling.pulse
        desk.wake.set()
        async with asyncio.timeout(60):
            while desk.cycling.pulse == before:
                await asyncio.sleep(0.01)


async def kinds(desk: Desk) -> list[str]:
    return [event.kind for event in await desk.timeline(1)]


async def test_a_machine_that_slept_does_not_call_its_alerts_stale(running: Desk, clock: Clock) -> None:
    await running.intake([firing("payment")], "prober")
    await cycles(running)
    before = await kinds(running)
    clock.forward(hours=8)
    await cycles(running)
    assert await kinds(running) == before
    await running.intake([firing("payment", clock())], "prober")  # as its source does once it is awake too
    await cycles(running)
    assert len(await running.incidents()) == 1


async def test_who_stays_silent_after_the_sleep_is_stale_in_the_end(running: Desk, clock: Clock) -> None:
    await running.intake([firing("payment")], "prober")
    await cycles(running)
    before = await kinds(running)
    clock.forward(hours=8)
    for _ in range(8):
        await cycles(running, 1)
        clock.forward(seconds=20)
    await cycles(running)
    assert await kinds(running) != before
