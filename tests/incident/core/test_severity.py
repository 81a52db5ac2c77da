"""How bad it is, and why."""

from dataclasses import replace
from datetime import timedelta

import pytest

from incident.core.alerts import accept
from incident.core.decide import Policy
from incident.core.deliveries import page_text
from incident.core.services import ServiceMap
from incident.core.severity import Proposal, Scale, propose
from incident.core.sorts import Sort
from probes.alert import Alert
from tests.incident.conftest import START
from tests.incident.core.a_world import World

SERVICES = ServiceMap({"stock": [], "checkout": ["stock"], "mail": []})
SCALE = Scale({"checkout": 12.0}, {"SEV1": 10.0, "SEV2": 1.0}, ("here", "there"))
POLICY = Policy(services=SERVICES, route=lambda labels: (labels["severity"],), scale=SCALE)


def down(service: str, severity: str = "SEV3", location: str = "", step: str = "") -> Sort:
    return Sort(service, severity, location, step, down=True)


@pytest.mark.parametrize(
    ("root", "sorts", "proposal"),
    [
        ("mail", [], None),
        ("mail", [down("mail")], Proposal("SEV3", None)),
        ("checkout", [Sort("checkout", "SEV4")], Proposal("SEV4", None)),
        ("checkout", [down("checkout")], Proposal("SEV1", "checkout, about 12 orders a minute at risk")),
        ("stock", [down("stock")], Proposal("SEV1", "stock, about 12 orders a minute at risk")),
        (
            "checkout",
            [down("checkout", "SEV4", "here", "Pay")],
            Proposal("SEV2", "checkout, step Pay, 1 of 2 locations, about 6 orders a minute at risk"),
        ),
        (
            "checkout",
            [down("checkout", "SEV4", "here"), down("checkout", "SEV4", "there")],
            Proposal("SEV1", "checkout, 2 of 2 locations, about 12 orders a minute at risk"),
        ),
        (
            "mail",
            [down("mail", "SEV4", "here"), down("mail", "SEV4", "there")],
            Proposal("SEV2", "mail, 2 of 2 locations"),
        ),
        ("mail", [down("mail", "SEV4", "here")], Proposal("SEV4", "mail, 1 of 2 locations")),
        ("mail", [down("mail", "SEV1"), Sort("mail", "SEV4")], Proposal("SEV1", None)),
    ],
    ids=[
        "nothing fires", "what the alert says", "slow is not down", "orders", "orders of what needs it",
        "some locations", "all locations", "everywhere, no orders", "here only", "the worst",
    ],
)  # fmt: skip
def test_severity_is_proposed_with_its_reason(root: str, sorts: list[Sort], proposal: Proposal | None) -> None:
    assert propose(root, sorts, SERVICES, SCALE) == proposal


def fire(world: World, location: str) -> None:
    world.fire("checkout", severity="SEV3", journey="buy", location=location)


def test_it_opens_as_bad_as_it_is_and_the_page_says_why() -> None:
    world = World(POLICY)
    fire(world, "here")
    incident = world.incidents[1]
    assert (incident.severity, incident.reason) == (
        "SEV2",
        "checkout, 1 of 2 locations, about 6 orders a minute at risk",
    )
    for text in (page_text(incident), world.events[0].text):
        assert "checkout, 1 of 2 locations, about 6 orders a minute at risk" in text
    assert world.pages == [(1, 1, "SEV2")]


def test_it_is_raised_by_itself_and_who_the_routes_name_is_paged() -> None:
    world = World(POLICY)
    fire(world, "here")
    fire(world, "there")
    assert world.events[-1].text == "SEV2 → SEV1: checkout, 2 of 2 locations, about 12 orders a minute at risk"
    assert [page[2] for page in world.pages] == ["SEV2", "SEV1"]


def test_less_is_proposed_once_and_left_to_people() -> None:
    world = World(POLICY)
    fire(world, "here")
    fire(world, "there")
    [there] = [alert for alert in world.alerts.values() if alert.labels["location"] == "there"]
    world.alerts[there.fingerprint] = replace(there, state="resolved")
    world.decide(there.fingerprint)
    assert (world.incidents[1].severity, world.incidents[1].proposed) == ("SEV1", "SEV2")
    world.fire("checkout", severity="SEV4", name="Slow")
    assert world.kinds(1).count("proposed") == 1


def test_what_people_lowered_is_not_raised_again_by_the_same_trouble() -> None:
    world = World(POLICY)
    fire(world, "here")
    world.say(1, "severity", severity="SEV3", was="SEV2")
    world.end("checkout")
    fire(world, "here")
    assert world.incidents[1].severity == "SEV3"
    fire(world, "there")
    assert world.incidents[1].severity == "SEV1"


@pytest.mark.parametrize(("name", "down"), [("DeadMansSwitch", False), ("TargetDown", True)])
def test_that_nobody_would_tell_costs_no_orders(name: str, down: bool) -> None:
    """A dead man's switch says nothing of the shop, however severe its silence is."""
    alert = Alert({"alertname": name, "service": "checkout", "severity": "SEV2"}, START, START + timedelta(hours=1))
    assert accept(alert, "shopwatch", START).sort.down is down
