"""Webhooks out: JSON to an address of the user's, signed where a secret is set. docs/settings.md, "Webhooks out"."""

import hashlib
import hmac
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import httpx

from incident.channels import Context, DeliveryFailed
from incident.core.deliveries import Message
from incident.errors import ChannelMisconfigured
from incident.settings import Channel as ChannelSettings

_TIMEOUT = httpx.Timeout(10.0, connect=5.0)
_MOST_ANSWER = 64 * 1024  # bytes of an answer that are read; only an error's beginning is of interest
_SHOWN = 200
_TRY_AGAIN = frozenset({408, 409, 425, 429})  # and all 5xx


def payload(message: Message) -> dict[str, Any]:
    """{event, at, text, incident, update?}"""
    document: dict[str, Any] = {
        "event": message.event["kind"],
        "at": message.at.isoformat(),
        "text": message.text,
        "incident": dict(message.incident),
    }
    if message.event["kind"] == "update":
        said = message.event["data"]
        document["update"] = {
            "text": message.event["text"],
            "text_zh": said.get("text_zh"),
            "public": said.get("public", False),
            "status": said.get("status") or message.incident["status"],
        }
    return document


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """`v1=` and the hex HMAC-SHA256 of `timestamp.body`."""
    return "v1=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


class Webhook:
    """No redirect is followed: what is meant for one address goes to no other."""

    def __init__(self, url: str, secret: str | None, clock: Callable[[], float] = time.time) -> None:
        self._url = url
        self._secret = secret
        self._clock = clock
        self._client = httpx.AsyncClient(timeout=_TIMEOUT, trust_env=False, follow_redirects=False)

    async def send(self, message: Message) -> None:
        body = json.dumps(payload(message), ensure_ascii=False).encode()
        timestamp = str(int(self._clock()))
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "shopwatch",
            "Idempotency-Key": message.key,
            "X-Shopwatch-Timestamp": timestamp,
        }
        if self._secret is not None:
            headers["X-Shopwatch-Signature"] = signature(self._secret, timestamp, body)
        try:
            async with self._client.stream("POST", self._url, content=body, headers=headers) as response:
                answer = await _beginning(response)
        except httpx.HTTPError as error:
            raise DeliveryFailed(f"no answer: {error or type(error).__name__}") from error
        if not response.is_success:
            raise _failure(response, answer)

    async def close(self) -> None:
        await self._client.aclose()


async def _beginning(response: httpx.Response) -> str:
    """The answer's text, as far as it is worth reading. An endless one ends here."""
    if response.is_success:
        return ""
    read = b""
    async for chunk in response.aiter_raw(4096):
        read += chunk
        if len(read) >= _MOST_ANSWER:
            break
    return read[: 4 * _SHOWN].decode(errors="replace")[:_SHOWN]


def _failure(response: httpx.Response, answer: str) -> DeliveryFailed:
    status = response.status_code
    text = f"answered {status}" + (f": {' '.join(answer.split())}" if answer else "")
    if response.is_redirect:
        text = f"answered {status}, a redirect: these are not followed, write the final address"
    again = status >= 500 or status in _TRY_AGAIN
    return DeliveryFailed(text, permanent=not again, retry_after=_retry_after(response.headers.get("retry-after")))


def _retry_after(value: str | None) -> float | None:
    """Seconds; the header holds either seconds or a date."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value[:9])
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, OverflowError):  # a year of twenty digits
        return None


def build(name: str, spec: ChannelSettings, context: Context) -> Webhook:
    """Raises ChannelMisconfigured."""
    url = urlsplit(spec.webhook or "")
    if url.scheme not in ("http", "https") or not url.hostname:
        raise ChannelMisconfigured(f"channel {name}: {spec.webhook!r} is no http or https address")
    return Webhook(spec.webhook or "", spec.secret)
