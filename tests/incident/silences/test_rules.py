from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from incident.core.muting.silences import Silence, State
from incident.core.muting.windows import Recurrence
from incident.errors import Refused
from incident.silences import rules
from incident.silences.rules import Wanted
from probes.labels import parse_matcher
from tests.incident.conftest import START

HOUR = timedelta(hours=1)
BASE = Wanted((parse_matcher("service=payment"),), START, START + 2 * HOUR, "mara", "known")
NIGHTLY = Recurrence("0 2 * * *", HOUR, "UTC")


def wanted(**changes: Any) -> Wanted:
    return replace(BASE, **changes)


def active() -> Silence:
    return rules.made(BASE, "one", START)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ends_at": START}, "start time must be before end time"),
        ({"starts_at": START - 3 * HOUR, "ends_at": START - HOUR}, "end time can't be in the past"),
        ({"matchers": ()}, "at least one matcher required"),
        ({"matchers": (parse_matcher("a=~.*"), parse_matcher("b="))}, "must not match the empty string"),
        ({"comment": "x" * 20_000}, "longer than"),
        ({"matchers": (parse_matcher("a=b"),) * 100}, "64 is the most"),
        ({"recurrence": NIGHTLY, "until": START - HOUR}, "in the past"),
    ],
)
def test_what_cannot_be_a_silence_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(Refused, match=words):
        rules.check(wanted(**changes), START)


def test_a_matcher_that_says_what_must_not_be_is_enough() -> None:
    rules.check(wanted(matchers=(parse_matcher("a!=b"),)), START)


def test_what_begins_in_the_past_begins_now() -> None:
    assert rules.made(wanted(starts_at=START - HOUR), "one", START).starts_at == START


@pytest.mark.parametrize(
    ("changes", "in_place"),
    [
        ({"ends_at": START + 9 * HOUR, "comment": "longer"}, True),
        ({"starts_at": START + timedelta(milliseconds=300)}, True),
        ({"starts_at": START + timedelta(seconds=1)}, False),
        ({"matchers": (parse_matcher("service=login"),)}, False),
        ({"recurrence": NIGHTLY}, False),
    ],
)
def test_an_active_one_is_changed_in_place_where_it_has_the_same_matchers_and_start(
    changes: dict[str, Any], in_place: bool
) -> None:
    found = rules.changed(active(), wanted(**changes), START + timedelta(minutes=1))
    assert (found is not None) == in_place
    if found is not None:
        assert (found.id, found.updated_at) == ("one", START + timedelta(minutes=1))


def test_one_to_come_may_be_moved_but_not_into_the_past() -> None:
    pending = rules.made(wanted(starts_at=START + HOUR), "one", START)
    assert rules.changed(pending, wanted(starts_at=START + timedelta(minutes=30)), START) is not None
    assert rules.changed(pending, wanted(starts_at=START - HOUR), START) is None


def test_an_expired_one_is_not_brought_back() -> None:
    assert rules.changed(rules.expired(active(), START), BASE, START + HOUR) is None


def test_one_that_recurs_is_not_made_a_single_one_by_a_client_that_knows_nothing_of_it() -> None:
    recurring = rules.made(wanted(recurrence=NIGHTLY), "one", START)
    with pytest.raises(Refused, match="recurs"):
        rules.changed(recurring, BASE, START)
    changed = rules.changed(recurring, wanted(recurrence=replace(NIGHTLY, duration=2 * HOUR)), START)
    assert changed is not None and changed.id == "one"


def test_ending_one_that_has_not_begun_leaves_no_span() -> None:
    over = rules.expired(rules.made(wanted(starts_at=START + HOUR), "one", START), START)
    assert over.state(START) is State.EXPIRED and over.starts_at == over.ends_at == START


def test_one_that_recurs_is_active_in_its_windows_and_pending_between_them() -> None:
    silence = rules.made(wanted(recurrence=NIGHTLY), "one", START)  # nine in the morning
    night = START + timedelta(hours=17)
    assert [silence.state(at) for at in (START, night, night + HOUR)] == [State.PENDING, State.ACTIVE, State.PENDING]
    assert silence.span(START) == (night, night + HOUR)
    assert silence.remind_at is None  # it has no end to be reminded of


def test_the_reminder_comes_before_the_end() -> None:
    assert active().remind_at == START + 2 * HOUR - timedelta(minutes=15)
    assert rules.made(wanted(ends_at=START + timedelta(minutes=4)), "one", START).remind_at == START + timedelta(
        minutes=3
    )
