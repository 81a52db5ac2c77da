import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from incident.desk import Desk
from incident.settings import Settings
from incident.watching import SOURCE, Watcher, run, watch_once
from probes.alert import Alert
from tests.incident.conftest import Clock

pytestmark = pytest.mark.anyio


class Lamp:
    """A watcher whose findings the test sets."""

    def __init__(self, *places: str) -> None:
        self.places = list(places)
        self.broken = False
        self.looks = 0
        self.watcher = Watcher("lamp", frozenset({"LampOut"}), self.look, every=0.01)

    async def look(self, desk: Desk, now: datetime) -> Sequence[Alert]:
        self.looks += 1
        if self.broken:
            raise RuntimeError("the watcher itself is broken")
        return [
            Alert({"alertname": "LampOut", "place": place}, now, now, {"summary": f"no light in {place}"})
            for place in self.places
        ]


async def firing(desk: Desk) -> list[str]:
    await desk.cycle(desk.now())
    return sorted(alert.labels["place"] for alert in await desk.alerts())


async def test_what_a_watcher_sees_fires_until_it_no_longer_sees_it(desk: Desk, clock: Clock) -> None:
    lamp = Lamp("cellar", "attic")
    await watch_once(desk, lamp.watcher, clock())
    assert await firing(desk) == ["attic", "cellar"]
    assert {alert.source for alert in await desk.alerts()} == {SOURCE}
    lamp.places = ["attic"]
    await watch_once(desk, lamp.watcher, clock.forward(seconds=5))
    assert await firing(desk) == ["attic"]


async def test_what_goes_on_keeps_its_start_and_does_not_go_stale(desk: Desk, clock: Clock) -> None:
    lamp, start = Lamp("cellar"), clock()
    for _ in range(200):
        await watch_once(desk, lamp.watcher, clock.forward(seconds=5))
        await desk.cycle(clock())
    [alert] = await desk.alerts()
    assert alert.starts_at == start + timedelta(seconds=5)
    assert len(await desk.incidents()) == 1


async def test_what_ended_while_the_daemon_was_away_is_resolved_after_a_restart(
    desk: Desk, clock: Clock, database_url: str, settings: Settings
) -> None:
    lamp = Lamp("cellar")
    await watch_once(desk, lamp.watcher, clock())
    await desk.cycle(clock())
    await desk.close()
    clock.forward(hours=3)
    again = Desk(database_url, settings, clock)
    await again.start()
    try:
        lamp.places = []
        await watch_once(again, lamp.watcher, clock())
        assert await firing(again) == []
        [incident] = await again.incidents()
        assert incident.status == "monitoring"  # not stale: it is known to be over
    finally:
        await again.close()


async def test_a_watcher_that_breaks_ends_no_alert_and_stops_no_other(desk: Desk, clock: Clock) -> None:
    broken, well = Lamp("cellar"), Lamp("attic")
    well.watcher = Watcher("other lamp", frozenset({"OtherLampOut"}), well.look, every=0.01)
    await watch_once(desk, broken.watcher, clock())
    broken.broken = True
    task = asyncio.create_task(run(desk, [broken.watcher, well.watcher]))
    async with asyncio.timeout(60):
        while min(broken.looks, well.looks) < 4:
            await asyncio.sleep(0.01)
    assert not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert "cellar" in await firing(desk)
