from datetime import UTC, datetime, timedelta
from typing import Any

from incident.reviews.impact import down, orders

BEGIN = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


def run(minute: float, outcome: str = "down", service: str = "payment", location: str = "local") -> dict[str, Any]:
    at = BEGIN + timedelta(minutes=minute)
    steps = [{"service": "login", "outcome": "up"}, {"service": service, "outcome": outcome}]
    return {
        "started_at": at.isoformat(),
        "outcome": outcome,
        "service": "checkout",
        "location": location,
        "steps": steps,
    }


def minutes(*runs: dict[str, Any], end: float = 60) -> Any:
    return down(runs, ["payment"], BEGIN, BEGIN + timedelta(minutes=end))["minutes"]


def test_a_failed_run_speaks_for_the_time_until_the_next_one() -> None:
    assert minutes(run(0), run(5), run(10, "up"), run(15)) == 25.0  # and the last one for a quarter of an hour


def test_a_failure_at_the_end_speaks_for_no_longer_than_the_incident() -> None:
    assert minutes(run(0), run(5), end=8) == 8.0


def test_a_run_after_which_nothing_more_is_known_speaks_for_a_quarter_of_an_hour() -> None:
    assert minutes(run(0), end=600) == 15.0


def test_what_failed_at_another_service_is_not_this_incidents() -> None:
    assert minutes(run(0, service="catalog"), run(5, "up")) == 0.0


def test_the_location_where_it_was_worst_counts() -> None:
    found = down(
        [run(0, location="a"), run(10, "up", location="a"), run(0, "up", location="b")], ["payment"], BEGIN,
        BEGIN + timedelta(hours=1),
    )  # fmt: skip
    assert found["minutes"] == 10.0
    assert found["services"] == ["payment"]
    assert [(one["location"], one["failed"], one["runs"]) for one in found["locations"]] == [("a", 1, 2), ("b", 0, 1)]


def test_the_same_order_passes_several_services_and_is_counted_once() -> None:
    journeys = [{"journey": "pay", "minutes": 10.0, "services": ["payment"]}]
    found = orders({"payment": 3.0, "checkout": 4.0}, journeys, timedelta(minutes=5))
    assert [one["orders"] for one in found["by_service"]] == [30, 20]
    assert found["at_risk"] == 30


def test_without_a_rate_nothing_is_said_of_orders() -> None:
    assert orders({}, [], timedelta(minutes=5))["at_risk"] is None
