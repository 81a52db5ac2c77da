"""The open events of PagerDuty's senders by their keys, and what was changed. The caller is in a transaction."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from incident.intake.pagerduty import Event
from incident.store.sql import insert_new, upsert
from incident.store.tables import changes, event_keys

Labels = Mapping[str, str]
Choose = Callable[[Labels, Labels], Labels]


@dataclass(frozen=True)
class Known:
    """What a key stands for. `former`: labels that its alert had before, when it was less bad; those are over."""

    labels: dict[str, str]
    former: tuple[dict[str, str], ...] = ()


def known_as(connection: Connection, source: str, key: str) -> Known | None:
    """None for a key that is unknown, or over."""
    query = select(event_keys.c.source, event_keys.c.labels).where(
        event_keys.c.source.in_((source, _before(source))), event_keys.c.key == key
    )
    rows = {row.source: row.labels for row in connection.execute(query)}
    return Known(rows[source], tuple(rows.get(_before(source), ()))) if source in rows else None


def remember(connection: Connection, source: str, key: str, labels: Labels, now: datetime) -> None:
    """By these labels the key is known from now on, unless it was known before."""
    insert_new(connection, event_keys, [_row(source, key, dict(labels), now)])


def remember_as(connection: Connection, source: str, event: Event, choose: Choose, now: datetime) -> Known:
    """As `remember`; where the key was known, `choose` makes of its labels and the event's those that it has now."""
    known = known_as(connection, source, event.key)
    chosen = dict(event.labels if known is None else choose(known.labels, event.labels))
    if known is not None and known.labels == chosen:
        return known
    former = () if known is None else (*known.former, known.labels)
    rows = [_row(source, event.key, chosen, now)]
    upsert(connection, event_keys, [*rows, _row(_before(source), event.key, list(former), now)] if former else rows)
    return Known(chosen, former)


def _row(source: str, key: str, labels: Any, now: datetime) -> dict[str, Any]:
    return {"source": source, "key": key, "labels": labels, "at": now}


def _before(source: str) -> str:
    """Whose rows list what this source's keys were known by before: no name of a source has more than one line."""
    return f"{source}\nbefore"


def labels_under(connection: Connection, source: str, prefix: str) -> dict[str, dict[str, str]]:
    """By key, the labels of all keys that begin so."""
    query = select(event_keys.c.key, event_keys.c.labels).where(
        event_keys.c.source == source, event_keys.c.key.startswith(prefix, autoescape=True)
    )
    return {row.key: dict(row.labels) for row in connection.execute(query)}


def forget(connection: Connection, source: str, key: str) -> None:
    """With all that it was known by before."""
    its = (event_keys.c.source.in_((source, _before(source))), event_keys.c.key == key)
    connection.execute(delete(event_keys).where(*its))


def forget_as(connection: Connection, source: str, key: str, known: Known) -> bool:
    """Forgets it, unless it stands for something else by now."""
    same = known_as(connection, source, key) in (known, None)
    if same:
        forget(connection, source, key)
    return same


def add_change(connection: Connection, source: str, summary: str, data: Mapping[str, Any], at: datetime) -> None:
    connection.execute(insert(changes).values(source=source, summary=summary, data=dict(data), at=at))


def changes_between(connection: Connection, begin: datetime, end: datetime, limit: int) -> list[dict[str, Any]]:
    """The newest first."""
    query = select(changes).where(changes.c.at >= begin, changes.c.at <= end).order_by(changes.c.at.desc())
    return [
        {"at": row.at.isoformat(), "source": row.source, "summary": row.summary, **row.data}
        for row in connection.execute(query.limit(limit))
    ]


def prune(connection: Connection, before: datetime) -> None:
    connection.execute(delete(event_keys).where(event_keys.c.at < before))
    connection.execute(delete(changes).where(changes.c.at < before))
