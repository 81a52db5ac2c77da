"""Two thousand journeys every ten seconds in one prober, on one core."""

from pathlib import Path
from statistics import mean

import pytest

from tests.bench.load import measure
from tests.bench.shops import target

pytestmark = [pytest.mark.anyio, pytest.mark.long]

JOURNEYS, EVERY = 2000, 10.0
MOST_MEMORY = 250  # MB


@pytest.mark.by_the_clock
@pytest.mark.timeout(300)
async def test_two_thousand_journeys_run_each_in_its_turn_and_within_the_memory(tmp_path: Path) -> None:
    """Half a minute, beside whatever else this machine does: no word about how few milliseconds."""
    with target() as port:
        load = await measure(tmp_path / "load", f"http://127.0.0.1:{port}", journeys=JOURNEYS, every=EVERY, seconds=20)
    assert (load.skipped, load.failed) == (0, 0), load
    assert load.runs >= 2 * JOURNEYS * 0.99, load  # one that is due at an edge of the time may fall on its other side
    assert max(load.memory) < MOST_MEMORY, load
    assert load.lag_p50 < 0.05, load


@pytest.mark.soak
async def test_for_fifteen_minutes_they_start_on_time_and_the_memory_stays_flat(tmp_path: Path) -> None:
    with target() as port:
        load = await measure(
            tmp_path / "load", f"http://127.0.0.1:{port}", journeys=JOURNEYS, every=EVERY, seconds=15 * 60
        )
    print(load)
    assert (load.skipped, load.failed) == (0, 0), load
    assert load.lag_p99 < 0.05, load
    assert load.stood < 15 * 60 / 4, f"this machine was not given its core for too long to say anything: {load}"
    assert max(load.memory) < MOST_MEMORY, load
    third = len(load.memory) // 3
    assert mean(load.memory[-third:]) < mean(load.memory[third : 2 * third]) + 5, load.memory
