"""What alerts and passing time do to incidents. Pure: state and `now` in, events out."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from incident.core.alerts import FIRING, RESOLVED, StoredAlert
from incident.core.closing import speaks_against
from incident.core.folding import Draft
from incident.core.merging import whither
from incident.core.model import Incident
from incident.core.placing import Placing, Policy, add_runbooks, by_depth
from incident.core.severity import reconsider, told

__all__ = ["Policy", "add_runbooks", "decide", "decide_time", "record", "resolve_due", "watch_recovery"]

_NAMED = 20  # alerts listed by name in one event; a storm has more than anybody reads


@dataclass
class _Touched:
    """What this decision has to say to one incident."""

    fired: list[StoredAlert] = field(default_factory=list)
    ended: list[StoredAlert] = field(default_factory=list)
    stale: list[StoredAlert] = field(default_factory=list)


def decide(alerts: Iterable[StoredAlert], draft: Draft, policy: Policy) -> dict[str, int]:
    """Adds to `draft` what these alerts, each changed since it was last looked at, do to its incidents.

    Returns the incident of each fingerprint that now belongs to one.
    """
    batch = by_depth(alerts, policy.services)
    return record(Placing(draft, policy, batch), batch)


def record(placing: Placing, alerts: Iterable[StoredAlert]) -> dict[str, int]:
    """Places these alerts, and says so in their incidents. Returns which those are."""
    draft, belongs = placing.draft, placing.belongs
    touched: dict[int, _Touched] = {}
    for alert in alerts:
        number = placing.place(alert)
        if number is None:
            continue
        belongs[alert.fingerprint] = number
        news = touched.setdefault(number, _Touched())
        {FIRING: news.fired, RESOLVED: news.ended}.get(alert.state, news.stale).append(alert)
    placing.suspicion.say()
    gathered: dict[int, _Touched] = {}
    for number, news in touched.items():
        final = whither(number, draft)
        for alert in (*news.fired, *news.ended, *news.stale):
            belongs[alert.fingerprint] = final
        into = gathered.setdefault(final, _Touched())
        into.fired += news.fired
        into.ended += news.ended
        into.stale += news.stale
    for number, news in gathered.items():
        _record(draft, number, news, placing.policy)
    return belongs


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
    if draft.incidents[number].open:
        reconsider(draft.incidents[number], draft, policy.services, policy.scale, policy.route)
    if news.ended:
        watch_recovery(number, draft)


def watch_recovery(number: int, draft: Draft) -> None:
    incident = draft.incidents[number]
    if incident.open and incident.alerts and incident.recovered and incident.status != "monitoring":
        data = {"status": "monitoring", "was": incident.status}
        draft.add(number, "status", "All alerts are over: watching whether it stays so", data)


def _fired(draft: Draft, number: int, alerts: list[StoredAlert], policy: Policy) -> None:
    incident = draft.add(number, "alert", f"{_listing(alerts)}: firing", _data(alerts))
    if incident.status == "monitoring":
        back = incident.before_monitoring or "investigating"
        draft.add(number, "status", f"Firing again: back to {back}", {"status": back, "was": "monitoring"})


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
        **told(alerts),
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
    """Adds what is due for this incident by `draft.now`. What speaks against closing it is said once."""
    due = resolve_due(incident, policy)
    if due is None or due > draft.now:
        return
    against = speaks_against(incident, policy.obstacles(incident))
    if not against:
        draft.add(incident.number, "resolved", "Resolved: all alerts have stayed over")
    elif not incident.held:
        words = f"It would resolve now, but {'; '.join(against)}"
        draft.add(incident.number, "held_open", words, {"obstacles": against})


def resolve_due(incident: Incident, policy: Policy) -> datetime | None:
    """When it resolves by itself, if nothing happens before."""
    waits = policy.auto_resolve is not None and incident.status == "monitoring" and incident.recovered
    if not waits or incident.mitigated_at is None or policy.auto_resolve is None:
        return None
    calm = max(incident.mitigated_at, incident.quiet_since or incident.mitigated_at)  # a person may foresee recovery
    return calm + timedelta(seconds=policy.auto_resolve)
