"""A hundred journeys every 30 seconds for a year stay under 200 MB."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from incident.desk import Desk
from tests.incident.conftest import ONLY_SQLITE, START, Clock
from tests.incident.history.year import runs

pytestmark = [pytest.mark.anyio, ONLY_SQLITE]
JOURNEYS, MEGABYTE = 100, 1_000_000
KEPT = {"run_blocks": 15, "run_failures": 90, "run_rollups": 400}  # days: the one that goes on is kept whole
DAY = 86_400_000


async def lived(desk: Desk, clock: Clock, days: int) -> None:
    """One journey's runs of so many days, taken in, packed and pruned as time passes."""
    for day in range(days):
        whole = list(runs(START + timedelta(days=day), 1, seed=day))
        for first in range(0, len(whole), 256):
            await desk.results(whole[first : first + 256])
        clock.now = START + timedelta(days=day + 1)
        await desk.history.tend(clock.now)
        await desk.history.prune(clock.now)


def multiply(connection: Connection, have: int) -> None:
    """Makes of the last `have` whole days (which 15, 90 and 400 divide by) of one journey all that of a hundred."""
    last = connection.execute(text("SELECT max(day) FROM run_blocks")).scalar_one()
    numbers = "WITH RECURSIVE n(i) AS (SELECT {} UNION ALL SELECT i + 1 FROM n WHERE i < {}) "
    for table, days in KEPT.items():
        when = f"started_ms / {DAY}" if table == "run_failures" else "day"
        shift = f"started_ms - n.i * {have * DAY}, run_id" if table == "run_failures" else f"day - n.i * {have}"
        rest = {"run_blocks": "data", "run_failures": "evidence", "run_rollups": "total, hours"}[table]
        connection.execute(text(f"DELETE FROM {table} WHERE {when} >= {last} OR {when} < {last - have}"))
        connection.execute(
            text(
                f"{numbers.format(1, -(-days // have) - 1)} INSERT INTO {table} "
                f"SELECT place, {shift}, {rest} FROM {table}, n"
            )
        )
    for table in (*KEPT, "runs"):
        rest = {
            "run_blocks": "day, data",
            "run_failures": "started_ms, run_id, evidence",
            "run_rollups": "day, total, hours",
            "runs": "started_ms, run_id, shape, kind, numbers",
        }[table]
        connection.execute(
            text(
                f"{numbers.format(2, JOURNEYS)} INSERT INTO {table} SELECT n.i, {rest} FROM {table}, n WHERE place = 1"
            )
        )


async def grown(desk: Desk, have: int) -> float:
    """Megabytes of the file, without its journal."""
    await desk.database.write(lambda connection: multiply(connection, have))
    path = Path(str(desk.database.url.database))
    await desk.close()
    return path.stat().st_size / MEGABYTE


@pytest.mark.long
async def test_a_year_of_a_hundred_journeys_is_under_200_megabytes_by_three_days_of_one(
    desk: Desk, clock: Clock
) -> None:
    await lived(desk, clock, 5)
    size = await grown(desk, 3)
    print(f"{size:.1f} MB")
    assert size < 200


@pytest.mark.long
@pytest.mark.soak
@pytest.mark.timeout(3600)
async def test_a_whole_year_of_one_journey_a_hundred_times_is_under_200_megabytes(desk: Desk, clock: Clock) -> None:
    await lived(desk, clock, 365)
    size = await grown(desk, 5)
    print(f"{size:.1f} MB")
    assert size < 200
