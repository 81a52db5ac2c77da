"""Which messages an event causes, to whom, and what they say. Pure; `outbox` sends them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from incident.core.model import Event, Incident
from incident.core.paging import called, told_only_of_both

PAGE, UPDATE, THREAD = "page", "update", "thread"
_PAGING = frozenset({"opened", "severity", "service", "suspected", "paging"})  # they name channels
_TOLD = frozenset(
    {
        "acknowledged", "update", "status", "severity", "service", "assigned", "resolved", "reopened", "merged",
        "overdue", "silence_ending", "paging",
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
    hearing = {number: _Hearing(set(one.channels), set(one.told_only)) for number, one in before.items()}
    found: list[Message] = []
    for event in events:
        incident = after[event.incident]
        heard = hearing.setdefault(event.incident, _Hearing(set(), set()))
        paged, told = heard.of(event, incident.channels)
        found.extend(_message(event, incident, name, PAGE, telling.base_url) for name in paged)
        found.extend(_message(event, incident, name, UPDATE, telling.base_url) for name in told)
        told_all = event.kind in _TOLD and not event.data.get("again")
        new = {*paged, *told}
        kind, hearers = (UPDATE, heard.known - new) if told_all else (THREAD, (heard.known & telling.threads) - new)
        if told_all or event.kind not in _UNSAID:
            found.extend(
                _message(event, incident, name, kind, telling.base_url) for name in incident.channels if name in hearers
            )
        heard.known |= new
    return _once(found)


@dataclass
class _Hearing:
    """`known`: who has been told of an incident; `told_only`: those of them who were not paged."""

    known: set[str]
    told_only: set[str]

    def of(self, event: Event, channels: Iterable[str]) -> tuple[list[str], list[str]]:
        """Who is paged by this event, and who is told for the first time without. It counts from then on."""
        paged: list[str] = []
        told: list[str] = []
        if event.kind in _PAGING:
            paged, told = called(event.data, self.known, self.told_only)
        elif event.kind == "reopened":
            were = self.known - self.told_only if event.data.get("page") else set()
            paged = [name for name in channels if name in were]
            self.told_only |= {*event.data.get("quietly", ())}
        elif event.kind == "gave_back":
            self.told_only |= {*event.data.get("quietly", ())}
        elif event.kind == "took_in":  # they have been told of the other
            self.told_only = set(told_only_of_both(self.known, self.told_only, event.data))
            self.known |= {*event.data.get("channels", ())}
        self.told_only = (self.told_only - {*paged}) | {*told}
        return paged, told


def _once(found: list[Message]) -> list[Message]:
    """Without the first word to those who are paged in the same breath."""
    paged = {(one.number, one.channel) for one in found if one.kind == PAGE}
    return [
        one
        for one in found
        if one.kind == PAGE or one.event["kind"] != "opened" or (one.number, one.channel) not in paged
    ]


def _message(event: Event, incident: Incident, channel: str, kind: str, base_url: str) -> Message:
    return Message(
        key=f"{incident.number}-{event.seq}-{channel}",
        channel=channel,
        kind=kind,
        number=incident.number,
        at=event.at,
        text=_text(incident, event, kind),
        incident=incident.to_json(base_url),
        event=event.to_json(),
    )


def _text(incident: Incident, event: Event, kind: str) -> str:
    if kind == PAGE:
        return page_text(incident)
    return told_text(incident) if event.kind == "opened" else update_text(incident, event)


def page_text(incident: Incident) -> str:
    """What it is about, how to acknowledge, and the runbook."""
    return _sentences([*_about(incident), f"Acknowledge: shopwatch ack {incident.number}"])


def told_text(incident: Incident) -> str:
    """What it is about, where it asks nobody to acknowledge."""
    return _sentences([*_about(incident), "Nobody is paged for it"])


def _about(incident: Incident) -> list[str]:
    parts = [f"{incident.severity} #{incident.number} {incident.title} ({incident.service})"]
    if incident.reason:
        parts.append(incident.reason)
    if incident.similar:
        parts.append(f"Seen before, {incident.similar['said']}")
    if incident.runbooks:
        parts.append(f"Runbook: {incident.runbooks[0]}")
    return parts


def _sentences(parts: Iterable[str]) -> str:
    return ". ".join(part.rstrip(".") for part in parts) + "."


def update_text(incident: Incident, event: Event) -> str:
    said = " ".join(event.text.split())
    return f"#{incident.number} {incident.title}: {said}"
