"""Whether a trouble has been there before: by what failed first, and by root causes that people have named. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from incident.core.alerts import StoredAlert, readable
from incident.core.model import Incident

Signature = Mapping[str, str]


def signature(alert: StoredAlert) -> dict[str, str]:
    """What failed, and how: the same each time that the same thing breaks in the same way."""
    found = {
        "service": alert.service,
        "alertname": alert.name,
        "journey": readable(alert.labels.get("journey", "")),
        "step": readable(alert.annotations.get("step", "")),
        "reason": readable(alert.annotations.get("reason", "")),
    }
    return {key: text for key, text in found.items() if text}


def same_failure(incident: Incident, earlier: Iterable[Incident]) -> Incident | None:
    """The earlier incident with the same signature that says most: with a root cause rather than without, then the
    newest."""
    if not incident.signature:
        return None
    return _best(one for one in _before(incident, earlier) if dict(one.signature) == dict(incident.signature))


def same_cause(incident: Incident, cause: str, earlier: Iterable[Incident]) -> Incident | None:
    """The newest earlier incident of which people named the same root cause."""
    wanted = cause.casefold()
    return _best(one for one in _before(incident, earlier) if wanted in {name.casefold() for name in one.causes})


def _before(incident: Incident, earlier: Iterable[Incident]) -> Iterable[Incident]:
    return (one for one in earlier if one.number < incident.number and one.drill == incident.drill)


def _best(found: Iterable[Incident]) -> Incident | None:
    return max(found, key=lambda one: (bool(one.causes), one.number), default=None)


def undone(incident: Incident) -> list[str]:
    """The numbers of its action items that are not done."""
    return [key for key, item in incident.tasks.items() if item["kind"] == "action_item" and item["done_at"] is None]


def words(earlier: Incident, now: datetime) -> str:
    """`as #7 (Expired certificate), 12 days ago; its action item 2 is not done`."""
    cause = f" ({earlier.causes[-1]})" if earlier.causes else ""
    left = undone(earlier)
    ending = ""
    if left:
        ending = f"; its action item{'s' if len(left) > 1 else ''} {', '.join(left)} {_be(left)} not done"
    return f"as #{earlier.number}{cause}, {_ago(earlier.opened_at, now)}{ending}"


def event_data(earlier: Incident, how: str, now: datetime) -> dict[str, Any]:
    """Of the event `similar`. `how`: failure or cause."""
    return {
        "incident": earlier.number,
        "how": how,
        "cause": earlier.causes[-1] if earlier.causes else None,
        "undone": undone(earlier),
        "said": words(earlier, now),
    }


def _be(items: list[str]) -> str:
    return "are" if len(items) > 1 else "is"


def _ago(then: datetime, now: datetime) -> str:
    seconds = max(0.0, (now - then).total_seconds())
    for size, name in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {name}{'s' if count > 1 else ''} ago"
    return "just before"
