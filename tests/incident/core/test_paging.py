"""Alerts with the label `page="no"` open incidents and call nobody; what asks for a page still gets one."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident.core import actions
from incident.core.actor import Actor, Role
from incident.core.alerts import accept
from incident.core.decide import Policy
from incident.core.folding import fold
from incident.core.model import Incident
from incident.core.paging import wants_none
from incident.core.services import ServiceMap
from incident.core.severity import Scale
from probes.alert import Alert
from tests.incident.conftest import START, firing
from tests.incident.core.a_world import World
from tests.incident.core.test_flows import STEPS, do

SHOP = {"db": [], "stock": ["db"], "web": ["db"], "app": ["web"], "mail": []}
POLICY = Policy(
    services=ServiceMap(SHOP),
    route=lambda labels: ("desk",) if labels.get("page") == "no" else (labels["service"],),
    settle=60,
    rejoin=1800,
    page_again=600,
)
PLAIN = replace(POLICY, route=lambda labels: ("phone",))


def whisper(world: World, *services: str, **labels: str) -> None:
    world.fire(*services, **{"alertname": "Slow", "page": "no", **labels})


def paged(world: World) -> list[tuple[int, str]]:
    return [(number, channel) for number, _, channel in world.pages]


def told(world: World) -> list[tuple[str, str]]:
    """The updates: to whom, and of which event."""
    return [(one.channel, str(one.event["kind"])) for one in world.sent if one.kind == "update"]


@pytest.fixture
def world() -> World:
    return World(POLICY)


def sev(world: World, number: int, severity: str) -> None:
    draft = world.draft()
    actor = Actor("mara", Role.RESPONDER)
    given = {"severity": severity}
    actions.perform("sev", draft.incidents[number], draft, actor=actor, args=given, policy=world.policy)
    world.keep(draft)


@pytest.mark.parametrize("word", ["no", "No", " NO "])
def test_the_label_may_be_written_in_any_case(word: str) -> None:
    assert wants_none({"page": word})


@pytest.mark.parametrize("word", ["", "yes", "never", "0"])
def test_any_other_word_is_no_wish(word: str) -> None:
    assert not wants_none({"page": word})


def test_an_incident_of_such_alerts_alone_is_told_of_and_pages_nobody(world: World) -> None:
    whisper(world, "web", severity="SEV3")
    [message] = world.sent
    assert (message.kind, message.channel) == ("update", "desk")
    assert message.text == "SEV3 #1 web is down (web). Nobody is paged for it."
    assert world.incidents[1].unpaged
    assert (world.incidents[1].to_json()["unpaged"], world.incidents[1].paged_at) == (True, None)


@pytest.mark.parametrize("service", ["web", "app", "db"])
def test_the_first_alert_that_asks_for_a_page_pages_whom_the_routes_name_for_it(world: World, service: str) -> None:
    whisper(world, "web", severity="SEV4")
    world.wait(7)
    world.fire(service)
    asked = [service] if service != "app" else ["app", "web"]
    assert paged(world) == [(1, channel) for channel in asked]
    incident = world.incidents[1]
    assert (incident.unpaged, incident.paged_at, incident.title) == (False, world.now, f"{service} is down")
    assert wants_none(incident.labels) == (service == "app")  # as long as the root has asked for none
    page = next(message for message in world.sent if message.kind == "page")
    assert page.text == f"SEV2 #1 {service} is down ({incident.service}). Acknowledge: shopwatch ack 1."


@pytest.mark.parametrize("service", ["web", "app", "db"])
def test_who_was_told_before_is_paged_all_the_same_and_once(service: str) -> None:
    world = World(PLAIN)
    whisper(world, "web")
    world.fire(service)
    world.fire(service, alertname="Other")
    assert paged(world) == [(1, "phone")]


@pytest.mark.parametrize("service", ["web", "app", "db", "stock"])
@pytest.mark.parametrize("storm", [False, True], ids=["calm", "storm"])
def test_what_asks_for_no_page_and_comes_second_pages_nobody(service: str, storm: bool) -> None:
    world = World(replace(POLICY, storm=storm))
    world.fire("web")
    whisper(world, service, severity="SEV1")
    assert paged(world) == [(1, "web")]


def test_the_title_is_what_people_were_paged_for(world: World) -> None:
    world.fire("web", severity="SEV1")
    whisper(world, "db")
    assert (world.incidents[1].service, world.incidents[1].title) == ("db", "web is down")
    assert ("desk", "service") in told(world)


def test_who_was_only_told_of_an_incident_that_others_were_paged_for_is_paged_when_something_asks_for_it() -> None:
    world = World(replace(POLICY, route=lambda labels: (labels["service"],)))
    world.fire("web")
    whisper(world, "db")
    assert paged(world) == [(1, "web")]
    world.fire("db")
    assert paged(world) == [(1, "web"), (1, "db")]


@pytest.mark.parametrize("service", ["web", "app", "db"])
def test_when_both_come_at_once_the_opening_pages_and_is_no_update_too(service: str) -> None:
    world = World(PLAIN)
    world.take_in(firing("web", severity="SEV4", page="no"), firing(service, severity="SEV2"))
    assert [message.kind for message in world.sent if message.event["kind"] == "opened"] == (
        ["page"] if service in ("web", "db") else []
    )
    assert paged(world) == [(1, "phone")]


def test_what_is_no_longer_held_back_pages_then() -> None:
    world = World(PLAIN)
    whisper(world, "web")
    held = replace(accept(firing("web"), "prober", world.now), muted={"mutedBy": ["x"]})
    world.alerts[held.fingerprint] = held
    world.decide(held.fingerprint)
    assert paged(world) == []
    world.mute("web", False)
    assert paged(world) == [(1, "phone")]


@pytest.fixture
def resolved() -> World:
    """An incident for which somebody was paged, with one alert that asked for it and one that did not."""
    world = World(replace(PLAIN, auto_resolve=60))
    world.fire("web")
    whisper(world, "web")
    world.end("web")
    world.wait(90)
    assert not world.open
    return world


def test_an_incident_is_opened_again_without_a_page_and_pages_with_the_next_that_asks_for_it(resolved: World) -> None:
    resolved.wait(700)
    whisper(resolved, "web")
    assert resolved.kinds(1)[-2:] == ["reopened", "alert"]
    assert (paged(resolved), resolved.incidents[1].unpaged) == ([(1, "phone")], True)
    resolved.fire("web")
    assert (paged(resolved), resolved.incidents[1].unpaged) == ([(1, "phone")] * 2, False)


def test_nobody_is_paged_again_so_soon_for_an_incident_that_was_opened_again_quietly(resolved: World) -> None:
    whisper(resolved, "web")
    resolved.fire("web")
    assert paged(resolved) == [(1, "phone")]
    resolved.wait(600)
    resolved.fire("web", alertname="Other")
    assert paged(resolved) == [(1, "phone")] * 2


def test_opened_again_by_what_asks_for_a_page_it_pages_although_it_was_opened_again_quietly_before(
    resolved: World,
) -> None:
    whisper(resolved, "web")
    resolved.fire("web")
    resolved.end("web")
    resolved.wait(700)
    assert (paged(resolved), resolved.incidents[1].unpaged, resolved.open) == ([(1, "phone")], True, [])
    resolved.fire("web")
    assert paged(resolved) == [(1, "phone")] * 2


def test_opened_again_by_both_at_once_it_pages_once(resolved: World) -> None:
    resolved.wait(700)
    resolved.take_in(firing("web", resolved.now, name="Slow", page="no"), firing("web", resolved.now))
    assert paged(resolved) == [(1, "phone")] * 2


def test_opened_again_by_a_deeper_one_that_asks_for_none_and_one_that_does_it_pages_once() -> None:
    world = World(replace(PLAIN, auto_resolve=60))
    world.fire("web")
    whisper(world, "db")
    world.end("web", "db")
    world.wait(700)
    assert not world.open
    world.take_in(firing("db", world.now, name="Slow", page="no"), firing("web", world.now))
    assert paged(world) == [(1, "phone")] * 2


def test_opened_again_it_pages_those_who_were_paged_and_tells_those_who_were_told() -> None:
    world = World(replace(POLICY, auto_resolve=60, route=lambda labels: (labels["service"],)))
    world.fire("web")
    whisper(world, "db")
    world.end("web", "db")
    world.wait(700)
    world.fire("web")
    assert paged(world) == [(1, "web")] * 2
    assert ("db", "reopened") in told(world)


def test_opened_again_an_incident_that_had_paged_nobody_pages_when_something_asks_for_it() -> None:
    world = World(replace(POLICY, auto_resolve=60))
    whisper(world, "web")
    world.end("web")
    world.wait(90)
    whisper(world, "web")
    assert paged(world) == []
    world.fire("app")
    assert paged(world) == [(1, "app"), (1, "web")]


def test_the_cause_that_was_there_before_and_is_back_pages_nobody_when_it_asks_for_none(world: World) -> None:
    world.policy = PLAIN
    world.fire("web")
    whisper(world, "db")
    world.end("db")
    world.wait(700)
    assert world.incidents[1].service == "web"
    whisper(world, "db")
    assert (world.incidents[1].service, paged(world)) == ("db", [(1, "phone")])
    assert world.incidents[1].paged_at == START


def test_what_people_or_the_tool_make_of_it_pages_only_when_people_do(world: World) -> None:
    world.policy = replace(POLICY, scale=Scale({"app": 50.0}, {"SEV1": 10.0}))
    whisper(world, "web", severity="SEV4")
    whisper(world, "web", severity="SEV3", alertname="Slower")
    whisper(world, "app", severity="SEV2", alertname="Slowest")
    assert (world.incidents[1].severity, paged(world)) == ("SEV1", [])
    sev(world, 1, "SEV4")
    assert paged(world) == []
    sev(world, 1, "SEV3")
    assert paged(world) == [(1, "web")]
    sev(world, 1, "SEV2")
    world.fire("web", severity="SEV1")
    assert (world.incidents[1].severity, paged(world)) == ("SEV1", [(1, "web")])


def test_a_higher_severity_of_what_asks_for_no_page_pages_nobody_more() -> None:
    world = World(replace(POLICY, route=lambda labels: ("phone",) if labels["severity"] == "SEV1" else ("screen",)))
    world.fire("web", severity="SEV3")
    whisper(world, "web", severity="SEV1")
    assert (paged(world), world.incidents[1].told_only) == ([(1, "screen")], ("phone",))
    world.fire("web", severity="SEV2", alertname="Other")
    assert paged(world) == [(1, "screen"), (1, "phone")]


def test_an_incident_that_takes_in_one_that_people_were_paged_for_pages_its_own(world: World) -> None:
    whisper(world, "web")
    world.fire("mail")
    world.merge(2, 1)
    assert paged(world) == [(2, "mail"), (1, "web")]
    assert world.incidents[1].title == "mail is down"


def test_nobody_is_paged_for_both_of_two_that_are_merged() -> None:
    for number, into in ((1, 2), (2, 1)):
        world = World(PLAIN)
        whisper(world, "web")
        world.fire("mail")
        world.merge(number, into)
        world.fire("web", "mail", alertname="Other")
        assert (paged(world), world.incidents[into].unpaged) == ([(2, "phone")], False)
        assert world.incidents[into].paged_at == START
        assert "paging" not in world.kinds(into)


def test_who_was_only_told_of_one_that_is_taken_in_is_paged_for_what_asks_for_it_then() -> None:
    world = World(replace(POLICY, route=lambda labels: (labels["service"],)))
    world.fire("web")
    whisper(world, "stock")
    world.fire("db", "stock")
    assert [number for number, one in world.incidents.items() if one.open] == [1]
    assert paged(world) == [(1, "web"), (1, "db"), (1, "stock")]


def test_two_that_nobody_was_paged_for_are_one_that_nobody_was_paged_for(world: World) -> None:
    whisper(world, "web", "mail")
    world.merge(2, 1)
    assert (paged(world), world.incidents[1].unpaged) == ([], True)
    world.fire("mail")
    assert (1, "mail") in paged(world)


def test_on_suspicion_only_the_people_of_what_asks_for_a_page_are_paged() -> None:
    world = World(replace(POLICY, storm=True, route=lambda labels: (labels["service"],)))
    world.fire("web")
    world.take_in(firing("stock", page="no"))
    assert (paged(world), world.incidents[1].told_only) == ([(1, "web")], ("stock",))
    world.fire("stock")
    assert paged(world) == [(1, "web"), (1, "stock")]


SEVERE = replace(PLAIN, route=lambda labels: ("phone",) if labels["severity"] == "SEV1" else ("screen",))
STORM = replace(POLICY, storm=True)
RESOLVING = replace(POLICY, auto_resolve=60)
Do = tuple[str, str] | tuple[str, str, str]
BACK: list[Do] = [("end", "web"), ("wait", "90"), ("quiet", "web")]
MISSED: list[tuple[str, Policy, list[Do], list[str]]] = [  # what happens, and who is paged in all
    ("the root turns out to be down", POLICY, [("loud", "web"), ("quiet", "db"), ("loud", "db")], ["web", "db"]),
    ("a root that came second", POLICY, [("loud", "app"), ("quiet", "web"), ("loud", "web")], ["app", "web"]),
    (
        "what is left of a deeper one",
        POLICY,
        [("quiet", "web"), ("loud", "db"), ("end", "db"), ("wait", "61"), ("wait", "61"), ("loud", "web")],
        ["db", "web"],
    ),
    ("what joins on suspicion", STORM, [("quiet", "web"), ("loud", "stock")], ["stock", "web"]),
    ("a suspect is down", STORM, [("loud", "web"), ("quiet", "stock"), ("loud", "stock")], ["web", "stock"]),
    ("two that need it", POLICY, [("quiet", "db"), ("loud", "stock"), ("loud", "web")], ["stock", "db", "web"]),
    (
        "a new failure after a quiet reopening",
        RESOLVING,
        [("loud", "web"), ("quiet", "web"), *BACK, ("loud", "web", "Other")],
        ["web", "web"],
    ),
    (
        "a worse one after a quiet reopening",
        replace(SEVERE, auto_resolve=60),
        [("loud", "web"), ("quiet", "web"), ("end", "web"), ("wait", "90"), ("quiet", "web"), ("bad", "web")],
        ["screen", "phone"],
    ),
    (
        "the root goes on quietly",
        POLICY,
        [("loud", "db"), ("loud", "stock"), ("quiet", "db"), ("over", "db"), ("wait", "61")],
        ["db", "stock"],
    ),
    (
        "the severity was there",
        replace(PLAIN, route=lambda labels: (labels["service"] + labels["severity"],)),
        [("loud", "db"), ("quiet", "db", "SEV1"), ("bad", "stock")],
        ["dbSEV2", "dbSEV1"],
    ),
    (
        "it comes back after hours",
        RESOLVING,
        [("loud", "web"), ("quiet", "web"), ("over", "web"), ("wait", "7200"), ("loud", "web")],
        ["web", "web"],
    ),
    (
        "it is merged with one that was paged for",
        RESOLVING,
        [("quiet", "web"), ("loud", "mail"), ("merge", "2 1"), ("loud", "web")],
        ["mail", "web"],
    ),
    (
        "it takes over when another was paged for",
        RESOLVING,
        [
            *[("quiet", "web"), ("loud", "mail"), ("quiet", "mail"), ("end", "mail"), ("wait", "90")],
            *[("quiet", "mail"), ("merge", "2 1"), ("loud", "web")],
        ],
        ["mail", "web"],
    ),
    (
        "it was merged by mistake",
        PLAIN,
        [("quiet", "web"), ("loud", "mail"), ("merge", "2 1"), ("unmerge", "2"), ("loud", "web")],
        ["phone", "phone"],
    ),
]


def happen(world: World, step: Do) -> None:
    what, which, *more = step
    match what:
        case "loud":
            world.fire(which, alertname=more[0] if more else "JourneyDown")
        case "bad":
            world.fire(which, severity="SEV1", alertname="Payments")
        case "quiet":
            whisper(world, which, severity=more[0] if more else "SEV2")
        case "over":
            known = [one for one in world.alerts.values() if one.service == which and not one.quiet]
            world.take_in(*(Alert(one.labels, one.starts_at, world.now, one.annotations) for one in known))
        case "end":
            world.end(which)
        case "wait":
            world.wait(float(which))
        case "merge":
            world.merge(*(int(number) for number in which.split()))
        case "unmerge":
            world.unmerge(int(which))


@pytest.mark.parametrize(("policy", "steps", "who"), [row[1:] for row in MISSED], ids=[row[0] for row in MISSED])
def test_what_asks_for_a_page_gets_one_whatever_asked_for_none_before(
    policy: Policy, steps: list[Do], who: list[str]
) -> None:
    world = World(policy)
    for step in steps:
        happen(world, step)
    assert sorted(channel for _, channel in paged(world)) == sorted(who)


def test_a_state_of_an_older_version_reads_as_paged() -> None:
    world = World(POLICY)
    world.fire("web")
    state = world.incidents[1].to_state()
    del state["told_only"]
    assert Incident.from_state(state) == world.incidents[1]
    assert not Incident.from_state(state).unpaged


def test_a_record_of_an_older_version_gives_what_it_gave() -> None:
    world = World(PLAIN)
    whisper(world, "web")
    old = [replace(event, data={k: v for k, v in event.data.items() if k != "quietly"}) for event in world.events]
    incident = fold(old)
    assert (incident.unpaged, incident.paged_at, incident.channels) == (False, START, ("phone",))


@settings(max_examples=300, deadline=None)
@given(STEPS, st.booleans())
def test_whatever_happens_alerts_that_ask_for_none_cause_no_page(steps: list[tuple[str, object]], storm: bool) -> None:
    world = World(replace(POLICY, storm=storm, auto_resolve=900, scale=Scale({"app": 5.0}, {"SEV1": 1.0})))
    for step in steps:
        do(world, ("whisper", *step[1:]) if step[0] == "fire" else step)
    assert world.pages == []
    assert all(one.unpaged for one in world.incidents.values())


@settings(max_examples=300, deadline=None)
@given(STEPS, st.booleans())
def test_whatever_happens_what_asks_for_a_page_is_in_an_incident_that_somebody_was_paged_for(
    steps: list[tuple[str, object]], storm: bool
) -> None:
    world = World(replace(PLAIN, storm=storm, page_again=0, auto_resolve=900))
    for step in steps:
        if step[0] in ("resolve", "reopen", "unmerge"):  # what people close or open again holds what was paged for
            continue
        do(world, step)
        for alert in world.alerts.values():
            if alert.state == "firing" and alert.muted is None and not alert.quiet and alert.incident is not None:
                incident = world.incidents[alert.incident]
                assert not incident.open or not incident.unpaged


@settings(max_examples=300, deadline=None)
@given(STEPS)
def test_whatever_happens_nobody_is_paged_twice_unless_it_comes_back(steps: list[tuple[str, object]]) -> None:
    world = World(PLAIN)
    for step in steps:
        do(world, step)
    back = Counter(event.incident for event in world.events if event.data.get("page") or event.kind == "reopened")
    for number, times in Counter(number for number, _ in paged(world)).items():
        assert times <= 1 + back[number]


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_pages_of_what_asks_for_them_come_as_if_nothing_else_did_on_services_that_have_nothing_in_common(
    steps: list[tuple[str, object]],
) -> None:
    worlds = [World(replace(PLAIN, services=ServiceMap({}), rejoin=None)) for _ in range(2)]
    at: list[list[tuple[timedelta, str]]] = []
    for which, world in enumerate(worlds):
        for step in steps:
            if step[0] in ("fire", "silence", "wait") or (step[0] == "whisper" and which == 0):
                do(world, step)
        pages = [one for one in world.sent if one.kind == "page"]
        at.append([(one.at - START, str(one.incident["service"])) for one in pages])
    assert at[0] == at[1]
