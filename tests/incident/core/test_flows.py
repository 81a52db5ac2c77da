"""Whatever happens in whatever order: what is always so."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident.core.alerts import FIRING, RESOLVED
from incident.core.decide import Policy
from incident.core.folding import fold
from incident.core.model import Incident
from incident.core.services import ServiceMap
from incident.core.severity import Scale
from probes.alert import Alert
from tests.incident.conftest import START, firing
from tests.incident.core.a_world import World

SHOP = {"db": [], "stock": ["db"], "web": ["db"], "app": ["web", "stock"], "mail": []}
POLICY = Policy(
    services=ServiceMap(SHOP),
    route=lambda labels: ("phone", "sms") if labels["severity"] == "SEV1" else ("phone",),
    settle=60,
    rejoin=600,
    page_again=300,
    auto_resolve=900,
    scale=Scale({"app": 5.0}, {"SEV1": 10.0, "SEV2": 1.0}, ("here", "there")),
)
SERVICES = st.sampled_from(list(SHOP))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["fire", "whisper"]), SERVICES, st.sampled_from(["SEV1", "SEV3"])),
        st.tuples(st.sampled_from(["end", "silence", "mute", "unmute"]), SERVICES),
        st.tuples(st.just("wait"), st.sampled_from([1, 30, 60, 400, 2000])),
        st.tuples(st.sampled_from(["resolve", "reopen"]), st.integers(1, 5)),
        st.tuples(st.just("merge"), st.integers(1, 5), st.integers(1, 5)),
        st.tuples(st.just("unmerge"), st.integers(1, 5)),
    ),
    max_size=30,
)


def do(world: World, step: tuple[str, object, object] | tuple[str, object]) -> bool:
    """Returns whether a person has had a word in it."""
    match step:
        case ("fire", str(service), str(severity)):
            world.fire(service, severity=severity)
        case ("whisper", str(service), str(severity)):
            world.fire(service, severity=severity, page="no")
        case ("end", str(service)):
            world.end(service)
        case ("silence", str(service)):
            world.silence(service)
        case ("mute" | "unmute" as what, str(service)):
            world.mute(service, what == "mute")
        case ("wait", int(seconds)):
            world.wait(seconds)
        case ("resolve" | "reopen" as what, int(number)):
            incident = world.incidents.get(number)
            if incident is not None and incident.merged_into is None and incident.open == (what == "resolve"):
                world.say(number, "resolved" if what == "resolve" else "reopened")
                return True
        case ("merge", int(number), int(into)):
            found = [one for one in world.open if one.number in (number, into)]
            if len(found) == 2 and world.incidents[into].ticket <= world.incidents[number].ticket:
                world.merge(number, into)
                return True
        case ("unmerge", int(number)):
            incident = world.incidents.get(number)
            if incident is not None and incident.merged_into is not None:
                world.unmerge(number)
                return True
    return False


@settings(max_examples=250, deadline=None)
@given(STEPS)
def test_the_fold_of_the_events_is_the_state_and_no_event_is_without_news(steps: list[tuple[str, object]]) -> None:
    world = World(POLICY)
    for step in steps:
        do(world, step)
    for number, incident in world.incidents.items():
        mine = [event for event in world.events if event.incident == number]
        assert fold(mine) == incident == Incident.from_state(incident.to_state())
        before, last = None, ""
        for event in mine:
            after = fold(mine[: event.seq])
            says_why = last == "reopened" and event.kind == "alert"  # people closed it while that fired, and it does
            if before is not None and event.kind != "runbook" and not says_why:
                assert replace(after, seq=0, changed_at=START) != replace(before, seq=0, changed_at=START), event
            before, last = after, event.kind


@settings(max_examples=250, deadline=None)
@given(STEPS)
def test_what_fires_and_is_not_held_back_is_in_exactly_one_open_incident(steps: list[tuple[str, object]]) -> None:
    world = World(POLICY)
    for step in steps:
        if step[0] in ("resolve", "unmerge"):  # people may close an incident over what fires, and part what they like
            continue
        do(world, step)
        for key, alert in world.alerts.items():
            having = [one.number for one in world.open if key in one.alerts]
            if alert.state == FIRING and alert.muted is None:
                assert having == [alert.incident]
                assert world.incidents[having[0]].alerts[key] == "firing"
            assert len(having) <= 1


@settings(max_examples=250, deadline=None)
@given(STEPS)
def test_no_open_incident_needs_the_service_of_another_whose_trouble_goes_on(steps: list[tuple[str, object]]) -> None:
    world = World(POLICY)
    for step in steps:
        if step[0] in ("merge", "unmerge", "resolve", "reopen"):
            continue
        do(world, step)
        roots = [(one.service, one.ticket) for one in world.open]
        assert len(set(roots)) == len(roots)
        for deeper in world.open:
            alike = [one for one in world.open if one.ticket == deeper.ticket]
            if deeper.root_over_at is None:
                assert not [one for one in alike if POLICY.services.needs(one.service, deeper.service)]


@settings(max_examples=250, deadline=None)
@given(STEPS)
def test_a_channel_is_paged_once_an_incident_and_again_only_when_it_was_opened_again(
    steps: list[tuple[str, object]],
) -> None:
    world = World(POLICY)
    for step in steps:
        do(world, step)
    kinds = {(event.incident, event.seq): event for event in world.events}
    for number in world.incidents:
        for channel in ("phone", "sms"):
            mine = [kinds[page[0], page[1]] for page in world.pages if (page[0], page[2]) == (number, channel)]
            assert len([event for event in mine if event.kind != "reopened"]) <= 1
            again = [event.at for event in mine]
            assert all(later - sooner >= timedelta(seconds=300) for sooner, later in pairwise(again))


def alert(start: float, end: float) -> Alert:
    one = firing("db", START + timedelta(minutes=start))
    return Alert(one.labels, one.starts_at, START + timedelta(minutes=end), one.annotations)


def again(world: World) -> None:
    world.take_in(alert(0, 15))


def anew(world: World) -> None:
    world.take_in(alert(10, 15))


def over_again(world: World) -> None:
    world.take_in(alert(0, 9))


LATE: list[tuple[str, list[tuple[float, float]], str | None, Callable[[World], None], str, list[str]]] = [
    # what came first (startsAt, endsAt in minutes; it is minute 10), how its incident was closed, what comes, then
    ("a late word that it fires", [(0, 15), (0, 9)], "resolved", again, "investigating", ["reopened", "alert"]),
    ("it fires anew", [(0, 15), (0, 9)], "resolved", anew, "investigating", ["reopened", "alert"]),
    ("it goes on after it was closed", [(0, 15)], "resolved", again, "resolved", []),
    ("it ends after it was closed", [(0, 15)], "resolved", over_again, "resolved", ["alert_ended"]),
    ("it ends once more", [(0, 15), (0, 9)], None, over_again, "monitoring", []),
    ("it fires while it is watched", [(0, 15), (0, 9)], None, again, "investigating", ["alert", "status"]),
]


@pytest.mark.parametrize(
    ("came", "closed", "comes", "status", "news"), [row[1:] for row in LATE], ids=[row[0] for row in LATE]
)
def test_what_comes_late_or_out_of_order(
    came: list[tuple[float, float]], closed: str | None, comes: Callable[[World], None], status: str, news: list[str]
) -> None:
    world = World(POLICY)
    world.now = START + timedelta(minutes=10)
    for start, end in came:
        world.take_in(alert(start, end))
    if closed:
        world.say(1, closed)
    before = len(world.events)
    comes(world)
    assert world.incidents[1].status == status
    assert [event.kind for event in world.events[before:]] == news
    assert list(world.incidents) == [1]


@pytest.mark.parametrize(("start", "end"), [(-600, 15), (30, 60)], ids=["began long ago", "begins in the future"])
def test_an_alert_of_a_skewed_clock_fires_from_when_it_is_heard(start: float, end: float) -> None:
    world = World(POLICY)
    world.take_in(alert(start, end))
    assert (world.roots, world.incidents[1].opened_at) == ({"db": "investigating"}, START)


def test_an_alert_that_was_over_before_it_was_heard_opens_nothing() -> None:
    world = World(POLICY)
    world.take_in(alert(-2, -1))
    assert world.incidents == {}
    assert [one.state for one in world.alerts.values()] == [RESOLVED]


def test_what_flaps_after_its_incident_was_resolved_is_one_incident_and_few_pages() -> None:
    world = World(POLICY)
    for _ in range(20):
        world.fire("db")
        world.wait(15)
        world.end("db")
        world.say(1, "resolved")
        world.wait(15)
    assert list(world.incidents) == [1]
    assert len(world.pages) == 2  # ten minutes, and one in five


def test_long_after_the_resolution_it_is_another_incident() -> None:
    world = World(POLICY)
    world.fire("db")
    world.end("db")
    world.wait(900)
    world.wait(601)
    world.fire("db")
    assert [one.number for one in world.open] == [2]


def test_what_speaks_against_closing_holds_it_open_and_is_said_once() -> None:
    against = ["the journey checkout at local is down"]
    world = World(replace(POLICY, obstacles=lambda incident: against))
    world.fire("db")
    world.say(1, "update", public=True)
    world.end("db")
    for _ in range(5):
        world.wait(900)
    assert world.kinds(1).count("held_open") == 1
    assert "the last public update says investigating" in world.events[-1].text
    against.clear()
    world.wait(1)
    assert world.open
    world.say(1, "update", public=True, status="resolved")
    assert not world.open


def test_where_a_route_groups_the_same_values_are_one_incident_and_others_are_another() -> None:
    def group(across: bool) -> Policy:
        return replace(POLICY, group=lambda labels: {"labels": {"region": labels.get("region", "")}, "across": across})

    world = World(group(across=False))
    for region in ("eu", "us"):
        world.fire("web", "mail", region=region)
        world.fire("db", region=region)
    groups = sorted((one.service, (one.group or {})["labels"]["region"]) for one in world.open)
    assert groups == [("db", "eu"), ("db", "us"), ("mail", "eu"), ("mail", "us")]
    world = World(group(across=True))
    for region in ("eu", "us"):
        world.fire("web", "mail", region=region)
        world.fire("db", region=region)
    assert sorted((one.group or {})["labels"]["region"] for one in world.open) == ["eu", "us"]
    assert {service for one in world.open for service in one.services} == {"web", "mail", "db"}
