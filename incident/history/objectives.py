"""What was promised, held against what was counted: over all locations, run by run."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from incident.history import shapes
from incident.history.burn import BUDGET_WINDOW, Budget, Count
from incident.history.rollup import DOWN, UNJUDGED
from incident.store import rollups as rollup_store
from incident.store import runs as run_store
from incident.store.runs import Place

LONG = 86400.0  # seconds: what is counted over more than this hardly moves within minutes
LONG_HOLDS = timedelta(minutes=5)


@dataclass(frozen=True)
class Objective:
    """`journey` is empty where the objective is a service's: then it covers all journeys of that service."""

    journey: str
    service: str
    slo: float
    journeys: frozenset[str]


def objectives(last: Iterable[Mapping[str, Any]], services: Mapping[str, float | None]) -> list[Objective]:
    """From the last result of each journey, which says what its file promises, and from what services promise."""
    found: dict[str, Objective] = {}
    of_service: dict[str, set[str]] = {}
    for result in last:
        journey, service, slo = result["journey"], result["service"], result.get("slo")
        of_service.setdefault(service, set()).add(journey)
        if isinstance(slo, float) and 0.5 <= slo < 1:
            found[journey] = Objective(journey, service, slo, frozenset({journey}))
    return [found[journey] for journey in sorted(found)] + [
        Objective("", service, slo, frozenset(of_service[service]))
        for service, slo in services.items()
        if slo is not None and service in of_service
    ]


class Counting:
    """Counts runs and failures in windows that end now, and remembers the long windows for some minutes."""

    def __init__(self) -> None:
        self._long: dict[float, tuple[datetime, dict[int, Count]]] = {}

    def counts(
        self, connection: Connection, wanted: Sequence[Objective], windows: Iterable[float], now: datetime
    ) -> dict[Objective, dict[float, Count]]:
        """For each objective and window (seconds)."""
        places = [
            place for place in run_store.places(connection) if any(place.journey in one.journeys for one in wanted)
        ]
        by_window = {window: self._window(connection, places, window, now) for window in windows}
        return {
            one: {
                window: sum((found[place.id] for place in places if place.journey in one.journeys), Count())
                for window, found in by_window.items()
            }
            for one in wanted
        }

    def budgets(self, connection: Connection, wanted: Sequence[Objective], now: datetime) -> list[Budget]:
        counts = self.counts(connection, wanted, [BUDGET_WINDOW], now)
        return [Budget(one.journey, one.service, one.slo, counts[one][BUDGET_WINDOW]) for one in wanted]

    def _window(
        self, connection: Connection, places: Sequence[Place], window: float, now: datetime
    ) -> dict[int, Count]:
        at, kept = self._long.get(window, (now, {}))
        if kept.keys() >= {place.id for place in places} and timedelta(0) <= now - at < LONG_HOLDS:
            return kept
        found = window_counts(connection, places, shapes.milliseconds(now - timedelta(seconds=window)), now)
        if window > LONG:
            self._long[window] = now, found
        return found


def window_counts(connection: Connection, places: Sequence[Place], from_ms: int, now: datetime) -> dict[int, Count]:
    """By place, since `from_ms`: of hours that are packed, failures to five minutes, runs in proportion."""
    to_ms = shapes.milliseconds(now)
    unpacked = run_store.counted(connection, places, from_ms, to_ms + 1)
    found = {}
    for place in places:
        count = Count()
        if from_ms < place.packed_ms:
            count = rollup_store.counted_since(connection, place.id, from_ms, to_ms)
        kinds = unpacked.get(place.id)
        found[place.id] = count if kinds is None else count + Count(sum(kinds[:UNJUDGED]), kinds[DOWN])
    return found
