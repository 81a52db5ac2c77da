"""Instants as people type them: `2026-01-31T09:00`, `20m`, `tomorrow 09:00`, `18:30`. Pure."""

import re
from datetime import datetime, timedelta

_CLOCK = re.compile(r"(?:(today|tomorrow)\s+)?(\d{1,2}):(\d\d)")
_EXAMPLES = "write 2026-01-31T09:00, 20m, 18:30 or tomorrow 09:00"


def parse_when(text: str, now: datetime) -> datetime:
    """The instant that `text` means at `now`, which carries the user's zone; a duration counts from now on.

    A time of day without a day is the next one. Raises ValueError with a text for the user.
    """
    words = text.strip().lower()
    if clock := _CLOCK.fullmatch(words):
        return _at_clock(clock[1], int(clock[2]), int(clock[3]), now)
    try:
        parsed = datetime.fromisoformat(text.strip())
    except ValueError:
        return now + timedelta(seconds=_duration(words))
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=now.tzinfo)


def _at_clock(day: str | None, hour: int, minute: int, now: datetime) -> datetime:
    try:
        found = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
    except ValueError:
        raise ValueError(f"{hour}:{minute:02} is not a time of day: {_EXAMPLES}") from None
    if day == "tomorrow" or (day is None and found <= now):
        return found + timedelta(days=1)
    return found


def _duration(words: str) -> float:
    from probes.duration import parse_duration

    try:
        return parse_duration(words)
    except ValueError:
        raise ValueError(f"{words!r} is not a time: {_EXAMPLES}") from None
