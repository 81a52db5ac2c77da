"""Two Shopwatches on one PostgreSQL database, and what they do when it goes away."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator

import pytest

from incident.core.deliveries import Message
from incident.daemon.outbox import Outbox
from incident.desk import Desk
from incident.errors import StoreUnavailable
from incident.settings import Settings
from tests.incident.conftest import ONLY_POSTGRESQL, RESPONDER, Clock, firing
from tests.postgresql import serving

pytestmark = [pytest.mark.anyio, ONLY_POSTGRESQL]


@pytest.fixture
async def other(desk: Desk, database_url: str, settings: Settings, clock: Clock) -> AsyncIterator[Desk]:
    made = Desk(database_url, settings, clock)
    await made.start()
    yield made
    await made.close()


class Slow:
    """Takes what it is sent, one at a time and with its time."""

    def __init__(self, taken: list[str]) -> None:
        self._taken = taken

    async def send(self, message: Message) -> None:
        self._taken.append(message.key)
        await asyncio.sleep(0.002)

    async def close(self) -> None:
        return


async def test_what_one_takes_in_the_other_reads_and_neither_engine_decides_twice(
    desk: Desk, other: Desk, clock: Clock
) -> None:
    both = (desk, other)
    for number in range(10):
        alerts = [firing(service, number=str(number)) for service in ("payment", "login", "catalog")]
        await asyncio.gather(*(one.intake(alerts, "prometheus") for one in both))
        await asyncio.gather(*(one.cycle(clock()) for one in both))
    assert await other.incidents() == await desk.incidents()
    assert len(await desk.incidents()) == 3
    for incident in await desk.incidents():
        joined = [event.data["fingerprints"] for event in await desk.timeline(incident.number) if event.kind == "alert"]
        named = [fingerprint for fingerprints in joined for fingerprint in fingerprints]
        assert len(named) == len(set(named))


async def test_two_who_act_at_once_both_succeed_and_the_record_has_no_gap(desk: Desk, other: Desk) -> None:
    await desk.perform("open", None, RESPONDER, {"title": "One"})
    words = [f"n{number}" for number in range(20)]
    notes = [(desk, other)[n % 2].perform("note", 1, RESPONDER, {"text": text}) for n, text in enumerate(words)]
    await asyncio.gather(*notes)
    timeline = await other.timeline(1)
    assert [event.seq for event in timeline] == list(range(1, len(timeline) + 1))
    assert sorted(event.text for event in timeline if event.kind == "note") == sorted(words)


async def test_who_waits_at_one_hears_of_what_was_done_at_the_other(desk: Desk, other: Desk) -> None:
    await asyncio.sleep(0.2)  # until they have heard of each other
    seen = other.changes
    other.wake.clear()
    waiting = asyncio.create_task(other.wait_change(seen, 60.0))
    await desk.perform("open", None, RESPONDER, {"title": "One"})
    assert await waiting != seen
    assert other.wake.is_set()
    await asyncio.sleep(0.2)
    before = desk.changes
    await asyncio.sleep(0.2)
    assert desk.changes == before, "news is not sent back and forth"


async def test_two_outboxes_share_the_deliveries_and_send_none_twice_nor_out_of_order(desk: Desk, other: Desk) -> None:
    for number in range(1, 9):
        await desk.perform("open", None, RESPONDER, {"title": f"Incident {number}", "severity": "SEV1"})
        for text in ("first", "second"):
            await desk.perform("update", number, RESPONDER, {"text": text})
    taken: list[str] = []
    by_each: tuple[list[str], list[str]] = ([], [])

    class Mine(Slow):
        def __init__(self, own: list[str]) -> None:
            super().__init__(taken)
            self._own = own

        async def send(self, message: Message) -> None:
            self._own.append(message.key)
            await super().send(message)

    await asyncio.gather(
        *(Outbox(one, {"hook": Mine(own)}).drain() for one, own in zip((desk, other), by_each, strict=True))
    )
    assert len(taken) == len(set(taken)) == 24
    assert all(by_each)
    order: dict[str, list[int]] = defaultdict(list)
    for key in taken:
        incident, seq, _ = key.split("-")
        order[incident].append(int(seq))
    assert all(seqs == sorted(seqs) for seqs in order.values())


async def test_the_server_may_go_and_come_back(database_url: str, settings: Settings, clock: Clock) -> None:
    with serving() as server:
        desk = Desk(server.url(server.create()), settings, clock)
        await desk.start()
        try:
            await desk.intake([firing("payment")], "prober")
            server.stop()
            with pytest.raises(StoreUnavailable):
                await desk.intake([firing("login")], "prober")
            with pytest.raises(StoreUnavailable):
                await desk.alerts()
            assert desk.database.trouble is not None
            server.start()
            await desk.intake([firing("catalog")], "prober")
            assert {alert.service for alert in await desk.alerts()} == {"payment", "catalog"}
            server.kill()
            server.start()  # every connection is dead, and nobody notices
            await desk.intake([firing("cart")], "prober")
            assert {alert.service for alert in await desk.alerts()} == {"payment", "catalog", "cart"}
        finally:
            await desk.close()
