"""The deeper trouble is over, and what needs it goes on."""

from dataclasses import replace

import pytest

from incident.core.decide import Policy
from incident.core.services import ServiceMap
from tests.incident.core.a_world import World

SHOP = {"db": [], "stock": ["db"], "web": ["db"], "app": ["web"], "mail": []}
POLICY = Policy(services=ServiceMap(SHOP), route=lambda labels: ("phone",), settle=60, rejoin=1800)


@pytest.fixture
def world() -> World:
    return World(POLICY)


def test_alerts_that_joined_the_cause_get_an_incident_of_their_own_when_only_the_cause_is_over(world: World) -> None:
    world.fire("db")
    world.fire("web", "app")
    world.end("db")
    world.wait(59)
    assert world.roots == {"db": "investigating"}
    world.wait(1)
    assert world.roots == {"db": "monitoring", "web": "investigating"}
    assert set(world.incidents[2].services) == {"web", "app"}
    assert [page[0] for page in world.pages] == [1, 2]


def test_what_ends_soon_after_the_cause_pages_nobody(world: World) -> None:
    world.fire("db", "web", "app")
    world.end("db")
    world.wait(30)
    world.end("web", "app")
    world.wait(3600)
    assert (world.roots, len(world.pages)) == ({"db": "monitoring"}, 1)


def test_the_time_begins_anew_when_the_cause_comes_back(world: World) -> None:
    world.fire("db", "web")
    world.end("db")
    world.wait(50)
    world.fire("db")
    world.end("db")
    world.wait(50)
    assert world.roots == {"db": "investigating"}


@pytest.mark.parametrize("closed", [False, True], ids=["still open", "resolved"])
def test_a_cause_that_comes_back_draws_what_comes_with_it(world: World, closed: bool) -> None:
    world.fire("db")
    world.end("db")
    world.wait(600)
    if closed:
        world.say(1, "resolved")
    world.fire("db", "web")
    assert world.roots == {"db": "investigating"}
    assert set(world.incidents[1].services) == {"db", "web"}


def test_a_cause_that_went_silent_is_not_over(world: World) -> None:
    world.fire("db", "web")
    world.silence("db")
    world.wait(3600)
    assert world.roots == {"db": "investigating"}


def test_an_incident_that_was_taken_in_stands_on_its_own_again_and_nobody_is_paged_twice(world: World) -> None:
    world.fire("stock")
    world.fire("web")
    world.fire("db")  # it is about db from now on, and takes the other in
    assert (world.roots, world.incidents[2].merged_into) == ({"db": "investigating"}, 1)
    paged = list(world.pages)
    world.end("db", "stock")
    world.wait(60)
    assert world.roots == {"db": "monitoring", "web": "investigating"}
    assert world.incidents[2].service == "web"
    assert world.pages == paged
    assert next(one for one in world.alerts.values() if one.service == "web").incident == 2


def test_an_incident_that_began_as_another_services_is_that_services_again(world: World) -> None:
    world.fire("web")
    title = world.incidents[1].title
    world.fire("db")
    world.end("db")
    world.wait(60)
    assert world.roots == {"web": "investigating"}
    assert (world.incidents[1].title, len(world.pages)) == (title, 1)


def test_those_that_stand_apart_are_one_incident_where_they_need_one_another(world: World) -> None:
    world.fire("app")
    world.fire("stock")
    world.fire("db")
    world.fire("web")
    world.end("db")
    world.wait(60)
    assert {one.service for one in world.open} == {"stock", "web"}
    assert all(one.service in world.incidents[one.incident or 0].services for one in world.alerts.values())


def test_what_needs_something_else_that_is_in_trouble_goes_on_there() -> None:
    world = World(replace(POLICY, services=ServiceMap({"a": [], "b": [], "shop": ["a", "b"]})))
    world.fire("shop")
    world.fire("a")
    world.fire("b")
    world.end("a")
    world.wait(60)
    assert {one.service: one.status for one in world.open} == {"a": "monitoring", "b": "investigating"}
    assert "shop" in next(one for one in world.open if one.service == "b").services


def test_what_a_person_merged_stays_where_it_is(world: World) -> None:
    world.fire("mail")
    world.fire("db")
    world.merge(1, into=2)
    world.end("db")
    world.wait(3600)
    assert world.roots == {"db": "investigating"}
    world.end("mail")
    assert world.roots == {"db": "monitoring"}


def test_an_alert_that_is_held_back_leaves_without_a_word_and_comes_when_it_is_not(world: World) -> None:
    world.fire("db", "web")
    world.mute("web", True)
    world.end("db")
    world.wait(60)
    assert world.roots == {"db": "monitoring"}
    world.mute("web", False)
    assert world.roots == {"db": "monitoring", "web": "investigating"}


def test_what_needs_a_service_whose_trouble_was_over_long_before_is_an_incident_at_once(world: World) -> None:
    world.fire("db")
    world.end("db")
    world.wait(60)
    world.fire("web")
    assert world.roots == {"db": "monitoring", "web": "investigating"}
    world.fire("db")
    assert world.roots == {"db": "investigating"}


def test_a_dependent_that_opens_the_incident_again_alone_becomes_what_it_is_about(world: World) -> None:
    world.fire("db", "web")
    world.end("db", "web")
    world.say(1, "resolved")
    world.wait(900)
    world.fire("web")
    assert world.roots == {"db": "investigating"}
    world.wait(60)
    assert ([one.number for one in world.open], world.roots) == ([1], {"web": "investigating"})


def test_a_cause_that_comes_back_after_the_incident_was_anothers_again_is_the_cause_again_and_pages(
    world: World,
) -> None:
    world.policy = replace(POLICY, route=lambda labels: (labels["service"],), page_again=600)
    world.fire("web")
    world.fire("db")
    world.end("db")
    world.wait(60)
    assert world.roots == {"web": "investigating"}
    world.wait(600)
    world.fire("db")
    assert world.roots == {"db": "investigating"}
    assert [channel for _, _, channel in world.pages] == ["web", "db", "db"]


def test_a_cause_that_flaps_pages_once_in_a_while(world: World) -> None:
    world.policy = replace(POLICY, route=lambda labels: (labels["service"],), page_again=600)
    world.fire("web", "db")
    for _ in range(3):
        world.end("db")
        world.wait(60)
        world.fire("db")
    assert [channel for _, _, channel in world.pages].count("db") == 1


def test_what_a_person_has_called_the_same_trouble_goes_on_there(world: World) -> None:
    world.fire("web")
    world.fire("mail")
    world.merge(2, into=1)
    world.end("mail")
    world.fire("mail", alertname="Other")
    assert world.roots == {"web": "investigating"}


def test_who_was_paged_first_is_not_paged_again_when_the_incident_is_theirs_again(world: World) -> None:
    world.policy = replace(POLICY, route=lambda labels: (labels["service"],), page_again=600)
    world.fire("web")
    world.fire("db")
    world.wait(3600)
    world.end("db")
    world.wait(60)
    assert world.roots == {"web": "investigating"}
    assert [channel for _, _, channel in world.pages] == ["web", "db"]
