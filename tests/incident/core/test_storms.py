"""So much comes at once that services which need the same are taken to suffer from the same."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident.core.decide import Policy
from incident.core.services import ServiceMap
from tests.incident.core.a_world import World

SHOP = {"db": [], "stock": ["db"], "web": ["db"], "app": ["web"], "post": ["db"], "mail": []}
CALM = Policy(services=ServiceMap(SHOP), route=lambda labels: ("phone",), settle=60, rejoin=1800, page_again=600)
STORM = replace(CALM, storm=True)


@pytest.fixture
def world() -> World:
    return World(STORM)


def test_in_a_storm_services_that_need_the_same_are_one_incident_before_that_is_heard_of(world: World) -> None:
    world.fire("web")
    world.fire("stock", "post")
    assert world.roots == {"web": "investigating"}
    assert set(world.incidents[1].services) == {"web", "stock", "post"}
    assert len(world.pages) == 1
    said = next(event for event in world.events if event.kind == "suspected")
    assert said.text == "In trouble too: stock, post. All of it needs db: it may lie there"


def test_the_cause_takes_over_what_was_suspected_of_it_and_nobody_is_paged_again(world: World) -> None:
    world.fire("web")
    world.fire("stock")
    world.fire("db")
    assert world.roots == {"db": "investigating"}
    assert (len(world.incidents), len(world.pages), world.incidents[1].suspects) == (1, 1, ())


def test_when_nothing_else_happens_they_are_two_incidents() -> None:
    world = World(CALM)
    world.fire("web")
    world.fire("stock")
    assert world.roots == {"web": "investigating", "stock": "investigating"}


def test_what_needs_nothing_in_common_is_never_suspected_of_it(world: World) -> None:
    world.fire("web")
    world.fire("mail")
    assert world.roots == {"web": "investigating", "mail": "investigating"}


def test_a_service_that_has_joined_stays_part_of_it_when_the_storm_is_over(world: World) -> None:
    world.fire("web")
    world.fire("stock")
    world.policy = CALM
    world.wait(3600)
    world.fire("stock", alertname="Other")
    assert world.roots == {"web": "investigating"}


def test_an_incident_that_has_gone_on_for_long_has_nothing_to_do_with_the_storm(world: World) -> None:
    world.fire("web")
    world.wait(301)
    world.fire("stock")
    assert world.roots == {"web": "investigating", "stock": "investigating"}


def test_an_incident_whose_trouble_is_over_draws_nothing(world: World) -> None:
    world.fire("web")
    world.end("web")
    world.fire("stock")
    assert set(world.roots) == {"web", "stock"}


def test_the_people_of_a_service_that_joins_on_suspicion_are_paged_once_each() -> None:
    world = World(replace(STORM, route=lambda labels: (labels["service"],)))
    world.fire("web")
    world.fire("stock", "post")
    world.fire("stock", alertname="Other")
    assert [channel for _, _, channel in world.pages] == ["web", "stock", "post"]


def test_what_is_left_when_the_first_of_the_suspects_is_over_stays_together(world: World) -> None:
    world.fire("web")
    world.fire("stock", "post")
    world.policy = CALM
    world.end("web")
    world.wait(60)
    assert (len(world.incidents), len(world.pages)) == (1, 1)
    assert set(world.roots) < {"stock", "post"}
    world.end("stock", "post")
    assert list(world.roots.values()) == ["monitoring"]


def test_what_is_left_when_the_cause_is_over_stands_on_its_own(world: World) -> None:
    world.fire("web")
    world.fire("stock")
    world.fire("db")
    world.policy = CALM
    world.end("db")
    world.wait(60)
    assert world.roots == {"web": "investigating", "stock": "investigating"}


FORESTS = st.lists(st.integers(0, 100), min_size=3, max_size=14).map(
    lambda ups: {f"s{n}": [f"s{up % n}"] if n > 2 else [] for n, up in enumerate(ups)}
)


@settings(max_examples=200, deadline=None)
@given(FORESTS, st.data())
def test_in_any_order_a_storm_is_one_incident_and_one_page_for_each_root(
    forest: dict[str, list[str]], data: st.DataObject
) -> None:
    services = ServiceMap(forest)
    world = World(replace(STORM, services=services))
    left: Sequence[str] = data.draw(st.permutations(list(forest)))
    while left:
        many = data.draw(st.integers(1, len(left)))
        world.fire(*left[:many])
        left = left[many:]
    assert set(world.roots) == {name for name, needs in forest.items() if not needs}
    assert len(world.pages) == len(world.roots) == len(world.incidents)


TWO_CAUSES = {"db": [], "x": [], "y": [], "cart": ["x", "y"], "stock": ["db"], "app": ["db", "cart"], "web": ["cart"]}


def test_who_joined_on_suspicion_an_incident_that_goes_on_in_another_at_once_is_heard_of_there() -> None:
    world = World(replace(CALM, services=ServiceMap(TWO_CAUSES), route=lambda labels: (labels["service"],)))
    world.fire("web")
    world.fire("app")
    assert world.roots == {"web": "investigating", "app": "investigating"}
    world.policy = replace(world.policy, storm=True)
    world.fire("stock", "cart")  # stock is suspected of what app has; cart explains app and web, and not stock
    assert world.roots == {"cart": "investigating"}
    assert {channel for _, _, channel in world.pages} == {"web", "app", "cart", "stock"}
    said = next(event for event in world.events if event.kind == "suspected")
    assert (said.incident, world.incidents[1].suspects) == (1, ("stock",))
    assert said.text == "In trouble too: stock. It needs db, as app does: it may lie there"


GRAPHS = st.lists(st.sets(st.integers(0, 100), max_size=2), min_size=4, max_size=10).map(
    lambda ups: {f"s{n}": sorted({f"s{up % n}" for up in some}) if n > 2 else [] for n, some in enumerate(ups)}
)


@settings(max_examples=300, deadline=None)
@given(st.just(TWO_CAUSES) | GRAPHS, st.data())
def test_whoever_is_in_trouble_for_no_known_reason_is_told_of_the_incident_that_it_is_part_of(
    graph: dict[str, list[str]], data: st.DataObject
) -> None:
    services = ServiceMap(graph)
    world = World(replace(CALM, services=services, route=lambda labels: (labels["service"],)))
    left: Sequence[str] = data.draw(st.permutations(list(graph)))
    while left:
        world.policy = replace(world.policy, storm=data.draw(st.booleans()))
        many = data.draw(st.integers(1, len(left)))
        world.fire(*left[:many])
        left = left[many:]
        for alert in world.alerts.values():
            incident = world.incidents[alert.incident or 0]
            explained = services.needs(alert.service, incident.service)
            assert explained or alert.service in incident.channels
