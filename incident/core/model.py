"""The incident: an append-only list of events, and the state that is their fold. Pure.

Kinds of event, and what their `data` holds (always JSON):

| kind            | data                                                                                          |
| --------------- | --------------------------------------------------------------------------------------------- |
| opened          | title, service, severity, drill, since (first sign), labels, channels, next_update_due          |
| alert           | fingerprints, services, alerts (the first few, for reading): they fire                          |
| alert_ended     | fingerprints: their source says that they are over                                              |
| alert_stale     | fingerprints: their source went silent, which is no recovery                                    |
| service         | service, was, title, labels, channels (told from now on): the trouble lies deeper               |
| severity        | severity, was, channels (told from now on)                                                      |
| status          | status, was                                                                                     |
| acknowledged    | again: somebody had before                                                                      |
| note            |                                                                                                 |
| update          | public, text_zh, status, was, next_update_due                                                   |
| assigned        | role, who                                                                                       |
| runbook         | runbooks                                                                                        |
| paged           | channel, key: the page was delivered                                                            |
| delivery_failed | channel, key, error: given up                                                                   |
| took_in         | incident, alerts (fingerprint: state), services, channels: another incident came over           |
| merged          | into: this incident goes on in another                                                          |
| resolved        |                                                                                                 |
| reopened        | next_update_due                                                                                 |

`data.via` is the mouth through which a person spoke.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

from incident.core import cadence

FIRING, ENDED, STALE = "firing", "ended", "stale"
STATUSES = ("investigating", "identified", "monitoring", "resolved")
SEVERITIES = ("SEV1", "SEV2", "SEV3", "SEV4")
_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of a timeline. `seq` counts from 1 in each incident and is the order; `at` may jump with the clock."""

    incident: int
    seq: int
    at: datetime
    actor: str
    kind: str
    text: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {
            "seq": self.seq,
            "at": self.at.isoformat(),
            "actor": self.actor,
            "kind": self.kind,
            "text": self.text,
            "data": dict(self.data),
        }


@dataclass(frozen=True, slots=True)
class Incident:
    """The state after event `seq`. `alerts` maps fingerprint to firing, ended or stale, in the order they joined."""

    number: int
    seq: int
    title: str
    service: str  # the root: where the trouble lies
    services: tuple[str, ...]  # all that are touched, the root first
    severity: str
    status: str
    opened_at: datetime
    changed_at: datetime
    since: datetime  # the first sign of the trouble, by the source's clock
    drill: str | None = None
    acknowledged_at: datetime | None = None
    acknowledgers: tuple[str, ...] = ()  # in the order in which they did
    mitigated_at: datetime | None = None  # of the last move to monitoring
    quiet_since: datetime | None = None  # since when all alerts have been over
    resolved_at: datetime | None = None
    resolved_by: str | None = None
    before_monitoring: str | None = None  # the status to go back to when an alert fires again
    roles: Mapping[str, str] = field(default_factory=dict)
    alerts: Mapping[str, str] = field(default_factory=dict)
    runbooks: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)  # of the root's first alert: what routes see
    channels: tuple[str, ...] = ()  # who has been told, and hears what follows
    next_update_due: datetime | None = None
    merged_into: int | None = None

    @property
    def open(self) -> bool:
        return self.status != "resolved"

    @property
    def acknowledged_by(self) -> str | None:
        return self.acknowledgers[0] if self.acknowledgers else None

    @property
    def recovered(self) -> bool:
        """No alert fires any more, and none went silent without a word."""
        return all(state == ENDED for state in self.alerts.values())

    def to_json(self, base_url: str = "") -> dict[str, Any]:
        """The shape fixed by the API, alike in CLI, API and webhooks."""
        return {
            "number": self.number,
            "title": self.title,
            "service": self.service,
            "services": list(self.services),
            "severity": self.severity,
            "status": self.status,
            "drill": self.drill,
            "opened_at": self.opened_at.isoformat(),
            "acknowledged_at": _iso(self.acknowledged_at),
            "acknowledged_by": self.acknowledged_by,
            "mitigated_at": _iso(self.mitigated_at),
            "resolved_at": _iso(self.resolved_at),
            "roles": dict(self.roles),
            "alerts": list(self.alerts),
            "firing": sum(state == FIRING for state in self.alerts.values()),
            "runbooks": list(self.runbooks),
            "next_update_due": _iso(self.next_update_due),
            "merged_into": self.merged_into,
            "seq": self.seq,
            "url": f"{base_url.rstrip('/')}/incidents/{self.number}",
        }

    def to_state(self) -> dict[str, Any]:
        """Everything, as JSON, for the table that caches the fold. `from_state` reads it back."""
        return {item.name: _plain(getattr(self, item.name)) for item in fields(self)}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "Incident":
        values = dict(state)
        for name in _INSTANTS:
            values[name] = _instant(values.get(name))
        for name in _TUPLES:
            values[name] = tuple(values[name])
        return cls(**values)


_INSTANTS = (
    "opened_at", "changed_at", "since", "acknowledged_at", "mitigated_at", "quiet_since", "resolved_at",
    "next_update_due",
)  # fmt: skip
_TUPLES = ("services", "runbooks", "channels", "acknowledgers")


def _iso(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat()


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, tuple):
        return list(value)
    return dict(value) if isinstance(value, Mapping) else value


def _instant(text: Any) -> datetime | None:
    return datetime.fromisoformat(text) if isinstance(text, str) else None


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
        since=_instant(data.get("since")) or event.at,
        drill=data.get("drill"),
        labels=dict(data.get("labels", {})),
        channels=tuple(data.get("channels", ())),
        next_update_due=_instant(data.get("next_update_due")),
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
        changed["next_update_due"] = _instant(event.data["next_update_due"])
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
        "next_update_due": _instant(event.data.get("next_update_due")),
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
