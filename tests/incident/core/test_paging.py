"""Alerts with the label `page="no"` are tickets: people are told, and paged for outages as if those were not there."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident.core import actions
from incident.core.actor import Actor, Role
from incident.core.decide import Policy
from incident.core.folding import fold
from incident.core.model import Incident
from incident.core.paging import wants_none
from incident.core.services import ServiceMap
from incident.errors import Refused
from tests.incident.core.a_world import World
from tests.incident.core.test_flows import STEPS, do

SHOP = {"db": [], "stock": ["db"], "web": ["db"], "app": ["web"], "mail": []}


def route(labels: Mapping[str, str]) -> tuple[str, ...]:
    """Each service has people of its own, and more for what is bad; a desk hears of what asks for no page."""
    if labels.get("page") == "no":
        return ("desk",)
    own = labels["service"]
    return (own, f"{own} chief") if labels["severity"] == "SEV1" else (own,)


POLICY = Policy(services=ServiceMap(SHOP), route=route, settle=60, rejoin=1800, page_again=600, auto_resolve=90)
SHARED = replace(POLICY, route=lambda labels: ("phone",))


@pytest.fixture
def world() -> World:
    return World(POLICY)


def whisper(world: World, *services: str, severity: str = "SEV3") -> None:
    world.fire(*services, severity=severity, alertname="Slow", page="no")


def paged(world: World) -> list[tuple[int, str]]:
    return [(number, channel) for number, _, channel in world.pages]


def act(world: World, action: str, number: int, **given: object) -> None:
    draft = world.draft()
    actor = Actor("mara", Role.COMMANDER)
    actions.perform(action, draft.incidents[number], draft, actor=actor, args=given, policy=world.policy)
    world.keep(draft)


@pytest.mark.parametrize("word", ["no", "No", " NO "])
def test_the_label_may_be_written_in_any_case(word: str) -> None:
    assert wants_none({"page": word})


@pytest.mark.parametrize("word", ["", "yes", "never", "0"])
def test_any_other_word_is_no_wish(word: str) -> None:
    assert not wants_none({"page": word})


def test_people_are_told_of_a_ticket_and_not_paged(world: World) -> None:
    whisper(world, "web")
    [first] = world.sent
    assert (first.kind, first.channel, first.event["kind"]) == ("update", "desk", "opened")
    assert "Nobody is paged for it" in first.text and "Acknowledge" not in first.text
    assert world.incidents[1].to_json()["unpaged"] is True
    world.end("web")
    world.wait(90)
    assert world.incidents[1].status == "resolved" and world.pages == []


def test_tickets_along_the_dependencies_are_one_and_page_nobody_when_the_trouble_lies_deeper(world: World) -> None:
    whisper(world, "app")
    whisper(world, "web", severity="SEV1")
    whisper(world, "db")
    assert world.roots == {"db": "investigating"} and world.pages == []
    assert {message.kind for message in world.sent} == {"update"}


def test_a_ticket_that_comes_back_pages_nobody(world: World) -> None:
    whisper(world, "web")
    world.end("web")
    world.wait(90)
    world.wait(700)
    whisper(world, "web")
    assert (list(world.incidents), world.pages) == ([1], [])
    assert world.sent[-1].event["kind"] == "reopened" or "reopened" in world.kinds(1)


@pytest.mark.parametrize("service", ["web", "app", "db"])
@pytest.mark.parametrize("first", ["ticket", "outage"])
def test_an_outage_beside_a_ticket_is_an_incident_of_its_own(world: World, service: str, first: str) -> None:
    if first == "ticket":
        whisper(world, "web")
    world.fire(service)
    if first == "outage":
        whisper(world, "web")
    assert [channel for _, channel in paged(world)] == [service]
    assert {one.ticket: one.service for one in world.open} == {True: "web", False: service}


def test_a_person_who_raises_it_pages_whom_the_routes_name_also_those_who_were_told() -> None:
    world = World(SHARED)
    whisper(world, "web")
    act(world, "sev", 1, severity="SEV2")
    assert paged(world) == [(1, "phone")]
    world.fire("web")
    assert (list(world.incidents), world.incidents[1].ticket) == ([1], False)
    assert paged(world) == [(1, "phone")]


def test_what_was_made_an_outage_pages_whom_the_routes_name_when_it_gets_worse(world: World) -> None:
    whisper(world, "web")
    act(world, "sev", 1, severity="SEV2")
    world.fire("web", severity="SEV1")
    assert paged(world) == [(1, "web"), (1, "web chief")]


def test_a_person_who_lowers_it_pages_nobody(world: World) -> None:
    whisper(world, "web")
    act(world, "sev", 1, severity="SEV4")
    assert world.pages == [] and world.incidents[1].ticket


def test_an_outage_does_not_go_on_in_a_ticket(world: World) -> None:
    whisper(world, "web")
    world.fire("mail")
    with pytest.raises(Refused, match="merge it into #2"):
        act(world, "merge", 2, into=1)


def test_a_ticket_that_goes_on_in_an_outage_swallows_no_page_of_a_later_one(world: World) -> None:
    whisper(world, "web")
    world.fire("mail")
    world.merge(1, 2)
    assert paged(world) == [(2, "mail")]
    world.fire("web")
    assert paged(world) == [(2, "mail"), (3, "web")]
    world.unmerge(1)
    assert world.incidents[1].ticket and not world.incidents[2].ticket


def test_a_state_of_an_older_version_is_no_ticket(world: World) -> None:
    world.fire("web")
    state = world.incidents[1].to_state()
    del state["ticket"]
    assert Incident.from_state(state) == world.incidents[1]


def test_what_the_record_says_is_what_is_known(world: World) -> None:
    whisper(world, "web")
    act(world, "sev", 1, severity="SEV1")
    assert fold(world.events) == world.incidents[1]


@settings(max_examples=300, deadline=None)
@given(STEPS, st.booleans())
def test_whatever_happens_tickets_page_nobody(steps: list[tuple[str, object]], storm: bool) -> None:
    world = World(replace(POLICY, storm=storm))
    for step in steps:
        if step[0] != "sev":
            do(world, ("whisper", *step[1:]) if step[0] == "fire" else step)
    assert world.pages == []


SERVICES, SEVERITIES = st.sampled_from(list(SHOP)), st.sampled_from(["SEV1", "SEV3"])
HAPPENINGS = st.lists(
    st.one_of(
        st.tuples(st.just("fire"), SERVICES, SEVERITIES, st.sampled_from(["JourneyDown", "Other"])),
        st.tuples(st.just("whisper"), SERVICES, SEVERITIES),
        st.tuples(st.sampled_from(["end", "hush", "silence"]), SERVICES),
        st.tuples(st.just("wait"), st.sampled_from([1, 70, 150, 700, 4000])),
        st.tuples(st.just("storm"), st.booleans()),
        st.tuples(st.sampled_from(["resolve", "reopen"]), SERVICES),
    ),
    max_size=20,
)


def live(happenings: list[tuple[object, ...]], policy: Policy, *, tickets: bool) -> list[tuple[datetime, str, str]]:
    """Who is paged: when, on which channel, for what."""
    world = World(policy)
    for happening in happenings:
        match happening:
            case ("fire", str(service), str(severity), str(name)):
                world.fire(service, severity=severity, alertname=name)
            case ("whisper", str(service), str(severity)) if tickets:
                whisper(world, service, severity=severity)
            case ("end" | "silence" as what, str(service)):
                _alone(world, service, quiet=False, silently=what == "silence")
            case ("hush", str(service)) if tickets:
                _alone(world, service, quiet=True, silently=False)
            case ("wait", int(seconds)):
                for _ in range(0, seconds, 50):
                    world.wait(min(50, seconds))
            case ("storm", bool(storm)):
                world.policy = replace(world.policy, storm=storm)
            case ("resolve" | "reopen" as what, str(service)):
                for one in [one for one in world.incidents.values() if one.service == service and not one.ticket][-1:]:
                    if one.merged_into is None and one.open == (what == "resolve"):
                        world.say(one.number, "resolved" if what == "resolve" else "reopened")
    return [(one.at, one.channel, str(one.incident["title"])) for one in world.sent if one.kind == "page"]


def _alone(world: World, service: str, *, quiet: bool, silently: bool) -> None:
    """Those alerts of the service end that are tickets, or those that are not."""
    spared = {key for key, one in world.alerts.items() if one.service == service and one.quiet is not quiet}
    (world.silence if silently else world.end)(service, but=spared)


@pytest.mark.parametrize("policy", [POLICY, SHARED], ids=["own people", "one phone"])
@settings(max_examples=300, deadline=None)
@given(happenings=HAPPENINGS)
def test_whatever_happens_people_are_paged_as_if_the_tickets_were_not_there(
    policy: Policy, happenings: list[tuple[object, ...]]
) -> None:
    assert live(happenings, policy, tickets=True) == live(happenings, policy, tickets=False)
