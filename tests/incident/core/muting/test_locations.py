from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.core.alerts import RESOLVED, StoredAlert, accept
from incident.core.muting.locations import Locations
from probes.alert import Alert
from tests.incident.conftest import START, firing

HEARD = ("frankfurt", "lisbon", "oslo")


def seen(location: str, name: str = "JourneyDown", where: str = "2 of 3", journey: str = "checkout") -> StoredAlert:
    alert = firing("payment", name=name, journey=journey, location=location)
    return accept(Alert(alert.labels, alert.starts_at, alert.ends_at, {"where": where} if where else {}), "p", START)


def held(*alerts: StoredAlert, heard: tuple[str, ...] = HEARD) -> list[str | None]:
    """What is said of each of them."""
    stage = Locations(heard)
    stage.start(alerts)
    mutes = [stage.mute(alert, START) for alert in alerts]
    return [None if mute is None else mute.muted_by[0] for mute in mutes]


def test_one_location_waits_for_a_second() -> None:
    assert held(seen("oslo")) == ["locations: 1 of 2"]
    assert held(seen("oslo"), seen("lisbon")) == [None, None]


def test_two_alerts_of_one_location_are_one_voice() -> None:
    other_step = seen("oslo")
    other_step = replace(other_step, fingerprint="other", labels={**other_step.labels, "service": "cart"})
    assert held(seen("oslo"), other_step) == ["locations: 1 of 2"] * 2


def test_journeys_do_not_vouch_for_each_other() -> None:
    assert held(seen("oslo"), seen("lisbon", journey="login")) == ["locations: 1 of 2"] * 2


def test_what_is_down_there_is_degraded_here_but_not_the_other_way_round() -> None:
    down, degraded = seen("oslo"), seen("lisbon", name="JourneyDegraded")
    assert held(down, degraded) == ["locations: 1 of 2", None]


@pytest.mark.parametrize(
    ("heard", "where", "expected"),
    [
        (HEARD, "3 of 3", "locations: 1 of 3"),
        (("frankfurt", "oslo"), "3 of 3", "locations: 1 of 2"),
        (("oslo",), "2 of 3", None),
        ((), "2 of 3", None),
        (HEARD, "1 of 3", None),
        (HEARD, "", None),
        (HEARD, "most of them", None),
    ],
    ids=["all", "one is silent", "it alone is heard", "nobody is heard", "one will do", "no rule", "no sense"],
)
def test_as_many_must_agree_as_are_wanted_and_heard(heard: tuple[str, ...], where: str, expected: str | None) -> None:
    assert held(seen("oslo", where=where), heard=heard) == [expected]


def test_an_alert_that_ends_takes_its_voice_with_it() -> None:
    stage, here, there = Locations(HEARD), seen("oslo"), seen("lisbon")
    stage.start([here])
    assert list(stage.changed(there)) == [here.fingerprint]
    assert stage.mute(here, START) is None
    assert list(stage.changed(replace(there, state=RESOLVED))) == [here.fingerprint]
    assert stage.mute(here, START) is not None


@given(st.lists(st.tuples(st.sampled_from(HEARD), st.booleans()), max_size=20))
def test_hearing_of_changes_one_by_one_is_as_good_as_looking_at_all_of_them(changes: list[tuple[str, bool]]) -> None:
    stage, now = Locations(HEARD), dict[str, StoredAlert]()
    for location, fires in changes:
        alert = seen(location)
        stage.changed(alert if fires else replace(alert, state=RESOLVED))
        now.pop(location, None)
        if fires:
            now[location] = alert
    afresh = Locations(HEARD)
    afresh.start(now.values())
    assert [stage.mute(alert, START) for alert in now.values()] == [afresh.mute(alert, START) for alert in now.values()]
