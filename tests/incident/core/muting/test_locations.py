from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.core.alerts import RESOLVED, StoredAlert, accept
from incident.core.muting.locations import Heard, Locations
from probes.alert import Alert
from tests.incident.conftest import START, firing

HEARD = ("frankfurt", "lisbon", "oslo")


def seen(location: str, name: str = "JourneyDown", where: str = "2 of 3", journey: str = "checkout") -> StoredAlert:
    alert = firing("payment", name=name, journey=journey, location=location)
    return accept(Alert(alert.labels, alert.starts_at, alert.ends_at, {"where": where} if where else {}), "p", START)


def held(*alerts: StoredAlert, heard: Iterable[str] = HEARD, run: Heard | None = None) -> list[str | None]:
    """What is said of each of them. `run`: what those that are heard say that they run."""
    stage = Locations({**dict.fromkeys(heard), **(run or {})})
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


ALL, OTHERS, NOTHING = frozenset({"checkout", "login"}), frozenset({"login"}), frozenset[str]()


@pytest.mark.parametrize(
    ("run", "where", "expected"),
    [
        ({"frankfurt": ALL, "lisbon": ALL, "oslo": ALL}, "3 of 3", "locations: 1 of 3"),
        ({"frankfurt": ALL, "lisbon": OTHERS, "oslo": ALL}, "2 of 3", "locations: 1 of 2"),
        ({"frankfurt": ALL, "lisbon": OTHERS, "oslo": ALL}, "3 of 3", "locations: 1 of 2"),
        ({"frankfurt": NOTHING, "lisbon": OTHERS, "oslo": ALL}, "2 of 3", None),
        ({"frankfurt": NOTHING, "lisbon": None, "oslo": ALL}, "2 of 3", "locations: 1 of 2"),
        ({"frankfurt": OTHERS, "lisbon": OTHERS, "oslo": OTHERS}, "2 of 3", None),
        ({"frankfurt": ALL, "lisbon": NOTHING, "oslo": NOTHING}, "2 of 3", "locations: 1 of 2"),
    ],
    ids=[
        "all run it", "one lacks it", "one of all lacks it", "it alone runs it", "one does not say",
        "what fires there is run there", "it has just been added here",
    ],
)  # fmt: skip
def test_only_locations_that_run_the_journey_are_asked(run: Heard, where: str, expected: str | None) -> None:
    assert held(seen("oslo", where=where), run=run) == [expected]


@given(
    st.dictionaries(st.sampled_from(HEARD), st.none() | st.sets(st.sampled_from(["checkout", "login"])).map(frozenset)),
    st.sets(st.sampled_from(HEARD), min_size=1),
    st.integers(1, 3),
)
def test_it_is_never_asked_for_more_than_can_agree_nor_held_back_when_all_do(
    heard: Heard, fires: set[str], count: int
) -> None:
    said = held(*(seen(place, where=f"{count} of 3") for place in sorted(fires)), heard=(), run=heard)
    able = {place for place, runs in heard.items() if runs is None or "checkout" in runs} | fires
    assert (said[0] is None) == (len(fires) >= min(count, len(able)))


def test_an_alert_that_ends_takes_its_voice_with_it() -> None:
    stage, here, there = Locations(dict.fromkeys(HEARD)), seen("oslo"), seen("lisbon")
    stage.start([here])
    assert list(stage.changed(there)) == [here.fingerprint]
    assert stage.mute(here, START) is None
    assert list(stage.changed(replace(there, state=RESOLVED))) == [here.fingerprint]
    assert stage.mute(here, START) is not None


@given(st.lists(st.tuples(st.sampled_from(HEARD), st.booleans()), max_size=20))
def test_hearing_of_changes_one_by_one_is_as_good_as_looking_at_all_of_them(changes: list[tuple[str, bool]]) -> None:
    stage, now = Locations(dict.fromkeys(HEARD)), dict[str, StoredAlert]()
    for location, fires in changes:
        alert = seen(location)
        stage.changed(alert if fires else replace(alert, state=RESOLVED))
        now.pop(location, None)
        if fires:
            now[location] = alert
    afresh = Locations(dict.fromkeys(HEARD))
    afresh.start(now.values())
    assert [stage.mute(alert, START) for alert in now.values()] == [afresh.mute(alert, START) for alert in now.values()]
