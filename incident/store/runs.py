"""Results of journeys as they come in. The caller is in a transaction.

A run is known by its journey, location, start and id: one that comes twice is kept once. Every run is kept as a few
numbers and the number of its shape; what did not go well is kept whole besides, as evidence. Those of past hours are
packed by `incident.store.rollups`.
"""

import hashlib
import json
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select, update

from incident.core.alerts import DrillWindow
from incident.errors import Refused
from incident.history import rollup, shapes
from incident.history.packing import Run, numbers_of
from incident.store import measured
from incident.store.sql import chunks, insert_new, upsert
from incident.store.tables import journeys, run_failures, run_places, run_shapes, runs

_OUTCOMES = ("up", "degraded", "down", "skipped")
MOST_EVIDENCE = 20  # whole failures of one journey at one location in one hour; the others are as short as good runs
MOST_STEPS = 500  # of one run, or of its cleaning
AHEAD = timedelta(days=1)  # how far a prober's clock may be ahead for its runs to be kept
HOUR = 3_600_000  # milliseconds
DAY = 24 * HOUR
# What the results have in common, so that each is compressed well. A changed text could not read what was kept before.
_COMMON = (
    b'"expected": null, "seen": null, "status": null, "phases": {}, "duration_s": 0.0, "attempts": 1, "url": null, '
    b'"curl": null}], "cleanup": [], "labels": {}, "location": "local", "account": null, "lag_s": 0.00'
    b'{"name": "", "service": "checkout", "outcome": "skipped", "reason": null, "outcome": "down", "reason": "timeout"'
    b'"outcome": "up", "reason": null, "expected": null, "seen": null, "status": 200, "phases": {"resolve": 0.0, '
    b'"connect": 0.0, "tls": 0.0, "processing": 0.0, "transfer": 0.0}, "duration_s": 0.0, "attempts": 1, "url": "https'
    b'{"journey": "", "service": "", "run_id": "", "outcome": "down", "started_at": "20", "duration_s": "steps": ['
)


@dataclass(frozen=True)
class Place:
    """Where one journey runs. `packed_ms`: runs that began before it are packed."""

    id: int
    journey: str
    location: str
    packed_ms: int


def checked(result: Any) -> dict[str, Any]:
    """The row of one result. Raises Refused with what is wrong about it."""
    if not isinstance(result, Mapping):
        raise Refused("a result should be an object")
    texts = {name: result.get(name) for name in ("journey", "run_id", "service")}
    wrong = [name for name, value in texts.items() if not isinstance(value, str) or not _is_name(value)]
    if result.get("outcome") not in _OUTCOMES:
        wrong.append("outcome")
    location = result.get("location") or "local"
    duration = result.get("duration_s")
    if not isinstance(location, str) or not _is_name(location):
        wrong.append("location")
    if isinstance(duration, bool) or not isinstance(duration, int | float) or not 0 <= duration < 1e6:
        wrong.append("duration_s")
    try:
        started = datetime.fromisoformat(result["started_at"])
        started.astimezone(UTC)
    except (KeyError, TypeError, ValueError, OverflowError):
        wrong.append("started_at")
        started = datetime.now(UTC)
    wrong += [name for name in ("steps", "cleanup") if not _steps_of(result.get(name))]
    if wrong or started.tzinfo is None:
        raise Refused(f"a result has a bad {', '.join(wrong or ['started_at'])}")
    return {
        **texts,
        "location": location,
        "outcome": result["outcome"],
        "started_at": started,
        "duration_s": float(duration or 0),
        "result": _with_what_it_measured(result),
    }


def _with_what_it_measured(result: Mapping[str, Any]) -> dict[str, Any]:
    """A run that failed has measured nothing, whatever it says."""
    found = measured.sound(result.get("measured")) if result["outcome"] in ("up", "degraded") else {}
    rest = {name: value for name, value in result.items() if name != "measured"}
    return {**rest, "measured": found} if found else rest


def _is_name(text: str) -> bool:
    return 0 < len(text) <= 100 and text.isprintable()


def _steps_of(value: Any) -> bool:
    if value is None:
        return True
    return isinstance(value, list) and len(value) <= MOST_STEPS and all(isinstance(step, Mapping) for step in value)


def is_sound(result: Any) -> bool:
    try:
        checked(result)
    except Refused:
        return False
    return True


