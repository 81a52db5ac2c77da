"""Whether a payload was signed by its source: HMAC-SHA256 (RFC 2104), as Grafana and many others do it."""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime

from incident.errors import IncidentError
from incident.intake.settings import Hmac

TOLERANCE = 300.0  # seconds between the sender's clock and ours; more than that may be a payload sent once more


class BadSignature(IncidentError):
    """The payload is not signed, or not by its source."""


def check(body: bytes, headers: Mapping[str, str], signed: Hmac, now: datetime) -> None:
    """`headers` finds names in any case. Raises BadSignature.

    The signature is hexadecimal, of the body; with a timestamp, of `TIMESTAMP:body`. `sha256=` before it is allowed.
    """
    given = headers.get(signed.header)
    if given is None:
        raise BadSignature(f"the header {signed.header} with the payload's signature is missing")
    content = body
    if signed.timestamp_header is not None:
        at = headers.get(signed.timestamp_header, "")
        if not (at.isascii() and at.isdigit() and len(at) <= 12 and abs(now.timestamp() - int(at)) <= TOLERANCE):
            raise BadSignature(f"the header {signed.timestamp_header} is no Unix time of the last {TOLERANCE:g} s")
        content = f"{at}:".encode() + body
    right = hmac.new(signed.key.encode(), content, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(
        right.encode(), given.removeprefix("sha256=").strip().lower().encode("utf-8", "replace")
    ):
        raise BadSignature(f"the signature in {signed.header} is not that of this payload and key")
