from datetime import timedelta

import pytest

from incident.desk import Desk
from incident.silences.rules import Wanted
from incident.watching import ending_silences
from probes.labels import parse_matcher
from tests.incident.conftest import RESPONDER, START, Clock, firing, over

pytestmark = pytest.mark.anyio

HOUR = timedelta(hours=1)


async def silenced(desk: Desk) -> None:
    wanted = Wanted((parse_matcher("service=payment"),), START, START + HOUR, "mara", "known")
    await desk.silences.post(wanted, RESPONDER)


async def test_a_silence_that_holds_back_what_nobody_heard_of_is_announced_before_it_ends(
    desk: Desk, clock: Clock
) -> None:
    await silenced(desk)
    await desk.intake([over(firing("payment"), START + 9 * HOUR)], "test")
    await desk.cycle(clock())
    assert await ending_silences.look(desk, clock.forward(minutes=44)) == []
    [alert] = await ending_silences.look(desk, clock.forward(minutes=2))
    assert alert.labels["alertname"] == "SilenceEnding" and "10:00 UTC" in alert.annotations["summary"]
    assert await ending_silences.look(desk, clock.forward(minutes=14)) == []


async def test_one_that_holds_back_nothing_or_what_an_incident_has_is_not(desk: Desk, clock: Clock) -> None:
    await desk.intake([over(firing("payment"), START + 9 * HOUR)], "test")
    await desk.cycle(clock())
    await silenced(desk)
    await desk.cycle(clock())
    assert await ending_silences.look(desk, clock.forward(minutes=50)) == []
