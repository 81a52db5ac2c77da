"""Any JSON at all, read as the source's `map` says."""

from datetime import datetime, timedelta
from typing import Any

from incident.intake.payload import LONGEST_NAME, Unreadable, a_list, alert, instant, text, web_link
from incident.intake.settings import Mapping
from probes.alert import Alert
from probes.language.paths import PathTooCostly, find

HOLD = timedelta(days=1)


def read(body: Any, mapping: Mapping, now: datetime, hold: timedelta = HOLD) -> list[Alert]:
    """One alert for each thing that `each` finds. Raises Unreadable."""
    items = a_list(_find(mapping.each, body), f"what {mapping.each} finds")
    if not items:
        raise Unreadable(f"{mapping.each} finds nothing in the body")
    return [_one(item, mapping, now, hold) for item in items]


def _one(item: Any, mapping: Mapping, now: datetime, hold: timedelta) -> Alert:
    labels = {name: said for name, where in mapping.labels.items() if (said := text(_value(where, item)))}
    if missing := [where for name, where in mapping.labels.items() if name == "alertname" and name not in labels]:
        raise Unreadable(f"{missing[0]} finds no alertname")
    annotations = {name: said for name, where in mapping.annotations.items() if (said := text(_value(where, item)))}
    status = text(_value(mapping.status, item), LONGEST_NAME).strip().lower() if mapping.status else ""
    return alert(
        labels,
        annotations,
        over=status in {word.lower() for word in mapping.resolved},
        now=now,
        hold=hold,
        starts_at=instant(_value(mapping.starts_at, item)) if mapping.starts_at else None,
        link=web_link(_value(mapping.link, item)) if mapping.link else "",
    )


def _value(where: str, item: Any) -> Any:
    """The first that the path finds, None where there is none; or the words themselves, where they are no path."""
    if not where.startswith("$"):
        return where
    found = _find(where, item)
    return found[0] if found else None


def _find(path: str, document: Any) -> list[Any]:
    try:
        return find(path, document)
    except PathTooCostly as error:
        raise Unreadable(f"{path}: {error}") from None