def add(
    connection: Connection,
    rows: Sequence[Mapping[str, Any]],
    now: datetime,
    keep: timedelta,
    drills: Iterable[DrillWindow] = (),
) -> None:
    """Keeps these runs, unless they began longer ago than `keep`. What fails in a drill's window counts for nothing."""
    fresh = list({(row["journey"], row["location"], row["run_id"]): row for row in rows}.values())
    _keep_last(connection, fresh)
    timely = [row for row in fresh if now - keep <= row["started_at"] <= now + AHEAD]
    if not timely:
        return
    windows = tuple(drills)
    known = _places(connection, {(row["journey"], row["location"]) for row in timely})
    apart = [shapes.take_apart({**row["result"], "duration_s": row["duration_s"]}) for row in timely]
    numbers = _shapes(connection, [shape for shape, _ in apart], int(now.timestamp()) // 86400)
    kept, bad = [], []
    for row, (shape, values), number in zip(timely, apart, numbers, strict=True):
        key = {
            "place": known[row["journey"], row["location"]],
            "started_ms": shapes.milliseconds(row["started_at"]),
            "run_id": row["run_id"],
        }
        kind = _kind(shape, row["started_at"], windows)
        kept.append({**key, "shape": number, "kind": kind, "numbers": numbers_of(values)})
        if row["outcome"] in ("down", "degraded"):
            bad.append((key, row["result"]))
    insert_new(connection, runs, kept)
    _keep_evidence(connection, bad)


def _kind(shape: shapes.Shape, started_at: datetime, drills: Sequence[DrillWindow]) -> int:
    step = shapes.failing_step(shape)
    kind = rollup.counts_as(shape["outcome"], step[1] if step else None)
    if kind == rollup.DOWN:
        concerned = {shape["service"], *(one["service"] for one in shape["steps"] if one["outcome"] == "down")}
        for window in drills:
            during = window.opened_at <= started_at < (window.closed_at or window.until)
            if during and (window.services is None or concerned & set(window.services)):
                return rollup.UNJUDGED
    return -1 if kind is None else kind


def _places(connection: Connection, wanted: set[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """The number of each journey at its location; new ones get one."""
    found: dict[tuple[str, str], int] = {}

    def look(missing: Iterable[tuple[str, str]]) -> None:
        for some in chunks(sorted({journey for journey, _ in missing})):
            for row in connection.execute(select(run_places).where(run_places.c.journey.in_(some))):
                found[row.journey, row.location] = row.id

    look(wanted)
    if missing := sorted(wanted - found.keys()):
        rows = [{"journey": journey, "location": location, "packed_ms": 0} for journey, location in missing]
        insert_new(connection, run_places, rows)
        look(missing)
    return found


def _shapes(connection: Connection, found: Sequence[shapes.Shape], today: int) -> list[int]:
    """The number of each shape; new ones get one."""
    digests = [hashlib.md5(shapes.text_of(shape).encode(), usedforsecurity=False).hexdigest() for shape in found]
    by_digest = dict(zip(digests, found, strict=True))
    known: dict[str, int] = {}
    stale: list[int] = []

    def look(missing: Iterable[str]) -> None:
        for some in chunks(sorted(missing)):
            columns = run_shapes.c.id, run_shapes.c.digest, run_shapes.c.used_day
            for row in connection.execute(select(*columns).where(run_shapes.c.digest.in_(some))):
                known[row.digest] = row.id
                if row.used_day < today:
                    stale.append(row.id)

    look(by_digest)
    if missing := sorted(by_digest.keys() - known.keys()):
        rows = [{"digest": digest, "shape": by_digest[digest], "used_day": today} for digest in missing]
        insert_new(connection, run_shapes, rows)
        look(missing)
    for some in chunks(stale):
        connection.execute(update(run_shapes).where(run_shapes.c.id.in_(some)).values(used_day=today))
    return [known[digest] for digest in digests]


def _keep_evidence(connection: Connection, bad: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> None:
    there: Counter[tuple[int, int]] = Counter()
    for place, hour in {(key["place"], key["started_ms"] // HOUR) for key, _ in bad}:
        query = select(func.count()).where(within(run_failures, place, hour * HOUR, (hour + 1) * HOUR))
        there[place, hour] = connection.execute(query).scalar_one()
    rows = []
    for key, result in bad:
        hour = key["place"], key["started_ms"] // HOUR
        there[hour] += 1
        if there[hour] <= MOST_EVIDENCE:
            rows.append({**key, "evidence": _compressed(result)})
    insert_new(connection, run_failures, rows)


def _compressed(result: Mapping[str, Any]) -> bytes:
    packer = zlib.compressobj(9, zdict=_COMMON)
    return packer.compress(json.dumps(result, ensure_ascii=False, default=str).encode()) + packer.flush()


def _whole(evidence: bytes) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(zlib.decompressobj(zdict=_COMMON).decompress(evidence))
    return result


def _keep_last(connection: Connection, fresh: Iterable[Mapping[str, Any]]) -> None:
    """What the newest run of each journey and location was, and since when its outcome is what it is."""
    rows = sorted(fresh, key=lambda row: row["started_at"])
    kept = select(*(journeys.c[name] for name in ("journey", "location", "started_at", "since", "outcome")))
    last: dict[tuple[str, str], Mapping[Any, Any]] = {}
    for some in chunks(sorted({row["journey"] for row in rows})):
        for found in connection.execute(kept.where(journeys.c.journey.in_(some))):
            last[found.journey, found.location] = found._mapping
    newest: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        place = (row["journey"], row["location"])
        before = newest.get(place) or last.get(place)
        if before is not None and before["started_at"] > row["started_at"]:
            continue
        same = before is not None and before["outcome"] == row["outcome"]
        newest[place] = {
            "journey": row["journey"],
            "location": row["location"],
            "started_at": row["started_at"],
            "since": before["since"] if before is not None and same else row["started_at"],
            "outcome": row["outcome"],
            "result": row["result"],
        }
    upsert(connection, journeys, list(newest.values()))


def last(connection: Connection, journey: str | None = None) -> list[dict[str, Any]]:
    """The last result of each journey and location, with `since`: how long its outcome has been what it is."""
    query = select(journeys).order_by(journeys.c.journey, journeys.c.location)
    rows = connection.execute(query if journey is None else query.where(journeys.c.journey == journey))
    return [{**row.result, "since": row.since.isoformat()} for row in rows]


def places(connection: Connection, journey: str | None = None, location: str | None = None) -> list[Place]:
    query = select(run_places).order_by(run_places.c.id)
    for column, value in ((run_places.c.journey, journey), (run_places.c.location, location)):
        if value is not None:
            query = query.where(column == value)
    return [Place(row.id, row.journey, row.location, row.packed_ms) for row in connection.execute(query)]


def shapes_of(connection: Connection, numbers: Iterable[int]) -> dict[int, shapes.Shape]:
    found: dict[int, shapes.Shape] = {}
    for some in chunks(sorted(set(numbers))):
        rows = connection.execute(select(run_shapes.c.id, run_shapes.c.shape).where(run_shapes.c.id.in_(some)))
        found.update({row.id: row.shape for row in rows})
    return found


def fresh(connection: Connection, place: int, from_ms: int, to_ms: int, limit: int | None = None) -> list[Run]:
    """Runs that are not packed, the newest first."""
    columns = runs.c.started_ms, runs.c.run_id, runs.c.shape, runs.c.kind, runs.c.numbers
    query = select(*columns).where(within(runs, place, from_ms, to_ms)).order_by(runs.c.started_ms.desc())
    return [Run(*row) for row in connection.execute(query.limit(limit))]


def counted(connection: Connection, wanted: Iterable[Place], from_ms: int, to_ms: int) -> dict[int, list[int]]:
    """By place: how many of its runs that are not packed count as what, as in Rollup.counts."""
    found: dict[int, list[int]] = {}
    for some in chunks(list(wanted), 200):
        ranges = [within(runs, place.id, max(from_ms, place.packed_ms), to_ms) for place in some]
        query = select(runs.c.place, runs.c.kind, func.count()).where(or_(*ranges), runs.c.kind >= 0)
        for place, kind, count in connection.execute(query.group_by(runs.c.place, runs.c.kind)):
            found.setdefault(place, [0, 0, 0, 0])[kind] = count
    return found


def failures(
    connection: Connection, wanted: Sequence[Place], from_ms: int, to_ms: int, limit: int
) -> list[dict[str, Any]]:
    """Whole results of runs that did not go well, the newest first."""
    found: list[tuple[int, dict[str, Any]]] = []
    for place in wanted:
        query = select(run_failures.c.started_ms, run_failures.c.evidence)
        rows = connection.execute(
            query.where(within(run_failures, place.id, from_ms, to_ms))
            .order_by(run_failures.c.started_ms.desc())
            .limit(limit)
        )
        found += [(row.started_ms, _whole(row.evidence)) for row in rows]
    return [result for _, result in sorted(found, key=lambda item: -item[0])[:limit]]


def evidence(connection: Connection, wanted: Iterable[tuple[int, int, str]]) -> dict[tuple[int, int, str], Any]:
    """By place, start and id: the whole result of a run, where one was kept."""
    found = {}
    columns = run_failures.c.place, run_failures.c.started_ms, run_failures.c.run_id
    for some in chunks(list(wanted), 100):
        same = [and_(*(column == value for column, value in zip(columns, key, strict=True))) for key in some]
        for row in connection.execute(select(run_failures).where(or_(*same))):
            found[row.place, row.started_ms, row.run_id] = _whole(row.evidence)
    return found


def failure(connection: Connection, journey: str, location: str, run_id: str) -> dict[str, Any] | None:
    """The whole result of one run that failed."""
    mine = [place.id for place in places(connection, journey, location)]
    query = select(run_failures.c.evidence).where(run_failures.c.place.in_(mine), run_failures.c.run_id == run_id)
    row = connection.execute(query).first()
    return None if row is None else _whole(row.evidence)


def within(table: Any, place: int, from_ms: int, to_ms: int) -> ColumnElement[bool]:
    return and_(table.c.place == place, table.c.started_ms >= from_ms, table.c.started_ms < to_ms)
