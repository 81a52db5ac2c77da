"""The end of a certificate's life, read from its DER form.

`ssl` decodes a peer's certificate only when it has verified it; a probe with `verify: false` wants the date as well.
"""

from datetime import UTC, datetime
from functools import lru_cache

_SEQUENCE, _UTC_TIME, _GENERALIZED_TIME, _VERSION = 0x30, 0x17, 0x18, 0xA0


@lru_cache(maxsize=256)
def expiry(der: bytes) -> datetime | None:
    """`notAfter` (RFC 5280, 4.1.2.5), aware UTC. None for bytes that are no certificate."""
    try:
        certificate, _ = _enter(der, 0)
        at, _ = _enter(der, certificate)
        if der[at] == _VERSION:
            at = _skip(der, at)
        for _ in ("serial number", "signature algorithm", "issuer"):
            at = _skip(der, at)
        not_before, _ = _enter(der, at)
        return _time(der, _skip(der, not_before))
    except (IndexError, ValueError):
        return None


def _length(der: bytes, at: int) -> tuple[int, int]:
    """Where the content of the element at `at` starts and ends."""
    first = der[at + 1]
    if first < 0x80:
        return at + 2, at + 2 + first
    start = at + 2 + (first & 0x7F)
    return start, start + int.from_bytes(der[at + 2 : start], "big")


def _enter(der: bytes, at: int) -> tuple[int, int]:
    if der[at] != _SEQUENCE:
        raise ValueError("not a sequence")
    return _length(der, at)


def _skip(der: bytes, at: int) -> int:
    return _length(der, at)[1]


def _time(der: bytes, at: int) -> datetime:
    start, end = _length(der, at)
    text = der[start:end].decode("ascii")
    if der[at] == _UTC_TIME:  # two digits of year; from 50 on they are of the last century
        text = ("19" if text >= "50" else "20") + text
    elif der[at] != _GENERALIZED_TIME:
        raise ValueError("not a time")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
