from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probes.alert import Alert
from probes.prober.rules import DEGRADED, DOWN, JourneyState, Rule, due, judge
from probes.result import Outcome, Reason, Result, Step

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
RESEND = timedelta(seconds=30)
LETTERS = {"u": Outcome.UP, "s": Outcome.DEGRADED, "D": Outcome.DOWN}


def result(letter: str, at: datetime, *, service: str = "payment", labels: dict[str, str] | None = None) -> Result:
    """A run of the journey `checkout` of service `checkout`, whose step `pay` belongs to `service`."""
    step = Step("pay", service, LETTERS[letter], expected="200", seen="500", curl="curl https://shop.example/pay")
    if letter == "D":
        step.reason = Reason.STATUS
    elif letter == "s":
        step.reason = Reason.LATENCY
    steps = [Step("sign in", "login", Outcome.UP), step]
    return Result("checkout", "checkout", f"run-{at:%H%M%S}", LETTERS[letter], at, 0.5, steps, labels=labels or {})


class History:
    """Runs a minute apart; remembers every alert handed out, as (minute, name, service, "fires" | "ends")."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.state = JourneyState()
        self.now = START
        self.said: list[tuple[int, str, str, str]] = []
        self.alerts: list[Alert] = []
        self.hurry: list[float | None] = []

    def run(self, letters: str, **more: object) -> "History":
        for letter in letters:
            self.now += timedelta(minutes=1)
            seen = result(letter, self.now - timedelta(seconds=1), **more)  # type: ignore[arg-type]
            self.state, alerts, hurry = judge(self.rule, self.state, seen, self.now, resend=RESEND)
            self.hurry.append(hurry)
            self.alerts += alerts
            for alert in alerts:
                word = "fires" if alert.ends_at > self.now else "ends"
                minute = round((self.now - START) / timedelta(minutes=1))
                self.said.append((minute, alert.labels["alertname"], alert.labels["service"], word))
        return self


@pytest.mark.parametrize(
    ("after", "clear", "runs", "expected"),
    [
        ((2, 3), 2, "uuuu", []),
        ((2, 3), 2, "uDuuDuuD", []),
        ((2, 3), 2, "uDD", [(3, "fires")]),
        ((2, 3), 2, "uDuD", [(4, "fires")]),
        ((2, 3), 2, "uDuuD", []),
        ((2, 3), 2, "DDDDD", [(2, "fires")]),
        ((2, 3), 2, "DDu", [(2, "fires")]),
        ((2, 3), 2, "DDuu", [(2, "fires"), (4, "ends")]),
        ((2, 3), 2, "DDuDuDuDuu", [(2, "fires"), (10, "ends")]),
        ((2, 3), 2, "DDuuD", [(2, "fires"), (4, "ends")]),
        ((2, 3), 2, "DDuuDD", [(2, "fires"), (4, "ends"), (6, "fires")]),
        ((1, 1), 1, "DuDu", [(1, "fires"), (2, "ends"), (3, "fires"), (4, "ends")]),
        ((3, 3), 1, "DDuDDD", [(6, "fires")]),
        ((3, 5), 2, "DuDuD", [(5, "fires")]),
        ((2, 3), 5, "DDuuuuDuuuuu", [(2, "fires"), (12, "ends")]),
        ((2, 3), 2, "DDss", [(2, "fires"), (4, "ends")]),
        ((2, 3), 2, "ssss", []),
    ],
)
def test_the_down_alert_follows_the_runs(
    after: tuple[int, int], clear: int, runs: str, expected: list[tuple[int, str]]
) -> None:
    said = History(Rule(after=after, clear=clear)).run(runs).said
    assert said == [(minute, DOWN, "payment", word) for minute, word in expected]


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ("ss", [(2, DEGRADED, "fires")]),
        ("sus", [(3, DEGRADED, "fires")]),
        ("sD", []),  # the newest run is down, and one of those is not enough
        ("Ds", [(2, DEGRADED, "fires")]),
        ("ssuu", [(2, DEGRADED, "fires"), (4, DEGRADED, "ends")]),
        ("ssusuu", [(2, DEGRADED, "fires"), (6, DEGRADED, "ends")]),
        ("ssDD", [(2, DEGRADED, "fires"), (4, DOWN, "fires"), (4, DEGRADED, "ends")]),
        ("DDss", [(2, DOWN, "fires"), (4, DEGRADED, "fires"), (4, DOWN, "ends")]),
        ("DDsu", [(2, DOWN, "fires"), (4, DOWN, "ends")]),
        ("ssuDuu", [(2, DEGRADED, "fires"), (6, DEGRADED, "ends")]),
    ],
)
def test_slow_is_an_alert_of_its_own_where_the_rule_wants_one(runs: str, expected: list[tuple[int, str, str]]) -> None:
    said = History(Rule(degraded="SEV4")).run(runs).said
    assert [(minute, name, word) for minute, name, _, word in said] == expected


@pytest.mark.parametrize(
    ("after", "runs", "hurried"),
    [
        ((2, 3), "u", "-"),
        ((2, 3), "Duu", "cc-"),  # after `Du` one more failure would still decide it
        ((2, 3), "DD", "c-"),
        ((1, 1), "D", "-"),
        ((2, 2), "Du", "c-"),
        ((3, 5), "Duuuu", "ccc--"),
        ((3, 5), "DDuuuu", "cccc--"),
        ((2, 3), "s", "-"),
        ((2, 3), "DDuD", "c---"),  # decided: it is down
        ((2, 3), "DDuuDuu", "c---cc-"),
    ],
)
def test_a_failure_is_confirmed_fast_until_it_is_decided(after: tuple[int, int], runs: str, hurried: str) -> None:
    history = History(Rule(after=after, confirm=3.0)).run(runs)
    assert "".join("-" if wait is None else "c" for wait in history.hurry) == hurried
    assert {wait for wait in history.hurry if wait is not None} <= {3.0}


def test_confirm_zero_waits_for_the_interval() -> None:
    assert History(Rule(confirm=0.0)).run("Du").hurry == [None, None]


def test_the_alert_says_which_step_failed_and_how_but_its_identity_does_not() -> None:
    [alert] = History(Rule()).run("DD", labels={"market": "uk"}).alerts
    assert alert.labels == {
        "alertname": "JourneyDown", "journey": "checkout", "service": "payment",
        "severity": "SEV2", "location": "local", "market": "uk",
    }  # fmt: skip
    assert alert.annotations == {
        "summary": "checkout is down at “pay”: status (expected 200)", "step": "pay", "reason": "status",
        "expected": "200", "seen": "500", "run": "run-120159", "curl": "curl https://shop.example/pay",
    }  # fmt: skip


def test_the_alert_starts_with_the_first_failure_not_with_the_decision() -> None:
    [alert] = History(Rule()).run("uuDuD").alerts
    assert alert.starts_at == START + timedelta(minutes=3) - timedelta(seconds=1)


def test_a_labels_entry_cannot_take_the_place_of_the_alerts_own_labels() -> None:
    labels = {"severity": "SEV1", "alertname": "Other", "service": "x", "journey": "y", "location": "z", "empty": ""}
    [alert] = History(Rule()).run("DD", labels=labels).alerts
    assert alert.labels["severity"] == "SEV2"
    assert alert.labels["alertname"] == "JourneyDown"
    assert "empty" not in alert.labels


def test_a_down_rule_without_severity_is_sev2() -> None:
    [alert] = History(Rule(severity=None)).run("DD").alerts
    assert alert.labels["severity"] == "SEV2"


def test_another_failing_service_must_be_seen_twice_in_a_row_before_the_alert_moves() -> None:
    history = History(Rule()).run("DD").run("D", service="login").run("D").run("D", service="login").run("u")
    history.run("D", service="login")
    assert [said for said in history.said if said[3] == "ends"] == []
    history.run("D", service="login")
    assert history.said[1:] == [(8, DOWN, "login", "fires"), (8, DOWN, "payment", "ends")]


def test_a_moved_alert_starts_when_the_other_service_was_first_seen() -> None:
    history = History(Rule()).run("DD").run("DD", service="login")
    [moved] = [alert for alert in history.alerts if alert.labels["service"] == "login"]
    assert moved.starts_at == START + timedelta(minutes=3) - timedelta(seconds=1)


def test_the_annotations_follow_the_newest_failure_of_the_same_service() -> None:
    history = History(Rule()).run("DDD")
    _, [again] = due(history.state, history.now + RESEND, resend=RESEND)
    assert again.annotations["run"] == "run-120259"


def test_an_edited_severity_replaces_the_alert_at_the_next_failure() -> None:
    history = History(Rule()).run("DD")
    history.rule = replace(history.rule, severity="SEV1")
    history.run("D")
    assert [said[3] for said in history.said] == ["fires", "fires", "ends"]
    assert [alert.labels["severity"] for alert in history.alerts] == ["SEV2", "SEV1", "SEV2"]


def test_a_degraded_alert_whose_rule_was_taken_out_ends() -> None:
    history = History(Rule(degraded="SEV4")).run("ss")
    history.rule = Rule()
    history.run("s")
    assert [said[3] for said in history.said] == ["fires", "ends"]


def test_an_alert_that_comes_back_is_a_new_one_and_does_not_reach_into_the_old_ones_time() -> None:
    history = History(Rule(after=(1, 1), clear=1)).run("Du")
    early = result("D", START)  # a run that started before the end was declared
    _, [again], _ = judge(history.rule, history.state, early, history.now, resend=RESEND)
    assert again.starts_at > history.alerts[1].ends_at


def test_a_firing_alert_is_repeated_every_resend_period_and_holds_for_four() -> None:
    history = History(Rule()).run("DD")
    state, now = history.state, history.now
    assert history.alerts[0].ends_at == now + 4 * RESEND
    assert due(state, now + timedelta(seconds=29), resend=RESEND)[1] == []
    state, [again] = due(state, now + RESEND, resend=RESEND)
    assert again.ends_at == now + 5 * RESEND
    assert again.fingerprint == history.alerts[0].fingerprint
    assert due(state, now + RESEND, resend=RESEND)[1] == []


def test_a_clock_that_was_set_back_does_not_silence_a_firing_alert() -> None:
    history = History(Rule()).run("DD")
    assert len(due(history.state, history.now - timedelta(hours=1), resend=RESEND)[1]) == 1


def test_no_clock_that_was_set_back_makes_an_alert_start_after_its_end() -> None:
    history = History(Rule()).run("DD")
    _, [again] = due(history.state, history.now - timedelta(hours=3), resend=RESEND)
    assert again.starts_at < again.ends_at == history.now - timedelta(hours=3) + 4 * RESEND


def test_what_ends_after_the_clock_was_set_back_is_over_at_once_and_said_again() -> None:
    history = History(Rule()).run("DD")
    history.now -= timedelta(hours=3)
    history.run("uu")
    end = history.alerts[-1]
    assert (history.said[-1][3], end.ends_at) == ("ends", history.now)
    assert end.starts_at <= end.ends_at
    state, [again] = due(history.state, history.now, resend=RESEND)
    assert (again.ends_at, again.fingerprint) == (history.now, end.fingerprint)
    for _ in range(2):
        state, _ = due(state, history.now, resend=RESEND)
    assert state.quiet


def test_an_end_is_repeated_three_times_within_fifteen_minutes_and_then_forgotten() -> None:
    history = History(Rule()).run("DDuu")
    state, repeats = history.state, []
    for second in range(0, 1200, 10):
        state, alerts = due(state, history.now + timedelta(seconds=second), resend=RESEND)
        repeats += [(second, alert.ends_at) for alert in alerts]
    assert repeats == [(second, history.now) for second in (60, 300, 900)]
    assert state.over == ()
    assert replace(state, raised=()).quiet


def test_an_end_is_no_longer_repeated_once_the_same_alert_fires_again() -> None:
    history = History(Rule()).run("DDuuDD")
    _, alerts = due(history.state, history.now + timedelta(minutes=5), resend=RESEND)
    assert [alert.ends_at > history.now for alert in alerts] == [True]


@settings(max_examples=200)
@given(
    runs=st.lists(st.tuples(st.sampled_from("usD"), st.sampled_from(["payment", "login"])), max_size=40),
    window=st.integers(1, 6),
    needed=st.integers(1, 6),
    clear=st.integers(1, 4),
    degraded=st.sampled_from([None, "SEV4"]),
)
def test_whatever_the_runs_alerts_alternate_and_never_overlap(
    runs: list[tuple[str, str]], window: int, needed: int, clear: int, degraded: str | None
) -> None:
    history = History(Rule(after=(min(needed, window), window), clear=clear, degraded=degraded))
    for letter, service in runs:
        history.run(letter, service=service)
        assert len(history.state.firing) <= 1
        assert len(history.state.history) <= max(window, clear)
    by_identity: dict[str, list[Alert]] = {}
    for alert in history.alerts:
        by_identity.setdefault(alert.fingerprint, []).append(alert)
    for alerts in by_identity.values():
        fires, ends = alerts[::2], alerts[1::2]
        assert all(first.starts_at == second.starts_at for first, second in zip(fires, ends, strict=False))
        assert all(end.starts_at < end.ends_at for end in ends)
        assert all(end.ends_at < later.starts_at for end, later in zip(ends, fires[1:], strict=False))


@given(runs=st.text("usD", max_size=60))
def test_the_down_alert_fires_exactly_when_the_window_says_so(runs: str) -> None:
    """Against a plain second implementation: 2 of 3, clear 2."""
    fires, window, good = [], "", 0
    firing = False
    for letter in runs:
        window = (window + letter)[-3:]
        good = 0 if letter == "D" else good + 1
        if not firing and letter == "D" and window.count("D") >= 2:
            firing = True
        elif firing and good >= 2:
            firing, window = False, ""
        fires.append(firing)
    history, seen = History(Rule(flapping=None)), []
    for letter in runs:
        history.run(letter)
        seen.append(history.state.down is not None)
    assert seen == fires


@given(runs=st.text("usD", max_size=30), calm=st.integers(11, 14))
def test_after_enough_good_runs_nothing_fires_and_nothing_hurries(runs: str, calm: int) -> None:
    history = History(Rule(after=(2, 3), clear=2, degraded="SEV3")).run(runs).run("u" * calm)
    assert history.state.firing == ()
    assert history.hurry[-1] is None


def stormy(rule: Rule, spell: str, times: int) -> History:
    return History(rule).run(spell * times)


def test_an_alert_that_comes_and_goes_is_one_alert_that_says_so() -> None:
    history = stormy(Rule(), "DDuu", 6)
    began = [said for said in history.said if said[3] == "fires"]
    assert [minute for minute, *_ in began] == [2, 6, 10]  # and from then on it stays
    assert history.state.down is not None
    text = history.state.down.annotations["flapping"]
    assert text == "raised 3 times within 30m; it ends after 10m without a failure"


def test_an_alert_that_flapped_ends_once_it_has_been_calm() -> None:
    history = stormy(Rule(), "DDuu", 4).run("u" * 20)
    assert history.said[-1] == (24, DOWN, "payment", "ends")  # the last failure was in minute 14
    assert history.state.down is None


def test_a_journey_that_flapped_and_stays_slow_is_not_down_for_ever() -> None:
    history = stormy(Rule(degraded="SEV4"), "DDuu", 4).run("s" * 20)
    assert history.state.down is None
    assert history.state.degraded is not None


def test_an_alert_that_flaps_does_not_move_from_service_to_service() -> None:
    history = stormy(Rule(), "DDuu", 3).run("DD", service="checkout").run("DD", service="payment")
    assert len([said for said in history.said if said[3] == "fires"]) == 3
    assert {service for _, _, service, _ in history.said} == {"payment"}


def test_flapping_is_not_looked_for_where_the_rule_says_none() -> None:
    history = stormy(Rule(flapping=None), "DDuu", 6)
    assert len([said for said in history.said if said[3] == "fires"]) == 6


def test_the_annotation_where_says_how_many_locations_must_agree() -> None:
    [alert] = History(Rule(where="2 of 3")).run("DD").alerts
    assert alert.annotations["where"] == "2 of 3"


@given(st.text("uDDs", min_size=1, max_size=150))
def test_whatever_happens_few_alerts_begin_within_a_window_and_calm_ends_them(runs: str) -> None:
    rule = Rule(degraded="SEV4", flapping=(3, 1800.0))
    history = History(rule).run(runs)
    for name in (DOWN, DEGRADED):
        began = [minute for minute, alertname, _, word in history.said if alertname == name and word == "fires"]
        for first in began:
            assert sum(first <= minute < first + 30 for minute in began) <= 5  # 3, and one after each time of calm
    assert history.run("u" * 12).state.firing == ()


@given(st.text("uDs", max_size=60), st.integers(-7200, 7200))
def test_a_clock_that_is_set_ends_every_alert_in_the_end(runs: str, seconds: int) -> None:
    history = History(Rule(degraded="SEV4")).run(runs)
    history.now += timedelta(seconds=seconds)
    assert history.run("u" * 12).state.firing == ()


def test_different_failures_one_after_the_other_are_alerts_of_their_own() -> None:
    history = History(Rule())
    for reason in (Reason.STATUS, Reason.TIMEOUT, Reason.JSON, Reason.TLS, Reason.CONNECT):
        for letter in "DDuu":
            history.now += timedelta(minutes=1)
            seen = result(letter, history.now)
            if letter == "D":
                seen.steps[-1].reason = reason
            history.state, alerts, _ = judge(history.rule, history.state, seen, history.now, resend=RESEND)
            history.alerts += alerts
        assert history.state.firing == ()
    assert len(history.alerts) == 10
