from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.core.folding import Draft
from incident.core.model import Incident
from incident.reviews.due import due_at, reviews, waits, working_days_after

BERLIN = ZoneInfo("Europe/Berlin")
FRIDAY = datetime(2026, 3, 6, 10, 0, tzinfo=UTC)


def resolved(severity: str, at: datetime = FRIDAY, drill: str | None = None) -> Incident:
    draft = Draft([], 1, at)
    incident = draft.open("x", {"service": "payment", "severity": severity, "drill": drill})
    return draft.add(incident.number, "resolved", "over")


@pytest.mark.parametrize(
    ("severity", "due"),
    [("SEV1", FRIDAY + timedelta(days=3)), ("SEV2", FRIDAY + timedelta(days=7)), ("SEV3", None), ("SEV4", None)],
)
def test_a_review_is_due_in_three_days_or_five_working_days(severity: str, due: datetime | None) -> None:
    assert due_at(resolved(severity), BERLIN) == due


def test_working_days_keep_the_time_of_day_when_the_clocks_change() -> None:
    thursday = datetime(2026, 3, 26, 9, 0, tzinfo=UTC)  # 10:00; the clocks go forward on the 29th
    assert working_days_after(thursday, 2, BERLIN) == datetime(2026, 3, 30, 8, 0, tzinfo=UTC)


@given(st.datetimes(datetime(2025, 1, 1), datetime(2027, 1, 1)), st.integers(1, 20))
def test_a_working_day_is_never_on_a_weekend(begin: datetime, days: int) -> None:
    found = working_days_after(begin.replace(tzinfo=UTC), days, BERLIN).astimezone(BERLIN)
    assert found.weekday() < 5 and found.date() > begin.date()


def test_drills_and_what_is_open_need_no_review() -> None:
    assert due_at(resolved("SEV1", drill="black-friday"), BERLIN) is None
    draft = Draft([], 1, FRIDAY)
    assert due_at(draft.open("x", {"service": "payment", "severity": "SEV1"}), BERLIN) is None


def test_what_is_overdue_or_has_open_items_waits_and_what_is_published_does_not() -> None:
    draft = Draft([resolved("SEV1")], 2, FRIDAY)
    late = FRIDAY + timedelta(days=4)
    [row] = reviews(draft.incidents.values(), BERLIN, late)
    assert (row["state"], waits(row)) == ("overdue", True)
    draft.add(1, "review", "Review published", {"version": 1, "text": "x"})
    [row] = reviews(draft.incidents.values(), BERLIN, late)
    assert (row["state"], waits(row)) == ("published", False)
    item = {"task": "1", "text": "alert on it", "kind": "action_item", "due": FRIDAY.isoformat()}
    draft.add(1, "task", "", item)
    [row] = reviews(draft.incidents.values(), BERLIN, late)
    assert ([item["state"] for item in row["action_items"]], waits(row)) == (["overdue"], True)
