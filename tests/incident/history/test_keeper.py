from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, func, select

from incident.core.actor import Actor, Role
from incident.desk import Desk
from incident.errors import NotFound
from incident.history.rollup import DOWN
from incident.store import rollups, runs
from incident.store.tables import run_blocks, run_failures, run_rollups, run_shapes
from incident.store.tables import runs as runs_table
from tests.incident.conftest import START, Clock
from tests.incident.history.conftest import result

pytestmark = pytest.mark.anyio
LATER = START + timedelta(hours=4)


def every(gap: float, count: int, start: datetime = START, **more: Any) -> list[dict[str, Any]]:
    return [
        result(f"{start:%d%H}{number:04x}", start + timedelta(seconds=gap * number), **more) for number in range(count)
    ]


async def size(desk: Desk, table: Any) -> int:
    def job(connection: Connection) -> int:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())

    return await desk.database.read(job)


async def ids(desk: Desk, **more: Any) -> list[str]:
    return [run["run_id"] for run in (await desk.history.runs("checkout", **more)).runs]


async def total(desk: Desk) -> dict[str, Any]:
    return await desk.history.summary("checkout", START - timedelta(days=1))


async def test_a_run_is_counted_once_whenever_and_however_often_it_comes(desk: Desk, clock: Clock) -> None:
    batch = every(30, 200)
    await desk.results(batch[100:])  # out of order: a prober catches up
    await desk.results(batch[:120])
    assert (await total(desk))["runs"] == 200
    clock.now = LATER
    assert await desk.history.tend(LATER) == 200
    assert (await total(desk))["runs"] == 200
    await desk.results(batch)  # all of it again, after it was packed
    assert (await total(desk))["runs"] == 200
    assert len(await ids(desk, limit=1000)) == 200
    await desk.history.tend(LATER)
    assert (await total(desk))["runs"] == 200
    assert await ids(desk, limit=1000) == [run["run_id"] for run in reversed(batch)]


async def test_a_run_that_comes_after_its_hour_was_packed_is_added_to_it(desk: Desk, clock: Clock) -> None:
    batch = every(30, 240)
    await desk.results(batch[:100] + batch[120:])
    await desk.history.tend(clock.forward(hours=5))
    await desk.results([dict(run, outcome="down") for run in batch[100:120]])
    await desk.history.tend(clock())
    found = await desk.history.points("checkout", START, START + timedelta(hours=2), "hour")
    assert [(point["runs"], point["down"]) for point in found] == [(120, 20), (120, 0)]
    assert await ids(desk, limit=1000) == [run["run_id"] for run in reversed(batch)]
    assert await size(desk, runs_table) == 0


async def test_packed_or_not_the_figures_are_the_same(desk: Desk, clock: Clock) -> None:
    good = every(30, 100, seconds=0.2)
    bad = [
        result("bad1", START + timedelta(minutes=51), "down"),
        result("bad2", START + timedelta(minutes=52), "degraded"),
    ]
    await desk.results(good + bad)
    before = await total(desk)
    assert (before["runs"], before["down"], before["degraded"]) == (102, 1, 1)
    assert before["uptime"] == pytest.approx(101 / 102, abs=1e-6)
    assert before["p50_s"] == pytest.approx(0.2, rel=0.05)
    assert {(item["step"], item["reason"]) for item in before["failing"]} == {("pay", "status")}
    await desk.history.tend(LATER)
    assert await total(desk) == before
    hours = await desk.history.points("checkout", START, START + timedelta(hours=1), "hour")
    days = await desk.history.points("checkout", START.replace(hour=0), START + timedelta(hours=1), "day")
    assert [point["runs"] for point in hours] == [point["runs"] for point in days] == [102]


async def test_the_last_whole_hour_is_never_packed(desk: Desk, clock: Clock) -> None:
    await desk.results(every(30, 360))
    await desk.history.tend(START + timedelta(hours=3, minutes=5))
    assert await size(desk, runs_table) == 240


async def test_a_failure_keeps_its_evidence_and_a_flood_of_them_only_some(desk: Desk, clock: Clock) -> None:
    await desk.results(every(30, 60, outcome="down"))
    assert await size(desk, run_failures) == runs.MOST_EVIDENCE
    await desk.history.tend(LATER)
    page = await desk.history.runs("checkout", failed=True)
    assert len(page.runs) == runs.MOST_EVIDENCE
    assert page.runs[0]["steps"][1]["seen"] == "status 503: out of order"
    newest, *_, oldest = (await desk.history.runs("checkout", limit=100)).runs
    assert oldest["steps"][1]["curl"] == "curl x"
    assert newest["steps"][1]["curl"] is None
    assert newest["outcome"] == "down"
    assert newest["steps"][1]["reason"] == "status"


