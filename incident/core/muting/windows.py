"""Spans of time: from one instant to another, or again and again by cron in a time zone. Pure.

A window that recurs lasts as long as it says in real hours, whatever the clocks on the wall do meanwhile; a start that
daylight saving skips happens right after the gap, and one that comes twice happens once, as in Debian's cron.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

Span = tuple[datetime, datetime]


def check_cron(text: str) -> str:
    """Five fields, as in crontab. Raises ValueError with a text for the user."""
    try:
        if len(text.split()) != 5:
            raise CronSimError("it should have five fields")
        next(CronSim(text, datetime(2026, 1, 1, tzinfo=UTC)))
    except CronSimError as error:
        problem = str(error)[:1].lower() + str(error)[1:]
        raise ValueError(f'"{text}" is not a cron schedule ({problem}): write one such as "0 2 * * *"') from None
    except StopIteration:
        raise ValueError(f'"{text}" never comes: write a cron schedule such as "0 2 * * *"') from None
    return text


@dataclass(frozen=True, slots=True)
class Recurrence:
    """Windows of `duration` that begin as `cron` says, by the clocks of `time_zone`."""

    cron: str
    duration: timedelta
    time_zone: str

    def last(self, now: datetime) -> datetime | None:
        """The start at or before `now`."""
        return _around(self.cron, self.time_zone, now.replace(second=0, microsecond=0))[0]

    def next(self, now: datetime) -> datetime | None:
        """The first start after `now`."""
        return _around(self.cron, self.time_zone, now.replace(second=0, microsecond=0))[1]


@lru_cache(maxsize=4096)
def _around(cron: str, time_zone: str, minute: datetime) -> tuple[datetime | None, datetime | None]:
    """The starts before and after; kept, because a schedule that seldom comes takes long to look through."""
    just_after = minute + timedelta(seconds=1)
    last = next((start for start in _starts(cron, time_zone, just_after, reverse=True) if start <= minute), None)
    following = next((start for start in _starts(cron, time_zone, minute) if start > minute), None)
    return last, following


def _starts(cron: str, time_zone: str, instant: datetime, reverse: bool = False) -> Iterator[datetime]:
    for start in CronSim(cron, instant.astimezone(ZoneInfo(time_zone)), reverse=reverse):
        yield start.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Window:
    """From `starts_at` to `ends_at` (None: without an end); with a recurrence, what of its windows lies in between."""

    starts_at: datetime
    ends_at: datetime | None
    recurrence: Recurrence | None = None

    def span(self, now: datetime) -> Span | None:
        """The span that is open at `now`, else the next one; None when it is all over."""
        if self.over(now):
            return None
        if self.recurrence is None:
            return self.starts_at, self._bounded(datetime.max.replace(tzinfo=UTC))
        at = max(now, self.starts_at)
        last = self.recurrence.last(at)
        if last is not None and at < last + self.recurrence.duration:
            return max(last, self.starts_at), self._bounded(last + self.recurrence.duration)
        following = self.recurrence.next(at)
        if following is None or (self.ends_at is not None and following >= self.ends_at):
            return None
        return following, self._bounded(following + self.recurrence.duration)

    def over(self, now: datetime) -> bool:
        return self.ends_at is not None and self.ends_at <= now

    def open(self, now: datetime) -> bool:
        span = self.span(now)
        return span is not None and span[0] <= now < span[1]

    def edge(self, now: datetime) -> datetime | None:
        """When, after `now`, it opens or closes next."""
        span = self.span(now)
        return None if span is None else next((instant for instant in span if instant > now), None)

    def _bounded(self, end: datetime) -> datetime:
        return end if self.ends_at is None else min(end, self.ends_at)
