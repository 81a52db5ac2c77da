"""Signatures: between the shop and its payment provider, and of Shopwatch's runs."""

import hashlib
import hmac

MAX_AGE = 300.0  # seconds: an older callback is refused, so that a recorded one cannot be replayed later


def sign(secret: str, body: bytes, now: float) -> str:
    """The value of `X-Payment-Signature`: `t=UNIX,v1=HEX`, HMAC-SHA256 of `UNIX.body`."""
    stamp = str(int(now))
    return f"t={stamp},v1={_digest(secret, stamp, body)}"


def verify(secret: str, body: bytes, header: str, now: float) -> bool:
    parts = dict(part.split("=", 1) for part in header.split(",") if "=" in part)
    stamp = parts.get("t", "")
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) < 12) or abs(now - int(stamp)) > MAX_AGE:
        return False
    return hmac.compare_digest(_digest(secret, stamp, body).encode(), parts.get("v1", "").encode())


def run_of(key: str, header: str) -> str | None:
    """The run that a request with this `X-Shopwatch-Run` belongs to: `RUN_ID.HMAC`, HMAC-SHA256 of the run's id in hex.

    None for a shopper, and for whoever does not have the key (`SHOPWATCH_RUN_KEY`) and would pass for a run.
    """
    run_id, _, digest = header.rpartition(".")
    wanted = hmac.new(key.encode(), run_id.encode(), hashlib.sha256).hexdigest()
    return run_id if key and run_id and hmac.compare_digest(wanted.encode(), digest.encode()) else None


def _digest(secret: str, stamp: str, body: bytes) -> str:
    return hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
