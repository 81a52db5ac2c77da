"""One incident goes on in another, and stands on its own again. By people and by the engine alike. Pure."""

from typing import Any

from incident.core import cadence
from incident.core.closing import told_by_others
from incident.core.folding import Draft
from incident.core.model import ENDED, Incident
from incident.core.sorts import told_again


def take_in(into: Incident, other: Incident, draft: Draft, actor: str = "shopwatch", **said: Any) -> None:
    """`other` ends, and what it knew goes over to `into`, which is as bad as the worse of the two from now on."""
    data = {
        "incident": other.number,
        "alerts": dict(other.alerts),
        "services": list(other.services),
        "channels": list(other.channels),  # told of `other`, they hear how it goes on
        "said_publicly": next(iter(told_by_others(other).values()), other.said_publicly),
        **told_again(other.alerts, other.sorts, other.sort_of),
        **({"ticket": True} if other.ticket else {}),
        **said,
    }
    words = f"Goes on in #{into.number}, {into.service}"
    draft.add(other.number, "merged", words, {"into": into.number, **said}, actor)
    into = draft.add(into.number, "took_in", f"Took in #{other.number}, {other.title}", data, actor)
    if other.severity < into.severity:
        worse = {"severity": other.severity, "was": into.severity}
        draft.add(into.number, "severity", f"{into.severity} → {other.severity}: #{other.number} had it", worse)


def whither(number: int, draft: Draft) -> int:
    """The incident that goes on for this one, which others may have taken in."""
    into = draft.incidents[number].merged_into
    return number if into is None else whither(into, draft)


def put_back(into: Incident, other: Incident, draft: Draft, actor: str = "shopwatch", **said: Any) -> None:
    """`other` stands on its own again, with those of its alerts that `into` still has; `into` no longer has them."""
    brought = into.taken_in.get(str(other.number), {}).get("alerts", ())
    alerts = {fingerprint: into.alerts[fingerprint] for fingerprint in brought if fingerprint in into.alerts}
    gave = {"incident": other.number, "alerts": list(alerts), **said}
    draft.add(into.number, "gave_back", f"#{other.number}, {other.title}, stands on its own again", gave, actor)
    over = bool(alerts) and all(state == ENDED for state in alerts.values())
    data = {
        "from": into.number,
        "alerts": alerts,
        "status": "monitoring" if over else "investigating",
        "next_update_due": cadence.first(draft.now).isoformat(),
        **said,
    }
    draft.add(other.number, "unmerged", f"Stands on its own again, apart from #{into.number}", data, actor)
