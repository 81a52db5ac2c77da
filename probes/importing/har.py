"""HAR files, as browsers' developer tools and proxies export them (HTTP Archive 1.2)."""

import base64
import binascii
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urldefrag

from probes.importing.recording import MOST_BYTES, MOST_REQUESTS, Answer, CannotImport, Exchange, Pairs, cookie_of

_FORM = "application/x-www-form-urlencoded"


def read_har(path: Path) -> list[Exchange]:
    """Every request, in the order in which they were sent. Raises CannotImport."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise CannotImport(f"{path} is larger than {MOST_BYTES >> 20} MiB: record again, and only what matters")
        data = json.loads(path.read_bytes().decode("utf-8-sig"))
        entries = data["log"]["entries"]
        assert isinstance(entries, list)
    except OSError as error:
        raise CannotImport(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, RecursionError, AssertionError) as error:
        raise CannotImport(f"{path} is not a HAR file: it has no log with entries") from error
    return read_entries(entries)


def read_entries(entries: list[Any]) -> list[Exchange]:
    ordered = sorted(entries[:MOST_REQUESTS], key=lambda entry: str(_get(entry, "startedDateTime")))
    return [exchange for entry in ordered for exchange in _exchange(entry)]


def _exchange(entry: Any) -> Iterator[Exchange]:
    request, url = _get(entry, "request"), str(_get(entry, "request", "url"))
    if not url.startswith(("http://", "https://")):
        return
    headers = _pairs(_get(request, "headers"))
    exchange = Exchange(str(_get(request, "method")).upper(), urldefrag(url).url, headers, kind=_kind(entry, headers))
    _read_body(exchange, _get(request, "postData"))
    exchange.answer = _answer(_get(entry, "response"))
    if exchange.answer is not None:
        exchange.cookies = [cookie_of(v) for n, v in exchange.answer.headers if n.lower() == "set-cookie"]
    yield exchange


def _read_body(exchange: Exchange, posted: Any) -> None:
    mime, text = str(_get(posted, "mimeType") or ""), str(_get(posted, "text") or "")
    params = _pairs(_get(posted, "params"))
    exchange.body = text
    if mime and exchange.header("content-type") is None:
        exchange.headers.append(("Content-Type", mime))
    if mime.startswith("multipart/form-data"):
        exchange.multipart, exchange.form = True, params or list(_parts(text))
    elif mime.startswith(_FORM):
        exchange.form = parse_qsl(text, keep_blank_values=True) if text else params


def _parts(text: str) -> Iterator[tuple[str, str]]:
    """The fields of a multipart body; files are passed over."""
    boundary = text.split("\n", 1)[0].strip()
    for part in text.split(boundary)[1:-1] if boundary else ():
        head, _, content = part.replace("\r\n", "\n").lstrip("\n").partition("\n\n")
        if 'name="' in head and "filename=" not in head:
            yield head.partition('name="')[2].partition('"')[0], content.removesuffix("\n")


def _answer(response: Any) -> Answer | None:
    status = _get(response, "status")
    if not isinstance(status, int) or status < 100:  # blocked, cancelled, or from the cache
        return None
    content = _get(response, "content")
    headers = _pairs(_get(response, "headers"))
    mime = str(_get(content, "mimeType") or "").lower()
    location = str(_get(response, "redirectURL") or "")
    if location and not any(name.lower() == "location" for name, _ in headers):
        headers.append(("Location", location))
    return Answer(status, headers, _text(content), mime)


def _text(content: Any) -> str:
    text = _get(content, "text")
    if not isinstance(text, str):
        return ""
    if _get(content, "encoding") != "base64":
        return text
    try:
        return base64.b64decode(text).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return ""


def _kind(entry: Any, headers: Pairs) -> str:
    named = {name.lower(): value.lower() for name, value in headers}
    if entry.get("_fromServiceWorker") or named.get("service-worker"):
        return "serviceworker"
    if "prefetch" in named.get("sec-purpose", "") + named.get("purpose", "") + named.get("x-moz", ""):
        return "prefetch"
    kind = str(_get(entry, "_resourceType") or "").lower()
    if kind:
        return kind
    wanted = named.get("sec-fetch-dest", "")
    return {"empty": "fetch", "": "", "iframe": "document"}.get(wanted, wanted)


def _get(thing: Any, *path: str) -> Any:
    for name in path:
        thing = thing.get(name) if isinstance(thing, dict) else None
    return thing


def _pairs(items: Any) -> Pairs:
    found = [(_get(item, "name"), _get(item, "value")) for item in items] if isinstance(items, list) else []
    return [(name, value) for name, value in found if isinstance(name, str) and isinstance(value, str)]
