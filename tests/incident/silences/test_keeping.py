from datetime import timedelta

import pytest

from incident.core.muting.windows import Recurrence
from incident.desk import Desk
from incident.errors import NotAllowed, NotFound
from incident.silences import store
from incident.silences.rules import Wanted
from probes.labels import parse_matcher
from tests.incident.conftest import RESPONDER, START, VIEWER, Clock, firing

pytestmark = pytest.mark.anyio

HOUR = timedelta(hours=1)
WANTED = Wanted((parse_matcher("service=~pay.*"),), START, START + HOUR, "mara", "known", {"ticket": "12"})


async def test_a_silence_is_kept_as_it_was_wanted_and_who_did_what_to_it_too(desk: Desk, clock: Clock) -> None:
    kept = await desk.silences.post(WANTED, RESPONDER)
    found = await desk.silences.get(kept)
    assert (found.matchers, found.ends_at, found.annotations) == (WANTED.matchers, START + HOUR, {"ticket": "12"})
    clock.forward(minutes=1)
    await desk.silences.expire(kept, RESPONDER)
    await desk.silences.expire(kept, RESPONDER)
    assert (await desk.silences.get(kept)).ends_at == clock()
    assert [(one["kind"], one["actor"], one["via"]) for one in await desk.silences.record(kept)] == [
        ("created", "mara", "cli"),
        ("expired", "mara", "cli"),
    ]


async def test_one_that_recurs_is_kept_whole(desk: Desk) -> None:
    nightly = Recurrence("0 2 * * *", HOUR, "Europe/Berlin")
    wanted = Wanted(WANTED.matchers, START, START + HOUR, "mara", "", recurrence=nightly)
    found = await desk.silences.get(await desk.silences.post(wanted, RESPONDER))
    assert (found.recurrence, found.ends_at) == (nightly, None)


async def test_who_may_not_is_told_and_what_is_not_there_too(desk: Desk) -> None:
    with pytest.raises(NotAllowed):
        await desk.silences.post(WANTED, VIEWER)
    for what in (desk.silences.get, desk.silences.record):
        with pytest.raises(NotFound):
            await what("unknown")
    with pytest.raises(NotFound):
        await desk.silences.expire("unknown", RESPONDER)


async def test_expired_ones_are_forgotten_but_the_count_of_changes_goes_on(desk: Desk, clock: Clock) -> None:
    for _ in range(3):
        await desk.silences.post(WANTED, RESPONDER)
    before = await desk.database.read(store.revision)
    await desk.database.write(lambda connection: store.prune(connection, clock.forward(hours=2)))
    assert len(await desk.silences.every()) == 1
    assert await desk.database.read(store.revision) == before


async def test_one_that_is_ended_lets_its_alerts_speak(desk: Desk, clock: Clock) -> None:
    kept = await desk.silences.post(WANTED, RESPONDER)
    await desk.intake([firing("payment")], "prober")
    await desk.cycle(clock())
    assert await desk.incidents() == []
    await desk.silences.expire(kept, RESPONDER)
    assert desk.wake.is_set()
    await desk.cycle(clock())
    assert [incident.service for incident in await desk.incidents()] == ["payment"]
