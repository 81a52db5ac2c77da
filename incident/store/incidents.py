"""Incidents and their events. The caller is in a transaction."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import structlog
from sqlalchemy import Connection, Row, Text, cast, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from incident.core.folding import fold
from incident.core.model import Event, Incident
from incident.core.redaction import redacted
from incident.errors import Conflict, NotFound
from incident.store.sql import chunks, upsert
from incident.store.tables import events, incidents

log = structlog.get_logger("incident.store")

LARGEST = 2**31 - 1  # that the column of a number holds


def append(connection: Connection, new: Sequence[Event], after: Mapping[int, Incident]) -> None:
    """Adds events to the record, and their fold to the cache. Raises Conflict when somebody was faster."""
    if not new:
        return
    rows = [{**event.to_json(), "at": event.at, "incident": event.incident} for event in new]
    try:
        with connection.begin_nested():
            connection.execute(insert(events), rows)
    except IntegrityError:
        raise Conflict(f"#{new[0].incident} has just been changed by somebody else: look again") from None
    upsert(connection, incidents, [_row(after[number]) for number in dict.fromkeys(event.incident for event in new)])


def _row(incident: Incident) -> dict[str, Any]:
    return {
        "number": incident.number,
        "seq": incident.seq,
        "open": incident.open,
        "service": incident.service,
        "severity": incident.severity,
        "status": incident.status,
        "drill": incident.drill,
        "opened_at": incident.opened_at,
        "resolved_at": incident.resolved_at,
        "detect_s": _seconds(incident, "since", "opened_at"),
        "acknowledge_s": _seconds(incident, "opened_at", "acknowledged_at"),
        "resolve_s": _seconds(incident, "opened_at", "resolved_at"),
        "state": incident.to_state(),
    }


def _seconds(incident: Incident, start: str, end: str) -> float | None:
    """Never negative: the clock may have been set back in between."""
    first, last = getattr(incident, start), getattr(incident, end)
    return None if last is None else max(0.0, (last - first).total_seconds())


def next_number(connection: Connection) -> int:
    highest: int | None = connection.execute(select(func.max(events.c.incident))).scalar()
    return (highest or 0) + 1


def find(connection: Connection, number: int) -> Incident:
    """Raises NotFound."""
    query = select(incidents).where(incidents.c.number == number)
    row = connection.execute(query).first() if number <= LARGEST else None
    if row is None:
        raise NotFound(f"there is no incident #{number}")
    return _incident(connection, row)


def list_open(connection: Connection) -> list[Incident]:
    rows = connection.execute(select(incidents).where(incidents.c.open).order_by(incidents.c.number)).all()
    return [one for row in rows if (one := _try(connection, row)) is not None]


def list_all(connection: Connection, limit: int = 1000) -> list[Incident]:
    """Newest first."""
    rows = connection.execute(select(incidents).order_by(incidents.c.number.desc()).limit(limit)).all()
    return [one for row in rows if (one := _try(connection, row)) is not None]


def of_service(connection: Connection, service: str, limit: int) -> list[Incident]:
    """Those whose trouble lies there, the newest first."""
    query = select(incidents).where(incidents.c.service == service)
    rows = connection.execute(query.order_by(incidents.c.number.desc()).limit(limit)).all()
    return [one for row in rows if (one := _try(connection, row)) is not None]


def with_action_items(connection: Connection) -> list[Incident]:
    """Those that have some, done or not, in the order of their numbers."""
    some = cast(incidents.c.state, Text).like('%"action_item"%')
    rows = connection.execute(select(incidents).where(some).order_by(incidents.c.number)).all()
    return [one for row in rows if (one := _try(connection, row)) is not None]


def by_number(connection: Connection, numbers: Iterable[int]) -> list[Incident]:
    """Those that there are."""
    found: list[Incident] = []
    for some in chunks(sorted(set(numbers))):
        rows = connection.execute(select(incidents).where(incidents.c.number.in_(some))).all()
        found.extend(one for row in rows if (one := _try(connection, row)) is not None)
    return found


def _try(connection: Connection, row: Row[Any]) -> Incident | None:
    """One incident that cannot be read must not hide the others."""
    try:
        return _incident(connection, row)
    except (ValueError, KeyError, TypeError) as error:
        log.error("incident unreadable", incident=row.number, error=str(error))
        return None


def _incident(connection: Connection, row: Row[Any]) -> Incident:
    """From the cache, or from the events where the cache was written by a version with other fields."""
    try:
        return Incident.from_state(row.state)
    except (ValueError, KeyError, TypeError):
        return fold(timeline(connection, row.number))


def timeline(
    connection: Connection, number: int, after: int = 0, limit: int | None = None, upto: int = LARGEST
) -> list[Event]:
    """In order, from the event that follows `after` up to the one numbered `upto`."""
    if number > LARGEST:
        return []
    mine = (events.c.incident == number, events.c.seq > min(after, LARGEST), events.c.seq <= upto)
    query = select(events).where(*mine).order_by(events.c.seq).limit(limit)
    return [_event(row) for row in connection.execute(query)]


def _event(row: Row[Any]) -> Event:
    return Event(row.incident, row.seq, row.at, row.actor, row.kind, row.text, row.data)


def blank(connection: Connection, number: int, seq: int) -> Event:
    """Takes the words of one event out of the record. Returns the event as it was. Raises NotFound."""
    mine = (events.c.incident == number, events.c.seq == seq)
    row = connection.execute(select(events).where(*mine)).first()
    if row is None:
        raise NotFound(f"#{number} has no event {seq}")
    event = _event(row)
    left = redacted(event)
    connection.execute(update(events).where(*mine).values(text=left.text, data=dict(left.data)))
    return event


def refold(connection: Connection, incident: Incident) -> Incident:
    """The cache says this of the incident from now on."""
    upsert(connection, incidents, [_row(incident)])
    return incident


def rebuild(connection: Connection) -> int:
    """Makes the cache anew from the events, one incident at a time. Returns how many there are."""
    numbers = connection.execute(select(events.c.incident).distinct().order_by(events.c.incident)).scalars().all()
    connection.execute(delete(incidents).where(incidents.c.number.not_in(select(events.c.incident))))
    for number in numbers:
        try:
            upsert(connection, incidents, [_row(fold(timeline(connection, number)))])
        except (ValueError, KeyError, TypeError) as error:  # it stays as it was, and the others are made anew
            log.error("incident unreadable", incident=number, error=str(error))
    return len(numbers)
