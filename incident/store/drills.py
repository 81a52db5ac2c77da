"""Drill windows and their scorecards. The caller is in a transaction."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from incident.core.alerts import DrillWindow
from incident.errors import NotFound, Refused
from incident.store.tables import drills


def add(connection: Connection, window: DrillWindow) -> int:
    """Its number. Raises Refused while another drill is open on the same target."""
    running = [one for one in unfinished(connection, window.opened_at) if one.target == window.target]
    if running:
        raise Refused(f"drill {running[0].name} is running on {window.target}: stop it first, or wait")
    values = {
        "name": window.name,
        "target": window.target,
        "services": None if window.services is None else list(window.services),
        "actor": window.actor,
        "opened_at": window.opened_at,
        "until": window.until,
    }
    inserted = connection.execute(insert(drills).values(values)).inserted_primary_key
    if inserted is None:
        raise Refused("the database gave the drill no number")
    return int(inserted[0])


def close(connection: Connection, number: int, scorecard: Mapping[str, Any] | None, now: datetime) -> None:
    """Raises NotFound."""
    change = update(drills).where(drills.c.number == number)
    closed = connection.execute(change.values(closed_at=now, scorecard=None if scorecard is None else dict(scorecard)))
    if closed.rowcount == 0:
        raise NotFound(f"there is no drill {number}")


def unfinished(connection: Connection, now: datetime) -> list[DrillWindow]:
    query = select(drills).where(drills.c.closed_at.is_(None), drills.c.until > now).order_by(drills.c.number)
    return [_window(row) for row in connection.execute(query)]


def recent(connection: Connection, limit: int) -> Sequence[DrillWindow]:
    """Newest first."""
    return [_window(row) for row in connection.execute(select(drills).order_by(drills.c.number.desc()).limit(limit))]


def _window(row: Row[Any]) -> DrillWindow:
    return DrillWindow(
        number=row.number,
        name=row.name,
        target=row.target,
        services=None if row.services is None else tuple(row.services),
        opened_at=row.opened_at,
        until=row.until,
        actor=row.actor,
        closed_at=row.closed_at,
        scorecard=row.scorecard,
    )
