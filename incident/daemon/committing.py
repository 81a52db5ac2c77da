"""From a draft to the database: its events, and the messages that they cause, in the caller's transaction."""

from collections.abc import Iterable

from sqlalchemy import Connection

from incident.core import deliveries
from incident.core.deliveries import Telling
from incident.core.folding import Draft
from incident.core.model import Incident
from incident.store import deliveries as delivery_store
from incident.store import incidents as incident_store


def commit(connection: Connection, draft: Draft, before: Iterable[Incident], telling: Telling) -> int:
    """Appends a draft's events with the deliveries that they cause. Returns how many those are. Raises Conflict."""
    incident_store.append(connection, draft.events, draft.incidents)
    known = {incident.number: incident for incident in before}
    messages = deliveries.messages(draft.events, known, draft.incidents, telling)
    delivery_store.add(connection, messages, draft.now)
    return len(messages)
