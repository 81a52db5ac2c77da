"""What journeys measure, such as orders a minute. The caller is in a transaction.

Of each five minutes the highest is kept, whichever location saw it. What is usual in an hour is their median, the upper
one of two: neither a short fall nor a single odd number moves it.
"""

import math
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from statistics import median_high
from typing import Any

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from incident.store.tables import measured
from probes.result import MOST_MEASURED

SLOT = 300  # seconds
HOUR = 12  # slots
_NAMES = 20  # of one result
_LONGEST_NAME = 100
_AHEAD = timedelta(minutes=5)  # that a prober's clock may be ahead


def sound(value: Any) -> dict[str, float]:
    """What a result says that it measured, without all that makes no sense: results come from outside."""
    if not isinstance(value, Mapping):
        return {}
    found = {name: float(number) for name, number in value.items() if _is_name(name) and _is_number(number)}
    return dict(list(found.items())[:_NAMES])


def _is_name(name: Any) -> bool:
    return isinstance(name, str) and 0 < len(name) <= _LONGEST_NAME and name.isprintable()


def _is_number(number: Any) -> bool:
    return isinstance(number, int | float) and not isinstance(number, bool) and 0 <= number <= MOST_MEASURED


def keep(
    connection: Connection, rows: Iterable[Mapping[str, Any]], named: Collection[tuple[str, str]], now: datetime
) -> None:
    """Of these rows of `incident.store.runs.checked`: the values of `named` journeys and names."""
    found: dict[tuple[str, str, int], float] = {}
    for row in rows:
        for name, number in row["result"].get("measured", {}).items():
            if (row["journey"], name) in named and row["started_at"] <= now + _AHEAD:
                key = row["journey"], name, _slot(row["started_at"])
                found[key] = max(number, found.get(key, 0.0))
    if not found:
        return
    make = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = make(measured)
    higher = statement.on_conflict_do_update(
        index_elements=list(measured.primary_key),
        set_={"highest": statement.excluded.highest},
        where=statement.excluded.highest > measured.c.highest,
    )
    names = ("journey", "name", "slot", "highest")
    connection.execute(higher, [dict(zip(names, (*key, found[key]), strict=True)) for key in sorted(found)])


def usual(connection: Connection, journey: str, name: str, moments: Iterable[datetime]) -> float | None:
    """What was usual in the hour before each of these moments: the highest of them. None: nothing was measured then."""
    ends = {_slot(moment) for moment in moments}
    if not ends:
        return None
    of_it = (measured.c.journey == journey, measured.c.name == name)
    query = select(measured.c.slot, measured.c.highest).where(*of_it)
    rows = connection.execute(query.where(measured.c.slot.between(min(ends) - HOUR, max(ends))))
    highest = {row.slot: row.highest for row in rows}
    hours = ([highest[slot] for slot in range(end - HOUR, end + 1) if slot in highest] for end in ends)
    return max((median_high(hour) for hour in hours if hour), default=None)


def prune(connection: Connection, before_ms: int) -> None:
    connection.execute(delete(measured).where(measured.c.slot < before_ms // 1000 // SLOT))


def _slot(moment: datetime) -> int:
    return math.floor(moment.timestamp() / SLOT)
