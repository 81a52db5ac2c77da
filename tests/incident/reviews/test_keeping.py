"""Reviews over the desk: what they say of an incident that was really worked on, and what comes of them later."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from incident.core.actor import Actor, Role
from incident.desk import Desk
from incident.errors import Refused
from incident.reviews.words import CHINESE, ENGLISH
from incident.settings import Settings
from tests.incident.conftest import RESPONDER, SHOP, Clock, firing, over

pytestmark = pytest.mark.anyio

LEAD = Actor("lead", Role.COMMANDER, via="cli")
HOSTILE = "<script>alert(1)</script> | **bold** [x](javascript:x) ![](http://evil.example/x.png)"


@pytest.fixture
def settings() -> Settings:
    services = {**SHOP["services"], "payment": {"title": "Payment", "orders_per_minute": 3}}
    return Settings.model_validate({**SHOP, "services": services, "shop": {"name": "S", "time_zone": "Europe/Berlin"}})


def run(at: datetime, outcome: str) -> dict[str, Any]:
    step = {"name": "card", "service": "payment", "outcome": outcome, "duration_s": 1.0}
    if outcome == "down":
        step["reason"] = "status"
    return {
        "journey": "pay", "service": "payment", "run_id": f"r{at:%H%M}", "outcome": outcome, "duration_s": 1.0,
        "started_at": at.isoformat(), "location": "local", "labels": {}, "cleanup": [], "lag_s": 0.0, "steps": [step],
    }  # fmt: skip


async def an_incident(desk: Desk, clock: Clock) -> None:
    await desk.events.changed("ci", HOSTILE, {}, clock.now)
    clock.forward(minutes=10)
    alert = firing("payment", clock.now, journey="pay")
    begun = clock.now
    await desk.intake([alert], "prober")
    await desk.cycle(clock.now)
    await desk.results([run(begun + timedelta(minutes=n), "down" if n < 20 else "up") for n in range(25)])
    clock.forward(minutes=3)
    await desk.perform("ack", 1, RESPONDER)
    clock.forward(minutes=12)
    await desk.perform("update", 1, RESPONDER, {"text": HOSTILE, "public": True})
    clock.forward(minutes=5)
    await desk.intake([over(alert, clock.now)], "prober")
    await desk.cycle(clock.now)
    await desk.perform("update", 1, RESPONDER, {"text": "It works again", "public": True, "status": "monitoring"})
    clock.forward(minutes=5)
    await desk.perform("cause", 1, LEAD, {"text": "Expired certificate"})
    due = (clock.now + timedelta(days=2)).isoformat()
    await desk.perform("task", 1, LEAD, {"text": "Alert on expiry", "owner": "lead", "due": due, "action_item": True})
    await desk.perform("resolve", 1, LEAD, {"text": "stays well"})


async def test_the_review_counts_what_the_record_holds(desk: Desk, clock: Clock) -> None:
    await an_incident(desk, clock)
    facts = (await desk.reviews.of(1)).facts
    times = facts["times"]
    assert [times[f"{name}_s"] / 60 for name in ("detect", "acknowledge", "mitigate", "resolve")] == [0, 3, 20, 25]
    [journey] = facts["impact"]["journeys"]
    assert (journey["journey"], journey["minutes"]) == ("pay", 20.0)
    assert facts["impact"]["orders"]["at_risk"] == 60
    assert [change["source"] for change in facts["changes"]] == ["ci"]
    assert [update["late_s"] / 60 for update in facts["updates"]] == [10, 0]
    assert [item["state"] for item in facts["action_items"]] == ["open"]


async def test_nothing_that_was_written_means_anything_in_the_page_or_the_picture(desk: Desk, clock: Clock) -> None:
    await an_incident(desk, clock)
    for lang in ("en", "zh"):
        review = await desk.reviews.of(1, lang)
        html, policy = review.page()
        assert "<script" not in html and "<img" not in html and 'javascript:x"' not in html
        assert "<strong>bold" not in html and "&lt;script&gt;" in html
        assert "default-src 'none'" in policy and "unsafe" not in policy
        drawn = ElementTree.fromstring(review.picture())
        assert [child.tag.rpartition("}")[2] for child in drawn][:2] == ["title", "desc"]
        assert not drawn.findall(".//{*}script")


async def test_times_are_those_of_the_shop_and_headings_those_of_the_language(desk: Desk, clock: Clock) -> None:
    await an_incident(desk, clock)
    english, chinese = (await desk.reviews.of(1)).text, (await desk.reviews.of(1, "zh")).text
    assert "2026-03-01 10:10" in english and "## What went well" in english
    assert "## 做得好的地方" in chinese and "## 时间线" in chinese
    assert set(ENGLISH) == set(CHINESE)
    with pytest.raises(Refused, match="en or zh"):
        await desk.reviews.of(1, "de")


async def test_a_published_review_keeps_what_people_wrote_with_fresh_numbers(desk: Desk, clock: Clock) -> None:
    await an_incident(desk, clock)
    draft = (await desk.reviews.of(1)).text
    mine = draft.replace("## What was hard", "## What was hard\n\nNobody could see the certificate.\n\n## More")
    assert (await desk.perform("review", 1, LEAD, {"text": mine})).review["version"] == 1
    await desk.perform("task_done", 1, LEAD, {"task": "1"})
    shown = (await desk.reviews.of(1)).text
    assert "Nobody could see the certificate." in shown and shown.startswith("<!-- shopwatch:review #1 version 1 -->")
    assert "| 1 | Alert on expiry | lead | 2026-03-03 | done |" in shown and "| open |" not in shown
    again = await desk.perform("review", 1, LEAD, {"text": shown})  # what is shown can be published as it is
    assert again.review["version"] == 2
    assert (await desk.reviews.of(1)).text.count("<!-- shopwatch:times -->") == 1


async def test_a_redacted_review_is_blank(desk: Desk, clock: Clock) -> None:
    await an_incident(desk, clock)
    published = await desk.perform("review", 1, LEAD, {"text": "# A card number"})
    await desk.perform("redact", 1, Actor("root", Role.ADMIN), {"seq": published.review["seq"]})
    assert "card number" not in (await desk.reviews.of(1)).text


async def test_the_workspaces_template_replaces_the_shipped_one(desk: Desk, clock: Clock, tmp_path: Path) -> None:
    await an_incident(desk, clock)
    (tmp_path / "runbooks").mkdir()
    (tmp_path / "runbooks" / "review.md.j2").write_text("# Ours: {{ incident.title }}\n\n{{ sections.impact }}\n")
    desk.reviews.folder = tmp_path
    text = (await desk.reviews.of(1)).text
    assert "# Ours: payment is down" in text and "| pay | 20 |" in text and "went well" not in text


@pytest.mark.parametrize(
    "template",
    [
        "{{ nothing }}", "{% for", "{{ ''.__class__.__mro__ }}", "{% include '/etc/passwd' %}",
        "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}", "{{ 'x' * 10 ** 9 }}",
        "{{ incident.title.format(1) }}", "x" * 100_001,
    ],
    ids=["undefined", "syntax", "class", "include", "loops", "text", "format", "long"],
)  # fmt: skip
async def test_a_template_that_makes_no_sense_or_reaches_out_is_refused(desk: Desk, template: str) -> None:
    await desk.perform("open", None, RESPONDER, {"title": "x", "service": "payment"})
    with pytest.raises(Refused, match="template"):
        await desk.reviews.of(1, template=template)


async def test_the_same_trouble_is_pointed_out_when_it_comes_again_and_in_the_page(desk: Desk, clock: Clock) -> None:
    await an_incident(desk, clock)
    clock.forward(days=12)
    await desk.intake([firing("payment", clock.now, journey="pay")], "prober")
    await desk.cycle(clock.now)
    [new] = await desk.incidents(open_only=True)
    words = "as #1 (Expired certificate), 12 days ago; its action item 1 is not done"
    assert new.similar["said"] == words
    assert [event.kind for event in await desk.timeline(new.number)].count("similar") == 1
    [page] = [item for item in await desk.deliveries(new.number) if item["kind"] == "page"]
    assert words in page["text"]
    assert [one["number"] for one in (await desk.reviews.of(new.number)).facts["similar"]] == [1]


async def test_a_cause_that_was_there_before_is_pointed_out(desk: Desk, clock: Clock) -> None:
    await an_incident(desk, clock)
    number = (await desk.perform("open", None, LEAD, {"title": "Sign-in fails", "service": "login"})).number
    after = await desk.perform("cause", number, LEAD, {"text": "expired certificate"})
    assert after.similar["incident"] == 1


async def test_overdue_action_items_are_said_once_and_counted(desk: Desk, clock: Clock) -> None:
    await an_incident(desk, clock)
    assert (await desk.reviews.remind(), await desk.reviews.counts()) == (0, {"open": 1, "overdue": 0, "done": 0})
    clock.forward(days=3)
    assert [await desk.reviews.remind() for _ in range(3)] == [1, 0, 0]
    assert (await desk.timeline(1))[-1].kind == "overdue"
    assert (await desk.reviews.counts())["overdue"] == 1
    assert (await desk.deliveries(1))[0]["text"].endswith("Alert on expiry (lead), due 2026-03-03")


async def test_rebuilding_the_cache_keeps_reviews_repeats_and_reminders(desk: Desk, clock: Clock) -> None:
    await an_incident(desk, clock)
    await desk.perform("review", 1, LEAD, {"text": "# One"})
    clock.forward(days=3)
    await desk.reviews.remind()
    before = await desk.incident(1)
    await desk.rebuild()
    assert await desk.incident(1) == before
