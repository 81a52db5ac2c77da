"""Which messages an event causes, to whom, and what they say. Pure; `outbox` sends them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from incident.core.model import Event, Incident

PAGE, UPDATE, THREAD = "page", "update", "thread"
_PAGING = frozenset({"opened", "severity", "service", "suspected"})  # they name channels; those not told yet are paged
_TOLD = frozenset(
    {
        "acknowledged", "update", "status", "severity", "service", "assigned", "resolved", "reopened", "merged",
        "overdue", "silence_ending",
    }
)  # fmt: skip


_UNSAID = frozenset({"opened", "paged", "delivery_failed"})  # the root of a thread says the first, nobody the others


@dataclass(frozen=True)
class Telling:
    """`base_url` begins the addresses of incidents; `threads` names the channels that keep the whole timeline."""

    base_url: str = ""
    threads: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Message:
    """One delivery. `kind` page asks somebody to acknowledge, update tells, thread is for the record in a chat.

    `key` is the same each time that the same message is tried. `incident` and `event` have the API's JSON shapes,
    as of the commit that caused the message; a channel that shows a living message reads the desk instead.
    """

    key: str
    channel: str
    kind: str
    number: int
    at: datetime
    text: str
    incident: Mapping[str, Any] = field(default_factory=dict)
    event: Mapping[str, Any] = field(default_factory=dict)


def messages(
    events: Iterable[Event], before: Mapping[int, Incident], after: Mapping[int, Incident], telling: Telling
) -> list[Message]:
    """What these events, committed together, are to tell; `before` and `after` are the incidents around them."""
    told = {number: set(incident.channels) for number, incident in before.items()}
    found: list[Message] = []
    for event in events:
        incident = after[event.incident]
        known = told.setdefault(event.incident, set())
        if event.kind in _PAGING:
            again = bool(event.data.get("page"))
            new = [name for name in event.data.get("channels", ()) if again or name not in known]
            kind = UPDATE if incident.ticket else PAGE
            found.extend(_message(event, incident, name, kind, telling.base_url) for name in new)
        elif event.kind == "reopened" and event.data.get("page"):
            found.extend(_message(event, incident, name, PAGE, telling.base_url) for name in incident.channels)
            continue
        else:
            new = []
        if event.kind == "took_in":  # these have been told of the other
            known.update(event.data.get("channels", ()))
        told_all = event.kind in _TOLD and not event.data.get("again")
        kind, hearers = (UPDATE, known - {*new}) if told_all else (THREAD, (known & telling.threads) - {*new})
        if told_all or event.kind not in _UNSAID:
            found.extend(
                _message(event, incident, name, kind, telling.base_url) for name in incident.channels if name in hearers
            )
        known.update(new)
    return found


def _message(event: Event, incident: Incident, channel: str, kind: str, base_url: str) -> Message:
    return Message(
        key=f"{incident.number}-{event.seq}-{channel}",
        channel=channel,
        kind=kind,
        number=incident.number,
        at=event.at,
        text=page_text(incident) if kind == PAGE or event.kind == "opened" else update_text(incident, event),
        incident=incident.to_json(base_url),
        event=event.to_json(),
    )


def page_text(incident: Incident) -> str:
    """What it is about, the runbook, and how to acknowledge, where somebody is to."""
    parts = [f"{incident.severity} #{incident.number} {incident.title} ({incident.service})"]
    if incident.reason:
        parts.append(incident.reason)
    if incident.similar:
        parts.append(f"Seen before, {incident.similar['said']}")
    if incident.runbooks:
        parts.append(f"Runbook: {incident.runbooks[0]}")
    parts.append("Nobody is paged for it" if incident.ticket else f"Acknowledge: shopwatch ack {incident.number}")
    return ". ".join(part.rstrip(".") for part in parts) + "."


def update_text(incident: Incident, event: Event) -> str:
    said = " ".join(event.text.split())
    return f"#{incident.number} {incident.title}: {said}"
