"""From events to the state of an incident, and the draft in which a decision makes new ones. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

from incident.core import cadence, recorded, sorts
from incident.core.model import ENDED, FIRING, STALE, Event, Incident, instant
from incident.core.paging import aloud

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
    after = replace(incident, seq=event.seq, changed_at=event.at, **changed)
    return replace(after, **_calm(after, event.at)) if event.kind in _OF_ALERTS else after


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
        ticket=bool(data.get("ticket")),
        next_update_due=instant(data.get("next_update_due")),
        paged_at=event.at if data.get("channels") and not data.get("ticket") else None,
        reason=data.get("reason"),
        group=data.get("group"),
        signature=dict(data.get("signature", {})),
    )


def _alerts(state: str) -> Any:
    def change(incident: Incident, event: Event) -> dict[str, Any]:
        fingerprints = event.data["fingerprints"]
        known, which = sorts.learned(incident.sorts, incident.sort_of, fingerprints, event.data)
        return {
            "alerts": {**incident.alerts, **dict.fromkeys(fingerprints, state)},
            "services": _union(incident.services, event.data.get("services", ())),
            "sorts": known,
            "sort_of": which,
            "held": () if state != ENDED else incident.held,
        }

    return change


def _calm(incident: Incident, at: datetime) -> dict[str, Any]:
    """What follows from the alerts' states: since when all are over, those of the root, and who goes on without it."""
    quiet = bool(incident.alerts) and incident.recovered
    apart = incident.elsewhere
    own = [state for key, state in incident.alerts.items() if key not in apart]
    over = bool(own) and all(state == ENDED for state in own)
    left = over and any(incident.alerts[key] == FIRING for key in apart)
    return {
        "quiet_since": (incident.quiet_since or at) if quiet else None,
        "root_over_at": (incident.root_over_at or at) if over else None,
        "left_at": (incident.left_at or at) if left else None,
    }


def _service(incident: Incident, event: Event) -> dict[str, Any]:
    data = event.data
    before = {"service": incident.service, "title": incident.title, "labels": dict(incident.labels)}
    return {
        "service": data["service"],
        "services": _union([data["service"]], incident.services),
        "title": data.get("title", incident.title),
        "labels": dict(data.get("labels", incident.labels)),
        "roots": (*(root for root in incident.roots if root["service"] != data["service"]), before),
        "suspects": tuple(
            name for name in incident.suspects if name != data["service"] and name not in data.get("explains", ())
        ),
        **_told_now(incident, event),
    }


def _suspected(incident: Incident, event: Event) -> dict[str, Any]:
    return {"suspects": _union(incident.suspects, event.data["services"]), **_told_now(incident, event)}


def _told_now(incident: Incident, event: Event) -> dict[str, Any]:
    channels = _union(incident.channels, event.data.get("channels", ()))
    new = len(channels) > len(incident.channels) and not incident.ticket
    return {"channels": channels, "paged_at": event.at if event.data.get("page") or new else incident.paged_at}


