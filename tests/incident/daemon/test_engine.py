import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from incident.core.decide import decide as real_decide
from incident.core.decide import decide_time as real_decide_time
from incident.daemon import engine
from incident.desk import Desk
from incident.settings import Settings
from incident.store.tables import incidents as incident_table
from probes.alert import Alert
from tests.incident.conftest import RESPONDER, SHOP, START, Clock, firing, over

pytestmark = pytest.mark.anyio


async def test_one_poisonous_alert_is_set_aside_and_the_others_are_decided_on(
    desk: Desk, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def decide(alerts: Any, draft: Any, policy: Any) -> Any:
        if any(alert.service == "login" for alert in alerts):
            raise ZeroDivisionError("a defect")
        return real_decide(alerts, draft, policy)

    monkeypatch.setattr("incident.daemon.engine.decide", decide)
    await desk.intake([firing("payment"), firing("login"), firing("catalog")], "prober")
    await desk.cycle(clock())
    assert {incident.service for incident in await desk.incidents()} == {"payment", "catalog"}
    assert (await desk.metrics()).alerts["aside"] == 1
    monkeypatch.undo()
    await desk.intake([firing("login")], "prober")  # its source sends it again, and the defect is mended
    await desk.cycle(clock())
    assert {incident.service for incident in await desk.incidents()} == {"payment", "catalog", "login"}
    assert (await desk.metrics()).alerts["aside"] == 0


async def test_one_incident_that_time_breaks_does_not_keep_the_others_from_their_time(
    desk: Desk, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def decide_time(incident: Any, draft: Any, policy: Any) -> None:
        if incident.number == 1:
            raise ZeroDivisionError("a defect")
        real_decide_time(incident, draft, policy)
        draft.add(incident.number, "note", "time passed")

    monkeypatch.setattr("incident.daemon.engine.decide_time", decide_time)
    monkeypatch.setattr("incident.daemon.engine.resolve_due", lambda incident, policy: clock())
    for title in ("One", "Two"):
        await desk.perform("open", None, RESPONDER, {"title": title})
    await desk.cycle(clock())
    assert "time passed" not in [event.text for event in await desk.timeline(1)]
    assert "time passed" in [event.text for event in await desk.timeline(2)]


async def spoil_the_cache(desk: Desk) -> None:
    await desk.database.write(lambda connection: connection.execute(update(incident_table).values(state={"x": 1})))


async def test_an_unreadable_cache_is_read_from_the_events_instead(desk: Desk, clock: Clock) -> None:
    await desk.intake([firing("payment")], "prober")
    await desk.cycle(clock())
    before = await desk.incident(1)
    await desk.database.write(
        lambda connection: connection.execute(update(incident_table).values(state={"x": 1})) and None
    )
    assert await desk.incident(1) == before


async def test_the_cache_can_be_rebuilt_from_the_events(desk: Desk, clock: Clock) -> None:
    alert = firing("payment")
    await desk.intake([alert, firing("checkout"), firing("login")], "prober")
    await desk.cycle(clock())
    await desk.perform("ack", 1, RESPONDER)
    await desk.perform("update", 1, RESPONDER, {"text": "On it", "public": True, "status": "identified"})
    await desk.intake([over(alert, clock.forward(minutes=1))], "prober")
    await desk.cycle(clock())
    await desk.perform("resolve", 2, RESPONDER)
    before = await desk.incidents()
    await desk.database.write(
        lambda connection: connection.execute(update(incident_table).values(state={"x": 1})) and None
    )
    assert await desk.rebuild() == 2
    assert await desk.incidents() == before


async def test_a_clock_set_back_neither_reorders_a_timeline_nor_loses_a_timer(database_url: str, clock: Clock) -> None:
    settings = Settings.model_validate({**SHOP, "incidents": {"auto_resolve": "30m"}})
    desk = Desk(database_url, settings, clock)
    await desk.start()
    alert = firing("payment")
    await desk.intake([alert], "prober")
    await desk.cycle(clock())
    await desk.intake([over(alert, clock.forward(minutes=1))], "prober")
    await desk.cycle(clock())
    clock.now -= timedelta(hours=2)
    await desk.perform("note", 1, RESPONDER, {"text": "the clock was set back"})
    await desk.cycle(clock())
    timeline = await desk.timeline(1)
    assert [event.seq for event in timeline] == list(range(1, len(timeline) + 1))
    assert timeline[-1].text == "the clock was set back"
    await desk.cycle(clock.forward(hours=2, minutes=30))
    assert not (await desk.incident(1)).open
    figures = (await desk.metrics()).times["acknowledge"]
    assert figures.total >= 0
    await desk.close()


async def test_hostile_labels_are_kept_to_the_letter_and_shown_tame(desk: Desk, clock: Clock) -> None:
    nasty = "'; DROP TABLE events;--\x1b[2J\r\n<!channel><script>\u202e\x00"
    alert = Alert(
        {"alertname": nasty, "service": "payment", "x": nasty}, START, START + timedelta(minutes=5), {"summary": nasty}
    )
    await desk.intake([alert], "prober")
    await desk.cycle(clock())
    [kept] = await desk.alerts()
    assert kept.labels["x"] == nasty
    title = (await desk.incident(1)).title
    assert title.startswith("'; DROP TABLE events;--")
    assert not [character for character in title if not character.isprintable()]
    assert not [c for event in await desk.timeline(1) for c in event.text if not c.isprintable()]


@pytest.mark.by_the_clock
async def test_a_storm_gives_one_incident_and_one_page_a_root_service(database_url: str, clock: Clock) -> None:
    services: dict[str, Any] = {f"root{n}": {"title": "r"} for n in range(10)}
    services |= {f"leaf{n}": {"title": "l", "needs": [f"root{n % 10}"]} for n in range(40)}
    settings = Settings.model_validate({"shop": {"name": "Shop"}, "services": services})
    desk = Desk(database_url, settings, clock)
    await desk.start()
    names = sorted(services)
    alerts = [firing(names[n % 50], clock(), f"Alert{n}") for n in range(10_000)]
    started = time.process_time()
    for start in range(0, len(alerts), 64):
        await desk.intake(alerts[start : start + 64], "prometheus")
        if start % 640 == 0:
            await desk.cycle(clock())
    await desk.cycle(clock())
    taken = time.process_time() - started
    found = await desk.incidents(open_only=True)
    pages = Counter(row["incident"] for row in await desk.deliveries(limit=10_000) if row["kind"] == "page")
    assert len(found) <= 10
    assert max(pages.values()) == 1
    assert sum(len(incident.alerts) for incident in found) == 10_000
    assert max(incident.seq for incident in found) < 60
    assert taken < 20, f"{taken:.1f} s of CPU"  # about 2 s on an idle machine
    await desk.close()


async def test_the_engine_wakes_at_once_when_an_alert_comes_in(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_IDLE", 3600.0)  # of itself it would look again in an hour
    running = asyncio.create_task(engine.run(desk))
    try:
        await asyncio.sleep(0.1)
        await desk.intake([firing("payment")], "prober")
        await until(lambda: firing_in(desk), 1)
        assert [one.service for one in await desk.incidents()] == ["payment"]
    finally:
        running.cancel()
        await asyncio.wait([running])


@pytest.mark.by_the_clock
async def test_a_storm_that_begins_far_from_its_root_is_one_incident_and_one_page(database_url: str) -> None:
    """Services of which none needs another one but the same third, which is heard of last."""
    leaves = [f"leaf{number}" for number in range(4)]
    services = {name: {"title": name, "needs": ["root"]} for name in leaves} | {"root": {"title": "root"}}
    desk = Desk(database_url, Settings.model_validate({**SHOP, "services": services}))
    await desk.start()
    running = asyncio.create_task(engine.run(desk))
    try:
        await asyncio.sleep(0.1)  # it has nothing to do
        for service in (*leaves, "root"):
            now = desk.now()
            await desk.intake([firing(service, now, name=f"A{number}") for number in range(10)], "prometheus")
            await asyncio.sleep(0.2)
        await until(lambda: firing_in(desk), 50)
        assert [one.service for one in await desk.incidents()] == ["root"]
        assert Counter(one["kind"] for one in await desk.deliveries())["page"] == 1
    finally:
        running.cancel()
        await asyncio.wait([running])
        await desk.close()


SIBLINGS = {"web": {"title": "W", "needs": ["db"]}, "app": {"title": "A", "needs": ["db"]}, "db": {"title": "D"}}


async def test_two_that_need_the_same_wait_a_moment_for_it_and_page_once(database_url: str, clock: Clock) -> None:
    desk = Desk(database_url, Settings.model_validate({**SHOP, "services": SIBLINGS}), clock=clock)
    await desk.start()
    try:
        await desk.intake([firing("web"), firing("app")], "prometheus")
        await desk.cycle(clock.now, patient=True)
        assert desk.cycling.hesitates
        assert await desk.incidents() == []
        await desk.intake([firing("db")], "prometheus")
        await desk.cycle(clock.now)
        assert [one.service for one in await desk.incidents()] == ["db"]
        assert Counter(one["kind"] for one in await desk.deliveries())["page"] == 1
    finally:
        await desk.close()


async def test_when_nothing_follows_they_are_two_incidents(database_url: str) -> None:
    desk = Desk(database_url, Settings.model_validate({**SHOP, "services": SIBLINGS}))
    await desk.start()
    running = asyncio.create_task(engine.run(desk))
    try:
        await asyncio.sleep(0.1)
        await desk.intake([firing("web", desk.now()), firing("app", desk.now())], "prometheus")
        await until(lambda: firing_in(desk), 2)
        assert {one.service for one in await desk.incidents()} == {"web", "app"}
    finally:
        running.cancel()
        await asyncio.wait([running])
        await desk.close()


async def test_a_single_one_is_never_left_waiting(desk: Desk, clock: Clock) -> None:
    await desk.intake([firing("checkout"), firing("payment")], "prometheus")
    await desk.cycle(clock.now, patient=True)
    assert not desk.cycling.hesitates
    assert len(await desk.incidents()) == 2


@pytest.mark.by_the_clock
@pytest.mark.by_the_clock
async def test_one_alert_after_the_other_is_decided_on_at_once_each(desk: Desk) -> None:
    running = asyncio.create_task(engine.run(desk))
    try:
        for number in range(6):
            began = time.monotonic()
            await desk.intake([firing("payment", name=f"A{number}")], "prometheus")
            await until(lambda: firing_in(desk), number + 1)
            assert time.monotonic() - began < 1.5
    finally:
        running.cancel()
        await asyncio.wait([running])


async def firing_in(desk: Desk) -> int:
    return sum(len(one.alerts) for one in await desk.incidents(open_only=True))


async def until(count: Callable[[], Awaitable[int]], wanted: int) -> None:
    ends = time.monotonic() + 60
    while (found := await count()) != wanted:
        assert time.monotonic() < ends, found
        await asyncio.sleep(0.02)
