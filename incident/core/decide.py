"""What alerts and passing time do to incidents. Pure: state and `now` in, events out."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from incident.core import model
from incident.core.alerts import FIRING, RESOLVED, DrillWindow, StoredAlert
from incident.core.folding import Draft
from incident.core.merging import take_in
from incident.core.model import Incident
from incident.core.services import ServiceMap

_NAMED = 20  # alerts listed by name in one event; a storm has more than anybody reads


def _no_runbooks(labels: Mapping[str, str]) -> Sequence[str]:
    return ()


def _no_obstacles(incident: Incident) -> Sequence[str]:
    return ()


@dataclass(frozen=True)
class Policy:
    """What the workspace says. `route` gives the channels for labels; `auto_resolve` is seconds in monitoring."""

    services: ServiceMap
    route: Callable[[Mapping[str, str]], tuple[str, ...]]
    runbooks: Callable[[Mapping[str, str]], Sequence[str]] = _no_runbooks
    drills: tuple[DrillWindow, ...] = ()
    auto_resolve: float | None = None
    obstacles: Callable[[Incident], Sequence[str]] = _no_obstacles  # what speaks against closing an incident now


@dataclass
class _Touched:
    """What this decision has to say to one incident."""

    fired: list[StoredAlert] = field(default_factory=list)
    ended: list[StoredAlert] = field(default_factory=list)
    stale: list[StoredAlert] = field(default_factory=list)


def decide(alerts: Iterable[StoredAlert], draft: Draft, policy: Policy) -> dict[str, int]:
    """Adds to `draft` what these alerts, each changed since it was last looked at, do to its incidents.

    Returns the incident of each fingerprint that now belongs to one. Deeper services are taken first, so that what
    arrives together is one incident at once.
    """
    belongs: dict[str, int] = {}
    touched: dict[int, _Touched] = {}
    for alert in sorted(alerts, key=lambda alert: policy.services.depth(alert.service)):
        number = _place(alert, draft, policy, belongs)
        if number is None:
            continue
        belongs[alert.fingerprint] = number
        news = touched.setdefault(number, _Touched())
        {FIRING: news.fired, RESOLVED: news.ended}.get(alert.state, news.stale).append(alert)
    for number, news in touched.items():
        final = _whither(number, draft)
        for alert in (*news.fired, *news.ended, *news.stale):
            belongs[alert.fingerprint] = final
        _record(draft, final, news, policy)
    return belongs


def _whither(number: int, draft: Draft) -> int:
    """The incident that goes on for this one, which another may have taken in meanwhile."""
    into = draft.incidents[number].merged_into
    return number if into is None else _whither(into, draft)


def _place(alert: StoredAlert, draft: Draft, policy: Policy, belongs: dict[str, int]) -> int | None:
    """The incident of this alert: its own, one along the dependencies, or a new one; None when it says nothing new."""
    own = None if alert.incident is None else draft.incidents.get(alert.incident)
    if own is not None:
        known = own.alerts.get(alert.fingerprint)
        wanted = {FIRING: model.FIRING, RESOLVED: model.ENDED}.get(alert.state, model.STALE)
        after_the_end = alert.state == FIRING and not own.open
        if known == wanted or (after_the_end and known != model.STALE):
            return None
        if not after_the_end:
            return own.number
        # Nobody could know that it went on when the incident was closed over its silence: it is news.
    if alert.state != FIRING:
        return None
    drill = next((window.name for window in policy.drills if window.covers(alert.service, draft.now)), None)
    found = _related(alert.service, drill, draft, policy.services)
    if found is None:
        found = _open(alert, drill, draft, policy)
    elif policy.services.needs(found.service, alert.service):
        _reroot(found, alert, draft, policy)
    else:
        return found.number
    _take_in_dependents(draft.incidents[found.number], draft, policy, belongs)
    return found.number


def _related(service: str, drill: str | None, draft: Draft, services: ServiceMap) -> Incident | None:
    """The open incident of this service, else of one that it needs, else of one that needs it; the oldest of such."""
    candidates = [one for _, one in sorted(draft.incidents.items()) if one.open and one.drill == drill]
    for related in (
        lambda root: root == service,
        lambda root: services.needs(service, root),
        lambda root: services.needs(root, service),
    ):
        for incident in candidates:
            if related(incident.service):
                return incident
    return None


def _open(alert: StoredAlert, drill: str | None, draft: Draft, policy: Policy) -> Incident:
    labels = {**alert.labels, "service": alert.service, "severity": alert.severity}
    if drill is not None:
        labels["drill"] = drill
    incident = draft.open(
        _title(alert, drill),
        {
            "service": alert.service,
            "severity": alert.severity,
            "drill": drill,
            "since": alert.starts_at.isoformat(),
            "labels": labels,
            "channels": list(policy.route(labels)),
        },
    )
    return add_runbooks(incident, labels, draft, policy)


def _title(alert: StoredAlert, drill: str | None) -> str:
    return f"[DRILL] {alert.summary}" if drill is not None else alert.summary


def add_runbooks(incident: Incident, labels: Mapping[str, str], draft: Draft, policy: Policy) -> Incident:
    new = [name for name in policy.runbooks(labels) if name not in incident.runbooks]
    if not new:
        return incident
    return draft.add(incident.number, "runbook", f"Runbook: {', '.join(new)}", {"runbooks": new})


def _reroot(incident: Incident, alert: StoredAlert, draft: Draft, policy: Policy) -> None:
    """The trouble lies deeper: whoever the routes name for the deeper service is told as well."""
    was = incident.service
    labels = {**alert.labels, "service": alert.service, "severity": incident.severity}
    if incident.drill is not None:
        labels["drill"] = incident.drill
    by_hand = "alertname" not in incident.labels  # then the title is a person's
    data = {
        "service": alert.service,
        "was": was,
        "title": incident.title if by_hand else _title(alert, incident.drill),
        "labels": labels,
        "channels": list(policy.route(labels)),
    }
    draft.add(incident.number, "service", f"{was} needs {alert.service}, which is in trouble: it lies there", data)
    add_runbooks(draft.incidents[incident.number], labels, draft, policy)


def _take_in_dependents(root: Incident, draft: Draft, policy: Policy, belongs: dict[str, int]) -> None:
    """Open incidents of services that need this one's go on in it: one cause, one incident."""
    for _, other in sorted(draft.incidents.items()):
        same = other.number != root.number and other.open and other.drill == root.drill
        if same and policy.services.needs(other.service, root.service):
            take_in(draft.incidents[root.number], other, draft)
            belongs.update(dict.fromkeys(other.alerts, root.number))


