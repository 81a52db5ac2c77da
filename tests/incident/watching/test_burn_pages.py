"""One failed run a minute, from the rules through the decisions to who is told what: nobody is ever paged for it."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest

from incident.core.decide import Policy
from incident.core.services import ServiceMap
from incident.history.burn import WINDOWS, Count
from incident.history.objectives import Objective
from incident.history.settings import BurnRate
from incident.watching.burn import judged
from probes.alert import Alert
from tests.incident.conftest import START
from tests.incident.core.a_world import World

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
POLICY = Policy(services=ServiceMap({}), route=lambda labels: ("phone",), auto_resolve=600, rejoin=1800)
DEFAULT = BurnRate()


def simulate(failed: Sequence[float], every: float, slo: float, until: float, settings: BurnRate = DEFAULT) -> World:
    """`failed`: when runs failed, in seconds; all others, one every so often, for a week before too, went well.

    The rules are asked once a minute, just after a run.
    """
    world = World(POLICY)
    objective = Objective("checkout", "checkout", slo, frozenset({"checkout"}))
    before: Alert | None = None
    at = MINUTE
    while at <= until:
        counts = {
            window: Count(round(window / every), bisect_right(failed, at) - bisect_right(failed, at - window - 1e-6))
            for window in WINDOWS
        }
        now = judged(objective, counts, settings, START + timedelta(seconds=at))
        over = [] if before is None or (now is not None and now.labels == before.labels) else [before]
        world.wait(at - (world.now - START).total_seconds())
        ended = [replace(alert, ends_at=world.now) for alert in over]
        said = [] if now is None else [now]
        if ended or said:
            world.take_in(*ended, *said)
        before = now
        at += MINUTE
    return world


def one_a_minute(how: str, until: float, every: float) -> list[float]:
    """A run of each minute of the clock: always the same one, or any."""
    random = Random(how)
    places = int(MINUTE / every)
    return [
        minute * MINUTE + (0 if how == "the first" else random.randrange(places) * every)
        for minute in range(int(until / MINUTE) + 1)
    ]


@pytest.mark.parametrize("how", ["the first", "any"])
@pytest.mark.parametrize("slo", [0.9, 0.99, 0.999, 0.9999])
@pytest.mark.parametrize("every", [5.0, 10.0, 30.0])
def test_one_failed_run_a_minute_for_hours_is_told_and_pages_nobody(every: float, slo: float, how: str) -> None:
    world = simulate(one_a_minute(how, 8 * HOUR, every), every, slo, 8 * HOUR)
    assert world.pages == []
    assert {one.kind for one in world.sent} == ({"update"} if slo > 0.9 else set())


@pytest.mark.parametrize("slo", [0.99, 0.9999])
@pytest.mark.parametrize("every", [5.0, 10.0, 30.0])
def test_nor_for_three_days_and_after(every: float, slo: float) -> None:
    world = simulate(one_a_minute("any", 3 * DAY, every), every, slo, 3 * DAY + 8 * HOUR)
    assert world.pages == []
    assert len(world.incidents) == 1
    assert not world.open


@pytest.mark.parametrize("severity", ["SEV1", "SEV2"])
def test_nor_when_the_settings_say_that_the_slower_rules_are_as_bad_as_what_pages(severity: str) -> None:
    settings = BurnRate.model_validate({"slow": severity, "lasting": severity})
    world = simulate(one_a_minute("any", 8 * HOUR, 10.0), 10.0, 0.99, 8 * HOUR, settings)
    assert (world.pages, world.incidents[1].severity) == ([], severity)


def test_then_more_than_the_floor_of_the_fast_rule_does() -> None:
    failed = [20.0 * number for number in range(int(8 * HOUR / 20))]  # three a minute: a bit more than six times
    world = simulate(failed, 1.0, 0.992, 8 * HOUR, BurnRate(slow="SEV2"))
    assert [channel for _, _, channel in world.pages] == ["phone"]
    told = simulate(failed, 1.0, 0.992, 8 * HOUR)
    assert (told.pages, {one.kind for one in told.sent}) == ([], {"update"})


def test_what_fails_faster_pages_at_once_although_people_have_only_been_told_before() -> None:
    failed = one_a_minute("any", 2 * HOUR, 10.0)
    failed += [2 * HOUR + 10.0 * number for number in range(60)]
    world = simulate(sorted(failed), 10.0, 0.999, 3 * HOUR)
    [(number, _, channel)] = world.pages
    page = next(one for one in world.sent if one.kind == "page")
    assert (number, channel, world.incidents[number].severity) == (2, "phone", "SEV2")
    assert 2 * HOUR < (page.at - START).total_seconds() <= 2 * HOUR + 2 * MINUTE
    assert "more than 14.4 times too fast" in page.text
