from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from incident.core import actions
from incident.core.actor import Actor, Role
from incident.core.decide import Policy
from incident.core.folding import Draft, fold
from incident.core.model import Event, Incident
from incident.core.redaction import BLANK, redacted
from incident.core.services import ServiceMap
from incident.errors import NotAllowed, NotFound, Refused
from tests.incident.conftest import START

MARA = Actor("mara", Role.RESPONDER, via="cli")
LEAD = Actor("lead", Role.COMMANDER, via="cli")
ROOT = Actor("root", Role.ADMIN, via="cli")
POLICY = Policy(ServiceMap({}), lambda labels: ("hook",))


def opened(number: int, service: str, *alerts: str, severity: str = "SEV3", drill: str | None = None) -> Incident:
    data = {
        "title": f"{service} is down",
        "service": service,
        "severity": severity,
        "drill": drill,
        "channels": ["hook"],
    }
    events = [Event(number, 1, START, "shopwatch", "opened", "", data)]
    if alerts:
        events.append(
            Event(number, 2, START, "shopwatch", "alert", "", {"fingerprints": alerts, "services": [service]})
        )
    return fold(events)


class Room:
    """Two incidents, and what is done to them."""

    def __init__(self, *incidents: Incident, policy: Policy = POLICY) -> None:
        self.draft = Draft(incidents, 100, START + timedelta(minutes=5))
        self.policy = policy

    def do(self, action: str, number: int = 1, actor: Actor = MARA, **args: Any) -> Incident:
        incident = self.draft.incidents[number]
        actions.perform(action, incident, self.draft, actor=actor, args=args, policy=self.policy)
        return self.draft.incidents[number]

    def __getitem__(self, number: int) -> Incident:
        return self.draft.incidents[number]


def two() -> Room:
    return Room(opened(1, "checkout", "a"), opened(2, "payment", "b", severity="SEV2"))


def test_a_merged_incident_goes_on_in_the_other_which_is_as_bad_as_the_worse_of_the_two() -> None:
    room = two()
    assert (room.do("merge", 2, into=1).status, room[2].merged_into) == ("resolved", 1)
    assert (room[1].alerts, room[1].severity) == ({"a": "firing", "b": "firing"}, "SEV2")
    assert room[1].services == ("checkout", "payment")


def test_unmerging_gives_each_its_own_again() -> None:
    room = two()
    room.do("merge", 2, into=1)
    room.do("unmerge", 2)
    assert (room[2].status, room[2].merged_into, room[2].alerts) == ("investigating", None, {"b": "firing"})
    assert (room[1].alerts, room[1].services) == ({"a": "firing"}, ("checkout",))
    room.do("merge", 2, into=1)
    assert room[2].merged_into == 1


def test_what_a_merged_incident_told_the_public_holds_the_other_open_until_the_public_is_told_more() -> None:
    room = Room(opened(1, "login"), opened(2, "payment"), opened(3, "catalog"))
    room.do("update", 1, text="Sign-in fails for some", public=True)
    room.do("merge", 1, into=2)
    room.do("merge", 2, into=3)
    with pytest.raises(Refused, match="the last public update of #2, which went on in this, says investigating"):
        room.do("resolve", 3)
    room.do("update", 3, text="All is well again", public=True, status="monitoring")
    assert room.do("resolve", 3).status == "resolved"


def test_who_takes_back_the_merge_takes_back_what_was_told_too() -> None:
    room = two()
    room.do("update", 2, text="Cards are declined", public=True)
    room.do("merge", 2, into=1)
    room.do("unmerge", 2)
    assert room.do("resolve", 1).status == "resolved"


def test_of_three_that_went_on_in_each_other_the_last_is_parted_first_so_that_no_alert_is_in_two() -> None:
    room = Room(opened(1, "login", "a"), opened(2, "payment", "b"), opened(3, "catalog", "c"))
    room.do("merge", 1, into=2)
    room.do("merge", 2, into=3)
    with pytest.raises(Refused, match="#2 goes on in #3 itself: unmerge #2 first"):
        room.do("unmerge", 1)
    room.do("unmerge", 2)
    room.do("unmerge", 1)
    assert [dict(room[number].alerts) for number in (1, 2, 3)] == [{"a": "firing"}, {"b": "firing"}, {"c": "firing"}]
    assert [room[number].services for number in (1, 2, 3)] == [("login",), ("payment",), ("catalog",)]


def test_one_whose_alerts_ended_meanwhile_stands_on_its_own_as_recovered() -> None:
    room = two()
    room.do("merge", 2, into=1)
    room.draft.add(1, "alert_ended", "", {"fingerprints": ["b"]})
    assert room.do("unmerge", 2).status == "monitoring"


@pytest.mark.parametrize(
    ("args", "complaint"),
    [({"into": 1}, "is this incident itself"), ({"into": "2"}, "should be the number"), ({}, "should be the number")],
)
def test_what_makes_no_sense_to_merge_is_refused(args: dict[str, Any], complaint: str) -> None:
    with pytest.raises(Refused, match=complaint):
        two().do("merge", 1, **args)


