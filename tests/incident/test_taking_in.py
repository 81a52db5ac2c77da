"""What is stored of alerts that come again is what merging them one after the other says, on every database."""

from datetime import timedelta

import pytest
from sqlalchemy import Connection

from incident.core.alerts import StoredAlert, accept, merge
from incident.store import alerts as alert_store
from incident.store.database import Database
from probes.alert import Alert
from tests.incident.conftest import START

pytestmark = pytest.mark.anyio


def heard(name: str, start: int, end: int, at: int, summary: str = "", timeout: bool = False) -> StoredAlert:
    """Minutes after the start of the test's time."""
    first, last = (START + timedelta(minutes=minutes) for minutes in (start, end))
    alert = Alert({"alertname": name}, first, last, {"summary": summary}, f"http://{name}/", timeout)
    return accept(alert, "prometheus", START + timedelta(minutes=at))


BATCHES = {
    "repeats": [[heard("a", 0, 5, 1, "one"), heard("b", 0, 5, 1)], [heard("a", 0, 9, 2, "two"), heard("b", 0, 9, 2)]],
    "known and new": [[heard("a", 0, 5, 1)], [heard("b", 1, 6, 2), heard("a", -1, 3, 2, timeout=True)]],
    "twice in a batch": [[heard("a", 0, 5, 1), heard("a", 0, 7, 1)], [heard("a", 2, 2, 3), heard("a", 0, 3, 3)]],
    "resolved and anew": [[heard("a", 0, 5, 1)], [heard("a", 0, 2, 3)], [heard("a", 4, 9, 5)]],
}  # fmt: skip


@pytest.mark.parametrize("batches", BATCHES.values(), ids=BATCHES.keys())
async def test_batches_leave_what_merging_says(database: Database, batches: list[list[StoredAlert]]) -> None:
    expected: dict[str, StoredAlert] = {}
    for batch in batches:
        for alert in batch:
            known = expected.get(alert.fingerprint)
            expected[alert.fingerprint] = alert if known is None else merge(known, alert)
        await database.write(lambda connection, batch=batch: alert_store.take_in(connection, batch))  # type: ignore[misc]
    stored = await database.read(lambda connection: alert_store.by_fingerprint(connection, expected))
    assert {alert.fingerprint: alert for alert in stored} == expected


async def test_a_repeat_leaves_the_incident_and_what_holds_an_alert_back_as_they_are(database: Database) -> None:
    first, again = heard("a", 0, 5, 1), heard("a", 0, 9, 2, "later")
    held = {"silencedBy": ["x"], "inhibitedBy": [], "mutedBy": []}

    def job(connection: Connection) -> int:
        alert_store.take_in(connection, [first])
        alert_store.decided(connection, [], {first.fingerprint: 7})
        alert_store.mute(connection, {first.fingerprint: held}, None)
        return alert_store.take_in(connection, [again])

    assert await database.write(job) == 0
    [alert] = await database.read(lambda connection: alert_store.by_fingerprint(connection, [first.fingerprint]))
    assert (alert.incident, alert.muted, alert.summary, alert.ends_at) == (7, held, "later", again.ends_at)
