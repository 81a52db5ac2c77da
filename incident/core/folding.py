"""From events to the state of an incident, and the draft in which a decision makes new ones. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

from incident.core import cadence
from incident.core.model import ENDED, FIRING, STALE, Event, Incident, instant

_NOTHING: Mapping[str, Any] = MappingProxyType({})


def _union(first: Iterable[str], second: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*first, *second)))


def fold(events: Iterable[Event]) -> Incident:
    """The state after these events, which start with `opened`. Raises ValueError when they do not."""
    incident: Incident | None = None
    for event in events:
        incident = apply(incident, event)
    if incident is None:
        raise ValueError("an incident has at least one event")
    return incident


def apply(incident: Incident | None, event: Event) -> Incident:
    """The state after one more event. An event of an unknown kind changes nothing but `seq`.

    Raises ValueError when the event is not the next one.
    """
    if incident is None:
        if event.kind != "opened" or event.seq != 1:
            raise ValueError(f"#{event.incident} starts with event {event.seq}, {event.kind}, and not with opened")
        return _opened(event)
    if (event.incident, event.seq) != (incident.number, incident.seq + 1):
        raise ValueError(f"event {event.seq} of #{event.incident} does not follow {incident.seq} of #{incident.number}")
    change = _CHANGES.get(event.kind)
    changed = {} if change is None else change(incident, event)
    return replace(incident, seq=event.seq, changed_at=event.at, **changed)


def _opened(event: Event) -> Incident:
    data = event.data
    return Incident(
        number=event.incident,
        seq=1,
        title=data["title"],
        service=data["service"],
        services=(data["service"],),
        severity=data["severity"],
        status="investigating",
        opened_at=event.at,
        changed_at=event.at,
        since=instant(data.get("since")) or event.at,
        drill=data.get("drill"),
        labels=dict(data.get("labels", {})),
        channels=tuple(data.get("channels", ())),
        next_update_due=instant(data.get("next_update_due")),
    )


def _alerts(state: str) -> Any:
    def change(incident: Incident, event: Event) -> dict[str, Any]:
        alerts = {**incident.alerts, **dict.fromkeys(event.data["fingerprints"], state)}
        quiet = all(known == ENDED for known in alerts.values())
        return {
            "alerts": alerts,
            "services": _union(incident.services, event.data.get("services", ())),
            "quiet_since": (incident.quiet_since or event.at) if quiet else None,
        }

    return change


def _service(incident: Incident, event: Event) -> dict[str, Any]:
    data = event.data
    return {
        "service": data["service"],
        "services": _union([data["service"]], incident.services),
        "title": data.get("title", incident.title),
        "labels": dict(data.get("labels", incident.labels)),
        "channels": _union(incident.channels, data.get("channels", ())),
    }


def _severity(incident: Incident, event: Event) -> dict[str, Any]:
    severity = event.data["severity"]
    return {
        "severity": severity,
        "channels": _union(incident.channels, event.data.get("channels", ())),
        "labels": {**incident.labels, "severity": severity},
    }


def _status(incident: Incident, event: Event) -> dict[str, Any]:
    status = event.data.get("status")
    if status is None or status == incident.status:
        return {}
    if status == "resolved":
        return _resolved(incident, event)
    if status == "monitoring":
        return {"status": status, "before_monitoring": incident.status, "mitigated_at": event.at}
    return {"status": status, "before_monitoring": None, "mitigated_at": None}


def _acknowledged(incident: Incident, event: Event) -> dict[str, Any]:
    first = incident.acknowledged_at or event.at
    return {"acknowledged_at": first, "acknowledgers": _union(incident.acknowledgers, [event.actor])}


def _update(incident: Incident, event: Event) -> dict[str, Any]:
    """What is said inside, and names no time, leaves open when the public is to hear."""
    changed = _status(incident, event)
    if changed.get("status", incident.status) != "resolved" and "next_update_due" in event.data:
        changed["next_update_due"] = instant(event.data["next_update_due"])
    return changed


def _assigned(incident: Incident, event: Event) -> dict[str, Any]:
    return {"roles": {**incident.roles, event.data["role"]: event.data["who"]}}


def _runbook(incident: Incident, event: Event) -> dict[str, Any]:
    return {"runbooks": _union(incident.runbooks, event.data["runbooks"])}


def _took_in(incident: Incident, event: Event) -> dict[str, Any]:
    data = event.data
    return {
        "alerts": {**data["alerts"], **incident.alerts},
        "services": _union(incident.services, data["services"]),
        "channels": _union(incident.channels, data.get("channels", ())),
    }


def _merged(incident: Incident, event: Event) -> dict[str, Any]:
    return {**_resolved(incident, event), "merged_into": event.data["into"]}


def _resolved(incident: Incident, event: Event) -> dict[str, Any]:
    return {
        "status": "resolved",
        "resolved_at": event.at,
        "resolved_by": event.actor,
        "mitigated_at": incident.mitigated_at or event.at,
        "next_update_due": None,
    }


def _reopened(incident: Incident, event: Event) -> dict[str, Any]:
    return {
        "status": "investigating",
        "resolved_at": None,
        "resolved_by": None,
        "mitigated_at": None,
        "before_monitoring": None,
        "merged_into": None,
        "next_update_due": instant(event.data.get("next_update_due")),
    }


_CHANGES: Mapping[str, Any] = {
    "alert": _alerts(FIRING),
    "alert_ended": _alerts(ENDED),
    "alert_stale": _alerts(STALE),
    "service": _service,
    "severity": _severity,
    "status": _status,
    "acknowledged": _acknowledged,
    "update": _update,
    "assigned": _assigned,
    "runbook": _runbook,
    "took_in": _took_in,
    "merged": _merged,
    "resolved": _resolved,
    "reopened": _reopened,
}
KINDS = ("opened", *_CHANGES, "note", "paged", "delivery_failed")


class Draft:
    """Incidents while a decision is being made: `add` makes the next event and applies it. Nothing is stored here."""

    def __init__(self, incidents: Iterable[Incident], next_number: int, now: datetime) -> None:
        self.incidents = {incident.number: incident for incident in incidents}
        self.events: list[Event] = []
        self.next_number = next_number
        self.now = now

    def add(
        self, number: int, kind: str, text: str, data: Mapping[str, Any] = _NOTHING, actor: str = "shopwatch"
    ) -> Incident:
        known = self.incidents.get(number)
        event = Event(number, 1 if known is None else known.seq + 1, self.now, actor, kind, text, dict(data))
        self.incidents[number] = apply(known, event)
        self.events.append(event)
        return self.incidents[number]

    def open(self, title: str, data: Mapping[str, Any], actor: str = "shopwatch") -> Incident:
        number = self.next_number
        self.next_number += 1
        due = {"next_update_due": cadence.first(self.now).isoformat()}
        return self.add(number, "opened", title, {"title": title, **data, **due}, actor)
