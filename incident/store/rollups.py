"""Past hours of runs, packed and added up. The caller is in a transaction.

A roll-up is made from the runs of its hour, all of them, in the transaction in which they are packed: whatever is cut
short is done again, and nothing is counted twice. A run that comes late is packed with the others of its hour, and the
hour is added up anew.
"""

import json
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, func, select, update

from incident.history import packing, shapes
from incident.history.burn import Count
from incident.history.packing import Run
from incident.history.rollup import DOWN, SLICES, UNJUDGED, Rollup, merged
from incident.store import runs as run_store
from incident.store.runs import DAY, HOUR, Place
from incident.store.sql import upsert
from incident.store.tables import run_blocks, run_failures, run_places, run_rollups, run_shapes, runs

Hours = list[Rollup | None]


def due(connection: Connection, before_ms: int) -> list[tuple[int, int]]:
    """Places with runs to pack that began before this, and the hour of the oldest of each (ms since 1970)."""
    oldest = select(func.min(runs.c.started_ms)).where(runs.c.place == run_places.c.id).scalar_subquery()
    rows = connection.execute(select(run_places.c.id, oldest))
    return [(place, first // HOUR * HOUR) for place, first in rows if first is not None and first < before_ms]


def pack_hour(connection: Connection, place: int, hour: int) -> int:
    """Packs what there is of this hour, and adds it up. Returns how many runs that was."""
    query = select(run_places).where(run_places.c.id == place).with_for_update()
    packed_ms = connection.execute(query).one().packed_ms
    columns = runs.c.started_ms, runs.c.run_id, runs.c.shape, runs.c.kind, runs.c.numbers
    taken = delete(runs).where(run_store.within(runs, place, hour, hour + HOUR)).returning(*columns)
    fresh = [Run(*row) for row in connection.execute(taken)]
    if not fresh:
        return 0
    whole, known = _pack(connection, place, hour, fresh, late=hour + HOUR <= packed_ms)
    _add_up(connection, place, hour, whole, known)
    moved = update(run_places).where(run_places.c.id == place, run_places.c.packed_ms < hour + HOUR)
    connection.execute(moved.values(packed_ms=hour + HOUR))
    return len(fresh)


def _pack(connection: Connection, place: int, hour: int, fresh: list[Run], late: bool) -> tuple[list[Run], bool]:
    """All runs of the hour, and whether some had been packed before."""
    key = (run_blocks.c.place == place, run_blocks.c.day == hour // DAY)
    data = connection.execute(select(run_blocks.c.data).where(*key)).scalar() or b""
    known = False
    if late:  # to its place between the chunks of the other hours
        others = [(packing.unpack(chunk), chunk) for chunk in packing.chunks(data)]
        before = [run for found, _ in others for run in found if found[0].started_ms // HOUR * HOUR == hour]
        known = bool(before)
        fresh = list({(run.started_ms, run.run_id): run for run in [*fresh, *before]}.values())
        kept = [(found[0].started_ms, chunk) for found, chunk in others if found[0].started_ms // HOUR * HOUR != hour]
        kept.append((min(run.started_ms for run in fresh), packing.pack(fresh)))
        data = b"".join(chunk for _, chunk in sorted(kept))
    else:
        data += packing.pack(fresh)
    upsert(connection, run_blocks, [{"place": place, "day": hour // DAY, "data": data}])
    return fresh, known


def _add_up(connection: Connection, place: int, hour: int, whole: Iterable[Run], known: bool) -> None:
    """`known`: these are all runs of the hour, some of which had been added up before."""
    key = (run_rollups.c.place == place, run_rollups.c.day == hour // DAY)
    there = connection.execute(select(run_rollups.c.hours).where(*key)).scalar()
    hours: Hours = [None] * 24 if there is None else _hours(there)
    at = hour % DAY // HOUR
    fresh = of_runs(whole, run_store.shapes_of(connection, (run.shape for run in whole)))
    before = hours[at]
    hours[at] = fresh if known or before is None else merged([before, fresh])  # its runs are gone, or it had none
    total = merged(one for one in hours if one is not None)
    row = {"place": place, "day": hour // DAY, "total": _bytes(total.to_json())}
    row["hours"] = _bytes([None if one is None else one.to_json() for one in hours])
    upsert(connection, run_rollups, [row])


def of_runs(found: Iterable[Run], known: dict[int, shapes.Shape]) -> Rollup:
    """The roll-up of these runs, whose shapes are `known`."""
    whole = Rollup()
    for run in found:
        if run.kind >= 0:
            step = shapes.failing_step(known[run.shape])
            whole.add(run.kind, shapes.duration(run.values[0]), step, run.started_ms % HOUR * SLICES // HOUR)
    return whole


@dataclass(frozen=True)
class Added:
    """What the runs of one place in one hour or day add up to; `from_ms` since 1970."""

    from_ms: int
    rollup: Rollup


def hours(connection: Connection, place: Place, from_ms: int, to_ms: int) -> list[Added]:
    """The hours that begin in this time, oldest first; also those whose runs are not packed yet."""
    key = (run_rollups.c.place == place.id, run_rollups.c.day >= from_ms // DAY, run_rollups.c.day <= to_ms // DAY)
    query = select(run_rollups.c.day, run_rollups.c.hours).where(*key).order_by(run_rollups.c.day)
    found = {
        row.day * DAY + at * HOUR: one
        for row in connection.execute(query)
        for at, one in enumerate(_hours(row.hours))
        if one is not None
    }
    for hour, rollup in _not_packed(connection, place, from_ms, to_ms).items():
        found[hour] = rollup if hour not in found else merged([found[hour], rollup])
    return [Added(hour, found[hour]) for hour in sorted(found) if from_ms <= hour < to_ms]


def days(connection: Connection, place: Place, from_ms: int, to_ms: int) -> list[Added]:
    """The days (UTC) that begin in this time, oldest first; also the present one."""
    key = (
        run_rollups.c.place == place.id,
        run_rollups.c.day >= -(-from_ms // DAY),
        run_rollups.c.day < -(-to_ms // DAY),
    )
    query = select(run_rollups.c.day, run_rollups.c.total).where(*key)
    found = {row.day * DAY: Rollup.from_json(_json(row.total)) for row in connection.execute(query)}
    for hour, rollup in _not_packed(connection, place, from_ms, to_ms + DAY).items():
        day = hour // DAY * DAY
        found[day] = rollup if day not in found else merged([found[day], rollup])
    return [Added(day, found[day]) for day in sorted(found) if from_ms <= day < to_ms]


def _not_packed(connection: Connection, place: Place, from_ms: int, to_ms: int) -> dict[int, Rollup]:
    """By hour. Those that came late wait until they are packed, since they might be there already."""
    waiting = run_store.fresh(connection, place.id, max(from_ms, place.packed_ms), to_ms)
    known = run_store.shapes_of(connection, (run.shape for run in waiting))
    by_hour: dict[int, list[Run]] = {}
    for run in waiting:
        by_hour.setdefault(run.started_ms // HOUR * HOUR, []).append(run)
    return {hour: of_runs(some, known) for hour, some in by_hour.items()}


def packed_days(connection: Connection, place: int, from_ms: int, to_ms: int) -> list[int]:
    """On which there are packed runs, the newest first."""
    key = (run_blocks.c.place == place, run_blocks.c.day >= from_ms // DAY, run_blocks.c.day <= to_ms // DAY)
    return list(connection.execute(select(run_blocks.c.day).where(*key).order_by(run_blocks.c.day.desc())).scalars())


def packed(connection: Connection, place: int, day: int) -> list[bytes]:
    """The chunks of a day, oldest first."""
    key = (run_blocks.c.place == place, run_blocks.c.day == day)
    data = connection.execute(select(run_blocks.c.data).where(*key)).scalar()
    return [] if data is None else list(packing.chunks(data))


def prune(connection: Connection, some: Sequence[int], runs_ms: int, failures_ms: int, rollups_ms: int) -> int:
    """Removes of these places what began before those moments. Returns how many rows that was."""
    gone = 0
    for table, before in ((run_blocks, runs_ms // DAY), (run_rollups, rollups_ms // DAY)):
        gone += connection.execute(delete(table).where(table.c.place.in_(some), table.c.day < before)).rowcount
    for table, before in ((runs, runs_ms), (run_failures, failures_ms)):
        gone += connection.execute(delete(table).where(table.c.place.in_(some), table.c.started_ms < before)).rowcount
    return gone


def prune_shapes(connection: Connection, before_day: int) -> None:
    """Those that no run has had since then. The runs that had them must be gone."""
    connection.execute(delete(run_shapes).where(run_shapes.c.used_day < before_day))


def _bytes(document: Any) -> bytes:
    return zlib.compress(json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode(), 9)


def _json(data: bytes) -> Any:
    return json.loads(zlib.decompress(data))


def _hours(data: bytes) -> Hours:
    return [None if one is None else Rollup.from_json(one) for one in _json(data)]


def counted_since(connection: Connection, place: int, from_ms: int, to_ms: int) -> Count:
    """The packed runs of a place in this time. The hour in which it begins counts in part."""
    key = (run_rollups.c.place == place, run_rollups.c.day >= from_ms // DAY, run_rollups.c.day <= to_ms // DAY)
    whole = Count()
    query = select(run_rollups.c.day, run_rollups.c.total).where(*key, run_rollups.c.day > from_ms // DAY)
    for row in connection.execute(query):
        whole += _count(_json(row.total))
    first = select(run_rollups.c.hours).where(*key, run_rollups.c.day == from_ms // DAY)
    data = connection.execute(first).scalar()
    for at, one in enumerate([] if data is None else _json(data)):
        begins = from_ms // DAY * DAY + at * HOUR
        if one is not None and begins + HOUR > from_ms:
            whole += _count(one, from_ms - begins)
    return whole


def _count(found: list[Any], skip_ms: int = 0) -> Count:
    """Of a roll-up as it is stored, without so many milliseconds of its beginning."""
    counts = found[0]
    runs = sum(counts[:UNJUDGED])
    if skip_ms <= 0:
        return Count(runs, counts[DOWN])
    slices = found[5] if len(found) > 5 else []
    failures = sum(count for at, count in slices if at >= skip_ms * SLICES // HOUR)
    return Count(max(failures, round(runs * (1 - skip_ms / HOUR))), failures)
