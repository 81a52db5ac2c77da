import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.history.rollup import DEGRADED, DOWN, MOST_FAILING, UNJUDGED, UP, Rollup, counts_as, merged

DURATIONS = st.lists(st.floats(1e-4, 1e5), min_size=1, max_size=60)


def of(durations: list[float]) -> Rollup:
    whole = Rollup()
    for seconds in durations:
        whole.add(UP, seconds)
    return whole


@given(DURATIONS, st.sampled_from([0.5, 0.95, 0.99]))
def test_a_percentile_is_within_five_percent_of_the_true_one(durations: list[float], part: float) -> None:
    true = sorted(durations)[max(1, math.ceil(part * len(durations))) - 1]
    assert of(durations).percentile(part) == pytest.approx(true, rel=0.05)


@given(DURATIONS, DURATIONS)
def test_merging_is_as_if_all_had_been_counted_in_one(one: list[float], other: list[float]) -> None:
    apart, whole = merged([of(one), of(other)]), of(one + other)
    assert (apart.counts, apart.buckets) == (whole.counts, whole.buckets)


def test_a_rollup_is_read_back_as_it_was_written() -> None:
    whole = of([0.0, 0.2, 3.0])
    whole.add(DOWN, 1.0, ("pay", "status"), 7)
    whole.add(DEGRADED, 5.0, ("pay", "latency"))
    whole.add(UNJUDGED, 5.0)
    assert Rollup.from_json(whole.to_json()) == whole
    assert Rollup.from_json(Rollup().to_json()) == Rollup()


def test_slow_counts_as_up_and_the_probers_own_trouble_as_nothing() -> None:
    whole = Rollup()
    for outcome, reason in (("up", None), ("degraded", "latency"), ("down", "status"), ("down", "prober")):
        kind = counts_as(outcome, reason)
        assert kind is not None
        whole.add(kind, 1.0)
    assert whole.runs == 3
    assert whole.uptime == pytest.approx(2 / 3)
    assert counts_as("skipped", None) is None


def test_nothing_has_no_uptime_and_no_percentile() -> None:
    assert Rollup().uptime is None
    assert Rollup().percentile(0.5) is None


def test_the_names_of_failing_steps_do_not_grow_without_end() -> None:
    whole = Rollup()
    for number in range(1000):
        whole.add(DOWN, 1.0, (f"step {number}", "status"))
    assert len(whole.steps) == MOST_FAILING + 1
    assert whole.steps.total() == 1000
