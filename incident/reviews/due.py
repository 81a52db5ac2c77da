"""When an incident's review is due, and which action items wait. Pure.

Source: the review meets within 3 days of the end of a SEV1, within 5 working days of a SEV2; no other needs one.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from incident.core.model import Incident

SEV1_WITHIN = timedelta(days=3)
SEV2_WITHIN = 5  # working days
_WEEKEND = 5  # Saturday's weekday()


def due_at(incident: Incident, zone: ZoneInfo) -> datetime | None:
    """None where no review is asked for: of what is open, goes on elsewhere, or was a drill."""
    if incident.resolved_at is None or incident.merged_into is not None or incident.drill is not None:
        return None
    if incident.severity == "SEV1":
        return incident.resolved_at + SEV1_WITHIN
    return working_days_after(incident.resolved_at, SEV2_WITHIN, zone) if incident.severity == "SEV2" else None


def working_days_after(begin: datetime, days: int, zone: ZoneInfo) -> datetime:
    """The same time of day so many working days later, by the clocks of `zone`; holidays are not known."""
    local = begin.astimezone(zone)
    while days:
        local += timedelta(days=1)  # on the wall clock
        days -= local.weekday() < _WEEKEND
    return local.astimezone(UTC)


def action_items(incident: Incident, now: datetime) -> list[dict[str, Any]]:
    """Its action items with `state`: open, overdue or done."""
    return [
        {"task": number, **_shown(item), "state": state(item, now)}
        for number, item in incident.tasks.items()
        if item["kind"] == "action_item"
    ]


def _shown(item: Any) -> dict[str, Any]:
    return {key: item.get(key) for key in ("text", "owner", "due", "done_at")}


def state(item: Any, now: datetime) -> str:
    if item["done_at"] is not None:
        return "done"
    due = item.get("due")
    return "overdue" if due and datetime.fromisoformat(due) < now else "open"


def reviews(incidents: Iterable[Incident], zone: ZoneInfo, now: datetime) -> list[dict[str, Any]]:
    """Every incident that needs a review or has one, or has action items; the first due first, then the newest."""
    found = [_row(one, zone, now) for one in incidents]
    kept = [row for row in found if row["state"] != "not needed" or row["action_items"]]
    return sorted(kept, key=lambda row: (row["due_at"] is None, row["due_at"] or "", -row["number"]))


def waits(row: dict[str, Any]) -> bool:
    """Whether somebody has something to do about it."""
    return row["state"] in ("due", "overdue") or any(item["state"] != "done" for item in row["action_items"])


def _row(incident: Incident, zone: ZoneInfo, now: datetime) -> dict[str, Any]:
    due, published = due_at(incident, zone), incident.review.get("at")
    if published is not None:
        said = "published"
    elif due is None:
        said = "not needed"
    else:
        said = "overdue" if due < now else "due"
    return {
        "number": incident.number,
        "title": incident.title,
        "severity": incident.severity,
        "resolved_at": None if incident.resolved_at is None else incident.resolved_at.isoformat(),
        "state": said,
        "due_at": None if due is None else due.isoformat(),
        "published_at": published,
        "causes": list(incident.causes),
        "action_items": action_items(incident, now),
    }