def _severity(incident: Incident, event: Event) -> dict[str, Any]:
    severity = event.data["severity"]
    by_hand = event.actor != "shopwatch"
    return {
        "severity": severity,
        "reason": event.data.get("reason"),
        "proposed": None,
        "overruled": incident.severity if by_hand and severity > incident.severity else None,
        **_told_now(incident, event),
        "ticket": incident.ticket and not event.data.get("page"),
        "labels": {**(aloud(incident.labels) if event.data.get("page") else incident.labels), "severity": severity},
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
    if event.data.get("public"):
        changed["said_publicly"] = changed.get("status", incident.status)
        changed["taken_in"] = {key: _taken_up(brought) for key, brought in incident.taken_in.items()}
    return changed


def _taken_up(brought: Mapping[str, Any]) -> dict[str, Any]:
    """What the public is told from now on is told here, and no longer by the incident that came over."""
    return {key: value for key, value in brought.items() if key != "said_publicly"}


def _assigned(incident: Incident, event: Event) -> dict[str, Any]:
    return {"roles": {**incident.roles, event.data["role"]: event.data["who"]}}


def _runbook(incident: Incident, event: Event) -> dict[str, Any]:
    return {"runbooks": _union(incident.runbooks, event.data["runbooks"])}


def _took_in(incident: Incident, event: Event) -> dict[str, Any]:
    data = event.data
    new = [service for service in data["services"] if service not in incident.services]
    brought: dict[str, Any] = {"alerts": list(data["alerts"]), "services": new}
    if data.get("said_publicly") is not None:
        brought["said_publicly"] = data["said_publicly"]
    by_hand = event.actor != "shopwatch"  # then it is the same trouble, whatever service it shows in
    if by_hand and incident.ticket == bool(data.get("ticket")):  # a ticket says nothing of later outages
        brought["by_hand"] = True
    root = incident.service if by_hand else None
    known, which = sorts.learned(incident.sorts, incident.sort_of, list(data["alerts"]), data, root)
    return {
        "sorts": known,
        "sort_of": {**which, **incident.sort_of},
        "alerts": {**data["alerts"], **incident.alerts},
        "services": _union(incident.services, data["services"]),
        "channels": _union(incident.channels, data.get("channels", ())),
        "taken_in": {**incident.taken_in, str(data["incident"]): brought},
    }


def _gave_back(incident: Incident, event: Event) -> dict[str, Any]:
    number = str(event.data["incident"])
    services = incident.taken_in.get(number, {}).get("services", ())
    return {
        **_without(incident, event.data["alerts"]),
        "services": tuple(name for name in incident.services if name == incident.service or name not in services),
        "taken_in": {key: brought for key, brought in incident.taken_in.items() if key != number},
    }


def _without(incident: Incident, fingerprints: Iterable[str]) -> dict[str, Any]:
    gone = set(fingerprints)
    return {
        "alerts": {key: state for key, state in incident.alerts.items() if key not in gone},
        "sort_of": {key: place for key, place in incident.sort_of.items() if key not in gone},
    }


def _let_go(incident: Incident, event: Event) -> dict[str, Any]:
    left = _without(incident, event.data["fingerprints"])
    touched = {incident.sorts[place].service for place in left["sort_of"].values()} | {incident.service}
    gone = set(event.data["services"]) - touched
    return {**left, "services": tuple(name for name in incident.services if name not in gone)}


def _proposed(incident: Incident, event: Event) -> dict[str, Any]:
    return {"proposed": event.data["severity"]}


def _held_open(incident: Incident, event: Event) -> dict[str, Any]:
    return {"held": tuple(event.data["obstacles"])}


def _unmerged(incident: Incident, event: Event) -> dict[str, Any]:
    status = event.data["status"]
    return {
        **_reopened(incident, event),
        "status": status,
        "alerts": {**incident.alerts, **event.data["alerts"]},
        "mitigated_at": event.at if status == "monitoring" else None,
        "quiet_since": None,
        "root_over_at": None,
        "left_at": None,
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
        "proposed": None,
        "held": (),
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
        "reopened_at": event.at,
        "paged_at": event.at if event.data.get("page") else incident.paged_at,
        "overruled": None,
    }


_CHANGES: Mapping[str, Any] = {
    "alert": _alerts(FIRING),
    "alert_ended": _alerts(ENDED),
    "alert_stale": _alerts(STALE),
    "service": _service,
    "suspected": _suspected,
    "severity": _severity,
    "status": _status,
    "acknowledged": _acknowledged,
    "update": _update,
    "assigned": _assigned,
    "runbook": _runbook,
    "took_in": _took_in,
    "gave_back": _gave_back,
    "merged": _merged,
    "unmerged": _unmerged,
    "linked": recorded.linked,
    "unlinked": recorded.unlinked,
    "task": recorded.task,
    "task_change": recorded.task,
    "task_done": recorded.task_done,
    "cause": recorded.cause,
    "attached": recorded.attached,
    "similar": recorded.similar,
    "review": recorded.review,
    "overdue": recorded.overdue,
    "resolved": _resolved,
    "reopened": _reopened,
    "let_go": _let_go,
    "proposed": _proposed,
    "held_open": _held_open,
}
_OF_ALERTS = frozenset({"alert", "alert_ended", "alert_stale", "service", "took_in", "gave_back", "unmerged", "let_go"})
KINDS = ("opened", *_CHANGES, "note", "paged", "delivery_failed", "redacted")


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