def test_a_drill_is_never_merged_with_the_real_thing() -> None:
    room = Room(opened(1, "checkout"), opened(2, "payment", drill="practice"))
    with pytest.raises(Refused, match="kept apart"):
        room.do("merge", 2, into=1)


def test_one_that_is_resolved_takes_nothing_in() -> None:
    room = two()
    room.do("resolve", 1)
    with pytest.raises(Refused, match="#1 is resolved"):
        room.do("merge", 2, into=1)


def test_a_duplicate_of_what_is_over_is_not_closed_while_something_speaks_against_it() -> None:
    room = Room(
        opened(1, "checkout"), opened(2, "payment"), policy=replace(POLICY, obstacles=lambda _: ["pay is down"])
    )
    room.draft.add(1, "resolved", "", {"was": "investigating"})
    with pytest.raises(Refused, match=r"#2 is not to be closed yet: pay is down\. Reopen #1"):
        room.do("duplicate", 2, of=1)
    assert (room[2].open, room[2].links) == (True, {})


def test_a_duplicate_says_so_on_both_sides_and_goes_on_there() -> None:
    room = two()
    room.do("duplicate", 2, of=1)
    assert (room[2].links, room[1].links) == ({"1": "duplicate of"}, {"2": "has duplicate"})
    assert room[2].merged_into == 1


def test_links_are_seen_from_both_sides_and_taken_back_from_both() -> None:
    room = two()
    room.do("link", 1, other=2, how="caused by")
    assert (room[1].links, room[2].links) == ({"2": "caused by"}, {"1": "causes"})
    room.do("unlink", 2, other=1)
    assert (room[1].links, room[2].links) == ({}, {})


def test_a_task_has_an_owner_and_a_due_time_and_an_end() -> None:
    room = Room(opened(1, "checkout"))
    room.do("task", text="Call the provider", owner="lead", due="2026-03-01T10:00:00+01:00")
    room.do("task", text="Alert on expiry", action_item=True)
    first, second = room[1].tasks.values()
    assert (first["text"], first["owner"], first["due"]) == ("Call the provider", "lead", "2026-03-01T10:00:00+01:00")
    assert second["kind"] == "action_item"
    room.do("task_change", task="2", owner="mara")
    room.do("task_done", task="2")
    assert room[1].tasks["2"]["owner"] == "mara"
    assert datetime.fromisoformat(room[1].tasks["2"]["done_at"]) == START + timedelta(minutes=5)
    assert room.do("task_done", task="2", undone=True).tasks["2"]["done_at"] is None
    with pytest.raises(NotFound, match="no task '3'"):
        room.do("task_done", task="3")


def test_a_cause_is_the_same_however_it_is_capitalised() -> None:
    room = Room(opened(1, "checkout"))
    room.do("cause", text="Expired certificate.")
    assert room.do("cause", text="expired certificate").causes == ("Expired certificate",)


def test_an_incident_is_not_closed_while_something_speaks_against_it() -> None:
    room = Room(opened(1, "checkout"), policy=Policy(ServiceMap({}), lambda _: (), obstacles=lambda _: ["x is down"]))
    with pytest.raises(Refused, match=r"#1 is not to be closed yet: x is down.*--force"):
        room.do("resolve")
    with pytest.raises(NotAllowed, match="commander"):
        room.do("resolve", force=True, text="it is another trouble")
    with pytest.raises(Refused, match="say why"):
        room.do("resolve", actor=LEAD, force=True)
    room.do("resolve", actor=LEAD, force=True, text="it is another trouble")
    assert room[1].status == "resolved"
    assert room.draft.events[-1].data["against"] == ["x is down"]


def test_the_public_hears_that_it_is_over_before_it_is_closed() -> None:
    room = Room(opened(1, "checkout"))
    room.do("update", text="Checkout fails", public=True, status="identified")
    with pytest.raises(Refused, match="last public update says identified"):
        room.do("resolve")
    with pytest.raises(Refused, match="last public update says identified"):
        room.do("update", text="done, we think", status="resolved")
    assert room.do("update", text="Checkout works again", public=True, status="resolved").status == "resolved"


def test_a_redacted_event_keeps_its_place_and_its_effect_and_loses_its_words() -> None:
    event = Event(1, 3, START, "mara", "update", "Anna Example's card", {"text_zh": "卡", "status": "identified"})
    left = redacted(event)
    assert (left.seq, left.text, left.data) == (3, BLANK, {"text_zh": BLANK, "status": "identified"})
    room = Room(opened(1, "checkout", "a"))
    with pytest.raises(NotAllowed):
        room.do("redact", seq=1)
    with pytest.raises(NotFound):
        room.do("redact", actor=ROOT, seq=99)
    room.do("redact", actor=ROOT, seq=2, text="a name")
    assert room.draft.events[-1].text == "Event 2 was redacted by root: a name"
