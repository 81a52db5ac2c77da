from datetime import timedelta
from typing import Any

import pytest

from incident.desk import Desk
from incident.settings import Settings
from incident.watching import WATCHERS, watch_once
from tests.incident.conftest import SHOP, START, Clock, firing
from tests.incident.history.conftest import result

pytestmark = pytest.mark.anyio
[WATCHER] = [watcher for watcher in WATCHERS if watcher.name == "burn rate"]


async def walked(desk: Desk, minutes: float, outcome: str = "up", since: float = 0.0, **more: Any) -> None:
    """A run every 30 seconds, from `since` minutes after the start."""
    times = [START + timedelta(minutes=since, seconds=30 * number) for number in range(int(minutes * 2))]
    await desk.results([result(f"{at:%d%H%M%S}", at, outcome, **{"slo": 0.999, **more}) for at in times])


async def burning(desk: Desk, clock: Clock) -> list[dict[str, str]]:
    await watch_once(desk, WATCHER, clock())
    return [dict(alert.labels) for alert in await desk.alerts() if alert.name == "JourneyBurnRate"]


async def test_a_journey_that_burns_its_budget_is_an_alert_until_it_works_again(desk: Desk, clock: Clock) -> None:
    await walked(desk, 60)
    await walked(desk, 6, "down", since=60)
    clock.forward(minutes=66)
    labels = {"alertname": "JourneyBurnRate", "service": "checkout", "journey": "checkout"}
    assert await burning(desk, clock) == [{**labels, "severity": "SEV2", "window": "1h"}]
    await walked(desk, 6, since=66)
    clock.forward(minutes=6)
    assert await burning(desk, clock) == [{**labels, "severity": "SEV3", "window": "6h", "page": "no"}]
    await walked(desk, 30, since=72)
    clock.forward(minutes=30)
    assert await burning(desk, clock) == [{**labels, "severity": "SEV4", "window": "3d", "page": "no"}]
    await walked(desk, 380, since=102)
    clock.forward(minutes=380)
    assert await burning(desk, clock) == []


async def test_one_failure_among_few_runs_is_none(desk: Desk, clock: Clock) -> None:
    times = [START + timedelta(minutes=5 * number) for number in range(12)]
    await desk.results([result(f"r{at:%H%M}", at, "down" if at == times[-1] else "up", slo=0.999) for at in times])
    clock.forward(hours=1)
    assert await burning(desk, clock) == []


async def test_a_service_answers_for_all_of_its_journeys(desk: Desk, clock: Clock) -> None:
    services = {**SHOP["services"], "checkout": {"title": "Checkout", "slo": "99%"}}
    await desk.reload(Settings.model_validate({**SHOP, "services": services, "burn_rate": {"fast": "SEV1"}}))
    await walked(desk, 10, "down", slo=None)
    await walked(desk, 10, slo=None, journey="express", location="oslo")
    clock.forward(minutes=10)
    [labels] = await burning(desk, clock)
    assert labels == {"alertname": "JourneyBurnRate", "service": "checkout", "severity": "SEV1", "window": "1h"}
    [budget] = await desk.history.budgets("express")
    assert (budget.journey, budget.count.runs, budget.count.failures) == ("", 40, 20)


async def test_what_nobody_wants_to_hear_is_not_said(desk: Desk, clock: Clock) -> None:
    quiet = dict.fromkeys(("fast", "slow", "lasting"), "none")
    await desk.reload(Settings.model_validate({**SHOP, "burn_rate": quiet}))
    await walked(desk, 10, "down")
    clock.forward(minutes=10)
    assert await burning(desk, clock) == []


async def test_what_burns_slowly_is_told_and_people_are_paged_when_it_is_down(desk: Desk, clock: Clock) -> None:
    await walked(desk, 60)
    await walked(desk, 6, "down", since=60)
    await walked(desk, 6, since=66)
    clock.forward(minutes=72)
    await burning(desk, clock)
    await desk.cycle(clock())
    [incident] = await desk.incidents()
    assert incident.ticket
    assert [(one["kind"], one["channel"]) for one in await desk.deliveries()] == [("update", "console")]
    await desk.intake([firing("checkout", clock())], "prober")
    await desk.cycle(clock())
    outage, ticket = await desk.incidents()
    assert (outage.title, outage.ticket, ticket.number, ticket.ticket) == ("checkout is down", False, 1, True)
    pages = [one["channel"] for one in await desk.deliveries() if one["kind"] == "page"]
    assert pages == ["hook"]
