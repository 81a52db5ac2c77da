"""PagerDuty's events API, as its clients call it."""

from typing import Any

import pytest

from incident.desk import Desk
from tests.incident.conftest import Clock
from tests.incident.web.conftest import Connect
from tests.incident.web.pagerduty import TRIGGER, enqueue

pytestmark = pytest.mark.anyio


async def test_a_trigger_opens_an_incident_of_the_service_that_it_names(
    connect: Connect, desk: Desk, clock: Clock
) -> None:
    status, said = await enqueue(connect)
    assert (status, said) == (202, {"status": "success", "message": "Event processed", "dedup_key": "queue"})
    await desk.cycle(clock.now)
    [incident] = await desk.incidents()
    assert (incident.service, incident.severity, incident.title) == ("cart", "SEV1", "Queue grows")


async def test_a_trigger_without_a_key_is_given_one(connect: Connect) -> None:
    _, said = await enqueue(connect, dedup_key=None)
    assert len(said["dedup_key"]) == 32


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"routing_key": None}, "'routing_key' is missing or blank"),
        ({"event_action": "explode"}, "'event_action' should be one of trigger, acknowledge, resolve"),
        ({"event_action": "resolve", "dedup_key": None}, "'dedup_key' is missing or blank"),
        ({"payload": "text"}, "'payload' is missing or is no object"),
        ({"payload": {"source": "a", "severity": "info"}}, "'payload.summary' is missing or blank"),
        ({"payload": {**TRIGGER["payload"], "severity": "bad"}}, "'payload.severity' should be one of"),
        ({"dedup_key": "k" * 256}, "'dedup_key' is longer than 255 characters"),
    ],
)
async def test_an_invalid_event_is_answered_as_pagerduty_does(
    connect: Connect, changes: dict[str, Any], complaint: str
) -> None:
    status, said = await enqueue(connect, **changes)
    assert (status, said["status"], said["message"]) == (400, "invalid event", "Event object is invalid")
    assert complaint in said["errors"][0]


async def test_what_was_changed_is_kept_and_pages_nobody(connect: Connect, desk: Desk, clock: Clock) -> None:
    payload = {"summary": "deploy 4711", "source": "ci", "timestamp": "2026-03-01T08:59:00Z"}
    answer = await connect().post("/v2/change/enqueue", json={"routing_key": "g", "payload": payload})
    assert answer.status_code == 202
    [change] = await desk.events.changes(clock.now.replace(hour=8), clock.now)
    assert (change["summary"], change["origin"], change["at"]) == ("deploy 4711", "ci", "2026-03-01T08:59:00+00:00")
    assert await desk.alerts() == []


async def test_the_old_events_api_is_understood_too(connect: Connect, desk: Desk) -> None:
    body = {"service_key": "g", "event_type": "trigger", "incident_key": "k", "description": "Check is down"}
    answer = await connect().post("/generic/2010-04-15/create_event.json", json=body)
    assert (answer.status_code, answer.json()["incident_key"]) == (200, "k")
    assert [alert.summary for alert in await desk.alerts()] == ["Check is down"]
