"""`Retry-After`: how long somebody who has too much to do asks us to wait."""

import email.utils
from datetime import UTC, datetime


def retry_after(text: str | None, now: datetime) -> float | None:
    """Seconds, from a number or an HTTP date; None where there is none or it makes no sense."""
    if text is None:
        return None
    if text.strip().isascii() and text.strip().isdigit():
        return float(text.strip()[:9])
    try:
        at = email.utils.parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):  # a year of twenty digits
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - now).total_seconds())
