"""Points out that a trouble has been there before, in the transaction in which its incident opens."""

from sqlalchemy import Connection

from incident.core import similar
from incident.core.folding import Draft
from incident.core.model import Event
from incident.store import incidents as incident_store

LOOK_BACK = 50  # earlier incidents of the same service
LOOK_BACK_FOR_CAUSE = 1000


def recall(connection: Connection, draft: Draft) -> None:
    """Adds an event `similar` to each incident that opens, or gets a root cause, as an earlier one did."""
    for event in list(draft.events):
        if event.kind == "opened":
            _recall_failure(connection, draft, event)
        elif event.kind == "cause":
            _recall_cause(connection, draft, event)


def _recall_failure(connection: Connection, draft: Draft, event: Event) -> None:
    incident = draft.incidents[event.incident]
    if not incident.signature or incident.merged_into is not None:
        return
    known = incident_store.of_service(connection, incident.signature["service"], LOOK_BACK)
    earlier = similar.same_failure(incident, known)
    if earlier is not None:
        data = similar.event_data(earlier, "failure", draft.now)
        draft.add(incident.number, "similar", f"The same has failed before, {data['said']}", data)


def _recall_cause(connection: Connection, draft: Draft, event: Event) -> None:
    incident = draft.incidents[event.incident]
    earlier = similar.same_cause(
        incident, event.data["cause"], incident_store.list_all(connection, LOOK_BACK_FOR_CAUSE)
    )
    if earlier is not None:
        data = similar.event_data(earlier, "cause", draft.now)
        draft.add(incident.number, "similar", f"It had the same cause before, {data['said']}", data)
