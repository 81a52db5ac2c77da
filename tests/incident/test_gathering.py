"""Alerts that come while others are being written go to disk together, and none suffers for another."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

import pytest
from sqlalchemy import Connection

from incident.core.alerts import StoredAlert, accept
from incident.errors import StoreFull
from incident.gathering import MOST, Gathering
from incident.store import alerts as alert_store
from incident.store.database import Database
from probes.alert import Alert
from tests.incident.conftest import START, firing

pytestmark = pytest.mark.anyio
T = TypeVar("T")


def heard(service: str) -> StoredAlert:
    return accept(firing(service), "prometheus", START)


def unstorable() -> StoredAlert:
    """No database takes an alert without a source."""
    return accept(firing("search"), None, START)  # type: ignore[arg-type]


async def names(database: Database) -> set[str]:
    return {alert.service for alert in await database.read(alert_store.firing)}


async def test_what_comes_during_a_write_shares_the_next_one(database: Database) -> None:
    transactions: list[int] = []

    async def write(job: Callable[[Connection], T]) -> T:
        transactions.append(1)
        return await database.write(job)

    gathering = Gathering(write)
    services = [f"service{number}" for number in range(20)]
    told = await asyncio.gather(*(gathering.store([heard(service)]) for service in services))
    assert told == [True] * 20  # each has something new
    assert await names(database) == set(services)
    assert len(transactions) < 5
    assert await gathering.store([heard("service0")]) is True  # nobody has decided on it yet


async def test_one_that_the_database_cannot_hold_is_its_senders_trouble_alone(database: Database) -> None:
    gathering = Gathering(database.write)
    batches = [[heard("cart")], [unstorable()], [heard("payment")], [heard("login")]]
    told = await asyncio.gather(*(gathering.store(batch) for batch in batches), return_exceptions=True)
    assert [isinstance(one, Exception) for one in told] == [False, True, False, False]
    assert await names(database) == {"cart", "payment", "login"}


async def test_whoever_no_longer_waits_has_been_heard_all_the_same(database: Database) -> None:
    gathering = Gathering(database.write)
    gone = asyncio.create_task(gathering.store([heard("cart")]))
    await asyncio.sleep(0)
    gone.cancel()
    assert await gathering.store([heard("payment")]) is True
    assert await names(database) == {"cart", "payment"}


async def test_a_full_disk_is_told_to_all_who_wait_and_the_next_try_is_a_new_one() -> None:
    full = True

    async def write(job: Callable[[Connection], T]) -> T:
        if full:
            raise StoreFull("no room")
        return True  # type: ignore[return-value]

    gathering = Gathering(write)
    told = await asyncio.gather(*(gathering.store([heard("cart")]) for _ in range(3)), return_exceptions=True)
    assert [type(one) for one in told] == [StoreFull] * 3
    full = False
    assert await gathering.store([heard("cart")]) is True


async def test_a_batch_is_never_parted_however_large(database: Database) -> None:
    gathering = Gathering(database.write)
    large = [accept(Alert({"alertname": "a", "item": str(n)}, START, START), "x", START) for n in range(MOST + 1)]
    assert await gathering.store(large) is True
    assert sum((await database.read(alert_store.count)).values()) == MOST + 1
