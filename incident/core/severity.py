"""How bad it is, and why: from what the alerts say, where they were seen, and the orders that it costs. Pure.

It is raised at once. That less would do is a proposal, which people confirm.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from incident.core.alerts import StoredAlert
from incident.core.folding import Draft
from incident.core.model import FIRING, Incident
from incident.core.services import ServiceMap
from incident.core.sorts import Sort

EVERYWHERE = "SEV2"  # what is down at every one of several locations is at least as bad as this


@dataclass(frozen=True)
class Scale:
    """`orders`: what usually goes through each service a minute. `at_risk`: how many lost ones make which severity.

    `locations`: those that are heard at present. `measured`: of services whose orders a journey reads, its name and
    that of the value.
    """

    orders: Mapping[str, float] = field(default_factory=dict)
    at_risk: Mapping[str, float] = field(default_factory=dict)
    locations: Collection[str] = ()
    measured: Mapping[str, tuple[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Proposal:
    """`reason` is None where nothing is known but what the alerts themselves say."""

    severity: str
    reason: str | None


def told(alerts: Iterable[StoredAlert]) -> dict[str, Any]:
    """The sorts of these alerts, for an event's data, in the order of its fingerprints."""
    places: dict[Sort, int] = {}
    which = [places.setdefault(alert.sort, len(places)) for alert in alerts]
    return {"sorts": [list(sort) for sort in places], "sort_of": which}


def firing_sorts(incident: Incident) -> list[Sort]:
    places = {
        incident.sort_of[key] for key, state in incident.alerts.items() if state == FIRING and key in incident.sort_of
    }
    return [incident.sorts[place] for place in sorted(places)]


def propose(root: str, firing: Iterable[Sort], services: ServiceMap, scale: Scale) -> Proposal | None:
    """What fits alerts of these sorts; None when there are none. `root`: the service in which the trouble lies."""
    seen = list(firing)
    if not seen:
        return None
    severity = min(sort.severity for sort in seen)
    down = [sort for sort in seen if sort.down]
    if not down:
        return Proposal(severity, None)
    here = {sort.location for sort in down} - {""}
    among = max(len(here | set(scale.locations)), 1)
    everywhere = any(not sort.location for sort in down)
    share = 1.0 if everywhere else len(here) / among
    lost = share * max(_orders(service, services, scale) for service in {root, *(sort.service for sort in down)})
    fits = [level for level, least in scale.at_risk.items() if lost and lost >= least]
    if among > 1 and share == 1.0 and not everywhere:
        fits.append(EVERYWHERE)
    words = [root]
    words += [f"step {step}" for step in list(dict.fromkeys(sort.step for sort in down if sort.step))[:1]]
    words += [f"{len(here)} of {among} locations"] if among > 1 and not everywhere else []
    words += [f"about {lost:.2g} orders a minute at risk"] if 0 < lost < 100 else []
    words += [f"about {lost:.0f} orders a minute at risk"] if lost >= 100 else []
    return Proposal(min([severity, *fits]), ", ".join(words) if len(words) > 1 else None)


def _orders(service: str, services: ServiceMap, scale: Scale) -> float:
    """Whoever cannot work without this service loses its orders too; it is one path, so they do not add up."""
    return max(
        (number for name, number in scale.orders.items() if name == service or services.needs(name, service)),
        default=0.0,
    )


def with_reason(severity: str, reason: str | None) -> str:
    return f"{severity}: {reason}" if reason else severity


def reconsider(incident: Incident, draft: Draft, services: ServiceMap, scale: Scale, channels: Any) -> None:
    """Raises the severity when the alerts say so, unless people have found that much too high; else may propose less.

    `channels` gives those that the routes name for labels.
    """
    proposal = propose(incident.service, firing_sorts(incident), services, scale)
    if proposal is None:
        return
    now, was = proposal.severity, incident.severity
    if now < was and (incident.overruled is None or now < incident.overruled):
        data: dict[str, Any] = {"severity": now, "was": was, "reason": proposal.reason}
        data["channels"] = list(channels({**incident.labels, "severity": now}))
        why = proposal.reason or "the worst of its alerts"
        draft.add(incident.number, "severity", f"{was} → {now}: {why}", data)
    elif now > was and now != incident.proposed and incident.reason is not None:
        words = f"{with_reason(now, proposal.reason)}, would fit now: confirm it with sev"
        draft.add(incident.number, "proposed", words, {"severity": now, "reason": proposal.reason})
