"""Results of journeys. The caller is in a transaction."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, delete, select

from incident.errors import Refused
from incident.store.sql import insert_new, upsert
from incident.store.tables import journeys, runs

_OUTCOMES = ("up", "degraded", "down", "skipped")


def checked(result: Any) -> dict[str, Any]:
    """The row of one result. Raises Refused with what is wrong about it."""
    if not isinstance(result, Mapping):
        raise Refused("a result should be an object")
    texts = {name: result.get(name) for name in ("journey", "run_id", "service")}
    wrong = [name for name, value in texts.items() if not isinstance(value, str) or not 0 < len(value) <= 100]
    if result.get("outcome") not in _OUTCOMES:
        wrong.append("outcome")
    location = result.get("location") or "local"
    duration = result.get("duration_s")
    if not isinstance(location, str) or len(location) > 100:
        wrong.append("location")
    if isinstance(duration, bool) or not isinstance(duration, int | float) or not 0 <= duration < 1e6:
        wrong.append("duration_s")
    try:
        started = datetime.fromisoformat(result["started_at"])
    except (KeyError, TypeError, ValueError):
        wrong.append("started_at")
        started = datetime.now(UTC)
    if wrong or started.tzinfo is None:
        raise Refused(f"a result has a bad {', '.join(wrong or ['started_at'])}")
    return {
        **texts,
        "location": location,
        "outcome": result["outcome"],
        "started_at": started,
        "duration_s": float(duration or 0),
        "result": dict(result),
    }


def add(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Keeps these runs. One that is known by its id already, because a prober repeated a batch, is passed over."""
    fresh = {row["run_id"]: row for row in rows}
    insert_new(connection, runs, list(fresh.values()))
    kept = select(*(journeys.c[name] for name in ("journey", "location", "started_at", "since", "outcome")))
    last = {(row.journey, row.location): row._mapping for row in connection.execute(kept)}
    newest: dict[tuple[str, str], dict[str, Any]] = {}
    for row in sorted(fresh.values(), key=lambda row: row["started_at"]):
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


def last(connection: Connection) -> list[dict[str, Any]]:
    """The last result of each journey and location, with `since`: how long its outcome has been what it is."""
    rows = connection.execute(select(journeys).order_by(journeys.c.journey, journeys.c.location))
    return [{**row.result, "since": row.since.isoformat()} for row in rows]


def history(connection: Connection, journey: str, limit: int) -> list[dict[str, Any]]:
    """Newest first."""
    query = select(runs.c.result).where(runs.c.journey == journey).order_by(runs.c.started_at.desc()).limit(limit)
    return list(connection.execute(query).scalars())


def prune(connection: Connection, before: datetime) -> None:
    connection.execute(delete(runs).where(runs.c.started_at < before))
