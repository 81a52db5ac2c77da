"""The open events of PagerDuty's senders by their keys, and what was changed. The caller is in a transaction."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from incident.store.sql import insert_new
from incident.store.tables import changes, event_keys


def labels_of(connection: Connection, source: str, key: str) -> dict[str, str] | None:
    """Those of the first trigger, while it lasts."""
    query = select(event_keys.c.labels).where(event_keys.c.source == source, event_keys.c.key == key)
    found: dict[str, str] | None = connection.execute(query).scalar()
    return found


def remember(connection: Connection, source: str, key: str, labels: Mapping[str, str], now: datetime) -> dict[str, str]:
    """The labels by which this key is known from now on: these, unless it was known before."""
    insert_new(connection, event_keys, [{"source": source, "key": key, "labels": dict(labels), "at": now}])
    return labels_of(connection, source, key) or dict(labels)


def labels_under(connection: Connection, source: str, prefix: str) -> dict[str, dict[str, str]]:
    """By key, the labels of all keys that begin so."""
    query = select(event_keys.c.key, event_keys.c.labels).where(
        event_keys.c.source == source, event_keys.c.key.startswith(prefix, autoescape=True)
    )
    return {row.key: dict(row.labels) for row in connection.execute(query)}


def forget(connection: Connection, source: str, key: str) -> None:
    connection.execute(delete(event_keys).where(event_keys.c.source == source, event_keys.c.key == key))


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
