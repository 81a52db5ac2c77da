"""What is new since a drill put its fault in."""

from datetime import UTC, datetime

from drills.conductor import not_up_words
from drills.watch import Snapshot

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
OLD = {"fingerprint": "aa", "startsAt": "2026-03-01T09:00:00.000Z"}
EARLY = {"fingerprint": "bb", "startsAt": "2026-03-01T11:59:59.700Z"}


def test_an_alert_of_a_run_that_began_just_before_the_fault_is_the_drills_too() -> None:
    before = Snapshot(NOW, alerts=[OLD])
    assert Snapshot(NOW, alerts=[OLD, EARLY]).alerts_since(before) == [EARLY]


def test_an_alert_that_was_over_and_fires_again_is_new() -> None:
    again = OLD | {"startsAt": "2026-03-01T12:00:03.000Z"}
    assert Snapshot(NOW, alerts=[again]).alerts_since(Snapshot(NOW, alerts=[OLD])) == [again]


def test_an_incident_that_was_open_before_the_fault_is_not_the_drills() -> None:
    before = Snapshot(NOW, incidents=[{"number": 4}])
    assert Snapshot(NOW, incidents=[{"number": 5}, {"number": 4}]).incidents_since(before) == [{"number": 5}]


def test_a_journey_that_never_ran_is_told_apart_from_one_that_is_down() -> None:
    down = {"journey": "login", "outcome": "down", "started_at": "2026-03-01T12:00:03+00:00"}
    words = not_up_words(Snapshot(NOW, journeys=[down]), ["login", "payment"])
    assert words.startswith("not up before the fault: login, payment; payment never ran: is it in the workspace")
    assert not_up_words(Snapshot(NOW, journeys=[down]), ["login"]) == "not up before the fault: login"
