from datetime import datetime, timedelta

import pytest

from incident.desk import Desk
from incident.errors import NotFound, Refused
from incident.settings import Settings
from incident.watching import WATCHERS, watch_once
from probes.alert import Alert
from tests.incident.conftest import Clock, firing

pytestmark = pytest.mark.anyio
[WATCHER] = [watcher for watcher in WATCHERS if watcher.name == "locations"]


async def beat(desk: Desk, *names: str) -> None:
    for name in names:
        await desk.locations.beat({"location": name, "journeys": 3, "version": "1"}, "prober")


async def pass_time(desk: Desk, clock: Clock, seconds: int, *alive: str) -> None:
    """As it goes: heartbeats every ten seconds, a look every five."""
    for second in range(0, seconds, 5):
        if second % 10 == 0:
            await beat(desk, *alive)
        clock.forward(seconds=5)
        await watch_once(desk, WATCHER, clock())
    await desk.cycle(clock())


async def silent(desk: Desk) -> list[str]:
    return sorted(alert.labels["location"] for alert in await desk.alerts() if alert.name == "LocationSilent")


async def test_a_location_that_falls_silent_is_said_to_be_until_it_is_heard_again(desk: Desk, clock: Clock) -> None:
    await pass_time(desk, clock, 180, "frankfurt", "oslo")
    assert await silent(desk) == []
    await pass_time(desk, clock, 150, "oslo")
    assert await silent(desk) == ["frankfurt"]
    rows = {row["location"]: row for row in await desk.locations.listed()}
    assert (rows["frankfurt"]["silent"], rows["oslo"]["silent"]) == (True, False)
    await pass_time(desk, clock, 20, "frankfurt", "oslo")
    assert await silent(desk) == []


async def test_downtime_of_our_own_is_no_silence_of_theirs(
    desk: Desk, clock: Clock, database_url: str, settings: Settings
) -> None:
    await pass_time(desk, clock, 60, "frankfurt")
    await desk.close()
    clock.forward(hours=2)
    again = Desk(database_url, settings, clock)
    await again.start()
    try:
        await pass_time(again, clock, 100)  # it has two minutes to be heard
        assert await silent(again) == []
        await pass_time(again, clock, 60)
        assert await silent(again) == ["frankfurt"]
    finally:
        await again.close()


async def test_a_machine_that_was_asleep_gives_locations_time_to_be_heard(desk: Desk, clock: Clock) -> None:
    await pass_time(desk, clock, 60, "frankfurt")
    clock.forward(hours=8)  # and nothing looked meanwhile
    await pass_time(desk, clock, 60, "frankfurt")
    assert await silent(desk) == []


async def test_a_silence_that_was_said_is_not_taken_back_by_our_own_restart(
    desk: Desk, clock: Clock, database_url: str, settings: Settings
) -> None:
    await pass_time(desk, clock, 60, "frankfurt")
    await pass_time(desk, clock, 180)
    await desk.close()
    again = Desk(database_url, settings, clock)
    await again.start()
    try:
        await pass_time(again, clock, 30)
        assert await silent(again) == ["frankfurt"]
    finally:
        await again.close()


async def test_a_location_that_was_forgotten_is_missed_no_longer(desk: Desk, clock: Clock) -> None:
    await pass_time(desk, clock, 60, "frankfurt")
    await pass_time(desk, clock, 180)
    await desk.locations.forget("frankfurt")
    await pass_time(desk, clock, 10)
    assert await silent(desk) == []
    with pytest.raises(NotFound, match="frankfurt"):
        await desk.locations.forget("frankfurt")


