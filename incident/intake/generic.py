"""Any JSON at all, read as the source's `map` says."""

from datetime import datetime, timedelta
from typing import Any

import structlog

from incident.intake.lenient import whole
from incident.intake.payload import LONGEST_NAME, Unreadable, a_list, alert, instant, text, web_link
from incident.intake.settings import Fields, Mapping
from probes.alert import Alert
from probes.language.paths import PathTooCostly, find

log = structlog.get_logger("intake")

HOLD = timedelta(days=1)


def read(body: Any, mapping: Mapping, now: datetime, hold: timedelta = HOLD, source: str = "") -> list[Alert]:
    """One alert for each thing that `each` finds. Raises Unreadable.

    What fires without a name is named after its `source`, as what comes of the button of most senders that tries them
    out: it is about nothing that has a name. To be over, something must be named.
    """
    items = a_list(_find(mapping.each, body), f"what {mapping.each} finds")
    if not items:
        raise Unreadable(f"{mapping.each} finds nothing in the body")
    return [_one(item, mapping, now, hold, source) for item in items]


def _one(item: Any, mapping: Mapping, now: datetime, hold: timedelta, source: str) -> Alert:
    labels = {name: said for name, where in mapping.labels.items() if (said := text(_value(where, item)))}
    annotations = {name: said for name, where in mapping.annotations.items() if (said := text(_value(where, item)))}
    status = text(_value(mapping.status, item), LONGEST_NAME).strip().lower()
    over = status in {word.lower() for word in mapping.resolved}
    if not labels.get("alertname") and ("alertname" in mapping.labels or not labels):
        if over or not source:
            raise Unreadable(f"{' and '.join(mapping.labels.get('alertname', ()))} finds no alertname")
        log.warning("an alert without a name is named after its source", source=source)
        labels["alertname"] = source
    return alert(
        labels,
        annotations,
        over=over,
        now=now,
        hold=hold,
        starts_at=instant(_value(mapping.starts_at, item)),
        link=web_link(_value(mapping.link, item)),
    )


def _value(where: Fields | None, item: Any) -> Any:
    """The first that a path finds and that says something, None where there is none; what is no path says itself."""
    for way in where or ():
        found = _find(way, item)[:1] if way.startswith("$") else [way]
        if found and found[0] not in (None, ""):
            return found[0]
    return None


def inside(body: Any, mapping: Mapping) -> bytes | None:
    """The text in which the mapping looks for the JSON to read; None where there is none."""
    found = _find(mapping.inside, body)[:1] if mapping.inside else []
    said = found[0].strip() if found and isinstance(found[0], str) else ""
    return whole(said).encode() if said.startswith(("{", "[")) else None


def _find(path: str, document: Any) -> list[Any]:
    try:
        return find(path, document)
    except PathTooCostly as error:
        raise Unreadable(f"{path}: {error}") from None
