"""All that a review states, from what the record holds. Pure; everything is JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from incident.core.model import Event, Incident
from incident.core.similar import undone
from incident.reviews import impact, story
from incident.reviews.due import action_items, due_at

Facts = dict[str, Any]
MOST_SIMILAR = 10


@dataclass(frozen=True)
class Material:
    """`runs`: by journey, results between the first sign and the end. `per_minute`: orders, of services that say so.

    `others`: incidents that may be like this one. `changes`: told in the hours before it and while it went on.
    """

    incident: Incident
    events: Sequence[Event]
    runs: Mapping[str, Sequence[Mapping[str, Any]]]
    per_minute: Mapping[str, float]
    others: Sequence[Incident]
    changes: Sequence[Mapping[str, Any]]
    zone: ZoneInfo
    now: datetime

    @property
    def end(self) -> datetime:
        return self.incident.resolved_at or self.now


def facts_of(material: Material) -> Facts:
    incident, cast = material.incident, story.Cast(material.incident)
    due = due_at(incident, material.zone)
    return {
        "number": incident.number,
        "title": incident.title,
        "severity": incident.severity,
        "status": incident.status,
        "drill": incident.drill,
        "services": list(incident.services),
        "times": _times(incident),
        "impact": _impact(material),
        "changes": [dict(change) for change in material.changes],
        "timeline": story.timeline(material.events, cast),
        "tried": story.tried(material.events, cast),
        "updates": story.updates(material.events),
        "causes": list(incident.causes),
        "action_items": action_items(incident, material.now),
        "similar": _similar(incident, material.others),
        "published": dict(incident.review) or None,
        "due_at": None if due is None else due.isoformat(),
    }


def _times(incident: Incident) -> dict[str, Any]:
    """Instants, and seconds from the opening on; `detect_s`: from the first sign to the opening."""
    instants = {
        "began_at": incident.since,
        "opened_at": incident.opened_at,
        "acknowledged_at": incident.acknowledged_at,
        "mitigated_at": incident.mitigated_at,
        "resolved_at": incident.resolved_at,
    }
    found: dict[str, Any] = {name: None if at is None else at.isoformat() for name, at in instants.items()}
    found["detect_s"] = _seconds(incident.since, incident.opened_at)
    for name, at in (
        ("acknowledge_s", incident.acknowledged_at),
        ("mitigate_s", incident.mitigated_at),
        ("resolve_s", incident.resolved_at),
    ):
        found[name] = None if at is None else _seconds(incident.opened_at, at)
    return found


def _seconds(begin: datetime, end: datetime) -> float:
    return max(0.0, (end - begin).total_seconds())


def _impact(material: Material) -> dict[str, Any]:
    incident = material.incident
    journeys = []
    for name, runs in sorted(material.runs.items()):
        told = impact.down(runs, incident.services, incident.since, material.end)
        if any(place["failed"] for place in told["locations"]):
            journeys.append({"journey": name, **told})
    lasted = max(timedelta(0), (incident.mitigated_at or material.end) - incident.since)
    rates = {name: rate for name, rate in material.per_minute.items() if name in incident.services}
    return {"journeys": journeys, "orders": impact.orders(rates, journeys, lasted)}


def _similar(incident: Incident, others: Sequence[Incident]) -> list[dict[str, Any]]:
    causes = {name.casefold() for name in incident.causes}
    found: list[dict[str, Any]] = []
    for other in others:
        how = incident.links.get(str(other.number))
        if causes & {name.casefold() for name in other.causes}:
            how = how or "same cause"
        elif incident.signature and dict(other.signature) == dict(incident.signature):
            how = how or "same failure"
        if other.number != incident.number and other.drill == incident.drill and how:
            found.append(
                {
                    "number": other.number,
                    "title": other.title,
                    "opened_at": other.opened_at.isoformat(),
                    "how": how,
                    "causes": list(other.causes),
                    "undone": undone(other),
                }
            )
    return sorted(found, key=lambda one: -one["number"])[:MOST_SIMILAR]