@pytest.mark.parametrize(
    "body",
    [
        None,
        {},
        {"location": ""},
        {"location": "a\x1b[31m"},
        {"location": "x" * 64},
        {"location": "oslo", "journeys": -1},
        {"location": "oslo", "journeys": True},
        {"location": "oslo", "version": 3},
        {"location": "oslo", "troubles": "many"},
        {"location": "oslo", "agrees_on": "checkout"},
        {"location": "oslo", "agrees_on": [1]},
        {"location": "oslo", "agrees_on": ["x" * 101]},
        {"location": "oslo", "agrees_on": ["x"] * 1001},
    ],
    ids=[
        "nothing", "empty", "no name", "control characters", "long", "negative", "no number", "version", "troubles",
        "no list", "no names", "a long name", "many names",
    ],
)  # fmt: skip
async def test_a_heartbeat_that_makes_no_sense_is_refused(desk: Desk, body: object) -> None:
    with pytest.raises(Refused):
        await desk.locations.beat(body, "prober")
    assert await desk.locations.listed() == []


def down(location: str, now: datetime, where: str = "2 of 3") -> Alert:
    alert = firing("payment", now, journey="checkout", location=location)
    return Alert(alert.labels, alert.starts_at, now + timedelta(hours=1), {**alert.annotations, "where": where})


async def test_what_one_of_three_locations_sees_pages_nobody_until_a_second_sees_it(desk: Desk, clock: Clock) -> None:
    await beat(desk, "frankfurt", "oslo", "lisbon")
    await desk.intake([down("oslo", clock())], "prober")
    await desk.cycle(clock())
    assert await desk.incidents() == []
    [held] = await desk.alerts()
    assert held.muted == {"silencedBy": [], "inhibitedBy": [], "mutedBy": ["locations: 1 of 2"]}
    await desk.intake([down("lisbon", clock.forward(seconds=5))], "prober")
    await desk.cycle(clock())
    [incident] = await desk.incidents()
    assert len(incident.alerts) == 2


async def test_when_the_others_fall_silent_one_location_is_enough(desk: Desk, clock: Clock) -> None:
    await beat(desk, "frankfurt", "oslo", "lisbon")
    await desk.intake([down("oslo", clock())], "prober")
    await desk.cycle(clock())
    assert await desk.incidents() == []
    await pass_time(desk, clock, 200, "oslo")
    assert any(incident.title == "payment is down" for incident in await desk.incidents())


async def says(desk: Desk, location: str, journeys: list[str] | None) -> None:
    await desk.locations.beat({"location": location, "agrees_on": journeys}, "prober")


async def test_a_location_that_does_not_run_the_journey_is_not_waited_for(desk: Desk, clock: Clock) -> None:
    await says(desk, "oslo", ["checkout"])
    await says(desk, "frankfurt", ["checkout", "login"])
    await says(desk, "lisbon", ["login"])
    await desk.intake([down("oslo", clock(), "3 of 3")], "prober")
    await desk.cycle(clock())
    [held] = await desk.alerts()
    assert held.muted is not None and held.muted["mutedBy"] == ["locations: 1 of 2"]
    await desk.intake([down("frankfurt", clock.forward(seconds=5), "3 of 3")], "prober")
    await desk.cycle(clock())
    [incident] = await desk.incidents()
    assert len(incident.alerts) == 2
    rows = {row["location"]: row["agrees_on"] for row in await desk.locations.listed()}
    assert rows == {"oslo": ["checkout"], "frankfurt": ["checkout", "login"], "lisbon": ["login"]}


async def test_a_journey_that_is_taken_out_elsewhere_is_judged_anew_at_once(desk: Desk, clock: Clock) -> None:
    await says(desk, "oslo", ["checkout"])
    await says(desk, "frankfurt", ["checkout"])
    await desk.intake([down("oslo", clock())], "prober")
    await desk.cycle(clock())
    assert await desk.incidents() == []
    desk.wake.clear()
    await says(desk, "frankfurt", ["checkout"])
    assert not desk.wake.is_set()
    await says(desk, "frankfurt", [])
    assert desk.wake.is_set()
    await desk.cycle(clock())
    assert len(await desk.incidents()) == 1


async def test_a_prober_that_does_not_say_what_it_runs_counts_for_all_of_it(desk: Desk, clock: Clock) -> None:
    await says(desk, "oslo", ["checkout"])
    await says(desk, "frankfurt", [])
    await beat(desk, "frankfurt")  # an older version, as long as the newer one is away
    await desk.intake([down("oslo", clock())], "prober")
    await desk.cycle(clock())
    assert await desk.incidents() == []
