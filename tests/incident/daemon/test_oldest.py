"""The oldest alerts alone are what the beginning of all of them is, whatever has happened and whoever has looked."""

import random
from datetime import timedelta
from typing import Any

import pytest

from incident.core.alerts import StoredAlert
from incident.desk import Desk
from incident.settings import Settings
from incident.store import alerts as alert_store
from incident.store.shelf import Shelf
from probes.alert import Alert
from tests.incident.conftest import SHOP, START, Clock, firing, over
from tests.incident.daemon.test_holding import QUIET, silence

pytestmark = pytest.mark.anyio

PLAIN: dict[str, Any] = {}
ALONE = {"maintenance": QUIET["maintenance"]}
SERVICES = ("login", "payment", "catalog")


@pytest.fixture
def settings(request: pytest.FixtureRequest) -> Settings:
    return Settings.model_validate({**SHOP, **getattr(request, "param", PLAIN)})


async def oldest(desk: Desk, most: int) -> list[StoredAlert]:
    now = desk.now()
    return await desk.database.read(lambda connection: desk.holding.active(connection, now, most))


async def check(desk: Desk) -> None:
    everything = sorted(await desk.alerts(), key=lambda alert: (alert.starts_at, alert.fingerprint))
    for most in (1, 3, len(everything) or 1, 1000):
        assert await oldest(desk, most) == everything[:most]


async def happen(desk: Desk, clock: Clock, chance: random.Random, sent: list[Alert]) -> None:
    """One thing more."""
    what = chance.choice(["new", "new", "new", "again", "over", "silence", "cycle", "cycle", "later"])
    if what == "new":
        now = clock() - timedelta(seconds=chance.randrange(300))
        name, severity = f"A{chance.randrange(6)}", chance.choice(["SEV1", "SEV2", "SEV3"])
        sent.append(firing(chance.choice(SERVICES), now, name, severity))
        await desk.intake(sent[-1:], "prober")
    elif what == "again" and sent:
        alert = chance.choice(sent)
        ends = clock() + timedelta(minutes=5)
        said = {"summary": f"said {chance.randrange(100)}"}
        await desk.intake([Alert(alert.labels, alert.starts_at, ends, said)], "prober")
    elif what == "over" and sent:
        await desk.intake([over(chance.choice(sent), clock())], "prober")
    elif what == "silence":
        name = f"quiet-{chance.randrange(1000)}"
        await silence(desk, f"service={chance.choice(SERVICES)}", minutes=chance.choice([1, 30]), name=name)
    elif what == "cycle":
        await desk.cycle(clock())
    elif what == "later":
        clock.forward(seconds=chance.choice([1, 70, 200, 3600]))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("settings", [PLAIN, ALONE, QUIET], indirect=True, ids=["nothing", "windows", "inhibit rules"])
async def test_the_oldest_are_those_at_the_beginning_of_all(desk: Desk, clock: Clock, seed: int) -> None:
    chance, sent = random.Random(seed), list[Alert]()
    for _ in range(40):
        await happen(desk, clock, chance, sent)
        await check(desk)


@pytest.mark.parametrize("settings", [QUIET], indirect=True, ids=["inhibit rules"])
async def test_an_old_alert_is_held_back_by_one_that_is_younger_than_those_asked_for(desk: Desk, clock: Clock) -> None:
    await desk.intake([firing("payment", severity="SEV2")], "prober")
    await desk.intake([firing("payment", clock.forward(minutes=1), "Worse", "SEV1")], "prober")
    [alert] = await oldest(desk, 1)
    assert alert.name == "JourneyDown" and alert.muted is not None and len(alert.muted["inhibitedBy"]) == 1


async def test_of_those_that_began_together_the_fingerprint_decides(desk: Desk) -> None:
    await desk.intake([firing("payment", START, f"A{number}") for number in range(20)], "prober")
    found = [alert.fingerprint for alert in await oldest(desk, 7)]
    assert found == sorted(alert.fingerprint for alert in await desk.alerts())[:7]


async def test_what_was_read_before_is_kept_as_long_as_it_is_so(desk: Desk, clock: Clock) -> None:
    await desk.intake([firing("payment"), firing("login", clock.forward(seconds=1))], "prober")
    shelf = Shelf()

    async def asked() -> list[StoredAlert]:
        return await desk.database.read(lambda connection: shelf.active(connection, clock(), 2))

    first = await asked()
    await desk.intake([firing("login", clock.forward(seconds=1), location="oslo")], "prober")
    assert all(one is other for one, other in zip(first, await asked(), strict=True))
    changed = Alert(first[0].labels, first[0].starts_at, first[0].ends_at, {"summary": "another word"})
    await desk.intake([changed], "prober")
    payment, login = await asked()
    assert payment.summary == "another word" and login is first[1]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("settings", [QUIET], indirect=True, ids=["inhibit rules"])
async def test_what_is_kept_is_what_the_database_says(desk: Desk, clock: Clock, seed: int) -> None:
    chance, sent, shelf = random.Random(seed), list[Alert](), Shelf()
    for _ in range(60):
        await happen(desk, clock, chance, sent)
        clock.forward(milliseconds=1)  # no two words come at the same instant
        kept = await desk.database.read(lambda connection: shelf.active(connection, clock()))
        assert kept == await desk.database.read(lambda connection: alert_store.active(connection, clock()))