def _record(draft: Draft, number: int, news: _Touched, policy: Policy) -> None:
    """One event for each kind of news, however many alerts there are, and what follows from them."""
    if news.fired:
        _fired(draft, number, news.fired, policy)
    for kind, alerts, words in (
        ("alert_ended", news.ended, "over"),
        ("alert_stale", news.stale, "its source went silent, which is no recovery"),
    ):
        if alerts:
            draft.add(number, kind, f"{_listing(alerts)}: {words}", _data(alerts))
    incident = draft.incidents[number]
    if news.ended and incident.open and incident.recovered and incident.status != "monitoring":
        data = {"status": "monitoring", "was": incident.status}
        draft.add(number, "status", "All alerts are over: watching whether it stays so", data)


def _fired(draft: Draft, number: int, alerts: list[StoredAlert], policy: Policy) -> None:
    incident = draft.add(number, "alert", f"{_listing(alerts)}: firing", _data(alerts))
    worst = min(alert.severity for alert in alerts)
    _raise_severity(number, worst, "the worst of its alerts", draft, policy)
    if incident.status == "monitoring":
        back = incident.before_monitoring or "investigating"
        draft.add(number, "status", f"Firing again: back to {back}", {"status": back, "was": "monitoring"})


def _raise_severity(number: int, severity: str, why: str, draft: Draft, policy: Policy | None) -> None:
    """Never lowers it. Whoever the routes name for the new severity and had not been told is told."""
    incident = draft.incidents[number]
    if severity >= incident.severity:
        return
    data: dict[str, Any] = {"severity": severity, "was": incident.severity}
    if policy is not None:
        data["channels"] = list(policy.route({**incident.labels, "severity": severity}))
    draft.add(number, "severity", f"{incident.severity} → {severity}: {why}", data)


def _listing(alerts: list[StoredAlert]) -> str:
    first = alerts[0]
    line = f"{first.name} ({first.service})"
    if first.summary != first.name:
        line += f" {first.summary}"
    return line if len(alerts) == 1 else f"{line}, and {len(alerts) - 1} more"


def _data(alerts: list[StoredAlert]) -> dict[str, Any]:
    return {
        "fingerprints": [alert.fingerprint for alert in alerts],
        "services": sorted({alert.service for alert in alerts}),
        "alerts": [
            {
                "fingerprint": alert.fingerprint,
                "name": alert.name,
                "service": alert.service,
                "severity": alert.severity,
                "summary": alert.summary,
                "starts_at": alert.starts_at.isoformat(),
            }
            for alert in alerts[:_NAMED]
        ],
    }


def decide_time(incident: Incident, draft: Draft, policy: Policy) -> None:
    """Adds what is due for this incident by `draft.now`."""
    due = resolve_due(incident, policy)
    if due is not None and due <= draft.now:
        draft.add(incident.number, "resolved", "Resolved: all alerts have stayed over")


def resolve_due(incident: Incident, policy: Policy) -> datetime | None:
    """When it resolves by itself, if nothing happens before."""
    waits = policy.auto_resolve is not None and incident.status == "monitoring" and incident.recovered
    if not waits or incident.mitigated_at is None or policy.auto_resolve is None:
        return None
    calm = max(incident.mitigated_at, incident.quiet_since or incident.mitigated_at)  # a person may foresee recovery
    return calm + timedelta(seconds=policy.auto_resolve)
