import pytest

from incident.core.routing import CONSOLE, Route, channels_for, group_for
from incident.core.services import ServiceMap
from probes.labels import LabelMatcher, parse_matcher

TREE = (
    Route(
        (parse_matcher('severity=~"SEV1|SEV2"'),),
        ("phone",),
        (
            Route((parse_matcher('service="payment"'),), ("phone", "bank")),
            Route((parse_matcher('service="login"'),), ()),
        ),
    ),
    Route((parse_matcher('team!=""'),), ("team",)),
)


def test_the_first_route_that_matches_wins() -> None:
    assert channels_for(TREE, {"severity": "SEV1", "service": "cart", "team": "a"}) == ("phone",)
    assert channels_for(TREE, {"severity": "SEV3", "team": "a"}) == ("team",)


def test_a_nested_route_refines_and_inherits_what_it_does_not_say() -> None:
    assert channels_for(TREE, {"severity": "SEV2", "service": "payment"}) == ("phone", "bank")
    assert channels_for(TREE, {"severity": "SEV2", "service": "login"}) == ("phone",)


def test_what_no_route_claims_is_shown_on_the_console() -> None:
    assert channels_for(TREE, {"severity": "SEV4"}) == (CONSOLE,)
    assert channels_for((), {}) == (CONSOLE,)


@pytest.mark.parametrize(
    ("severity", "service", "channels"),
    [
        ("SEV1", "payment", (CONSOLE,)),
        ("SEV3", "payment", ("desk",)),
        ("SEV3", "mail", ("letters",)),
        ("SEV4", "mail", (CONSOLE,)),
    ],
)
def test_what_asks_for_no_page_goes_only_where_a_route_says_so(
    severity: str, service: str, channels: tuple[str, ...]
) -> None:
    tickets = Route((parse_matcher('page="no"'), parse_matcher('severity="SEV3"')), ("desk",))
    mail = Route((parse_matcher('service="mail"'),), ("letters",), (Route((parse_matcher('page!=""'),)),))
    only = Route((parse_matcher('severity="SEV3"'),), routes=(mail, tickets))
    labels = {"severity": severity, "service": service, "page": "no"}
    assert channels_for((*TREE, only), labels) == channels


def test_needs_reach_through_and_a_circle_ends() -> None:
    services = ServiceMap({"a": ["b"], "b": ["c"], "c": ["a"], "d": []})
    assert services.needs("a", "c")
    assert not services.needs("a", "a")
    assert not services.needs("a", "d")
    assert not services.needs("unknown", "a")


@pytest.mark.parametrize(
    ("service", "region", "group"),
    [
        ("mail", "eu", None),
        ("shop", "eu", {"labels": {"region": "eu"}, "across": False}),
        ("stock", "eu", {"labels": {"region": "eu"}, "across": True}),
        ("stock", "", {"labels": {"region": ""}, "across": True}),
        ("each", "us", {"labels": {"region": "us", "service": "each"}, "across": True}),
    ],
    ids=["no group_by", "inherited", "refined", "without the label", "all labels"],
)
def test_a_route_says_what_tells_incidents_apart(service: str, region: str, group: object) -> None:
    def service_is(name: str) -> tuple[LabelMatcher, ...]:
        return (LabelMatcher("service", name),)

    nested = (Route(service_is("stock"), group_by=("region",)), Route(service_is("each"), group_by=("...",)), Route())
    routes = (Route(service_is("mail")), Route(routes=nested, group_by=("region", "service")))
    assert group_for(routes, {"service": service} | ({"region": region} if region else {})) == group
