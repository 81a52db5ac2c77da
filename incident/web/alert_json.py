"""Alerts as Alertmanager's API v2 writes them: from JSON, and to it. Pure.

Source of the rules: Alertmanager 0.34, api/v2 and go-openapi; contracts: docs/api.md, "Alertmanager's API".
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from incident.core.alerts import StoredAlert
from incident.errors import IncidentError
from incident.intake.lenient import loads, whole
from probes.alert import Alert, fingerprint

RESOLVE_TIMEOUT = timedelta(minutes=5)
REQUIRED, WRONG_TYPE = 602, 601  # go-openapi's codes; what is 600 and above is served as 422
MAX_LABELS, MAX_NAME, MAX_VALUE = 64, 256, 16 * 1024
_URL = re.compile(r"/|[A-Za-z][A-Za-z0-9+.-]*:")
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)?")


class BadDocument(IncidentError):
    """The request as a whole cannot be read. `code` as go-openapi has it."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code

    @property
    def status(self) -> int:
        return 422 if self.code >= 600 else self.code


def read_alerts(body: bytes, now: datetime) -> tuple[list[Alert], list[str]]:
    """The valid alerts of a `POST /alerts`, and a problem for each other one. Raises BadDocument."""
    alerts = _quickly(body, now)
    if alerts is not None:
        return alerts, []
    alerts, problems = [], []
    for index, item in enumerate(_carefully(body)):
        try:
            alerts.append(_alert(item, now))
        except ValueError as error:
            problems.append(f"alert {index}: {error}")
    return alerts, problems


@dataclass(slots=True)
class _Item:
    """An alert as it is sent, instants read."""

    labels: dict[str, str]
    annotations: dict[str, str]
    starts_at: datetime | None
    ends_at: datetime | None
    url: str
    identity: str = ""


class _Sent(msgspec.Struct):
    """What msgspec reads, in the time in which json finds the braces. Labels are left as they are written."""

    labels: msgspec.Raw
    annotations: dict[str, str] | None = None
    startsAt: datetime | None = None  # noqa: N815 - as it is spelt in the document
    endsAt: datetime | None = None  # noqa: N815
    generatorURL: str | None = None  # noqa: N815


_SENT = msgspec.json.Decoder(list[_Sent])
_LABELS = msgspec.json.Decoder(dict[str, str])
_INSTANT = msgspec.json.Decoder(datetime)
_FAMILIAR = 2048  # bytes of labels that are worth remembering
_MOST_KNOWN = 1 << 14
_known: dict[bytes, str] = {}  # fingerprints, by labels as they are written


def _quickly(body: bytes, now: datetime) -> list[Alert] | None:
    """None where anything at all is not as it should be: what that is, and whether it is bad, is for `_carefully`."""
    try:
        body.decode()
        return [_alert(_read(one), now) for one in _SENT.decode(body)]
    except (ValueError, RecursionError, BadDocument):
        return None


def _read(sent: _Sent) -> _Item:
    url, raw = sent.generatorURL, bytes(sent.labels)
    if url and not _URL.match(url):
        raise ValueError("no URL")
    labels = _LABELS.decode(raw)
    identity = _known.get(raw)
    if identity is None:
        identity = _identity(raw, labels) if len(raw) <= _FAMILIAR else ""
    starts_at, ends_at = sent.startsAt, sent.endsAt
    if starts_at is not None and (starts_at.tzinfo is not UTC or starts_at.year == 1):
        starts_at = _utc(starts_at)
    if ends_at is not None and (ends_at.tzinfo is not UTC or ends_at.year == 1):
        ends_at = _utc(ends_at)
    return _Item(labels, sent.annotations or {}, starts_at, ends_at, url or "", identity)


def _utc(instant: datetime) -> datetime | None:
    """Without a time zone it is UTC, as for Alertmanager. Raises ValueError where it leads out of the calendar."""
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    try:
        return None if instant.year == 1 else instant.astimezone(UTC)
    except OverflowError:
        raise ValueError("out of the calendar") from None


def _identity(raw: bytes, labels: dict[str, str]) -> str:
    """The fingerprint of labels that are as they should be, else "": most alerts come again and again."""
    if not labels or "" in labels or "" in labels.values():
        return ""
    if len(raw) > MAX_NAME:  # else there is no room for too many, or for one that is too long
        _bounded(labels, "label")
    if len(_known) >= _MOST_KNOWN:
        _known.clear()
    found = _known[raw] = fingerprint(labels)
    return found


