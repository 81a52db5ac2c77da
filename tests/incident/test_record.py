"""What people add to the record, over the desk: what others see afterwards, in every place where it was kept."""

import asyncio
import json
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from incident.attachments import File
from incident.core.actor import Actor, Role
from incident.desk import Desk
from incident.errors import NotAllowed, NotFound, Refused
from tests.incident.conftest import ONLY_SQLITE, RESPONDER, VIEWER, Clock, firing

pytestmark = pytest.mark.anyio

ADMIN = Actor("root", Role.ADMIN, via="cli")
SECRET = "4111 1111 1111 1111"


async def open_one(desk: Desk, title: str = "Cards fail", service: str = "payment") -> int:
    return (await desk.perform("open", None, RESPONDER, {"title": title, "service": service})).number


async def everything(desk: Desk) -> str:
    """All that the database holds, as text."""

    def job(connection):  # type: ignore[no-untyped-def]
        return "".join(
            str(row._mapping)
            for table in ("events", "incidents", "deliveries")
            for row in connection.execute(text(f"select * from {table}"))
        )

    return str(await desk.database.read(job))


async def test_what_was_redacted_is_nowhere_any_more(desk: Desk) -> None:
    number = await open_one(desk)
    await desk.perform("update", number, RESPONDER, {"text": f"card {SECRET} was declined", "public": True})
    await desk.perform("task", number, RESPONDER, {"text": f"refund {SECRET}"})
    for event in await desk.timeline(number):
        if SECRET in event.text:
            await desk.perform("redact", number, ADMIN, {"seq": event.seq})
    assert SECRET not in await everything(desk)
    assert [event.text for event in await desk.timeline(number)].count("[redacted]") == 2
    assert (await desk.incident(number)).tasks["1"]["text"] == "[redacted]"


@ONLY_SQLITE
async def test_what_was_redacted_is_in_no_file_of_the_database(desk: Desk, tmp_path: Path) -> None:
    number = await open_one(desk)
    noted = await desk.perform("note", number, RESPONDER, {"text": f"card {SECRET}"})
    assert holding(tmp_path, SECRET)
    await desk.perform("redact", number, ADMIN, {"seq": noted.seq})
    assert not holding(tmp_path, SECRET)


@ONLY_SQLITE
@pytest.mark.by_the_clock
async def test_a_redaction_keeps_nobody_waiting_for_whoever_reads(desk: Desk) -> None:
    number = await open_one(desk)
    noted = await desk.perform("note", number, RESPONDER, {"text": f"card {SECRET}"})
    reads, goes_on = threading.Event(), threading.Event()

    def read(connection: Connection) -> None:
        connection.execute(text("select count(*) from events"))
        reads.set()
        goes_on.wait(60)

    reading = asyncio.create_task(desk.database.read(read))
    await asyncio.to_thread(reads.wait, 60)
    redacting = asyncio.create_task(desk.perform("redact", number, ADMIN, {"seq": noted.seq}))
    began = time.monotonic()
    while not redacting.done():
        await desk.intake([firing("payment")], "prometheus")
    took = time.monotonic() - began
    goes_on.set()
    await reading
    assert (await redacting).seq > noted.seq and took < 8


def holding(folder: Path, words: str) -> list[str]:
    """The files that have these words in them."""
    return [path.name for path in folder.rglob("*") if path.is_file() and words.encode() in path.read_bytes()]


async def test_a_redacted_title_is_gone_from_every_message(desk: Desk) -> None:
    number = await open_one(desk, f"Card {SECRET} fails")
    await desk.perform("ack", number, RESPONDER)
    await desk.perform("redact", number, ADMIN, {"seq": 1})
    assert SECRET not in await everything(desk)
    assert (await desk.incident(number)).title == "[redacted]"


async def test_who_is_no_admin_redacts_nothing(desk: Desk) -> None:
    number = await open_one(desk)
    with pytest.raises(NotAllowed, match="admin"):
        await desk.perform("redact", number, RESPONDER, {"seq": 1})


async def test_alerts_follow_their_incident_when_it_is_merged_and_taken_apart(desk: Desk, clock: Clock) -> None:
    for service in ("login", "payment"):
        await desk.intake([firing(service, clock.now)], "prometheus")
        await desk.cycle(clock.now)
    await desk.perform("merge", 2, RESPONDER, {"into": 1})
    assert {alert.incident for alert in await desk.alerts()} == {1}
    await desk.perform("unmerge", 2, RESPONDER)
    assert {alert.service: alert.incident for alert in await desk.alerts()} == {"login": 1, "payment": 2}
    with pytest.raises(NotFound):
        await desk.perform("merge", 2, RESPONDER, {"into": 77})


