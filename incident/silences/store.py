"""Silences in the database. The caller is in a transaction."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, or_, select, update

from incident.core.actor import Actor
from incident.core.muting.silences import Silence
from incident.core.muting.windows import Recurrence
from incident.store.sql import upsert
from incident.store.tables import silence_events, silences
from probes.labels import LabelMatcher


def matcher_json(matcher: LabelMatcher) -> dict[str, Any]:
    """Alertmanager's shape."""
    return {
        "isEqual": matcher.is_equal,
        "isRegex": matcher.is_regex,
        "name": matcher.name,
        "value": matcher.value,
    }


def revision(connection: Connection) -> int:
    """Grows with every change of any silence; 0 where there has been none."""
    return connection.execute(select(func.max(silences.c.revision))).scalar() or 0


def save(connection: Connection, silence: Silence) -> None:
    """Writes it, whether it was there or not."""
    recurrence = silence.recurrence
    row = {
        "id": silence.id,
        "revision": revision(connection) + 1,
        "matchers": [matcher_json(matcher) for matcher in silence.matchers],
        "starts_at": silence.starts_at,
        "ends_at": silence.ends_at,
        "created_by": silence.created_by,
        "comment": silence.comment,
        "updated_at": silence.updated_at,
        "annotations": dict(silence.annotations),
        "cron": None if recurrence is None else recurrence.cron,
        "duration_s": None if recurrence is None else recurrence.duration.total_seconds(),
        "time_zone": None if recurrence is None else recurrence.time_zone,
        "remind_at": silence.remind_at,
    }
    upsert(connection, silences, [row])


def find(connection: Connection, silence: str) -> Silence | None:
    row = connection.execute(select(silences).where(silences.c.id == silence)).first()
    return None if row is None else _silence(row)


def every(connection: Connection) -> list[Silence]:
    return [_silence(row) for row in connection.execute(select(silences).order_by(silences.c.id))]


def live(connection: Connection, now: datetime) -> list[Silence]:
    """Those that have not expired."""
    query = select(silences).where(or_(silences.c.ends_at.is_(None), silences.c.ends_at > now))
    return [_silence(row) for row in connection.execute(query.order_by(silences.c.id))]


def to_remind(connection: Connection, now: datetime) -> list[Silence]:
    query = select(silences).where(silences.c.remind_at <= now).order_by(silences.c.remind_at)
    return [_silence(row) for row in connection.execute(query)]


def next_reminder(connection: Connection) -> datetime | None:
    return connection.execute(select(func.min(silences.c.remind_at))).scalar()


def reminded(connection: Connection, ids: Iterable[str]) -> None:
    connection.execute(update(silences).where(silences.c.id.in_(list(ids))).values(remind_at=None))


def prune(connection: Connection, before: datetime) -> None:
    """Forgets those that expired before. The newest stays, so that revisions go on growing."""
    newest = revision(connection)
    connection.execute(delete(silences).where(silences.c.ends_at < before, silences.c.revision < newest))
    gone = silence_events.c.silence.not_in(select(silences.c.id))
    connection.execute(delete(silence_events).where(gone, silence_events.c.at < before - timedelta(days=400)))


def record(
    connection: Connection, silence: str, kind: str, *, now: datetime, actor: Actor, data: Mapping[str, Any]
) -> None:
    """Who did what to a silence, and when."""
    row = {"silence": silence, "at": now, "actor": actor.name, "via": actor.via, "kind": kind, "data": dict(data)}
    connection.execute(insert(silence_events).values(**row))


def recorded(connection: Connection, silence: str) -> list[dict[str, Any]]:
    query = select(silence_events).where(silence_events.c.silence == silence).order_by(silence_events.c.id)
    return [
        {"at": row.at.isoformat(), "actor": row.actor, "via": row.via, "kind": row.kind, "data": row.data}
        for row in connection.execute(query)
    ]


def _silence(row: Row[Any]) -> Silence:
    recurrence = None
    if row.cron is not None:
        recurrence = Recurrence(row.cron, timedelta(seconds=row.duration_s), row.time_zone)
    return Silence(
        id=row.id,
        matchers=tuple(LabelMatcher(m["name"], m["value"], m["isRegex"], m["isEqual"]) for m in row.matchers),
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        created_by=row.created_by,
        comment=row.comment,
        updated_at=row.updated_at,
        annotations=row.annotations,
        recurrence=recurrence,
        remind_at=row.remind_at,
    )
