"""PagerDuty's events in the database, whichever it is."""

from typing import Any

import pytest
from sqlalchemy import select

from incident.core.alerts import readable
from incident.desk import Desk
from incident.intake.pagerduty import read
from incident.settings import Settings
from incident.store import events as store
from incident.store import tables
from incident.store.database import Database
from tests.incident.conftest import Clock

pytestmark = pytest.mark.anyio


def event(action: str, severity: str = "info", key: str = "k" * 255) -> Any:
    payload = {"summary": "Queue grows", "source": "mq-1", "severity": severity, "component": severity}
    return read({"routing_key": "r", "event_action": action, "dedup_key": key, "payload": payload})


async def test_what_a_key_has_become_is_known_after_a_restart(
    database_url: str, settings: Settings, clock: Clock
) -> None:
    for said in (event("trigger"), event("trigger", "warning"), event("trigger", "critical"), event("acknowledge")):
        desk = Desk(database_url, settings, clock)
        await desk.start()
        await desk.cycle(clock.forward(minutes=1))
        await desk.events.take(said, "queue")
        await desk.cycle(clock.now)
        [alert] = await desk.alerts()
        await desk.close()
    assert alert.labels["component"] == "critical"

    desk = Desk(database_url, settings, clock)
    await desk.start()
    [incident] = await desk.incidents()
    assert (incident.severity, incident.acknowledged_by, len(incident.alerts)) == ("SEV1", "queue", 3)
    await desk.events.take(event("resolve"), "queue")
    assert await desk.alerts() == []
    await desk.close()


@pytest.mark.parametrize("key", ["a\x00b", "%_\\'\"", "\n", " ", "支付", "^", "~", "\ud800"])
async def test_a_key_may_hold_anything(desk: Desk, key: str) -> None:
    for said in ("trigger", "trigger", "acknowledge", "resolve", "resolve"):
        await desk.events.take(event(said, "error", key), "queue")
    assert await desk.alerts() == []


async def test_no_key_is_mistaken_for_what_another_was_before(database: Database, clock: Clock) -> None:
    first, worse = event("trigger"), event("trigger", "critical")
    await database.write(lambda one: store.remember_as(one, "queue", first, lambda old, new: new, clock.now))
    known = await database.write(lambda one: store.remember_as(one, "queue", worse, lambda old, new: new, clock.now))
    assert known.former == (first.labels,)
    rows = await database.read(lambda one: one.execute(select(tables.event_keys)).all())
    assert [row.key for row in rows if row.source == "queue"] == [first.key]
    assert all(readable(row.source) != row.source for row in rows if row.source != "queue")
