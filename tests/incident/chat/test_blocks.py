"""What Slack is shown: within its limits, and never more than text."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from drills.practice.slack.blocks import check_blocks
from incident.chat import blocks
from incident.chat.text import escape, link, unescape
from incident.core.folding import fold
from incident.core.model import Event, Incident

AT = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


def incident(title: str = "Payment is down", **changes: Any) -> Incident:
    data = {"title": title, "service": "payment", "severity": "SEV2", "labels": {}, "channels": []}
    return replace(fold([Event(7, 1, AT, "shopwatch", "opened", title, data)]), **changes)


def buttons(shown: list[dict[str, Any]]) -> list[str]:
    return [element["action_id"] for block in shown if block["type"] == "actions" for element in block["elements"]]


def test_a_new_incident_has_both_buttons() -> None:
    assert buttons(blocks.root(incident(), "")) == ["incident.ack", "incident.resolve"]


def test_an_acknowledged_one_says_by_whom_and_keeps_resolve() -> None:
    shown = blocks.root(incident(acknowledged_at=AT, acknowledgers=("lead",)), "")
    assert buttons(shown) == ["incident.resolve"]
    assert "by lead" in str(shown)


def test_one_for_which_nobody_was_paged_says_so() -> None:
    assert "nobody was paged" in str(blocks.root(incident(channels=("ops",), ticket=True), ""))
    assert "nobody yet" in str(blocks.root(incident(channels=("ops",)), ""))


def test_a_resolved_one_has_no_buttons() -> None:
    assert buttons(blocks.root(incident(status="resolved"), "")) == []


HOSTILE = "<!channel> <@U123> <https://evil.example|click> & \x1b[2J\u202e" + "<" * 9000


def test_hostile_text_calls_nobody_links_nowhere_and_stays_within_the_limits() -> None:
    shown = blocks.root(
        incident(HOSTILE, services=(HOSTILE,), roles={"commander": HOSTILE}, runbooks=(HOSTILE,), service=HOSTILE),
        "https://status.example",
    )
    check_blocks(shown)
    texts = str([block for block in shown if block["type"] != "header"])  # a header is plain text: nothing acts in it
    assert "<!channel" not in texts and "<@U123" not in texts and "<https://evil" not in texts
    assert "\x1b" not in shown[0]["text"]["text"]
    assert "<!channel" not in blocks.summary(incident(HOSTILE))


def test_a_storm_makes_a_thread_that_a_person_can_read() -> None:
    events = [Event(7, seq, AT, "shopwatch", "note", "alert " + "x" * 500) for seq in range(1, 2000)]
    said = blocks.thread(events)
    assert len(said) <= 2800


def test_short_events_of_a_storm_are_counted_rather_than_listed() -> None:
    events = [Event(7, seq, AT, "shopwatch", "note", "x") for seq in range(1, 200)]
    assert blocks.thread(events).split("\n")[-1] == "… and 170 more: shopwatch timeline 7"


def test_what_concerns_shopwatch_itself_stays_out_of_the_thread() -> None:
    assert blocks.thread([Event(7, 2, AT, "shopwatch", "paged", "Paged terminal")]) == ""


@pytest.mark.parametrize("text", ["a & b", "<tag>", "&amp; already", "1 < 2 > 0"])
def test_escaped_text_reads_as_it_was(text: str) -> None:
    assert unescape(escape(text)) == text


def test_cutting_never_leaves_half_an_escape() -> None:
    for limit in range(3, 30):
        cut = escape("<" * 20, limit)
        assert len(cut) <= limit
        assert set(cut.removesuffix("…").replace("&lt;", "")) == set()


@pytest.mark.parametrize("url", ["javascript:alert(1)", "https://a b", "https://a|b", "data:text/html,x", "//x"])
def test_only_http_addresses_become_links(url: str) -> None:
    assert link(url, "here") == "here"
