"""What the senders have in common: text of any type, instants in any notation, limits on both."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from incident.errors import IncidentError
from incident.intake.lenient import loads, whole
from probes.alert import Alert

MOST_ALERTS = 1000  # in one payload
MOST_PAIRS = 64
LONGEST_NAME, LONGEST_VALUE = 256, 16 * 1024
_LONGEST_INSTANT = 64  # characters, digits
_LAST = 4_102_444_800  # 2100, in Unix seconds: what is more is milliseconds, or nanoseconds


class Unreadable(IncidentError):
    """A payload that is not what its sender should send; the text says what is missing."""


def decoded(body: bytes) -> Any:
    """JSON with decimals, as text keeps them. Raises Unreadable."""
    try:
        return loads(body, Decimal)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"the body is no JSON: {error}") from None


def a_dict(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Unreadable(f"{what} should be an object, and is {_kind(value)}")
    return value


def a_list(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise Unreadable(f"{what} should be an array, and is {_kind(value)}")
    if len(value) > MOST_ALERTS:
        raise Unreadable(f"{what} has {len(value)} items; {MOST_ALERTS} is the most")
    return value


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", type(None): "missing or null"}
    return names.get(type(value), "a number")


def text(value: Any, longest: int = LONGEST_VALUE) -> str:
    """Any JSON value as text, cut where it is too long; null is empty."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    said = value if isinstance(value, str) else str(value) if isinstance(value, int | Decimal) else _compact(value)
    said = whole(said)
    return said if len(said) <= longest else said[: longest - 1] + "…"


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


def pairs(value: Any, what: str) -> dict[str, str]:
    """Labels or annotations: whatever values there are become text, what is empty is left out. Raises Unreadable."""
    found = a_dict({} if value is None else value, what)
    kept = {whole(name): said for name, item in found.items() if name and (said := text(item)) != ""}
    if len(kept) > MOST_PAIRS:
        raise Unreadable(f"{what} has {len(kept)} entries; {MOST_PAIRS} is the most")
    if long := next((name for name in kept if len(name) > LONGEST_NAME), None):
        raise Unreadable(f"{what}: the name {long[:40]!r}… is longer than {LONGEST_NAME} characters")
    return kept


def instant(value: Any) -> datetime | None:
    """ISO 8601, or a Unix time in seconds, milli-, micro- or nanoseconds. None where there is none, as Go's year 1."""
    if isinstance(value, str) and not value.strip().lstrip("-").isdigit():
        try:
            found = datetime.fromisoformat(value.strip())
        except ValueError:
            return None
        return None if found.year <= 1 else _utc(found)
    try:
        seconds = Decimal(str(value)[:_LONGEST_INSTANT])
        if not seconds.is_finite() or seconds.adjusted() > _LONGEST_INSTANT:  # infinity stays it, however divided
            return None
        while abs(seconds) > _LAST:
            seconds /= 1000
        return datetime.fromtimestamp(float(seconds), UTC) if seconds > 0 else None
    except (ArithmeticError, ValueError, OverflowError, OSError):
        return None


def _utc(instant: datetime) -> datetime | None:
    try:
        return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError:
        return None


def alert(
    labels: Mapping[str, str],
    annotations: Mapping[str, str],
    *,
    over: bool,
    now: datetime,
    hold: timedelta,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
    link: str = "",
) -> Alert:
    """One that fires, until nothing was heard of it for `hold`; or one that is over, since `ends_at` if that is past.

    Raises Unreadable for one that could not be told from others.
    """
    if not labels:
        raise Unreadable("an alert needs at least one label that is not empty")
    starts_at = min(starts_at or now, now)
    if not over:
        return Alert(labels, starts_at, now + hold, annotations, link, timeout=True)
    ends_at = min(ends_at or now, now)
    return Alert(labels, min(starts_at, ends_at), ends_at, annotations, link)


def web_link(*candidates: Any) -> str:
    """The first that is an http or https address."""
    return next((c[:2000] for c in candidates if isinstance(c, str) and c.startswith(("http://", "https://"))), "")
