import asyncio
import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.prober.schedule import Agenda, Schedule, place

EPOCH = 1_780_000_000.0


def agenda_with(*names: str, every: float = 30.0, now: float = 100.0) -> Agenda:
    agenda = Agenda(EPOCH)
    for name in names:
        agenda.add(name, every, now, last_run=EPOCH + now - 1)
    return agenda


def runs(agenda: Agenda, until: float, *, takes: float = 0.0) -> list[tuple[str, float]]:
    """Runs the agenda on a clock of its own; each run takes `takes` seconds. Returns (name, due time)."""
    started: list[tuple[str, float]] = []
    busy: list[tuple[float, str]] = []
    while True:
        instants = [t for t in (agenda.next_due(), min(busy)[0] if busy else None) if t is not None]
        if not instants or min(instants) > until:
            return started
        now = min(instants)
        for end, name in sorted(busy):
            if end <= now:
                busy.remove((end, name))
                agenda.finished(name, now)
        for name, _ in agenda.pop_due(now):
            started.append((name, now))
            busy.append((now + takes, name))


def test_locations_come_to_the_shop_one_after_the_other() -> None:
    due = {}
    for location in ("local", "frankfurt", "singapore"):
        agenda = Agenda(EPOCH, location)
        agenda.add("checkout", 30.0, 0.0)
        due[location] = agenda.next_due()
    assert len(set(due.values())) == 3
    assert place("checkout", "frankfurt") == place("checkout", "frankfurt")
    assert place("checkout", "local") == place("checkout")


def test_a_journey_runs_once_in_every_interval() -> None:
    times = [at for _, at in runs(agenda_with("checkout"), until=400.0)]
    gaps = {round(later - earlier, 6) for earlier, later in itertools.pairwise(times)}
    assert gaps == {30.0}
    assert len(times) == 10


def test_journeys_of_the_same_interval_do_not_start_together() -> None:
    agenda = agenda_with(*(f"journey-{i}" for i in range(300)))
    per_second: dict[int, int] = {}
    for _, at in runs(agenda, until=129.99):
        per_second[int(at)] = per_second.get(int(at), 0) + 1
    assert sum(per_second.values()) == 300
    assert max(per_second.values()) < 30  # all 300 would share a second if nothing spread them


def test_a_restart_keeps_the_rhythm() -> None:
    first = [at for _, at in runs(agenda_with("checkout"), until=400.0)]
    restarted = Agenda(EPOCH + 1000)  # the new process's monotonic clock reads 1000 s less
    restarted.add("checkout", 30.0, -810.0, last_run=EPOCH + first[2])
    second = [at + 1000 for _, at in runs(restarted, until=-600.0)]
    assert second == pytest.approx(first[3:])


def test_a_journey_that_never_ran_does_not_wait_for_its_place_in_a_long_interval() -> None:
    agenda = Agenda(EPOCH)
    agenda.add("daily", 86400.0, 100.0)
    due = agenda.next_due()
    assert due is not None and 100.0 <= due <= 110.0


def test_a_journey_that_is_overdue_after_a_long_stop_runs_within_seconds() -> None:
    agenda = Agenda(EPOCH)
    agenda.add("hourly", 3600.0, 100.0, last_run=EPOCH - 90_000)
    due = agenda.next_due()
    assert due is not None and due <= 110.0


def test_a_last_run_in_the_future_is_not_believed() -> None:
    agenda = Agenda(EPOCH)
    agenda.add("hourly", 3600.0, 100.0, last_run=EPOCH + 1e9)
    due = agenda.next_due()
    assert due is not None and due <= 110.0


def test_a_journey_is_never_on_the_agenda_while_it_runs() -> None:
    agenda = agenda_with("slow")
    [(name, _)] = agenda.pop_due(130.0)
    assert agenda.next_due() is None
    assert agenda.pop_due(10_000.0) == []
    agenda.finished(name, 10_000.0)
    assert agenda.next_due() is not None


def test_an_overrun_skips_the_missed_places_instead_of_piling_up() -> None:
    starts = [at for _, at in runs(agenda_with("slow"), until=700.0, takes=70.0)]
    gaps = {round(later - earlier, 6) for earlier, later in itertools.pairwise(starts)}
    assert gaps == {90.0}


def test_a_confirming_run_comes_sooner_and_the_rhythm_stays() -> None:
    agenda = agenda_with("checkout", every=60.0)
    due = agenda.next_due()
    assert due is not None
    agenda.pop_due(due)
    agenda.finished("checkout", due + 1.0, sooner=3.0)
    assert agenda.next_due() == pytest.approx(due + 4.0)
    agenda.pop_due(due + 4.0)
    agenda.finished("checkout", due + 5.0)
    assert agenda.next_due() == pytest.approx(due + 60.0)