async def test_a_journey_that_is_down_keeps_its_incident_open(desk: Desk, clock: Clock) -> None:
    number = await open_one(desk)
    run = {
        "journey": "pay", "service": "payment", "run_id": "r1", "outcome": "down", "started_at": clock.now.isoformat(),
        "duration_s": 1.0, "location": "local", "labels": {}, "cleanup": [], "lag_s": 0.0,
        "steps": [{"name": "pay", "service": "payment", "outcome": "down", "reason": "status", "duration_s": 1.0}],
    }  # fmt: skip
    await desk.results([run])
    with pytest.raises(Refused, match="the journey pay at local is down"):
        await desk.perform("resolve", number, RESPONDER)
    clock.forward(seconds=30)
    good = {**run, "run_id": "r2", "outcome": "up", "started_at": clock.now.isoformat(), "steps": []}
    await desk.results([good])
    assert (await desk.perform("resolve", number, RESPONDER)).status == "resolved"


async def test_the_run_that_failed_is_attached_to_its_incident(desk: Desk, clock: Clock) -> None:
    alert = firing("payment", clock.now, journey="pay", location="local")
    alert = type(alert)(alert.labels, alert.starts_at, alert.ends_at, {**alert.annotations, "run": "r1"})
    await desk.intake([alert], "prober")
    await desk.cycle(clock.now)
    await desk.attachments.gather()
    assert (await desk.incident(1)).attachments == {}
    step = {
        "name": "pay",
        "service": "payment",
        "outcome": "down",
        "reason": "status",
        "seen": "503",
        "duration_s": 1.0,
    }
    run = {
        "journey": "pay", "service": "payment", "run_id": "r1", "outcome": "down", "started_at": clock.now.isoformat(),
        "duration_s": 1.0, "location": "local", "labels": {}, "cleanup": [], "lag_s": 0.0, "steps": [step],
    }  # fmt: skip
    await desk.results([run])
    for _ in range(2):
        await desk.attachments.gather()
    [(key, shown)] = (await desk.incident(1)).attachments.items()
    assert (shown["name"], shown["run"]) == ("pay-r1.json", "r1")
    _, content = await desk.attachments.content(1, key)
    assert json.loads(content)["steps"][0]["seen"] == "503"


async def test_a_file_is_attached_and_taken_away_again_by_redaction(desk: Desk) -> None:
    number = await open_one(desk)
    file = File("../../etc/passwd", "text/plain", b"hello")
    [(key, shown)] = (await desk.attachments.add(number, RESPONDER, file)).attachments.items()
    assert shown["name"] == "_.._etc_passwd"
    assert await desk.attachments.content(number, key) == (shown, b"hello")
    [seq] = [event.seq for event in await desk.timeline(number) if event.kind == "attached"]
    await desk.perform("redact", number, ADMIN, {"seq": seq})
    with pytest.raises(NotFound):
        await desk.attachments.content(number, key)


async def test_an_attachment_that_is_refused_leaves_nothing(desk: Desk) -> None:
    number = await open_one(desk)
    for actor, content, complaint in (
        (VIEWER, b"x", "responder"),
        (RESPONDER, b"", "1 to"),
        (RESPONDER, b"x" * (1 << 20) + b"x", "1 to"),
    ):
        with pytest.raises((NotAllowed, Refused), match=complaint):
            await desk.attachments.add(number, actor, File("a.txt", "text/plain", content))
    assert (await desk.incident(number)).attachments == {}


async def test_what_an_incidents_alerts_have_in_common_is_silenced(desk: Desk, clock: Clock) -> None:
    await desk.intake([firing("payment", clock.now, instance=name) for name in "ab"], "prometheus")
    await desk.cycle(clock.now)
    with pytest.raises(NotAllowed):
        await desk.perform("silence", 1, VIEWER, {"for": 3600})
    with pytest.raises(Refused, match="up to 30 days"):
        await desk.perform("silence", 1, RESPONDER, {})
    await desk.perform("silence", 1, RESPONDER, {"for": 3600, "text": "the provider knows"})
    [silence] = await desk.silences.every()
    assert [str(matcher) for matcher in silence.matchers] == ['alertname="JourneyDown"', 'service="payment"']
    assert silence.comment == "the provider knows"
    clock.forward(seconds=1)
    await desk.intake([firing("payment", clock.now, instance="c"), firing("login", clock.now)], "prometheus")
    await desk.cycle(clock.now)
    assert [incident.service for incident in await desk.incidents()] == ["login", "payment"]
    held = {alert.labels["instance"] for alert in await desk.alerts() if alert.muted}
    assert held == {"a", "b", "c"}
