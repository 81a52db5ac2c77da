"""Where probers report from. The caller is in a transaction."""

import json
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, select, update

from incident.errors import Refused
from incident.store.sql import upsert
from incident.store.tables import locations


def heard(connection: Connection) -> frozenset[str]:
    """The names of those that are not silent."""
    query = select(locations.c.name).where(locations.c.silent_since.is_(None))
    return frozenset(connection.execute(query).scalars())


def agreeing(connection: Connection) -> frozenset[tuple[str, str | None]]:
    """Of those that are not silent, the names, and on which journeys each has a say, as it is stored: see `read`."""
    query = select(locations.c.name, locations.c.agrees_on).where(locations.c.silent_since.is_(None))
    return frozenset((name, agrees_on) for name, agrees_on in connection.execute(query))


def read(agrees_on: str | None) -> frozenset[str] | None:
    """None where the prober does not say."""
    return None if agrees_on is None else frozenset(json.loads(agrees_on))


def listed(connection: Connection) -> list[Row[Any]]:
    """By name."""
    return list(connection.execute(select(locations).order_by(locations.c.name)))


MOST = 500


def beat(
    connection: Connection,
    name: str,
    source: str,
    data: Mapping[str, Any],
    now: datetime,
    *,
    agrees_on: Collection[str] | None = None,
) -> bool:
    """A word from a location. Returns whether it was not heard before, or has a say on other journeys than before.

    Raises Refused where there are too many.
    """
    said = None if agrees_on is None else json.dumps(sorted(set(agrees_on)))
    known = connection.execute(select(locations).where(locations.c.name == name)).first()
    if known is None and len(listed(connection)) >= MOST:
        raise Refused(f"there are {MOST} locations already: forget some of them")
    row = {
        "name": name,
        "first_heard": now if known is None else known.first_heard,
        "heard_at": now,
        "silent_since": None,
        "source": source,
        "data": dict(data),
        "agrees_on": said,
    }
    upsert(connection, locations, [row])
    return known is None or known.silent_since is not None or known.agrees_on != said


def fall_silent(connection: Connection, heard_before: datetime, now: datetime) -> bool:
    """Marks those that were last heard before. Returns whether there were any."""
    quiet = (locations.c.heard_at < heard_before, locations.c.silent_since.is_(None))
    return connection.execute(update(locations).where(*quiet).values(silent_since=now)).rowcount > 0


def forget(connection: Connection, name: str) -> bool:
    return connection.execute(delete(locations).where(locations.c.name == name)).rowcount > 0
