import asyncio
from datetime import timedelta
from typing import Any

import pytest

from incident.core.actions import ACTIONS
from incident.core.actor import Actor, Kind, Role
from incident.desk import Desk
from incident.errors import IncidentError, NotAllowed, NotFound, Refused
from tests.incident.conftest import RESPONDER, VIEWER, Clock, firing

pytestmark = pytest.mark.anyio


@pytest.fixture
async def one(desk: Desk) -> Desk:
    await desk.perform(
        "open", None, RESPONDER, {"title": "Odd prices", "service": "catalog", "text": "Seen in the shop"}
    )
    return desk


GOOD: dict[str, dict[str, Any]] = {
    "ack": {},
    "note": {"text": "The import ran twice"},
    "update": {"text": "Prices may be wrong", "text_zh": "价格可能有误", "public": True, "status": "monitoring"},
    "assign": {"role": "communications", "who": "noor"},
    "sev": {"severity": "1", "text": "orders are placed at these prices"},
    "runbook": {"name": "promotion-failure"},
    "resolve": {"text": "import repeated"},
}


@pytest.mark.parametrize("action", GOOD)
async def test_each_action_leaves_one_event_with_actor_and_mouth(one: Desk, action: str) -> None:
    before = await one.incident(1)
    await one.perform(action, 1, RESPONDER, GOOD[action])
    [event] = await one.timeline(1, after=before.seq)
    assert (event.actor, event.data["via"]) == ("mara", "cli")


async def test_the_state_is_what_the_actions_said(one: Desk) -> None:
    for action, args in GOOD.items():
        incident = await one.perform(action, 1, RESPONDER, args)
    assert incident.severity == "SEV1"
    assert incident.status == "resolved"
    assert incident.roles == {"communications": "noor"}
    assert incident.runbooks == ("catalog-failure", "promotion-failure")
    assert incident.acknowledged_by == incident.resolved_by == "mara"
    reopened = await one.perform("reopen", 1, RESPONDER, {"text": "too early"})
    assert (reopened.status, reopened.resolved_at) == ("investigating", None)


@pytest.mark.parametrize("action", ACTIONS)
async def test_no_action_is_open_to_a_viewer_or_a_source(one: Desk, action: str) -> None:
    before = await one.timeline(1)
    for actor in (VIEWER, Actor("prometheus", Role.ADMIN, Kind.SOURCE)):
        with pytest.raises(NotAllowed):
            await one.perform(action, 1, actor, GOOD.get(action, {}))
    assert await one.timeline(1) == before


@pytest.mark.parametrize(
    ("action", "args", "words"),
    [
        ("note", {}, "text is missing"),
        ("note", {"text": "  "}, "text is missing"),
        ("note", {"text": "x" * 10_001}, "10000 is the most"),
        ("note", {"text": "\ud800"}, "not Unicode"),
        ("update", {"text": "x", "public": "yes"}, "public should be true or false"),
        ("update", {"text": "x", "status": "fixed"}, "status should be one of investigating, identified"),
        ("update", {"text": "x", "next_update_due": "2026-03-01T09:00"}, "does not say its time zone"),
        ("update", {"text": "x", "next_update_due": "soon"}, "is not a time"),
        ("assign", {"role": "king", "who": "noor"}, "role should be one of commander"),
        ("sev", {"severity": "SEV9"}, "severity should be one of"),
        ("reopen", {}, "nothing to reopen"),
    ],
)
async def test_a_bad_argument_is_refused_with_the_cure(
    one: Desk, action: str, args: dict[str, Any], words: str
) -> None:
    with pytest.raises(Refused, match=words):
        await one.perform(action, 1, RESPONDER, args)


async def test_an_action_that_there_is_not_is_not_found(one: Desk) -> None:
    with pytest.raises(NotFound, match="no action 'explode'"):
        await one.perform("explode", 1, RESPONDER)
    with pytest.raises(IncidentError, match="needs the number"):
        await one.perform("ack", None, RESPONDER)


async def test_what_is_so_already_adds_nothing(one: Desk) -> None:
    await one.perform("resolve", 1, RESPONDER)
    before = await one.timeline(1)
    await one.perform("resolve", 1, RESPONDER)
    await one.perform("sev", 1, RESPONDER, {"severity": "SEV3"})
    assert await one.timeline(1) == before


async def test_a_resolved_incident_takes_notes_but_no_acknowledgement(one: Desk) -> None:
    await one.perform("resolve", 1, RESPONDER)
    await one.perform("note", 1, RESPONDER, {"text": "afterthought"})
    with pytest.raises(Refused, match="reopen it first"):
        await one.perform("ack", 1, RESPONDER)


async def test_the_public_hears_within_five_minutes_and_then_every_twenty(one: Desk, clock: Clock) -> None:
    opened = await one.incident(1)
    assert opened.next_update_due == opened.opened_at + timedelta(minutes=5)
    clock.forward(minutes=4)
    inside = await one.perform("update", 1, RESPONDER, {"text": "The provider is called"})
    assert inside.next_update_due == opened.next_update_due
    said = await one.perform("update", 1, RESPONDER, {"text": "Card payments fail", "public": True})
    assert said.next_update_due == clock.now + timedelta(minutes=20)
    clock.forward(hours=2)
    late = await one.perform("update", 1, RESPONDER, {"text": "Still failing", "public": True})
    assert late.next_update_due is None
    over = await one.perform("update", 1, RESPONDER, {"text": "Over", "public": True, "status": "resolved"})
    assert over.next_update_due is None
    again = await one.perform("reopen", 1, RESPONDER)
    assert again.next_update_due == clock.now + timedelta(minutes=5)


async def test_two_people_at_once_both_succeed(one: Desk) -> None:

    noor = Actor("noor", Role.RESPONDER)
    await asyncio.gather(
        *(one.perform("note", 1, who, {"text": f"{n}"}) for n in range(10) for who in (RESPONDER, noor))
    )
    timeline = await one.timeline(1)
    assert sum(event.kind == "note" for event in timeline) == 21
    assert [event.seq for event in timeline] == list(range(1, len(timeline) + 1))


async def test_a_person_lowers_the_severity_and_a_repeat_does_not_raise_it_again(desk: Desk) -> None:
    await desk.intake([firing("payment", severity="SEV1")], "prober")
    await desk.cycle(desk.now())
    await desk.perform("sev", 1, RESPONDER, {"severity": "SEV3"})
    await desk.intake([firing("payment", severity="SEV1")], "prober")
    await desk.cycle(desk.now())
    assert (await desk.incident(1)).severity == "SEV3"
