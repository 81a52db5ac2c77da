"""A small HTTP client for the practice services, which talk only JSON and forms to each other and to an app under
test: asyncio and httptools, because a process should start in a fraction of a second and httpx alone takes one."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httptools

from drills.errors import DrillsError

LARGEST = 4 * 1024 * 1024  # bytes of a body that is read


class CallFailed(DrillsError):
    """The other side could not be reached, or did not answer properly."""

    permanent = False


class CallTimedOut(CallFailed):
    """The other side did not answer in time."""


@dataclass(slots=True)
class Answer:
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    def json(self) -> Any:
        """Raises CallFailed where the body is no JSON."""
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise CallFailed(f"the answer ({self.status}) is not JSON") from error


class _Reader:
    """Callbacks of httptools' parser."""

    def __init__(self) -> None:
        self.answer = Answer()
        self.complete = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.answer.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        if len(self.answer.body) + len(body) > LARGEST:
            raise CallFailed("the answer is too large")
        self.answer.body += body

    def on_message_complete(self) -> None:
        self.complete = True


async def call(
    method: str,
    url: str,
    *,
    document: Any = None,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: float = 5.0,
) -> Answer:
    """One request on a connection of its own. `document` is sent as JSON, else `body` as it is. `timeout` (seconds)
    is for all of it. Raises CallFailed, CallTimedOut."""
    sent = dict(headers or {})
    if document is not None:
        body = json.dumps(document).encode()
        sent.setdefault("Content-Type", "application/json")
    try:
        async with asyncio.timeout(timeout):
            return await _exchange(method, url, sent, body or b"")
    except TimeoutError as error:
        raise CallTimedOut(f"{method} {url}: no answer within {timeout:g} s") from error
    except (OSError, httptools.HttpParserError) as error:
        raise CallFailed(f"{method} {url}: {error}") from error


async def _exchange(method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise CallFailed(f"{url!r} is not an http or https address")
    secure = parts.scheme == "https"
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port or (443 if secure else 80), ssl=secure)
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        lines = [f"{method} {target} HTTP/1.1", f"Host: {parts.netloc}", "Connection: close"]
        lines += [f"Content-Length: {len(body)}", *(f"{name}: {value}" for name, value in headers.items())]
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        await writer.drain()
        return await _read(reader)
    finally:
        writer.transport.abort()  # nothing more is to come, and nobody is to wait for a goodbye
        await asyncio.sleep(0)


async def _read(reader: asyncio.StreamReader) -> Answer:
    result = _Reader()
    parser = httptools.HttpResponseParser(result)
    while not result.complete:
        data = await reader.read(65536)
        if not data:
            if parser.should_keep_alive() or not parser.get_status_code():
                raise CallFailed("the connection was closed before the answer was complete")
            break
        parser.feed_data(data)
    result.answer.status = parser.get_status_code()
    return result.answer
