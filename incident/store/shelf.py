"""The alerts that fire, read once each: asked for again, only what has changed meanwhile is read anew.

With ten thousand of them, most of the time of an answer would go into reading the same rows, and the same JSON from
them. So the database is first asked for each alert's mark alone: what is new in it with every word about the alert.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

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
# No two words about an alert come in the same microsecond; what Shopwatch itself changes of it is the rest.
_MARK: list[ColumnElement[Any]] = [
    *(literal_column(f"alerts.{name}") for name in ("fingerprint", "updated_at", "starts_at", "ends_at", "incident")),
    cast(literal_column("alerts.muted"), Text),
]
_FEW = 1000  # are asked for one by one

Raw = tuple[Any, ...]


class Shelf:
    """One in a process; several threads may ask at once, as each leaves a shelf of its own behind."""

    def __init__(self) -> None:
        self._known: dict[Raw, _Read] = {}  # by their marks

    def active(self, connection: Connection, now: datetime, most: int | None = None) -> list[StoredAlert]:
        """As `store.alerts.active`, or at `most` so many of them: those that began first, the oldest first.

        What has not changed since the shelf was asked last is the same object as then, and so are its parts.
        `connection` sees the database as of one moment.
        """
        fires = (alerts.c.state == FIRING, alerts.c.ends_at > now)
        query = select(*_MARK).select_from(alerts).where(*fires)
        if most is not None:
            query = query.order_by(alerts.c.starts_at, alerts.c.fingerprint).limit(most)
        marks = _fetched(connection, query)
        if most is None:  # they are sorted faster here than there
            marks.sort()
        known = self._known
        found = list(map(known.get, marks))
        if None in found or len(found) != len(known):
            changed = [mark for mark, read in zip(marks, found, strict=True) if read is None]
            new = _read(connection, changed, {read.alert.fingerprint: read for read in known.values()}, fires)
            self._known = known = {
                mark: new[mark[0]] if read is None else read for mark, read in zip(marks, found, strict=True)
            }
        return [read.alert for read in known.values()]


class _Read(NamedTuple):
    alert: StoredAlert
    raw: Raw  # what it was read from


def _read(
    connection: Connection, marks: Sequence[Raw], known: Mapping[str, _Read], fires: Iterable[ColumnElement[bool]]
) -> dict[str, _Read]:
    """The alerts that have these marks, by fingerprint. `known`: as they were before."""
    if not marks:
        return {}
    query = select(*_RAW).select_from(alerts)
    if len(marks) <= _FEW:
        query = query.where(alerts.c.fingerprint.in_([mark[0] for mark in marks]))
    else:
        query = query.where(*fires)
    wanted, read = {mark[0] for mark in marks}, _reader(connection.dialect)
    return {raw[0]: _Read(read(raw, known.get(raw[0])), raw) for raw in _fetched(connection, query) if raw[0] in wanted}


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


def _reader(dialect: Dialect) -> Callable[[Raw, _Read | None], StoredAlert]:
    """What makes an alert of a row, and of what was known of it."""
    instants = _Instants(dialect)

    def read(raw: Raw, there: _Read | None) -> StoredAlert:
        fingerprint, url, source, timeout, incident, of_service, of_severity, labels, notes, muted = raw[:_LASTING]
        starts_at, ends_at, updated_at = raw[_LASTING:]
        before = there.alert if there is not None and there.raw[:_LASTING] == raw[:_LASTING] else None
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
