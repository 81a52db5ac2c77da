from probes.prober.heartbeat import MOST_NAMED, agreeing
from tests.probes.prober.test_rounds import journey

WHERE = {"where": "2 of 3 locations"}


def test_journeys_for_which_several_locations_must_agree_are_named() -> None:
    assert agreeing([journey("a", alert=WHERE), journey("b"), journey("c", alert=WHERE)]) == {"agrees_on": ["a", "c"]}
    assert agreeing([journey("b")]) == {"agrees_on": []}


def test_where_there_are_too_many_nothing_is_said_of_them() -> None:
    some = journey(alert=WHERE)
    assert len(agreeing([some] * MOST_NAMED)["agrees_on"]) == MOST_NAMED
    assert agreeing([some] * (MOST_NAMED + 1)) == {}
