"""Silences as Alertmanager's API v2 writes them: from JSON, and to it. Pure.

One that recurs says so in annotations, which newer versions of Alertmanager's clients carry along: `shopwatch/cron`,
`shopwatch/for`, `shopwatch/time_zone` and `shopwatch/until`. Its `startsAt` and `endsAt` are those of the window that
is open, or else the next.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from incident.core.muting.silences import Silence
from incident.core.muting.windows import Recurrence, check_cron
from incident.errors import Refused
from incident.intake.lenient import loads
from incident.silences.rules import Wanted
from incident.silences.store import matcher_json
from incident.web.alert_json import REQUIRED, BadDocument, read_instant, timestamp
from incident.web.matcher_text import check_regexes, make_matcher
from probes.duration import format_duration, parse_duration
from probes.files.settings import zone
from probes.labels import BadMatcher, LabelMatcher

CRON, FOR, ZONE, UNTIL = (f"shopwatch/{name}" for name in ("cron", "for", "time_zone", "until"))
_UUID = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}", re.I)
_LONGEST = timedelta(days=366)
_ZERO = datetime.min.replace(tzinfo=UTC)


def is_uuid(text: str) -> bool:
    return _UUID.fullmatch(text) is not None


def read_silence(body: bytes, now: datetime, default_zone: str) -> Wanted:
    """Raises BadDocument for what is no silence at all, Refused for one that cannot be."""
    if not body.strip():
        raise BadDocument(REQUIRED, "silence in body is required")
    try:
        item = loads(body)
    except (ValueError, RecursionError) as error:
        raise _unreadable(error) from None
    item = {} if item is None else item
    if not isinstance(item, dict):
        raise _unreadable(f"{type(item).__name__} is not an object")
    _whole(item)
    given = item.get("annotations") or {}
    _unicode([item["comment"], item["createdBy"], *given, *given.values()])
    recurrence, until = _recurrence(given, default_zone)
    return Wanted(
        matchers=_matchers(item["matchers"]),
        starts_at=_instant(item, "startsAt") or now,
        ends_at=_instant(item, "endsAt") or _ZERO,
        created_by=item["createdBy"].replace("\x00", ""),
        comment=item["comment"].replace("\x00", ""),
        annotations={name: text for name, text in given.items() if name not in (CRON, FOR, ZONE, UNTIL)},
        recurrence=recurrence,
        until=until,
        id=item.get("id") or None,
    )


def _whole(item: Mapping[str, Any]) -> None:
    """That the types are the schema's, and nothing required is missing."""
    for key in ("comment", "createdBy", "startsAt", "endsAt", "id"):
        if not isinstance(item.get(key), str | None):
            raise _unreadable(f"{key} is not a string")
    matchers, annotations = item.get("matchers"), item.get("annotations")
    if not isinstance(matchers, list | None) or not all(isinstance(one, dict | None) for one in matchers or ()):
        raise _unreadable("matchers is not an array of objects")
    if not isinstance(annotations, dict | None) or not all(isinstance(v, str) for v in (annotations or {}).values()):
        raise _unreadable("annotations is not an object of strings")
    for key in ("comment", "createdBy", "endsAt", "matchers", "startsAt"):
        if item.get(key) is None:
            raise BadDocument(REQUIRED, f"{key} in body is required")
    if not matchers:
        raise BadDocument(TOO_FEW, "matchers in body should have at least 1 items")


TOO_FEW = 612  # go-openapi's code of an array that is too short


def _unicode(texts: list[str]) -> None:
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        raise Refused("invalid silence: it holds text that is not Unicode (a lone surrogate)") from None


def _instant(item: Mapping[str, Any], key: str) -> datetime | None:
    """None for Go's zero time, which an empty text is too."""
    try:
        return read_instant(item[key], key)
    except BadDocument as error:
        raise BadDocument(error.code, str(error).replace("parsing alerts", "parsing silence", 1)) from None


def _matchers(items: list[Any]) -> tuple[LabelMatcher, ...]:
    """In the order of Alertmanager, so that the order in which they were given makes no other silence of it."""
    made = []
    for index, item in enumerate(items):
        made.append(_matcher({} if item is None else item, index))
    try:
        check_regexes(made)
    except BadMatcher as error:
        raise Refused(f"invalid silence: {error}") from None
    return tuple(sorted(made, key=lambda one: (one.name, one.value, one.is_regex, not one.is_equal)))


def _matcher(item: Mapping[str, Any], index: int) -> LabelMatcher:
    for key, kind in (("isRegex", bool), ("name", str), ("value", str), ("isEqual", bool)):
        if item.get(key) is None:
            if key != "isEqual":
                raise BadDocument(REQUIRED, f"matchers.{index}.{key} in body is required")
        elif not isinstance(item[key], kind):
            raise _unreadable(f"matchers.{index}.{key} is not a {kind.__name__}")
    equal = item.get("isEqual") is not False
    op = ("=~" if equal else "!~") if item["isRegex"] else ("=" if equal else "!=")
    try:
        (item["name"] + item["value"]).encode()
        return make_matcher(item["name"], op, item["value"])
    except (BadMatcher, UnicodeEncodeError) as error:
        raise Refused(f"invalid silence: invalid label matcher {index}: {error}") from None


def _recurrence(given: Mapping[str, str], default_zone: str) -> tuple[Recurrence | None, datetime | None]:
    if CRON not in given:
        return None, None
    try:
        duration = timedelta(seconds=parse_duration(given.get(FOR, "")))
        if not timedelta(0) < duration <= _LONGEST:
            raise ValueError("is not a time that a window can last")
        found = Recurrence(check_cron(given[CRON]), duration, zone(given.get(ZONE) or default_zone))
        return found, read_instant(given.get(UNTIL), UNTIL)
    except (ValueError, OverflowError) as error:
        raise Refused(f"invalid silence: its recurrence cannot be read: {error}") from None


def _unreadable(why: object) -> BadDocument:
    return BadDocument(400, f'parsing silence body from "" failed, because {why}')


def write_silence(silence: Silence, now: datetime) -> dict[str, Any]:
    """Alertmanager's gettableSilence."""
    start, end = silence.span(now)
    annotations = dict(silence.annotations)
    if (recurrence := silence.recurrence) is not None:
        annotations |= {CRON: recurrence.cron, ZONE: recurrence.time_zone}
        annotations[FOR] = format_duration(recurrence.duration.total_seconds())
        if silence.ends_at is not None:
            annotations[UNTIL] = timestamp(silence.ends_at)
    return {
        "id": silence.id,
        "status": {"state": str(silence.state(now))},
        "updatedAt": timestamp(silence.updated_at),
        "annotations": annotations,
        "comment": silence.comment,
        "createdBy": silence.created_by,
        "endsAt": timestamp(end),
        "matchers": [matcher_json(matcher) for matcher in silence.matchers],
        "startsAt": timestamp(start),
    }
