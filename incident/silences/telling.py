"""What concerned incidents hear of a silence: that it was made, that it ended, that it is about to end."""

from datetime import datetime

from sqlalchemy import Connection

from incident.core.actor import SYSTEM, Actor
from incident.core.deliveries import Telling
from incident.core.folding import Draft
from incident.core.muting.silences import Silence
from incident.daemon.committing import commit
from incident.silences import store
from incident.store import alerts as alert_store
from incident.store import incidents as incident_store

KINDS = {"created": "silenced", "updated": "silenced", "expired": "silence_ended", "ending": "silence_ending"}


def tell(connection: Connection, silence: Silence, what: str, *, actor: Actor, now: datetime, telling: Telling) -> int:
    """A line on the timeline of every open incident with an alert that it covers. Returns how many messages follow."""
    open_now = {incident.number: incident for incident in incident_store.list_open(connection)}
    numbers = {
        alert.incident
        for alert in (alert_store.firing(connection) if open_now else ())
        if alert.incident in open_now and silence.covers(alert.matched)
    }
    concerned = [open_now[number] for number in sorted(number for number in numbers if number is not None)]
    draft = Draft(concerned, 0, now)
    end = silence.span(now)[1]
    data = {"silence": silence.id, "ends_at": end.isoformat(), "via": actor.via}
    for incident in concerned:
        draft.add(incident.number, KINDS[what], _words(silence, what, actor, now), data, actor.name)
    return commit(connection, draft, concerned, telling) if concerned else 0


def _words(silence: Silence, what: str, actor: Actor, now: datetime) -> str:
    matchers = ", ".join(map(str, silence.matchers))
    start, end = (f"{instant:%Y-%m-%d %H:%M} UTC" for instant in silence.span(now))
    if what == "expired":
        return f"{actor.name} ended the silence of {matchers}"
    if what == "ending":
        return f"The silence of {matchers} ends at {end}, and what it holds back still fires: {silence.comment}"
    begins = "" if silence.span(now)[0] <= now else f" from {start}"
    return f"{actor.name} silenced {matchers}{begins} until {end}: {silence.comment}"


def remind(connection: Connection, now: datetime, telling: Telling) -> tuple[int, int]:
    """Says of each silence whose time has come that it ends soon. Returns how many were due, and the messages."""
    due = store.to_remind(connection, now)
    messages = 0
    for silence in due:
        if not silence.window.over(now):
            messages += tell(connection, silence, "ending", actor=SYSTEM, now=now, telling=telling)
            store.record(connection, silence.id, "reminded", now=now, actor=SYSTEM, data={})
    if due:
        store.reminded(connection, [silence.id for silence in due])
    return len(due), messages
