"""What a step of an imported journey expects: what was seen when it was recorded, as far as it will be seen again."""

import re
from typing import Any
from urllib.parse import urlsplit

from probes.importing.recording import Answer, Exchange
from probes.pages.markup import HostilePage
from probes.pages.page import Page, text_of

_MADE = re.compile(r"[0-9]|[A-Za-z0-9_-]{20,}")
_CODE = re.compile(r"[A-Z]{4,}")  # an order's, such as XTVQD: few shops shout in their addresses
_MOST_KEYS = 3


def expectations(exchange: Exchange) -> dict[str, Any]:
    answer = exchange.answer
    if answer is None:
        return {}
    expect: dict[str, Any] = {"status": 200 if answer.status == 304 else answer.status}
    if answer.is_redirect:
        expect["header"] = {"Location": _place(answer.header("location") or "")}
    elif answer.is_html and (title := _lasting(title_of(answer), exchange.url)) and not _MADE.search(title):
        expect["html"] = {"title": {"contains": title}}
    elif (paths := _keys(answer.json)) and answer.status < 400:
        expect["json"] = dict.fromkeys(paths, "present")
    return expect


def _place(location: str) -> Any:
    """The path is what counts; of one with numbers or keys in it, the folders before them."""
    path = urlsplit(location).path or "/"
    fixed = path
    for segment in path.split("/"):
        if _is_key(segment):
            fixed = path[: path.index(f"/{segment}") + 1]
            break
    if fixed == location:
        return location
    return {"contains": fixed}


def _is_key(segment: str) -> bool:
    return bool(_MADE.search(segment) or _CODE.fullmatch(segment))


def _lasting(title: str, url: str) -> str:
    """A page's title up to what its address calls it, such as an order's number."""
    for segment in urlsplit(url).path.split("/"):
        if _is_key(segment):
            title = title.partition(segment)[0]
    return title.strip()


def is_made(location: str) -> bool:
    """Whether the address will be another next time."""
    parts = urlsplit(location)
    return bool(parts.query) or any(_is_key(segment) for segment in parts.path.split("/"))


def title_of(answer: Answer) -> str:
    if not answer.is_html:
        return ""
    try:
        node = Page(answer.text).document.css_first("title")
    except HostilePage:
        return ""
    return text_of(node)[:80] if node is not None else ""


def _keys(document: Any) -> list[str]:
    if isinstance(document, list):
        return ["$[0]"] if document else []
    if not isinstance(document, dict):
        return []
    plain = [key for key in document if re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", key)]
    return [f"$.{key}" for key in plain[:_MOST_KEYS]]
