from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.prober.suspicion import Pause, Suspicion, blame_the_prober, host_of
from probes.result import Outcome, Reason, Result, Step

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def run(journey: str, reason: Reason | None = None, *, duration_s: float = 1.0, url: str | None = None) -> Result:
    outcome = Outcome.UP if reason is None else Outcome.DOWN
    phases = {"processing": 0.1}
    step = Step("look", "catalog", outcome, reason, seen="what came", duration_s=duration_s, url=url, phases=phases)
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


def alone(*runs: tuple[str, Reason | None, float]) -> bool:
    """Whether the shop's last run, refused within a millisecond, is the shop's fault."""
    suspicion, ended = seen(*runs), runs[-1][2]
    return not suspicion.everything_fails("shop", suspicion.failing_since("shop", ended - 0.001))


def test_who_is_refused_again_while_others_were_reached_in_between_is_alone() -> None:
    first, second = ("shop", Reason.CONNECT, 10.0), ("shop", Reason.CONNECT, 40.0)
    assert alone(first, ("pay", None, 25), second)
    assert alone(first, ("pay", None, 25), second, ("shop", Reason.CONNECT, 70.0))
    assert not alone(first)
    assert not alone(("pay", None, 9.9), first, second)
    assert not alone(first, ("pay", Reason.TIMEOUT, 25), second)
    assert not alone(first, ("pay", None, 25), ("shop", None, 26), second)  # it was reached itself meanwhile


def test_a_few_that_answer_are_not_enough_before_the_others_had_their_turn() -> None:
    before = [(f"h{number}", None, 5.0) for number in range(9)]
    first, cache, second = ("shop", Reason.CONNECT, 10.0), ("cache", None, 11.0), ("shop", Reason.CONNECT, 12.0)
    assert not alone(*before, first, cache, second)
    assert alone(*before, first, cache, *((host, reason, 11.0) for host, reason, _ in before), second)


@pytest.mark.parametrize("reason", [Reason.FRESHNESS, Reason.CONFIG, Reason.PROBER])
def test_a_run_that_says_nothing_about_its_way_is_no_witness(reason: Reason) -> None:
    assert not alone(("shop", Reason.CONNECT, 10), ("pay", reason, 11), ("shop", Reason.CONNECT, 12))


def test_a_run_that_asked_nobody_is_no_witness() -> None:
    suspicion, idle = seen(("shop", Reason.CONNECT, 10)), run("idle")
    idle.steps[0].phases = {}
    suspicion.saw(idle, "", 11)
    assert suspicion.everything_fails("shop", 10)


def test_a_run_bears_witness_of_its_steps_and_not_of_the_cleanup_after_them() -> None:
    suspicion, tidied = seen(("shop", Reason.CONNECT, 10)), run("pay")
    tidied.cleanup, tidied.duration_s = [Step("undo", "pay", Outcome.DOWN, Reason.CONNECT)], 4.0
    suspicion.saw(tidied, "pay", 12)
    assert suspicion.everything_fails("shop", 10)


def test_steps_that_got_somewhere_between_two_failures_speak_for_the_way_out() -> None:
    suspicion = Suspicion()
    for now in (10.0, 20.0):
        walked = run("shop", Reason.CONNECT, duration_s=0.001)
        walked.steps.insert(0, Step("home", "catalog", Outcome.UP, url="https://shop.example/", duration_s=0.2))
        walked.duration_s = 0.201
        suspicion.saw(walked, "pay.example", now)
        since = suspicion.failing_since("shop", now - 0.001)
        assert suspicion.everything_fails("shop", since) is (now == 10.0)
    assert suspicion.got_somewhere("shop")


def test_what_could_not_be_reached_while_the_way_out_was_closed_is_forgotten() -> None:
    suspicion = seen(("shop", Reason.CONNECT, 10), ("pay", None, 11))
    suspicion.begin_anew()
    suspicion.saw(run("shop", Reason.CONNECT), "shop", 20)
    assert suspicion.failing_since("shop", 19.9) == 19.9


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
