"""The trouble at the root is over, and what other services say goes on: these stand on their own again. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from incident.core.alerts import StoredAlert
from incident.core.decide import record, watch_recovery
from incident.core.folding import Draft
from incident.core.merging import put_back, take_in
from incident.core.model import FIRING, Incident
from incident.core.placing import Placing, Policy, by_depth, due


def apart_due(incident: Incident, policy: Policy) -> datetime | None:
    """When the alerts of other services have gone on for long enough without the root's; None when there are none."""
    return due(incident.left_at, policy.settle) if incident.open else None


def left_behind(incident: Incident) -> list[str]:
    """The fingerprints of those alerts."""
    elsewhere = incident.elsewhere
    return [key for key, state in incident.alerts.items() if state == FIRING and key in elsewhere]


def stand_apart(
    incident: Incident, alerts: Sequence[StoredAlert], draft: Draft, policy: Policy
) -> dict[str, int | None]:
    """Parts what is left from an incident whose own trouble is over. Returns where each alert belongs from now on.

    `alerts` are those of `left_behind`. In the draft are all open incidents and those that this one has taken in.
    Incidents of their own are so again, and who was told of them hears it; where the incident itself began as one of
    another service, it is that service's again; for the rest it is as if they had come now. Those that are held back
    belong to none until they no longer are.
    """
    policy = replace(policy, storm=False)  # what the rest needs is over: it is no reason to suspect it
    placing = Placing(draft, policy, [replace(alert, incident=None) for alert in alerts if alert.muted is None])
    belongs: dict[str, int | None] = {}
    _put_back(incident.number, placing, belongs)
    left = set(left_behind(draft.incidents[incident.number]))
    remaining = [one for one in placing.batch if one.fingerprint in left]
    successor = _successor(draft.incidents[incident.number], remaining, placing)
    if successor is not None:
        words = f"{incident.service} is over, and {successor.service} is not: it lies there"
        placing.reroot(draft.incidents[incident.number], successor, words)
        services = policy.services
        left -= {one.fingerprint for one in alerts if services.needs(one.service, successor.service)}
        left -= {one.fingerprint for one in alerts if one.service == successor.service}
        with_it = {name for name in incident.suspects if services.both_need(name, successor.service)}
        left -= {one.fingerprint for one in alerts if one.service in with_it}
    _let_go(incident.number, [one for one in alerts if one.fingerprint in left], placing, belongs)
    watch_recovery(incident.number, draft)
    return belongs


def _put_back(number: int, placing: Placing, belongs: dict[str, int | None]) -> None:
    """Incidents whose alerts go on without it: they may go on in one another, or in another one that lies deeper."""
    draft, services = placing.draft, placing.policy.services
    left = set(left_behind(draft.incidents[number]))
    back: list[int] = []
    for key, brought in draft.incidents[number].taken_in.items():
        if int(key) in draft.incidents and left & set(brought["alerts"]):
            back.append(int(key))
    for other in sorted(back, key=lambda one: services.depth(draft.incidents[one].service)):
        put_back(draft.incidents[number], draft.incidents[other], draft)
        belongs.update(dict.fromkeys(draft.events[-2].data["alerts"], other))
        again = draft.incidents[other]
        deeper = placing.related(again.service, again.side, frozenset({number, other}))
        if deeper is not None and services.needs(again.service, deeper.service):
            take_in(deeper, again, draft)
            belongs.update(dict.fromkeys(again.alerts, deeper.number))
        elif placing.draws(again):
            placing.take_in_dependents(again)
            belongs.update(placing.belongs)


def _successor(incident: Incident, left: Sequence[StoredAlert], placing: Placing) -> StoredAlert | None:
    """The alert whose service the incident is about from now on: it began there, or was opened again only for it."""
    over, again = incident.root_over_at, incident.reopened_at
    only_for_them = over is not None and again is not None and over < again
    began = [root["service"] for root in reversed(incident.roots)]
    alike = (alert for alert in left if alert.quiet == incident.ticket)  # others are there by hand
    alone = [alert for alert in alike if not _has_a_cause(alert, incident, placing)]
    for service in began:
        found = next((alert for alert in alone if alert.service == service), None)
        if found is not None:
            return found
    if alone and only_for_them:
        return alone[0]
    return next((alert for alert in alone if alert.service in incident.suspects), None)


def _has_a_cause(alert: StoredAlert, incident: Incident, placing: Placing) -> bool:
    """Another incident that is open: what this alert says is part of that, or of what that turns out to be."""
    return placing.related(alert.service, incident.side, frozenset({incident.number})) is not None


def _let_go(number: int, alerts: Sequence[StoredAlert], placing: Placing, belongs: dict[str, int | None]) -> None:
    if not alerts:
        return
    draft = placing.draft
    services = sorted({alert.service for alert in alerts})
    words = f"{draft.incidents[number].service} is over; {', '.join(services[:5])}"
    words += f" and {len(services) - 5} more" if len(services) > 5 else ""
    data = {"fingerprints": [alert.fingerprint for alert in alerts], "services": services}
    draft.add(number, "let_go", f"{words} {'goes' if len(services) == 1 else 'go'} on apart from it", data)
    belongs.update(dict.fromkeys(data["fingerprints"], None))
    wanted = set(data["fingerprints"])
    fresh = [alert for alert in placing.batch if alert.fingerprint in wanted]
    belongs.update(record(placing, by_depth(fresh, placing.policy.services)))