async def test_runs_come_page_by_page_over_all_locations(desk: Desk, clock: Clock) -> None:
    here, there = every(60, 90), every(60, 90, START + timedelta(seconds=20), location="frankfurt")
    there = [dict(run, run_id=f"f{run['run_id']}") for run in there]
    await desk.results(here + there)
    await desk.history.tend(START + timedelta(hours=2, minutes=15))
    found: list[str] = []
    before = None
    while True:
        page = await desk.history.runs("checkout", before=before, limit=50)
        found += [run["run_id"] for run in page.runs]
        if (before := page.next) is None:
            break
    assert found == [run["run_id"] for run in sorted(here + there, key=lambda run: run["started_at"], reverse=True)]
    assert len(await ids(desk, location="frankfurt", limit=1000)) == 90
    assert await ids(desk, since=START + timedelta(minutes=89, seconds=10)) == [there[-1]["run_id"]]


async def test_runs_go_first_then_failures_then_roll_ups(desk: Desk, clock: Clock) -> None:
    await desk.results([*every(30, 5), result("bad", START + timedelta(minutes=5), "down")])
    await desk.history.tend(LATER)

    async def left(days: int) -> tuple[int, int, int, int]:
        await desk.history.prune(START + timedelta(days=days))
        tables = (run_blocks, run_failures, run_rollups, run_shapes)
        first, second, third, fourth = [await size(desk, table) for table in tables]
        return first, second, third, fourth

    assert await left(13) == (1, 1, 1, 2)
    assert await left(18) == (0, 1, 1, 0)
    assert await left(91) == (0, 0, 1, 0)
    assert await left(402) == (0, 0, 0, 0)


async def test_what_began_long_ago_or_is_still_to_come_is_not_kept(desk: Desk) -> None:
    await desk.results([result("old", START - timedelta(days=20)), result("ahead", START + timedelta(days=400))])
    assert await size(desk, runs_table) == 0
    [last] = await desk.journeys()
    assert last["run_id"] == "ahead"
    with pytest.raises(NotFound, match="no run of a journey 'checkout' is known"):
        await desk.history.runs("checkout")


async def test_what_fails_in_a_drill_is_shown_and_not_counted(desk: Desk, clock: Clock) -> None:
    responder = Actor("mara", Role.RESPONDER)
    number = await desk.open_drill("decline", "practice", ["checkout"], START + timedelta(hours=1), responder)
    clock.forward(minutes=10)
    await desk.close_drill(number, None)
    await desk.results(
        [result("in", START + timedelta(minutes=1), "down"), result("after", START + timedelta(minutes=11), "down")]
    )
    found = await total(desk)
    assert (found["runs"], found["down"], found["unjudged"]) == (1, 1, 1)
    assert await ids(desk) == ["after", "in"]


async def test_windows_are_counted_across_what_is_packed_and_what_is_not(desk: Desk, clock: Clock) -> None:
    await desk.results(every(30, 720, slo=0.999))
    await desk.results(
        [result(f"bad{n}", START + timedelta(minutes=10 * n, seconds=1), "down", slo=0.999) for n in range(36)]
    )
    now = clock.forward(hours=6)
    before = await desk.history.counts([300.0, 3600.0, 21600.0], now)
    await desk.history.tend(now)
    after = await desk.history.counts([300.0, 3600.0, 21600.0], now)
    assert after == before
    await desk.results(every(30, 720, slo=0.999))  # all of it again, after it was packed
    assert await desk.history.counts([300.0, 3600.0, 21600.0], now) == before
    [(objective, counts)] = after.items()
    assert (objective.journey, objective.slo) == ("checkout", 0.999)
    assert [(count.runs, count.failures) for count in counts.values()] == [(10, 0), (126, 6), (756, 36)]


async def test_a_window_that_begins_within_a_packed_hour_counts_its_failures_to_five_minutes(
    desk: Desk, clock: Clock
) -> None:
    bad = [result(f"bad{n}", START + timedelta(minutes=n, seconds=1), "down", slo=0.999) for n in (10, 40)]
    await desk.results([*every(30, 120, slo=0.999), *bad])
    now = clock.forward(hours=6, minutes=30)
    await desk.history.tend(now)
    [counts] = (await desk.history.counts([21600.0], now)).values()
    assert (counts[21600.0].runs, counts[21600.0].failures) == (61, 1)


async def test_a_budget_is_counted_over_all_locations_and_for_a_service_over_its_journeys(
    desk: Desk, clock: Clock
) -> None:
    await desk.results(every(30, 100, slo=0.9) + every(30, 100, slo=0.9, location="oslo", outcome="down"))
    clock.forward(hours=1)
    [budget] = await desk.history.budgets("checkout")
    assert (budget.count.runs, budget.count.failures) == (200, 100)
    assert budget.remaining == pytest.approx(1 - 100 / 20)


async def test_the_hours_that_were_packed_stand_in_the_table(desk: Desk) -> None:
    """Recomputed from all runs of the hour each time, so that what was cut short is done again."""
    await desk.results(every(30, 120, outcome="down"))

    def job(connection: Connection) -> list[int]:
        [place] = runs.places(connection)
        hour = int(START.timestamp()) * 1000
        try:
            with connection.begin_nested():
                rollups.pack_hour(connection, place.id, hour)
                raise InterruptedError
        except InterruptedError:
            pass
        rollups.pack_hour(connection, place.id, hour)
        [place] = runs.places(connection)
        return [added.rollup.counts[DOWN] for added in rollups.hours(connection, place, hour, hour + runs.HOUR)]

    assert await desk.database.write(job) == [120]
