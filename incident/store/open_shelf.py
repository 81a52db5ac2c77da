"""The open incidents, read once each: asked for again, only those are read anew that have changed meanwhile.

In a storm an incident holds thousands of alerts, and most of a cycle would go into reading what the last one wrote.
"""

from collections.abc import Iterable

from sqlalchemy import Connection, select

from incident.core.model import Incident
from incident.store import incidents as incident_store
from incident.store.tables import incidents


class OpenShelf:
    """One in a process, for the one thread that writes. An incident is known by its number and last event.

    What it holds may come of a transaction that is not committed yet: where that fails, it must `forget`.
    """

    def __init__(self) -> None:
        self._known: dict[int, Incident] = {}

    def forget(self) -> None:
        self._known = {}

    def keep(self, after: Iterable[Incident]) -> None:
        """What has just been written."""
        self._known.update((incident.number, incident) for incident in after if incident.open)

    def listed(self, connection: Connection) -> list[Incident]:
        """As `store.incidents.list_open`."""
        query = select(incidents.c.number, incidents.c.seq).where(incidents.c.open).order_by(incidents.c.number)
        rows = connection.execute(query).all()
        known = self._known
        found = {number: one for number, seq in rows if (one := known.get(number)) is not None and one.seq == seq}
        changed = [number for number, _ in rows if number not in found]
        found |= {one.number: one for one in incident_store.by_number(connection, changed)}
        self._known = found
        return [found[number] for number, _ in rows if number in found]