def test_a_confirming_run_is_never_later_than_the_regular_one() -> None:
    agenda = agenda_with("checkout", every=2.0)
    due = agenda.next_due()
    assert due is not None
    agenda.pop_due(due)
    agenda.finished("checkout", due + 0.5, sooner=3.0)
    assert agenda.next_due() == pytest.approx(due + 2.0)


def test_a_hastened_run_comes_sooner_unless_one_is_under_way_or_due_before() -> None:
    agenda = agenda_with("checkout", every=600.0)
    regular = agenda.next_due()
    assert regular is not None
    agenda.hasten("checkout", regular + 1.0)
    agenda.hasten("nobody", 0.0)
    assert agenda.next_due() == regular
    agenda.hasten("checkout", regular - 0.25)
    assert agenda.pop_due(regular - 0.25) == [("checkout", 0.0)]
    agenda.hasten("checkout", regular)
    assert agenda.next_due() is None


def test_the_lag_is_how_long_after_its_due_time_a_journey_starts() -> None:
    agenda = agenda_with("checkout")
    due = agenda.next_due()
    assert due is not None
    [(_, lag)] = agenda.pop_due(due + 1.25)
    assert lag == pytest.approx(1.25)


def test_a_removed_journey_does_not_run_again() -> None:
    agenda = agenda_with("gone", "kept")
    agenda.remove("gone")
    assert {name for name, _ in runs(agenda, until=300.0)} == {"kept"}
    agenda.finished("gone", 300.0)
    assert len(agenda) == 1


@pytest.mark.parametrize("every", [0.0, -1.0, float("nan"), float("inf")])
def test_an_impossible_interval_is_refused(every: float) -> None:
    with pytest.raises(ValueError, match="interval"):
        Agenda(EPOCH).add("checkout", every, 0.0)


def test_the_same_name_twice_is_refused() -> None:
    agenda = agenda_with("checkout")
    with pytest.raises(ValueError, match="checkout"):
        agenda.add("checkout", 30.0, 100.0)


@given(
    every=st.floats(0.05, 1e6),
    now=st.floats(-1e6, 1e7),
    ago=st.none() | st.floats(0, 1e7),
    took=st.floats(0, 1e5),
)
def test_the_next_run_is_always_ahead_and_within_one_interval(
    every: float, now: float, ago: float | None, took: float
) -> None:
    agenda = Agenda(EPOCH)
    agenda.add("any", every, now, last_run=None if ago is None else EPOCH + now - ago)
    due = agenda.next_due()
    assert due is not None and now <= due <= now + every + 1e-3
    agenda.pop_due(due)
    agenda.finished("any", due + took)
    after = agenda.next_due()
    assert after is not None and due + took < after <= due + took + 2 * every + 1e-3


@pytest.mark.by_the_clock
def test_two_thousand_journeys_cost_little() -> None:
    agenda = Agenda(EPOCH)
    for i in range(2000):
        agenda.add(f"journey-{i}", 10.0, 0.0, last_run=EPOCH - 1)
    started = time.process_time()
    assert len(runs(agenda, until=100.0)) in range(18_000, 22_001)
    assert time.process_time() - started < 2.0  # one hundred seconds of the clock, on a slow machine


@pytest.mark.anyio
@pytest.mark.by_the_clock
async def test_on_the_loop_each_journey_starts_on_time_and_again_after_it_finished() -> None:
    seen: list[tuple[str, float]] = []
    loop = asyncio.get_running_loop()

    def start(name: str, lag: float) -> None:
        seen.append((name, lag))
        loop.call_later(0.005, schedule.finished, name)

    schedule = Schedule(start, wall_clock=time.time)
    for i in range(20):
        schedule.add(f"journey-{i}", 0.1, last_run=time.time())
    await asyncio.sleep(0.55)
    schedule.close()
    count = len(seen)
    assert 60 <= count <= 120
    assert sorted(lag for _, lag in seen)[count // 2] < 0.05
    await asyncio.sleep(0.15)
    assert len(seen) == count  # nothing starts after close


@pytest.mark.anyio
@pytest.mark.by_the_clock
async def test_a_wall_clock_that_jumps_does_nothing_to_the_schedule() -> None:
    seen: list[str] = []
    wall = [EPOCH]

    def start(name: str, lag: float) -> None:
        seen.append(name)
        schedule.finished(name)

    schedule = Schedule(start, wall_clock=lambda: wall[0])
    schedule.add("checkout", 0.05, last_run=EPOCH)
    wall[0] -= 86_400
    await asyncio.sleep(0.3)
    schedule.close()
    assert 3 <= len(seen) <= 7


def test_a_journey_taken_off_and_put_back_runs_once_in_every_interval() -> None:
    agenda = agenda_with("checkout", every=60.0)
    for _ in range(3):
        agenda.remove("checkout")
        agenda.add("checkout", 30.0, 100.0, last_run=EPOCH + 99)
    assert len(runs(agenda, until=400.0)) == 10
