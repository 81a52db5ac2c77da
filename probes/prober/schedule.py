"""When each journey runs: spread over its interval, never twice at once, and late by as little as can be.

Each journey has a fixed place in its interval, computed from its name, so that a hundred journeys do not start
together and a restart does not shift them; each location but the first has places of its own, so that they do not all
come to the shop at once. The places are instants of the wall clock as it stood at the start; from
then on only the monotonic clock counts, so that a clock that is set does nothing.
"""

import asyncio
import hashlib
import heapq
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

DEFAULT_LOCATION = "local"
FIRST_RUNS_WITHIN = 10.0  # seconds: nobody wants to wait an hour to see whether a new hourly journey works


@dataclass(slots=True)
class _Entry:
    every: float
    place: float  # 0 <= place < 1: where in the interval
    due: float = math.inf
    running: bool = False
    version: int = 0  # of the entry's tuple on the heap; older tuples are void


class Agenda:
    """The pure part: a heap of due times. Every instant is in seconds of one monotonic clock, handed in.

    `epoch`: the wall clock's reading (Unix seconds) when the monotonic clock read zero. `location`: whose places.
    """

    def __init__(self, epoch: float, location: str = DEFAULT_LOCATION) -> None:
        self._epoch = epoch
        self._location = location
        self._entries: dict[str, _Entry] = {}
        self._heap: list[tuple[float, int, str]] = []
        self._versions = itertools.count(1)

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, name: str, every: float, now: float, *, last_run: float | None = None) -> None:
        """`last_run` (Unix seconds): when it last started, before this process. Raises ValueError for a bad interval.

        A journey that is overdue, or never ran, runs within ten seconds; others wait for their place.
        """
        if name in self._entries:
            raise ValueError(f"journey {name!r} is on the agenda already")
        if not every > 0 or math.isinf(every):
            raise ValueError(f"an interval must be longer than nothing, not {every!r} s")
        entry = self._entries[name] = _Entry(every, place(name, self._location))
        due = self._next_place(entry, now)
        wait = due + self._epoch - last_run if last_run is not None else math.inf
        if not 0 < wait <= 1.5 * every:
            due = min(due, now + entry.place * min(every, FIRST_RUNS_WITHIN))
        self._set(name, entry, due)

    def remove(self, name: str) -> None:
        """A run that is under way goes on; `finished` will then do nothing."""
        self._entries.pop(name, None)

    def change(self, name: str, every: float, now: float) -> None:
        """Another interval. A run that is under way or about to be repeated soon is not touched by it."""
        entry = self._entries[name]
        entry.every = every
        if not entry.running:
            self._set(name, entry, min(entry.due, self._next_place(entry, now)))

    def hasten(self, name: str, due: float) -> None:
        """Its next run is at `due`, if that comes first. A run that is under way is not touched by it."""
        entry = self._entries.get(name)
        if entry is not None and not entry.running and due < entry.due:
            self._set(name, entry, due)

    def pop_due(self, now: float) -> list[tuple[str, float]]:
        """Journeys to start now, each with how late (seconds) that is. They stay off the agenda until `finished`."""
        started = []
        while self._heap and self._heap[0][0] <= now:
            due, version, name = heapq.heappop(self._heap)
            entry = self._entries.get(name)
            if entry is None or entry.version != version:
                continue
            entry.running, entry.due = True, math.inf
            started.append((name, now - due))
        return started

    def finished(self, name: str, now: float, sooner: float | None = None) -> None:
        """The run is over: the next is at the journey's next place, or in `sooner` seconds if that comes first.

        The places that an overrun has missed are gone; nothing piles up.
        """
        entry = self._entries.get(name)
        if entry is None:
            return
        entry.running = False
        due = self._next_place(entry, now)
        self._set(name, entry, due if sooner is None else min(due, now + sooner))

    def next_due(self) -> float | None:
        while self._heap:
            due, version, name = self._heap[0]
            entry = self._entries.get(name)
            if entry is not None and entry.version == version and not entry.running:
                return due
            heapq.heappop(self._heap)
        return None

    def _next_place(self, entry: _Entry, now: float) -> float:
        """The first instant after `now` at the journey's place in its interval; intervals count from the Unix epoch."""
        turns = math.floor((now + self._epoch) / entry.every - entry.place) + 1
        due = (turns + entry.place) * entry.every - self._epoch
        return due if due > now else due + entry.every  # rounding may fall on `now` itself

    def _set(self, name: str, entry: _Entry, due: float) -> None:
        entry.due = due
        entry.version = next(self._versions)
        heapq.heappush(self._heap, (due, entry.version, name))


class Schedule:
    """The agenda on a running event loop: one timer, which calls `start(name, lag_s)` for what is due.

    `start` must not block and must not raise; whoever started the run calls `finished` at its end.
    """

    def __init__(
        self,
        start: Callable[[str, float], None],
        *,
        wall_clock: Callable[[], float],
        location: str = DEFAULT_LOCATION,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._start = start
        self._timer: asyncio.TimerHandle | None = None
        self._armed_for = math.inf
        self._closed = False
        self.agenda = Agenda(wall_clock() - self._loop.time(), location)

    def add(self, name: str, every: float, *, last_run: float | None = None) -> None:
        self.agenda.add(name, every, self._loop.time(), last_run=last_run)
        self._arm()

    def change(self, name: str, every: float) -> None:
        self.agenda.change(name, every, self._loop.time())
        self._arm()

    def hasten(self, name: str, seconds: float) -> None:
        """The next run in so many seconds, if that comes first."""
        self.agenda.hasten(name, self._loop.time() + seconds)
        self._arm()

    def remove(self, name: str) -> None:
        self.agenda.remove(name)

    def finished(self, name: str, sooner: float | None = None) -> None:
        self.agenda.finished(name, self._loop.time(), sooner)
        self._arm()

    def close(self) -> None:
        """No run starts after this."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()

    def _arm(self) -> None:
        due = self.agenda.next_due()
        if self._closed or due is None or due >= self._armed_for:
            return  # the timer rings early enough
        if self._timer is not None:
            self._timer.cancel()
        self._armed_for = due
        self._timer = self._loop.call_at(due, self._ring)

    def _ring(self) -> None:
        self._armed_for = math.inf
        for name, lag in self.agenda.pop_due(self._loop.time() + 0.0005):  # the loop's clock has a resolution
            self._start(name, max(0.0, lag - 0.0005))
        self._arm()


def place(name: str, location: str = DEFAULT_LOCATION) -> float:
    """Where in its interval a journey runs: at least 0, less than 1, and always the same for one name and location."""
    key = name if location == DEFAULT_LOCATION else f"{name}@{location}"
    digest = hashlib.blake2b(key.encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64
