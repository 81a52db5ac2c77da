"""From an incident's events to what a person wants to read: who by role, storms as one line, how late updates were.

Pure.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from incident.core import cadence
from incident.core.model import Event, Incident

TOGETHER = timedelta(minutes=5)  # events of one kind that follow each other so closely are one line
MOST = 300  # lines
_STORMY = frozenset(
    {"alert", "alert_ended", "alert_stale", "paged", "delivery_failed", "attached", "service", "took_in"}
)
_VERBATIM = frozenset({"note", "update", "opened"})  # a person's words, or an alert's
_UNTOLD = frozenset({"review", "overdue", "redacted"})  # about the record, not about the trouble
_TRIED = frozenset({"runbook", "step", "step_run", "runbook_step", "check", "undo"})
INTERNAL_EVERY = timedelta(minutes=30)


class Cast:
    """Who took part, by what they did and not by name: a review is about how things came about."""

    def __init__(self, incident: Incident) -> None:
        self._known = {"shopwatch": "Shopwatch"}
        self._known |= {who: role for role, who in incident.roles.items()}
        self._others = 0

    def role(self, actor: str) -> str:
        if actor not in self._known:
            self._others += 1
            self._known[actor] = f"responder {self._others}"
        return self._known[actor]

    def told(self, event: Event) -> str:
        """Its text, with the names of those who took part, or own a task, replaced where Shopwatch itself wrote it."""
        owner = event.data.get("owner")
        if isinstance(owner, str) and owner:
            self.role(owner)
        if event.kind == "assigned":
            return f"{event.data.get('role')}: taken on"
        if event.kind in _VERBATIM or event.actor == "shopwatch" or not event.actor:
            return event.text
        self.role(event.actor)
        names = "|".join(re.escape(name) for name in sorted(self._known, key=len, reverse=True))
        return re.sub(rf"(?<!\w)({names})(?!\w)", lambda found: self._known[found[1]], event.text)


def timeline(events: Sequence[Event], cast: Cast) -> list[dict[str, Any]]:
    """`count`: how many events a line stands for; `until`: when the last of them was."""
    lines: list[dict[str, Any]] = []
    for event in events:
        if event.kind in _UNTOLD:
            continue
        last = lines[-1] if lines else None
        if last is not None and _joins(event, last):
            last["count"] += 1
            last["until"] = event.at.isoformat()
            last["alerts"] += len(event.data.get("fingerprints", ()))
            continue
        lines.append(
            {
                "at": event.at.isoformat(),
                "until": event.at.isoformat(),
                "kind": event.kind,
                "public": bool(event.data.get("public")),
                "by": cast.role(event.actor),
                "text": cast.told(event),
                "count": 1,
                "alerts": len(event.data.get("fingerprints", ())),
            }
        )
    if len(lines) > MOST:  # the beginning and the end say most
        lines = [*lines[: MOST // 2], *lines[-MOST // 2 :]]
    return lines


def _joins(event: Event, last: Mapping[str, Any]) -> bool:
    alike = event.kind in _STORMY and last["kind"] == event.kind
    return alike and event.at - datetime.fromisoformat(last["until"]) <= TOGETHER


def tried(events: Sequence[Event], cast: Cast) -> list[dict[str, Any]]:
    """What was tried from the runbooks, and the notes that say how it went."""
    wanted = [event for event in events if event.kind in _TRIED or event.kind == "note"]
    return [
        {"at": event.at.isoformat(), "kind": event.kind, "by": cast.role(event.actor), "text": cast.told(event)}
        for event in wanted[:MOST]
    ]


def updates(events: Sequence[Event]) -> list[dict[str, Any]]:
    """Each update with `due_at`, when the public (of an internal one: the team) should have heard, and `late_s`."""
    found: list[dict[str, Any]] = []
    public_due: datetime | None = None
    internal_due: datetime | None = None
    for event in events:
        if event.kind in ("opened", "reopened"):
            public_due, internal_due = cadence.first(event.at), event.at + INTERNAL_EVERY
        elif event.kind in ("resolved", "merged"):
            public_due = internal_due = None
        elif event.kind == "update":
            public = bool(event.data.get("public"))
            found.append(_update(event, public, public_due if public else internal_due))
            internal_due = event.at + INTERNAL_EVERY
            said = event.data.get("next_update_due")
            if public or said:
                public_due = datetime.fromisoformat(said) if said else None
    return found


def _update(event: Event, public: bool, due: datetime | None) -> dict[str, Any]:
    late = 0.0 if due is None else max(0.0, (event.at - due).total_seconds())
    return {
        "at": event.at.isoformat(),
        "public": public,
        "status": event.data.get("status"),
        "text": event.text,
        "due_at": None if due is None else due.isoformat(),
        "late_s": late,
    }


def statuses(events: Sequence[Event]) -> list[tuple[datetime, str]]:
    """When which status began."""
    found: list[tuple[datetime, str]] = []
    for event in events:
        said = event.data.get("status")
        said = {
            "opened": "investigating",
            "reopened": "investigating",
            "resolved": "resolved",
            "merged": "resolved",
        }.get(event.kind, said if event.kind in ("status", "update", "unmerged") else None)
        if said and (not found or found[-1][1] != said):
            found.append((event.at, str(said)))
    return found


def spans(events: Sequence[Event], end: datetime) -> dict[str, list[tuple[datetime, datetime, int]]]:
    """By service, when alerts of it fired: begin, end, and how many there were at most at once."""
    service_of: dict[str, str] = {}
    firing: dict[str, set[str]] = {}
    began: dict[str, tuple[datetime, int]] = {}
    found: dict[str, list[tuple[datetime, datetime, int]]] = {}
    for event in events:
        if event.kind not in ("alert", "alert_ended", "alert_stale", "took_in"):
            continue
        _learn(event, service_of)
        for fingerprint in _fingerprints(event):
            name = service_of.get(fingerprint, "?")
            active = firing.setdefault(name, set())
            if event.kind in ("alert", "took_in"):
                active.add(fingerprint)
                start, most = began.get(name, (event.at, 0))
                began[name] = (start, max(most, len(active)))
            else:
                active.discard(fingerprint)
                if not active and name in began:
                    start, most = began.pop(name)
                    found.setdefault(name, []).append((start, event.at, most))
    for name, (start, most) in began.items():
        found.setdefault(name, []).append((start, max(start, end), most))
    return found


def _fingerprints(event: Event) -> Sequence[str]:
    if event.kind == "took_in":
        return [key for key, state in event.data.get("alerts", {}).items() if state == "firing"]
    return list(event.data.get("fingerprints", ()))


def _learn(event: Event, service_of: dict[str, str]) -> None:
    """Events name the service of the first few alerts only; the rest belong to the first service of the event."""
    services: Sequence[str] = event.data.get("services", ())
    named: Mapping[str, str] = {
        str(one.get("fingerprint")): str(one.get("service"))
        for one in event.data.get("alerts", ())
        if isinstance(one, Mapping)
    }
    for fingerprint in _fingerprints(event):
        if fingerprint not in service_of:
            service_of[fingerprint] = named.get(fingerprint) or (services[0] if services else "?")
