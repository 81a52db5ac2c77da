"""The status page follows what was said publicly, and says nothing else."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from incident.core.folding import fold
from incident.core.model import Event, Incident
from incident.web.public import Board, automatic_notice, board, merged, notice
from probes.files.settings import Service
from tests.incident.conftest import START

SERVICES = {
    "login": Service(title="Sign-in", title_zh="登录"),
    "checkout": Service(title="Checkout", group="Buying"),
    "payment": Service(title="Payment", group="Buying"),
    "ledger": Service(title="Accounting", public=False),
    "logistics": Service(title="Delivery"),
}


def history(
    *kinds: tuple[str, dict[str, Any]], number: int = 1, severity: str = "SEV2", service: str = "payment"
) -> list[Event]:
    """Events a minute apart, after the one that opened the incident."""
    opened = {"title": "psp-7 answers 500", "service": service, "severity": severity}
    events = [Event(number, 1, START, "shopwatch", "opened", "psp-7 answers 500", opened)]
    for seq, (kind, data) in enumerate(kinds, 2):
        at = START + timedelta(minutes=seq)
        events.append(
            Event(number, seq, at, "mara", kind, data.get("text", ""), {k: v for k, v in data.items() if k != "text"})
        )
    return events


def said(text: str = "We look into it.", **data: Any) -> tuple[str, dict[str, Any]]:
    return "update", {"text": text, "public": True, **data}


def page(*histories: Sequence[Event], minutes: float = 60) -> Board:
    found = [notice(fold(events), events) for events in histories]
    return board(SERVICES, [item for item in found if item is not None], START + timedelta(minutes=minutes))


def states(shown: Board) -> dict[str, str]:
    return {component.name: component.state for component in shown.components}


def test_an_incident_of_which_nobody_spoke_does_not_show() -> None:
    shown = page(history(("alert", {"fingerprints": ["a"], "services": ["login"]}), ("note", {"text": "hm"}),
                         ("update", {"text": "internal", "public": False})))  # fmt: skip
    assert (shown.open, shown.recent, shown.indicator) == ((), (), "none")
    assert set(states(shown).values()) == {"operational"}


@pytest.mark.parametrize(
    ("severity", "state", "indicator"),
    [("SEV1", "major_outage", "critical"), ("SEV2", "partial_outage", "major"),
     ("SEV3", "degraded_performance", "minor"), ("SEV4", "degraded_performance", "minor")],
)  # fmt: skip
def test_a_public_update_changes_the_component(severity: str, state: str, indicator: str) -> None:
    shown = page(history(said(), severity=severity))
    assert states(shown)["payment"] == state
    assert shown.indicator == indicator


def test_what_a_probe_sees_after_the_last_public_update_changes_nothing() -> None:
    shown = page(history(
        said(status="identified"), ("alert", {"fingerprints": ["b"], "services": ["login"]}),
        ("severity", {"severity": "SEV1", "was": "SEV2"}), ("status", {"status": "monitoring", "was": "identified"}),
    ))  # fmt: skip
    assert states(shown) == {
        "login": "operational", "checkout": "operational", "payment": "partial_outage", "logistics": "operational",
    }  # fmt: skip
    assert shown.open[0].status == "identified"


def test_the_next_public_update_brings_in_what_happened_meanwhile() -> None:
    shown = page(history(said(), ("alert", {"fingerprints": ["b"], "services": ["login"]}), said("Sign-in too.")))
    assert (states(shown)["login"], states(shown)["payment"]) == ("partial_outage", "partial_outage")


def test_while_the_recovery_is_watched_a_component_is_degraded() -> None:
    assert states(page(history(said(status="monitoring"), severity="SEV1")))["payment"] == "degraded_performance"


def test_updates_stand_newest_first_each_with_its_status() -> None:
    [shown] = page(history(said("one"), said("two", status="identified"), said("three"))).open
    assert [(update.text, update.status) for update in shown.updates] == [
        ("three", "identified"), ("two", "identified"), ("one", "investigating"),
    ]  # fmt: skip


def test_a_resolved_incident_is_over_for_the_public_too_and_shown_for_a_week() -> None:
    events = history(said(), ("resolved", {}))
    shown = page(events)
    assert (shown.open, shown.indicator) == ((), "none")
    assert shown.recent[0].resolved_at == events[-1].at
    assert page(events, minutes=8 * 24 * 60).recent == ()


def test_a_reopened_incident_shows_again_as_it_was_last_spoken_of() -> None:
    shown = page(history(said(status="identified"), ("resolved", {}), ("reopened", {})))
    assert shown.open[0].status == "identified"


def test_services_that_are_not_public_stay_off_but_what_was_said_stays() -> None:
    shown = page(history(said("Invoices are late."), service="ledger"))
    assert "ledger" not in states(shown)
    assert (
        shown.open[0].title("en", {"problem": "Problem with {}", "problem_unnamed": "Problem", "joined_by": ", "})
        == "Problem"
    )
    assert shown.indicator == "minor"


def test_groups_stand_where_their_first_service_does() -> None:
    groups = page().groups
    assert [(group.name, [c.name for c in group.components]) for group in groups] == [
        (None, ["login", "logistics"]), ("Buying", ["checkout", "payment"]),
    ]  # fmt: skip


def _alone(severity: str = "SEV1", **more: Any) -> Incident:
    return fold(history(severity=severity, **more))


def test_a_grave_incident_that_nobody_speaks_of_shows_itself_after_a_while() -> None:
    item = automatic_notice(_alone(), 300.0)
    assert item is not None
    before = board(SERVICES, [item], START + timedelta(seconds=290))
    assert (before.open, before.valid_until) == ((), START + timedelta(seconds=300))
    after = board(SERVICES, [item], START + timedelta(seconds=300))
    assert (after.open[0].status, after.open[0].updates[0].automatic) == ("investigating", True)
    assert states(after)["payment"] == "major_outage"


def test_it_does_not_where_nobody_asked_for_that_nor_for_lesser_ones() -> None:
    assert automatic_notice(_alone(), None) is None
    assert automatic_notice(_alone("SEV3"), 300.0) is None


def test_an_incident_of_which_nobody_spoke_is_not_announced_once_it_has_recovered() -> None:
    over = fold(history(("status", {"status": "monitoring"})))  # two minutes after it opened
    assert automatic_notice(over, 300.0) is None
    late = automatic_notice(over, 60.0)
    assert late is not None
    shown = board(SERVICES, [late], START + timedelta(minutes=3))
    assert (shown.open[0].status, states(shown)["payment"]) == ("monitoring", "degraded_performance")
    again = fold(history(("status", {"status": "monitoring"}), ("status", {"status": "investigating"})))
    assert automatic_notice(again, 300.0) is not None


def test_what_was_said_of_a_merged_incident_goes_on_in_the_other() -> None:
    first = history(said("one"), ("merged", {"into": 2}))
    second = history(said("two"), number=2, service="login")
    target = fold(second)
    found = [item for item in (notice(fold(first), first), notice(target, second)) if item]
    [joined] = merged(found, {1: target})
    assert [update.text for update in joined.updates] == ["two", "one"] or {u.text for u in joined.updates} == {
        "one",
        "two",
    }
    [adopted] = merged(found[:1], {1: target})
    assert (adopted.number, adopted.status) == (2, "investigating")


@pytest.mark.parametrize(
    ("text", "text_zh", "lang", "expected"),
    [("Late.", None, "en", ("Late.", "en")), ("Late.", "晚了。", "zh", ("晚了。", "zh-Hans")),
     ("Late.", None, "zh", ("Late.", "en")), ("支付失败", None, "en", ("支付失败", "zh-Hans"))],
)  # fmt: skip
def test_each_reader_gets_the_text_in_their_language_where_there_is_one(
    text: str, text_zh: str | None, lang: str, expected: tuple[str, str]
) -> None:
    [shown] = page(history(said(text, **({"text_zh": text_zh} if text_zh else {})))).open
    assert shown.updates[0].say(lang) == expected
