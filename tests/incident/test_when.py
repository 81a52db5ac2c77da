from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from incident.when import parse_when

NOW = datetime(2026, 1, 31, 17, 30, 5, tzinfo=ZoneInfo("Europe/Berlin"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("20m", "2026-01-31T17:50:05+01:00"),
        ("1h30m", "2026-01-31T19:00:05+01:00"),
        ("18:30", "2026-01-31T18:30:00+01:00"),
        ("09:00", "2026-02-01T09:00:00+01:00"),
        ("tomorrow 9:00", "2026-02-01T09:00:00+01:00"),
        ("Today 18:00", "2026-01-31T18:00:00+01:00"),
        ("2026-02-03T04:05", "2026-02-03T04:05:00+01:00"),
        ("2026-02-03T04:05Z", "2026-02-03T04:05:00+00:00"),
        ("2026-07-03", "2026-07-03T00:00:00+02:00"),
    ],
)
def test_people_type_instants_in_many_ways(text: str, expected: str) -> None:
    assert parse_when(text, NOW).isoformat() == expected


@pytest.mark.parametrize("text", ["soon", "25:00", "12", "tomorrow", "", "2026-13-01"])
def test_what_is_no_instant_is_told_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match="tomorrow 09:00"):
        parse_when(text, NOW)