def _carefully(body: bytes) -> list[_Item]:
    """As Alertmanager reads it, whose words for what is wrong it has. Raises BadDocument."""
    if not body.strip():
        raise BadDocument(REQUIRED, "alerts in body is required")
    try:
        items = loads(body)
    except (ValueError, RecursionError) as error:
        raise _unreadable(error) from None
    if items is None:
        return []
    if not isinstance(items, list):
        raise _unreadable(f"{type(items).__name__} is not an array")
    return [_shaped(item, index) for index, item in enumerate(items)]


def _shaped(item: Any, index: int) -> _Item:
    """`item` with the types of the schema, instants read. Raises BadDocument: then nothing of the batch is taken."""
    if not isinstance(item, dict):
        raise _unreadable(f"alert {index} is not an object")
    if item.get("labels") is None:
        raise BadDocument(REQUIRED, f"{index}.labels in body is required")
    url = item.get("generatorURL")
    if not isinstance(url, str | None):
        raise _unreadable(f"generatorURL of alert {index} is not a string")
    if url and not _URL.match(url):
        raise BadDocument(WRONG_TYPE, f"{index}.generatorURL in body must be of type uri: {url[:100]!r}")
    return _Item(
        _strings(item["labels"], f"labels of alert {index}"),
        _strings(item.get("annotations") or {}, f"annotations of alert {index}"),
        read_instant(item.get("startsAt"), f"startsAt of alert {index}"),
        read_instant(item.get("endsAt"), f"endsAt of alert {index}"),
        url or "",
    )


def _strings(value: Any, where: str) -> dict[str, str]:
    """What is null is empty and what is no character U+FFFD, as Go reads it."""
    if not isinstance(value, dict) or not all(isinstance(text, str | None) for text in value.values()):
        raise _unreadable(f"{where} should be an object of strings")
    return {whole(name): whole(text or "") for name, text in value.items()}


def read_instant(value: Any, where: str) -> datetime | None:
    """None for an instant that is not given, which Go writes as the zero time too."""
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not _RFC3339.fullmatch(value):
        raise _unreadable(f"{where} is not an RFC 3339 time")
    try:
        return _utc(_INSTANT.decode(f'"{value}"'))
    except ValueError:
        raise _unreadable(f"{where} is not a time") from None


def _alert(item: _Item, now: datetime) -> Alert:
    """Fills in what the source left out. Raises ValueError for an alert that cannot be taken."""
    labels = item.labels
    if not item.identity:
        labels = {name: value for name, value in labels.items() if value}
        if not labels:
            raise ValueError("at least one label pair required")
        _bounded(labels, "label")
    _bounded(item.annotations, "annotation")
    ends_at, timeout = item.ends_at, item.ends_at is None
    starts_at = item.starts_at or ends_at or now
    if ends_at is None:
        ends_at = now + RESOLVE_TIMEOUT
    if ends_at < starts_at:
        raise ValueError("start time must be before end time")
    return Alert(labels, starts_at, ends_at, item.annotations, item.url, timeout, item.identity)


def _bounded(pairs: Mapping[str, str], what: str) -> None:
    if len(pairs) > MAX_LABELS:
        raise ValueError(f"{len(pairs)} {what}s; {MAX_LABELS} is the most")
    if pairs and "" not in pairs and sum(map(len, pairs)) + sum(map(len, pairs.values())) <= MAX_NAME:
        return  # most are as short as that
    for name, value in pairs.items():
        if not name:
            raise ValueError(f"a {what} has no name")
        if len(name) > MAX_NAME or len(value) > MAX_VALUE:
            raise ValueError(f"the {what} {name[:64]!r} is too long")


def _unreadable(why: object) -> BadDocument:
    return BadDocument(400, f'parsing alerts body from "" failed, because {why}')


def timestamp(instant: datetime) -> str:
    """`2026-01-31T09:00:00.000Z`, as Alertmanager writes it."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds")[:23] + "Z"


def write_alert(alert: StoredAlert, receivers: Sequence[str]) -> dict[str, Any]:
    """Alertmanager's gettableAlert."""
    written = {
        "annotations": alert.annotations,
        "endsAt": timestamp(alert.ends_at),
        "fingerprint": alert.fingerprint,
        "receivers": [{"name": name} for name in receivers],
        "startsAt": timestamp(alert.starts_at),
        "status": _status(alert),
        "updatedAt": timestamp(alert.updated_at),
        "labels": alert.labels,
    }
    if alert.generator_url:
        written["generatorURL"] = alert.generator_url
    return written


def _status(alert: StoredAlert) -> dict[str, Any]:
    if alert.muted is None:
        return {"inhibitedBy": [], "mutedBy": [], "silencedBy": [], "state": "active"}
    return {**alert.muted, "state": "suppressed"}
