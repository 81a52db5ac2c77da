from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.core.muting.windows import Recurrence, Window, check_cron

DAWN = datetime(2026, 1, 1, tzinfo=UTC)
NIGHTLY = Recurrence("30 2 * * *", timedelta(hours=1), "Europe/Berlin")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def spans(window: Window, start: datetime, days: int) -> list[str]:
    """Its spans, as found by asking again at each end."""
    found, now = [], start
    while (span := window.span(now)) is not None and span[0] < start + timedelta(days=days):
        found.append(f"{span[0]:%d %H:%M}-{span[1]:%H:%M}")
        now = span[1]
    return found


@pytest.mark.parametrize(
    ("start", "found"),
    [
        ("2026-01-10 00:00", ["10 01:30-02:30", "11 01:30-02:30"]),  # winter: two hours and a half is half past one
        ("2026-03-28 00:00", ["28 01:30-02:30", "29 01:00-02:00"]),  # half past two does not come: right after the gap
        ("2026-07-10 00:00", ["10 00:30-01:30", "11 00:30-01:30"]),
        ("2026-10-24 00:00", ["24 00:30-01:30", "25 00:30-01:30"]),  # it comes twice: the window does so once
    ],
    ids=["winter", "put-forward", "summer", "put-back"],
)
def test_a_window_keeps_to_the_clock_on_the_wall_and_lasts_real_hours(start: str, found: list[str]) -> None:
    assert spans(Window(DAWN, None, NIGHTLY), at(start), 2) == found


def test_a_window_without_a_recurrence_is_one_span() -> None:
    window = Window(at("2026-02-01 10:00"), at("2026-02-01 12:00"))
    assert [window.open(at(f"2026-02-01 {hour}:00")) for hour in ("09", "10", "11", "12")] == [False, True, True, False]
    assert window.edge(at("2026-02-01 09:00")) == at("2026-02-01 10:00")
    assert window.edge(at("2026-02-01 10:00")) == at("2026-02-01 12:00")
    assert window.span(at("2026-02-01 12:00")) is None and window.edge(at("2026-02-01 12:00")) is None


def test_a_recurrence_keeps_to_its_bounds() -> None:
    window = Window(at("2026-02-01 01:30"), at("2026-02-03 02:00"), NIGHTLY)
    assert spans(window, at("2026-01-20 00:00"), 60) == ["01 01:30-02:30", "02 01:30-02:30", "03 01:30-02:00"]


def test_one_that_is_made_in_the_middle_of_its_own_window_is_open_at_once() -> None:
    nightly = Recurrence("0 2 * * *", timedelta(hours=3), "UTC")
    made = datetime(2026, 3, 1, 3, 30, 20, tzinfo=UTC)
    window = Window(made, None, nightly)
    ends = datetime(2026, 3, 1, 5, tzinfo=UTC)
    assert window.span(made) == (made, ends)
    assert window.span(made - timedelta(hours=9)) == (made, ends)
    assert window.span(ends) == (datetime(2026, 3, 2, 2, tzinfo=UTC), datetime(2026, 3, 2, 5, tzinfo=UTC))


def test_a_window_that_is_longer_than_its_period_is_always_open() -> None:
    window = Window(DAWN, None, Recurrence("0 * * * *", timedelta(hours=2), "UTC"))
    assert all(window.open(DAWN + timedelta(minutes=minutes)) for minutes in range(0, 300, 7))


@given(
    st.sampled_from(["30 2 * * *", "0 */6 * * *", "15 3 * * 1-5", "0 0 1 * *", "59 1 * * 0"]),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]),
    st.integers(60, 200_000),
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),
)
def test_between_two_edges_nothing_opens_or_closes(cron: str, zone: str, seconds: int, now: datetime) -> None:
    window = Window(DAWN, None, Recurrence(cron, timedelta(seconds=seconds), zone))
    edge = window.edge(now)
    assert edge is not None and edge > now
    before = window.open(now)
    for share in (0.01, 0.5, 0.99):
        assert window.open(now + (edge - now) * share) == before


@pytest.mark.parametrize("text", ["", "* * * *", "60 * * * *", "0 0 31 2 *", "* * * * * *", "@daily", "0 2 * * mon-x"])
def test_what_is_no_schedule_is_told_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r'write (one|a cron schedule) such as "0 2'):
        check_cron(text)
