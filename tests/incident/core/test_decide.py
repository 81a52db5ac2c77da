from dataclasses import replace
from datetime import datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident.core.alerts import FIRING, RESOLVED, STALE, DrillWindow, StoredAlert, accept
from incident.core.decide import Policy, decide, decide_time
from incident.core.deliveries import Telling, messages
from incident.core.folding import Draft, fold
from incident.core.model import Event, Incident
from incident.core.services import ServiceMap
from tests.incident.conftest import START, firing

CHAIN = {"login": [], "catalog": [], "cart": ["catalog"], "checkout": ["login", "cart"], "payment": []}
POLICY = Policy(
    services=ServiceMap(CHAIN),
    route=lambda labels: ("phone",) if labels["severity"] in ("SEV1", "SEV2") else ("screen",),
    runbooks=lambda labels: [f"{labels['service']}-failure"],
)


def stored(service: str, severity: str = "SEV2", at: datetime = START) -> StoredAlert:
    return accept(firing(service, at, severity=severity), "prober", at)


class World:
    """What the engine does between commits, without a database."""

    def __init__(self, policy: Policy = POLICY) -> None:
        self.policy = policy
        self.incidents: dict[int, Incident] = {}
        self.events: list[Event] = []
        self.belongs: dict[str, int] = {}
        self.pages: list[tuple[int, str]] = []
        self.now = START

    def hear(self, *alerts: StoredAlert) -> None:
        draft = Draft(self.incidents.values(), len(self.incidents) + 1, self.now)
        own = [replace(alert, incident=self.belongs.get(alert.fingerprint)) for alert in alerts]
        self.belongs |= decide(own, draft, self.policy)
        self._keep(draft)

    def pass_time(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        draft = Draft(self.incidents.values(), 0, self.now)
        for incident in list(self.incidents.values()):
            decide_time(incident, draft, self.policy)
        self._keep(draft)

    def _keep(self, draft: Draft) -> None:
        for message in messages(draft.events, self.incidents, draft.incidents, Telling()):
            if message.kind == "page":
                self.pages.append((message.number, message.channel))
        self.events += draft.events
        self.incidents = draft.incidents

    @property
    def open(self) -> list[Incident]:
        return [incident for incident in self.incidents.values() if incident.open]

    def kinds(self, number: int) -> list[str]:
        return [event.kind for event in self.events if event.incident == number]


@pytest.mark.parametrize("order", list(permutations(["checkout", "cart", "catalog"])), ids="-".join)
@pytest.mark.parametrize("together", [False, True], ids=["one by one", "at once"])
def test_trouble_along_a_chain_is_one_incident_and_one_page_whichever_is_seen_first(
    order: tuple[str, ...], together: bool
) -> None:
    world = World()
    batches = [order] if together else [(service,) for service in order]
    for batch in batches:
        world.hear(*(stored(service) for service in batch))
    [incident] = world.open
    assert (incident.number, incident.service, set(incident.services)) == (1, "catalog", set(order))
    assert world.pages == [(1, "phone")]
    assert "catalog-failure" in incident.runbooks


@pytest.mark.parametrize("order", list(permutations(["checkout", "catalog"])), ids="-".join)
def test_what_needs_it_through_another_joins_too(order: tuple[str, ...]) -> None:
    world = World()
    for service in order:
        world.hear(stored(service))
    assert [incident.service for incident in world.open] == ["catalog"]


@pytest.mark.parametrize("order", list(permutations(["login", "checkout", "payment"])), ids="-".join)
def test_a_service_that_has_nothing_to_do_with_it_stands_on_its_own(order: tuple[str, ...]) -> None:
    world = World()
    for service in order:
        world.hear(stored(service))
    assert {incident.service for incident in world.open} == {"login", "payment"}


def test_a_cause_seen_last_takes_in_the_incidents_of_all_that_need_it() -> None:
    policy = replace(POLICY, services=ServiceMap({"web": ["db"], "app": ["db"], "db": []}))
    world = World(policy)
    for service in ("web", "app", "db"):
        world.hear(stored(service))
    [incident] = world.open
    assert (incident.service, set(incident.services)) == ("db", {"web", "app", "db"})
    assert world.incidents[2].merged_into == 1
    assert set(world.belongs.values()) == {1}


def test_an_alert_of_an_incident_that_was_taken_in_ends_where_it_now_belongs() -> None:
    policy = replace(POLICY, services=ServiceMap({"web": ["db"], "app": ["db"], "db": []}))
    world = World(policy)
    alerts = [stored(service) for service in ("web", "app", "db")]
    for alert in alerts:
        world.hear(alert)
    world.hear(*(replace(alert, state=RESOLVED) for alert in alerts))
    assert world.incidents[1].status == "monitoring"


def test_those_who_were_told_of_an_incident_that_was_taken_in_hear_how_it_goes_on() -> None:
    services = ServiceMap({"web": ["db"], "app": ["db"], "db": []})
    world = World(replace(POLICY, services=services, route=lambda labels: (labels["service"],)))
    for service in ("web", "app", "db"):
        world.hear(stored(service))
    assert set(world.incidents[1].channels) == {"web", "app", "db"}
    draft = Draft(world.incidents.values(), 0, world.now)
    draft.add(1, "update", "The database restarts", {"public": False}, "mara")
    heard = {message.channel for message in messages(draft.events, world.incidents, draft.incidents, Telling())}
    assert heard == {"web", "app", "db"}
    assert sorted(world.pages) == [(1, "db"), (1, "web"), (2, "app")]


def test_those_who_were_told_of_an_incident_hear_that_a_silence_is_about_to_end() -> None:
    world = World()
    world.hear(stored("payment"))
    draft = Draft(world.incidents.values(), 0, world.now)
    draft.add(1, "silence_ending", "The silence of its alerts ends in 15m", {})
    said = messages(draft.events, world.incidents, draft.incidents, Telling())
    assert [(message.kind, message.channel) for message in said] == [("update", "phone")]


def test_the_worst_alert_raises_the_severity_and_tells_those_who_had_not_been_told() -> None:
    world = World()
    world.hear(stored("payment", "SEV3"))
    world.hear(stored("payment", "SEV1"))
    world.hear(stored("payment", "SEV4"))
    assert world.incidents[1].severity == "SEV1"
    assert world.pages == [(1, "screen"), (1, "phone")]


def test_when_the_cause_lies_deeper_its_people_are_paged_and_nobody_twice() -> None:
    policy = replace(POLICY, route=lambda labels: ("all", "stock") if labels["service"] == "catalog" else ("all",))
    world = World(policy)
    world.hear(stored("checkout"))
    world.hear(stored("catalog"))
    assert world.pages == [(1, "all"), (1, "stock")]
    assert world.incidents[1].title == "catalog is down"


def test_an_alert_that_was_silent_when_its_incident_was_closed_and_fires_again_is_a_new_incident() -> None:
    world = World()
    world.hear(stored("payment"))
    world.hear(replace(stored("payment"), state=STALE))
    draft = Draft(world.incidents.values(), 2, world.now)
    draft.add(1, "resolved", "Resolved by mara", {}, "mara")
    world.incidents = draft.incidents
    world.hear(stored("payment"))
    assert [incident.number for incident in world.open] == [2]
    assert world.belongs[stored("payment").fingerprint] == 2
    world.hear(replace(stored("payment"), state=RESOLVED))
    assert [world.incidents[number].status for number in (1, 2)] == ["resolved", "monitoring"]


def test_a_stale_alert_is_no_recovery() -> None:
    world = World()
    world.hear(stored("payment"))
    world.hear(replace(stored("payment"), state=STALE))
    assert world.incidents[1].status == "investigating"


def test_an_alert_that_was_over_before_anybody_looked_opens_nothing() -> None:
    world = World()
    world.hear(replace(stored("payment"), state=RESOLVED))
    assert world.incidents == {}


def test_it_resolves_by_itself_only_after_the_time_and_only_when_recovered() -> None:
    world = World(replace(POLICY, auto_resolve=600))
    world.hear(stored("payment"))
    world.pass_time(3600)
    assert world.incidents[1].open
    world.hear(replace(stored("payment"), state=RESOLVED))
    world.pass_time(599)
    assert world.incidents[1].status == "monitoring"
    world.pass_time(1)
    assert world.incidents[1].status == "resolved"


def test_it_resolves_by_itself_after_the_last_alert_whatever_a_person_said_before() -> None:
    world = World(replace(POLICY, auto_resolve=600))
    world.hear(stored("payment"))
    draft = Draft(world.incidents.values(), 2, world.now)
    draft.add(1, "status", "Looks better", {"status": "monitoring", "was": "investigating"}, "mara")
    world.incidents = draft.incidents
    world.pass_time(3600)
    world.hear(replace(stored("payment"), state=RESOLVED))
    world.pass_time(599)
    assert world.incidents[1].open
    world.pass_time(1)
    assert not world.incidents[1].open


def test_what_a_drill_breaks_and_what_breaks_by_itself_stay_apart() -> None:
    window = DrillWindow(1, "login-down", "practice", ("login",), START, START + timedelta(hours=1), "mara")
    world = World(replace(POLICY, drills=(window,)))
    world.hear(stored("checkout"))
    world.hear(stored("login"))
    assert [(one.service, one.drill) for one in world.open] == [("checkout", None), ("login", "login-down")]


def test_a_storm_is_one_event_that_a_person_can_read() -> None:
    world = World()
    alerts = [accept(firing("payment", name=f"Alert{n}"), "prometheus", START) for n in range(1000)]
    world.hear(*alerts)
    assert world.kinds(1) == ["opened", "runbook", "alert"]
    assert world.events[-1].text.endswith("and 999 more: firing")
    assert len(world.incidents[1].alerts) == 1000


def chains(length: int) -> dict[str, list[str]]:
    """s0 needs s1 needs s2 …"""
    return {f"s{n}": [f"s{n + 1}"] if n + 1 < length else [] for n in range(length)}


STEPS = st.lists(
    st.one_of(
        st.tuples(st.integers(0, 4), st.sampled_from([FIRING, RESOLVED, STALE]), st.sampled_from(["SEV1", "SEV3"])),
        st.integers(1, 1000),
    ),
    max_size=25,
)


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_along_one_chain_all_go_on_in_the_deepest_whose_trouble_goes_on(
    steps: list[tuple[int, str, str] | int],
) -> None:
    world = World(replace(POLICY, services=ServiceMap(chains(5)), auto_resolve=300))
    for step in steps:
        if isinstance(step, int):
            world.pass_time(step)
        else:
            world.hear(replace(stored(f"s{step[0]}", step[2], world.now), state=step[1]))
        for deeper in world.open:
            others = [one for one in world.open if world.policy.services.needs(one.service, deeper.service)]
            assert not others or deeper.root_over_at is not None


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_the_fold_of_the_list_is_the_state_that_was_kept(steps: list[tuple[int, str, str] | int]) -> None:
    world = World(replace(POLICY, auto_resolve=300))
    services = list(CHAIN)
    for step in steps:
        if isinstance(step, int):
            world.pass_time(step)
        else:
            world.hear(replace(stored(services[step[0]], step[2], world.now), state=step[1]))
    for number, incident in world.incidents.items():
        mine = [event for event in world.events if event.incident == number]
        assert fold(mine) == incident == Incident.from_state(incident.to_state())
        assert [event.seq for event in mine] == list(range(1, len(mine) + 1))


GRAPHS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=8).map(
    lambda pairs: {f"s{n}": [f"s{b}" for a, b in pairs if a == n and b > n] for n in range(6)}
)


@settings(max_examples=200, deadline=None)
@given(GRAPHS, st.permutations([f"s{n}" for n in range(6)]))
def test_in_any_shop_no_open_incident_lies_below_another(graph: dict[str, list[str]], order: list[str]) -> None:
    services = ServiceMap(graph)
    world = World(replace(POLICY, services=services))
    for service in order:
        world.hear(stored(service))
    roots = [incident.service for incident in world.open]
    assert len(roots) == len(set(roots))
    assert not [(one, other) for one in roots for other in roots if services.needs(one, other)]
