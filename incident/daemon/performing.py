"""One action of the vocabulary, from the database and back to it, in the caller's transaction."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from incident.closing import obstacles
from incident.core import actions
from incident.core.actor import Actor
from incident.core.decide import Policy
from incident.core.deliveries import Telling
from incident.core.folding import Draft, fold
from incident.core.model import Event, Incident
from incident.daemon.committing import commit
from incident.reviews.recalling import recall
from incident.store import alerts as alert_store
from incident.store import attachments as attachment_store
from incident.store import deliveries as delivery_store
from incident.store import incidents as incident_store

Alongside = Callable[[Connection], None]


def perform(
    connection: Connection,
    action: str,
    number: int | None,
    *,
    actor: Actor,
    args: Mapping[str, Any],
    policy: Policy,
    telling: Telling,
    now: datetime,
) -> tuple[Incident, int, int]:
    """The incident after it, how many events it made, and how many messages. Raises what the action raises."""
    incident = None if number is None else incident_store.find(connection, number)
    before = [] if incident is None else [incident]
    if incident is not None:
        others = set(actions.concerned(action, incident, args)) - {incident.number}
        before += incident_store.by_number(connection, others)
    draft = Draft(before, incident_store.next_number(connection), now)
    policy = replace(policy, obstacles=lambda one: obstacles(connection, one, now))
    done = actions.perform(action, incident, draft, actor=actor, args=args, policy=policy)
    recall(connection, draft)
    messages = commit(connection, draft, before, telling)
    alert_store.move(connection, _moved(draft.events))
    for event in draft.events:
        if event.kind == "redacted":
            draft.incidents[event.incident] = _blank(connection, event.incident, event.data["seq"])
    return draft.incidents[done], len(draft.events), messages


def _moved(events: Sequence[Event]) -> dict[str, int]:
    """The incident of each alert that now belongs to another than before."""
    moved: dict[str, int] = {}
    for event in events:
        if event.kind == "took_in":
            moved.update(dict.fromkeys(event.data["alerts"], event.incident))
        elif event.kind == "gave_back":
            moved.update(dict.fromkeys(event.data["alerts"], event.data["incident"]))
    return moved


def _blank(connection: Connection, number: int, seq: int) -> Incident:
    """The event loses its words everywhere that they are kept; the state of the incident is made anew without them."""
    event = incident_store.blank(connection, number, seq)
    if event.kind == "attached":
        attachment_store.remove(connection, number, event.data["attachment"])
    delivery_store.blank(connection, number, seq)
    return incident_store.refold(connection, fold(incident_store.timeline(connection, number)))
