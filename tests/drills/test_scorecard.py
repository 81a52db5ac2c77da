"""The grade of a drill, from what was seen. Times are given, nothing sleeps."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from drills.model import Drill
from drills.scorecard import Observed, grade, judge, measure

START = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)

DRILL = Drill.model_validate(
    {
        "drill": "payment-declines",
        "title": "Payment is declined",
        "hypothesis": ["login"],
        "faults": [{"shop": {"psp_declines": True}, "lease": "3m", "proves": {"journey": "payment", "is": "down"}}],
        "expect": {
            "alert": {"service": "payment", "within": "10s"},
            "incident": {"within": "11s", "severity": "SEV2"},
            "page": {"within": "12s"},
            "ack": {"within": "20s"},
            "runbook": "payment-channel-failure",
            "update": {"within": "30s"},
            "recovery": {"within": "30s"},
        },
    }
)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def event(kind: str, seconds: float, actor: str = "drill-responder") -> dict[str, Any]:
    return {"kind": kind, "at": at(seconds).isoformat(), "actor": actor, "text": "", "data": {}, "seq": 1}


def good() -> Observed:
    """A response that meets everything."""
    return Observed(
        fault_in=at(0),
        proved=at(3),
        fault_out=at(10),
        healed=at(14),
        alert={"labels": {"service": "payment", "alertname": "JourneyDown"}, "updatedAt": at(5).isoformat()},
        incident={
            "number": 1,
            "severity": "SEV2",
            "opened_at": at(5.5).isoformat(),
            "resolved_at": at(25).isoformat(),
            "runbooks": ["payment-channel-failure"],
        },
        timeline=[
            event("opened", 5.5, "shopwatch"),
            event("paged", 5.7, "shopwatch"),
            event("acknowledged", 6),
            event("update", 7),
            event("resolved", 25),
        ],
    )


def verdict(seen: Observed) -> tuple[str, str]:
    return judge(DRILL, measure(DRILL, seen), seen)


def test_a_good_response_passes_with_each_milestone_on_the_clock() -> None:
    card = grade(DRILL, good(), at(-5), at(26))
    assert (card.verdict, card.why, card.incident) == ("passed", "every expectation was met", 1)
    assert card.clock == {"alert": 5, "incident": 5.5, "page": 5.7, "ack": 6, "update": 7, "recovery": 15}
    assert [m.name for m in card.measures] == ["alert", "incident", "page", "ack", "runbook", "update", "recovery"]


def test_recovery_is_measured_from_the_moment_that_the_fault_is_out() -> None:
    late = good()
    late.fault_out = at(-6)
    assert verdict(late) == ("failed", "not met: recovery")


MISSES: list[tuple[str, dict[str, Any], str]] = [
    ("alert", {"alert": None}, "never"),
    ("alert", {"alert": {"labels": {"service": "payment"}, "updatedAt": at(10.5).isoformat()}}, "10.5 s"),
    ("alert", {"alert": {"labels": {"service": "checkout"}, "updatedAt": at(5).isoformat()}}, "5.0 s, of checkout"),
    ("incident", {"incident": good().incident and {**good().incident, "severity": "SEV3"}}, "5.5 s, as SEV3"),  # type: ignore[dict-item]
    ("page", {"timeline": [event("acknowledged", 6), event("update", 7)]}, "never"),
    ("ack", {"timeline": [event("paged", 6), event("acknowledged", 21), event("update", 7)]}, "21.0 s"),
    ("update", {"timeline": [event("paged", 6), event("acknowledged", 6), event("update", 31)]}, "31.0 s"),
    ("runbook", {"incident": good().incident and {**good().incident, "runbooks": ["server-down"]}}, "server-down"),  # type: ignore[dict-item]
    ("recovery", {"incident": good().incident and {**good().incident, "resolved_at": None}}, "never"),  # type: ignore[dict-item]
]


@pytest.mark.parametrize(("name", "change", "measured"), MISSES, ids=[f"{m[0]}-{m[2]}" for m in MISSES])
def test_an_expectation_that_is_missed_fails_the_drill_and_says_what_was_measured(
    name: str, change: dict[str, Any], measured: str
) -> None:
    seen = replace(good(), **change)
    missed = [item for item in measure(DRILL, seen) if not item.met]
    assert [(item.name, item.measured) for item in missed] == [(name, measured)]
    assert verdict(seen) == ("failed", f"not met: {name}")


def test_a_fault_that_did_not_show_makes_the_drill_invalid_not_passed() -> None:
    assert verdict(replace(good(), proved=None)) == (
        "invalid",
        "the fault did not show: payment down was never seen",
    )


def test_a_fault_that_could_not_be_put_in_makes_the_drill_invalid() -> None:
    assert verdict(replace(good(), fault_in=None))[0] == "invalid"


def test_a_journey_that_broke_unasked_fails_the_drill() -> None:
    assert verdict(replace(good(), broken=["login"])) == ("failed", "broke unasked: login")


def test_journeys_that_do_not_come_up_again_fail_the_drill() -> None:
    assert verdict(replace(good(), healed=None))[0] == "failed"


def test_a_person_who_was_asked_for_must_be_the_one_who_acknowledged() -> None:
    wanted = DRILL.model_copy(
        update={"expect": DRILL.expect.model_copy(update={"ack": DRILL.expect.ack.model_copy(update={"by": "lead"})})}  # type: ignore[union-attr]
    )
    ack = next(item for item in measure(wanted, good()) if item.name == "ack")
    assert (ack.asked, ack.measured, ack.met) == ("by lead within 20s", "6.0 s, by drill-responder", False)


def test_an_abort_overrules_the_measures() -> None:
    card = grade(DRILL, good(), at(-5), at(26), ("aborted", "login failed 2 times in a row"))
    assert (card.verdict, card.passed) == ("aborted", False)


def test_the_scorecard_names_what_was_exercised() -> None:
    assert grade(DRILL, good(), at(-5), at(26)).exercised == {
        "journeys": ["login", "payment"],
        "alerts": ["JourneyDown"],
        "runbooks": ["payment-channel-failure"],
        "people": ["drill-responder"],
    }
