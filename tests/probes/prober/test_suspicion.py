from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.prober.suspicion import Pause, Suspicion, blame_the_prober, host_of
from probes.result import Outcome, Reason, Result, Step

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def run(journey: str, reason: Reason | None = None, *, duration_s: float = 1.0, url: str | None = None) -> Result:
    outcome = Outcome.UP if reason is None else Outcome.DOWN
    step = Step("look", "catalog", outcome, reason, seen="what came", duration_s=duration_s, url=url)
    return Result(journey, "catalog", "r", outcome, AT, duration_s, [step])


def seen(*runs: tuple[str, Reason | None, float]) -> Suspicion:
    """Runs of journeys named after their hosts, each with when it ended."""
    suspicion = Suspicion()
    for host, reason, ended in runs:
        suspicion.saw(run(host, reason), host, ended)
    return suspicion


def test_the_only_journey_is_everything_there_is() -> None:
    assert seen(("shop", Reason.TIMEOUT, 10)).everything_fails("shop", 5)


def test_another_host_that_was_reached_meanwhile_clears_the_prober() -> None:
    assert not seen(("shop", Reason.TIMEOUT, 10), ("pay", None, 9)).everything_fails("shop", 5)


def test_what_was_reached_before_the_trouble_began_proves_nothing() -> None:
    assert seen(("shop", Reason.TIMEOUT, 10), ("pay", None, 4)).everything_fails("shop", 5)


@pytest.mark.parametrize("reason", [Reason.STATUS, Reason.BODY, Reason.AUTH, Reason.LATENCY])
def test_a_shop_that_answers_badly_was_reached(reason: Reason) -> None:
    assert not seen(("shop", Reason.TIMEOUT, 10), ("pay", reason, 9)).everything_fails("shop", 5)


@pytest.mark.parametrize("reason", [Reason.DNS, Reason.CONNECT, Reason.TLS, Reason.TIMEOUT])
def test_a_host_that_others_could_not_reach_either_speaks_against_the_prober(reason: Reason) -> None:
    assert seen(("shop", Reason.TIMEOUT, 10), ("pay", reason, 9)).everything_fails("shop", 5)


def test_many_journeys_at_one_host_are_one_host() -> None:
    suspicion = Suspicion()
    for number in range(20):
        suspicion.saw(run(f"j{number}", Reason.CONNECT), "shop", 10)
    suspicion.saw(run("pay"), "pay", 10)
    assert not suspicion.everything_fails("j0", 5)


def test_one_host_in_ten_that_answers_is_not_enough() -> None:
    suspicion = seen(*((f"h{number}", Reason.CONNECT, 10.0) for number in range(9)), ("cache", None, 10.0))
    assert suspicion.everything_fails("h0", 5)


def test_a_journey_that_was_taken_out_is_no_witness() -> None:
    suspicion = seen(("shop", Reason.TIMEOUT, 10), ("pay", None, 9))
    suspicion.forget({"shop": None})
    assert suspicion.everything_fails("shop", 5)


@pytest.mark.parametrize(
    ("reason", "duration_s", "pause", "explained"),
    [
        (Reason.LATENCY, 2.0, 1.5, True),
        (Reason.LATENCY, 2.0, 0.3, False),
        (Reason.TIMEOUT, 30.0, 20.0, True),
        (Reason.TIMEOUT, 30.0, 3.0, False),
        (Reason.CONNECT, 0.001, 0.4, False),  # refused at once: no pause does that
        (Reason.CONNECT, 0.001, 3600.0, True),  # the machine slept, and its connections are dead
        (Reason.STATUS, 0.1, 3600.0, False),
    ],
    ids=["slow", "slow anyway", "late", "late anyway", "refused", "slept", "an answer is an answer"],
)
def test_a_pause_explains_only_what_it_can(reason: Reason, duration_s: float, pause: float, explained: bool) -> None:
    suspicion = Suspicion()
    suspicion.paused(Pause(101.0, pause))
    [step] = run("shop", reason, duration_s=duration_s).steps
    assert (suspicion.stood_still(step, 100.0) > 0) is explained
    assert suspicion.stood_still(step, 102.0) == 0.0  # the run began after it


def test_the_reason_becomes_prober_and_what_was_seen_stays_legible() -> None:
    result = run("shop", Reason.TIMEOUT)
    blame_the_prober(result, "no way out")
    [step] = result.steps
    assert (step.reason, step.seen) == (Reason.PROBER, "no way out (timeout: what came)")


@given(st.text(max_size=50))
def test_no_address_breaks_it(url: str) -> None:
    assert isinstance(host_of(run("shop", url=url), "https://shop.example/"), str)
