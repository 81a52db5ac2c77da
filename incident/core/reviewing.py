"""The review that people publish into the record, and reminders of action items that are overdue. Pure."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from incident.core.acting import Act
from incident.core.folding import Draft
from incident.core.model import Incident
from incident.errors import Conflict, Refused

LARGEST = 100_000  # characters
BASED_ON = re.compile(r"<!-- shopwatch:review #?(\d+) version (\d+) -->[ \t]*\n?")
DAILY_FOR, LATER_EVERY = timedelta(days=7), timedelta(days=7)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def review(act: Act) -> None:
    """Publishes a review. A text that says on which version it is based is refused where there is a newer one."""
    text = _clean(act.args.get("text"))
    known = int(act.incident.review.get("version", 0))
    based = BASED_ON.match(text)
    if based is not None:
        _check(act, int(based[1]), int(based[2]), known)
        text = text[based.end() :].lstrip("\n")
    if not text.strip():
        raise Refused("text is missing: a review says something")
    version = known + 1
    act.say("review", f"Review published, version {version}, by {act.actor.name}", version=version, text=text)


def _check(act: Act, number: int, version: int, known: int) -> None:
    if number != act.number:
        raise Refused(f"this is a review of #{number}, not of #{act.number}: take its first line out if it is meant so")
    if version != known:
        raise Conflict(
            f"version {known} of this review was published meanwhile, and this text is based on version {version}: "
            "write it anew, or take its first line out to overrule",
            True,
        )


def _clean(text: Any) -> str:
    if not isinstance(text, str):
        raise Refused("text is missing: a review says something")
    if len(text) > LARGEST:
        raise Refused(f"the review has {len(text)} characters; {LARGEST} is the most")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Refused("the review is not Unicode (a lone surrogate)") from None
    return _CONTROL.sub("", text.replace("\r\n", "\n"))


def overdue(incident: Incident, now: datetime) -> dict[str, Mapping[str, Any]]:
    """Its action items that are not done and should be."""
    return {key: item for key, item in incident.tasks.items() if _is_overdue(item, now)}


def _is_overdue(item: Mapping[str, Any], now: datetime) -> bool:
    if item["kind"] != "action_item" or item["done_at"] is not None or not item["due"]:
        return False
    return datetime.fromisoformat(item["due"]) < now


def remind(incident: Incident, draft: Draft) -> None:
    """Says which action items are overdue: once a day in the first week, then once a week."""
    late = overdue(incident, draft.now)
    due = {key: item for key, item in late.items() if _may_be_said(item, draft.now)}
    if not due:
        return
    named = "; ".join(f"{key}, {item['text']}{_by(item)}" for key, item in due.items())
    words = "Action items are overdue" if len(due) > 1 else "An action item is overdue"
    draft.add(incident.number, "overdue", f"{words}: {named}", {"tasks": list(due)})


def _may_be_said(item: Mapping[str, Any], now: datetime) -> bool:
    said = item.get("said_at")
    if said is None:
        return True
    fresh = now - datetime.fromisoformat(item["due"]) < DAILY_FOR
    return now - datetime.fromisoformat(said) >= (timedelta(days=1) if fresh else LATER_EVERY)


def _by(item: Mapping[str, Any]) -> str:
    owner = f" ({item['owner']})" if item.get("owner") else ""
    return f"{owner}, due {datetime.fromisoformat(item['due']):%Y-%m-%d}"
