from datetime import timedelta

import pytest

from incident.desk import Desk
from incident.settings import Settings
from incident.watching import Watcher, dead_men, watch_once
from probes.alert import Alert
from tests.incident.conftest import SHOP, Clock

pytestmark = pytest.mark.anyio

WATCHER = Watcher("dead men", frozenset({dead_men.ALERTNAME}), dead_men.look)


@pytest.fixture
def settings() -> Settings:
    dead_man = [{"name": "watchdog", "match": ['alertname="Watchdog"'], "within": "5m", "service": "login"}]
    return Settings.model_validate({**SHOP, "intake": {"dead_man": dead_man}})


async def bark(desk: Desk, clock: Clock) -> None:
    alert = Alert({"alertname": "Watchdog"}, clock.now, clock.now + timedelta(minutes=4))
    await desk.intake([alert], "prometheus")
    await desk.cycle(clock.now)


async def later(desk: Desk, clock: Clock, **time: float) -> list[str]:
    """Who says what, after that time."""
    clock.forward(**time)
    await watch_once(desk, WATCHER, clock.now)
    await desk.cycle(clock.now)
    return [alert.summary for alert in await desk.alerts() if alert.name == dead_men.ALERTNAME]


async def test_its_silence_is_an_incident_and_its_word_ends_it(desk: Desk, clock: Clock) -> None:
    await bark(desk, clock)
    assert await later(desk, clock, minutes=4.5) == []
    [said] = await later(desk, clock, minutes=1)
    assert said == 'watchdog has fallen silent: no word of alertname="Watchdog" for more than 300 s'
    assert [incident.service for incident in await desk.incidents()] == ["login"]
    await bark(desk, clock)
    assert await later(desk, clock, seconds=5) == []
    assert [incident.status for incident in await desk.incidents()] == ["monitoring"]


async def test_one_that_was_never_heard_is_missed_too(desk: Desk, clock: Clock) -> None:
    assert await later(desk, clock, minutes=4) == []
    assert len(await later(desk, clock, minutes=2)) == 1


async def test_our_own_restart_neither_ends_nor_begins_its_silence(desk: Desk, clock: Clock) -> None:
    await bark(desk, clock)
    assert len(await later(desk, clock, minutes=6)) == 1
    desk._listening_since = clock.forward(hours=1)
    assert len(await later(desk, clock, seconds=5)) == 1
    await bark(desk, clock)
    assert await later(desk, clock, seconds=5) == []
    desk._listening_since = clock.forward(hours=1)
    assert await later(desk, clock, minutes=4) == []
    assert len(await later(desk, clock, minutes=2)) == 1
