"""The alerts that fire, read once each: asked for again, only those are read anew that have changed meanwhile.

With ten thousand of them, most of the time of an answer would go into reading the same JSON from the same rows.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnClause, Connection, literal_column, select

from incident.core.alerts import FIRING, StoredAlert
from incident.store import alerts as alert_store
from incident.store.tables import alerts

# As the database has them: whoever only compares need not understand. Labels are what the fingerprint stands for.
_NAMES = [column.name for column in alerts.columns if column.name not in ("labels", "pending", "problem")]
_RAW: list[ColumnClause[Any]] = [literal_column(f"alerts.{name}") for name in _NAMES]
_PLACE = _NAMES.index("fingerprint")


class Shelf:
    """One in a process; several threads may ask at once, as each leaves a shelf of its own behind."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[tuple[Any, ...], StoredAlert]] = {}

    def active(self, connection: Connection, now: datetime) -> list[StoredAlert]:
        """As `store.alerts.active`. What has not changed since is the same object as before."""
        fires = (alerts.c.state == FIRING, alerts.c.ends_at > now)
        query = select(*_RAW).select_from(alerts).where(*fires).order_by(alerts.c.fingerprint)
        rows = [tuple(row) for row in connection.execute(query)]
        known = self._known
        found = {row[_PLACE]: there for row in rows if (there := known.get(row[_PLACE])) and there[0] == row}
        changed = [row[_PLACE] for row in rows if row[_PLACE] not in found]
        fresh = {alert.fingerprint: alert for alert in alert_store.by_fingerprint(connection, changed)}
        self._known = kept = {(key := row[_PLACE]): found[key] if key in found else (row, fresh[key]) for row in rows}
        return [alert for _, alert in kept.values()]
