"""The history of the journeys: hung on the desk as `desk.history`. Everything here is async and asks the store."""

import asyncio
import heapq
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Connection

from incident.errors import IncidentError, NotFound
from incident.history import packing, shapes
from incident.history.burn import Budget, Count
from incident.history.objectives import Counting, Objective, objectives
from incident.history.packing import Run
from incident.history.rollup import ERROR_BOUND, Rollup, merged
from incident.settings import Settings
from incident.store import drills as drill_store
from incident.store import measured
from incident.store import rollups as rollup_store
from incident.store import runs as run_store
from incident.store.database import Database
from incident.store.rollups import Added
from incident.store.runs import DAY, HOUR, Place

log = structlog.get_logger("incident.history")

PACK_AFTER = timedelta(minutes=70)  # after the end of an hour: so that the last whole hour is at hand run by run
STEPS = {"hour": HOUR, "day": DAY}
MOST_POINTS = 10_000  # hours or days in one answer: all hours of 400 days are 9600
_AT_ONCE = 2  # hours packed in one transaction: some ten milliseconds, which alerts that come in meanwhile wait
_DRILLS = 20  # the newest, whose failures count for nothing even where they are reported after the end
_PRUNED_AT_ONCE = 20  # places
_PRUNE_EVERY = 3600.0
_TEND_EVERY = 30.0
_PAUSE = 0.1  # seconds between two such transactions


@dataclass(frozen=True)
class Page:
    """Runs, the newest first. `next`: ask for those before this instant; None: there are no more."""

    runs: list[dict[str, Any]]
    next: datetime | None


class History:
    def __init__(self, database: Database, clock: Callable[[], datetime], settings: Callable[[], Settings]) -> None:
        self._database = database
        self._now = clock
        self._settings = settings
        self._pruned = float("-inf")
        self._counting = Counting()

    async def take_in(self, rows: Sequence[dict[str, Any]]) -> None:
        """Keeps what `incident.store.runs.checked` made of results. Raises StoreFull."""
        now, settings = self._now(), self._settings()
        keep = timedelta(seconds=settings.limits.retention.runs)
        named = {(journey, name) for journey, names in settings.measures().items() for name in names}

        def job(connection: Connection) -> None:
            failed = any(row["outcome"] == "down" for row in rows)
            run_store.add(connection, rows, now, keep, drill_store.recent(connection, _DRILLS) if failed else ())
            measured.keep(connection, rows, named, now)

        await self._database.write(job)

    # What there was

    async def runs(
        self,
        journey: str,
        *,
        location: str | None = None,
        since: datetime | None = None,
        before: datetime | None = None,
        limit: int = 100,
        failed: bool = False,
    ) -> Page:
        """Runs of one journey. `failed`: only those that did not go well and were kept whole. Raises NotFound."""
        from_ms = 0 if since is None else shapes.milliseconds(since)
        to_ms = shapes.milliseconds(self._now() + 2 * run_store.AHEAD if before is None else before)

        def job(connection: Connection) -> list[dict[str, Any]]:
            found = _places(connection, journey, location)
            if failed:
                return run_store.failures(connection, found, from_ms, to_ms, limit + 1)
            return _newest(connection, found, from_ms, to_ms, limit + 1)

        found = await self._database.read(job)
        more = len(found) > limit
        found = found[:limit]
        return Page(found, datetime.fromisoformat(found[-1]["started_at"]) if more else None)

    async def points(
        self, journey: str, start: datetime, end: datetime, step: str, location: str | None = None
    ) -> list[dict[str, Any]]:
        """One roll-up for each hour or day (UTC) in which there were runs, oldest first. Raises NotFound."""
        from_ms, to_ms = shapes.milliseconds(start) // STEPS[step] * STEPS[step], shapes.milliseconds(end)
        look = rollup_store.hours if step == "hour" else rollup_store.days

        def job(connection: Connection) -> list[Added]:
            found = [look(connection, place, from_ms, to_ms) for place in _places(connection, journey, location)]
            by_time: dict[int, list[Rollup]] = {}
            for added in heapq.merge(*found, key=lambda one: one.from_ms):
                by_time.setdefault(added.from_ms, []).append(added.rollup)
            return [Added(at, some[0] if len(some) == 1 else merged(some)) for at, some in sorted(by_time.items())]

        added = await self._database.read(job)
        return [{"at": shapes.instant(one.from_ms).isoformat(), **one.rollup.summary()} for one in added]

    async def summary(self, journey: str, since: datetime, location: str | None = None) -> dict[str, Any]:
        """What a journey did since then, counted by whole hours, and its last result at each location.

        Raises NotFound.
        """
        from_ms, to_ms = shapes.milliseconds(since) // HOUR * HOUR, shapes.milliseconds(self._now() + run_store.AHEAD)

        def job(connection: Connection) -> tuple[list[Place], Rollup, list[dict[str, Any]]]:
            found = _places(connection, journey, location)
            added = [one.rollup for place in found for one in rollup_store.hours(connection, place, from_ms, to_ms)]
            last = [one for one in run_store.last(connection, journey) if location in (None, _location(one))]
            return found, merged(added), last

        found, whole, last = await self._database.read(job)
        return {
            "journey": journey,
            "service": last[0]["service"] if last else None,
            "locations": sorted(place.location for place in found),
            "since": shapes.instant(from_ms).isoformat(),
            "until": self._now().isoformat(),
            **whole.summary(),
            "percentile_error": ERROR_BOUND,
            "last": last,
        }

    # What was promised

    async def counts(self, windows: Iterable[float], now: datetime) -> dict[Objective, dict[float, Count]]:
        """For each journey and service with an objective: runs and failures in windows (seconds) that end now."""

        def job(connection: Connection) -> dict[Objective, dict[float, Count]]:
            return self._counting.counts(connection, self._objectives(connection), windows, now)

        return await self._database.read(job)

    async def budgets(self, journey: str | None = None) -> list[Budget]:
        """What is left, as of some minutes ago at most: of all objectives, or of those that a journey counts in."""
        now = self._now()

        def job(connection: Connection) -> list[Budget]:
            wanted = [one for one in self._objectives(connection) if journey is None or journey in one.journeys]
            return self._counting.budgets(connection, wanted, now)

        return await self._database.read(job)

    def _objectives(self, connection: Connection) -> list[Objective]:
        services = {name: service.slo for name, service in self._settings().services.items()}
        return objectives(run_store.last(connection), services)

    # Keeping it small

    async def run(self) -> None:
        """Packs and prunes for ever."""
        while True:
            try:
                await self.tend(self._now(), _PAUSE)
            except IncidentError as error:
                log.error("the history could not be tended", error=str(error))
            except Exception:
                log.exception("tending the history broke")
            await asyncio.sleep(_TEND_EVERY)

    async def tend(self, now: datetime, pause: float = 0.0) -> int:
        """Packs the hours that are over, and removes what is past its time, in small transactions.

        Returns how many runs were packed. `pause`: seconds between the transactions.
        """
        before_ms = shapes.milliseconds(now - PACK_AFTER) // HOUR * HOUR
        count = 0
        while due := await self._database.read(lambda connection: rollup_store.due(connection, before_ms)):
            for start in range(0, len(due), _AT_ONCE):
                some = due[start : start + _AT_ONCE]
                count += await self._database.write(
                    lambda connection, some=some: sum(rollup_store.pack_hour(connection, *one) for one in some)  # type: ignore[misc]
                )
                await asyncio.sleep(pause)
        if time.monotonic() - self._pruned >= _PRUNE_EVERY:
            await self.prune(now, pause)
        return count

    async def prune(self, now: datetime, pause: float = 0.0) -> None:
        """Removes what is past its time."""
        self._pruned = time.monotonic()
        kept = self._settings().limits.retention
        bounds = [shapes.milliseconds(now - timedelta(seconds=one)) for one in (kept.runs, kept.failures, kept.rollups)]
        places = [place.id for place in await self._database.read(run_store.places)]
        for start in range(0, len(places), _PRUNED_AT_ONCE):
            some = places[start : start + _PRUNED_AT_ONCE]
            await self._database.write(lambda connection, some=some: rollup_store.prune(connection, some, *bounds))  # type: ignore[misc]
            await asyncio.sleep(pause)
        unused = bounds[0] // DAY - 2
        await self._database.write(lambda connection: rollup_store.prune_shapes(connection, unused))
        await self._database.write(lambda connection: measured.prune(connection, bounds[2]))


