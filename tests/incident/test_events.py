"""PagerDuty's events in the database, whichever it is."""

from typing import Any

import pytest

from incident.desk import Desk
from incident.intake.pagerduty import read
from incident.settings import Settings
from tests.incident.conftest import Clock

pytestmark = pytest.mark.anyio


def event(action: str, severity: str = "info") -> Any:
    payload = {"summary": "Queue grows", "source": "mq-1", "severity": severity, "component": severity}
    return read({"routing_key": "r", "event_action": action, "dedup_key": "k" * 255, "payload": payload})


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
