"""The alerts that fire, read once each: asked for again, only what has changed meanwhile is read anew.

With ten thousand of them, most of the time of an answer would go into reading the same JSON from the same rows.
"""

from collections.abc import Callable
from datetime import datetime
from operator import itemgetter
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Text, cast, literal_column, select
from sqlalchemy.engine import Dialect

from incident.core.alerts import FIRING, StoredAlert
from incident.store.engines import from_json
from incident.store.tables import alerts

# Raw, as the database has them: whoever only compares need not understand.
_TEXTS = ("labels", "annotations", "muted")
_PLAIN = ("fingerprint", "generator_url", "source", "timeout", "incident", "of_service", "of_severity")
_TIMES = ("starts_at", "ends_at", "updated_at")  # of these some are new whenever an alert is sent again
_NAMES = (*_PLAIN, *_TEXTS, *_TIMES)
_RAW: list[ColumnElement[Any]] = [
    *(literal_column(f"alerts.{name}") for name in _PLAIN),
    *(cast(literal_column(f"alerts.{name}"), Text) for name in _TEXTS),
    *(literal_column(f"alerts.{name}") for name in _TIMES),
]
_LASTING = len(_PLAIN) + len(_TEXTS)

Raw = tuple[Any, ...]


class Shelf:
    """One in a process; several threads may ask at once, as each leaves a shelf of its own behind."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Raw, StoredAlert]] = {}

    def active(self, connection: Connection, now: datetime, most: int | None = None) -> list[StoredAlert]:
        """As `store.alerts.active`, or at `most` so many of them: those that began first, the oldest first.

        What has not changed since the shelf was asked last is the same object as then, and so are its parts.
        """
        query = select(*_RAW).select_from(alerts).where(alerts.c.state == FIRING, alerts.c.ends_at > now)
        if most is not None:
            query = query.order_by(alerts.c.starts_at, alerts.c.fingerprint).limit(most)
        rows = _fetched(connection, query)
        if most is None:  # whole rows are sorted faster here than there
            rows.sort(key=itemgetter(0))
        known, read = self._known, _reader(connection.dialect)
        kept: dict[str, tuple[Raw, StoredAlert]] = {}
        for raw in rows:
            there = known.get(raw[0])
            kept[raw[0]] = there if there is not None and there[0] == raw else (raw, read(raw, there))
        self._known = kept
        return [alert for _, alert in kept.values()]


def _fetched(connection: Connection, query: Select[Any]) -> list[Raw]:
    """As the driver has them: to make SQLAlchemy's rows of them, and tuples of those, takes half as long again."""
    with connection.execute(query) as result:
        return [] if result.cursor is None else list(result.cursor.fetchall())


class _Instants(dict[Any, datetime]):
    """As the database has them, to what they are; many alerts share theirs."""

    def __init__(self, dialect: Dialect) -> None:
        super().__init__()
        self._read = alerts.c.starts_at.type.dialect_impl(dialect).result_processor(dialect, None)

    def __missing__(self, raw: Any) -> datetime:
        found: Any = raw if self._read is None else self._read(raw)
        self[raw] = found
        return found  # type: ignore[no-any-return]


def _reader(dialect: Dialect) -> Callable[[Raw, tuple[Raw, StoredAlert] | None], StoredAlert]:
    """What makes an alert of a row, and of what was known of it."""
    instants = _Instants(dialect)

    def read(raw: Raw, there: tuple[Raw, StoredAlert] | None) -> StoredAlert:
        fingerprint, url, source, timeout, incident, of_service, of_severity, labels, notes, muted = raw[:_LASTING]
        starts_at, ends_at, updated_at = raw[_LASTING:]
        before = there[1] if there is not None and there[0][:_LASTING] == raw[:_LASTING] else None
        return StoredAlert(
            fingerprint,
            from_json(labels) if before is None else before.labels,
            from_json(notes) if before is None else before.annotations,
            instants[starts_at],
            instants[ends_at],
            instants[updated_at],
            source,
            FIRING,
            url,
            bool(timeout),
            incident,
            of_service,
            of_severity,
            before.muted if before is not None else from_json(muted) if muted is not None else None,
        )

    return read