def _places(connection: Connection, journey: str, location: str | None) -> list[Place]:
    found = run_store.places(connection, journey, location)
    if not found:
        where = "" if location is None else f" at location {location!r}"
        raise NotFound(f"no run of a journey {journey!r}{where} is known")
    return found


def _location(result: dict[str, Any]) -> str:
    return str(result.get("location") or "local")


def _newest(
    connection: Connection, places: Iterable[Place], from_ms: int, to_ms: int, limit: int
) -> list[dict[str, Any]]:
    """The newest runs of these places together: whole where evidence was kept, else what their numbers say."""
    streams = [_backwards(connection, place, from_ms, to_ms, limit) for place in places]
    newest = heapq.merge(*streams, key=lambda item: -item[1].started_ms)
    chosen = [item for item, _ in zip(newest, range(limit), strict=False)]
    known = run_store.shapes_of(connection, (run.shape for _, run in chosen))
    whole = run_store.evidence(
        connection,
        [
            (place.id, run.started_ms, run.run_id)
            for place, run in chosen
            if known[run.shape]["outcome"] in ("down", "degraded")
        ],
    )
    return [
        whole.get((place.id, run.started_ms, run.run_id)) or _result(place, run, known[run.shape])
        for place, run in chosen
    ]


def _backwards(
    connection: Connection, place: Place, from_ms: int, to_ms: int, limit: int
) -> Iterator[tuple[Place, Run]]:
    """A place's runs from the newest on; each once, also where one came again after it had been packed."""
    fresh = run_store.fresh(connection, place.id, from_ms, to_ms, limit)
    late = [run for run in fresh if run.started_ms < place.packed_ms]
    yield from ((place, run) for run in fresh if run.started_ms >= place.packed_ms)
    days = set(rollup_store.packed_days(connection, place.id, from_ms, min(to_ms, place.packed_ms)))
    for day in sorted(days | {run.started_ms // DAY for run in late}, reverse=True):
        found: dict[tuple[int, str], Run] = {}
        for chunk in rollup_store.packed(connection, place.id, day):
            found.update({(run.started_ms, run.run_id): run for run in packing.unpack(chunk)})
        found.update({(run.started_ms, run.run_id): run for run in late if run.started_ms // DAY == day})
        for key in sorted(found, reverse=True):
            if from_ms <= key[0] < to_ms:
                yield place, found[key]


def _result(place: Place, run: Run, shape: shapes.Shape) -> dict[str, Any]:
    return {
        "journey": place.journey,
        "run_id": run.run_id,
        "started_at": shapes.instant(run.started_ms).isoformat(),
        "location": place.location,
        **shapes.put_together(shape, run.values),
    }
