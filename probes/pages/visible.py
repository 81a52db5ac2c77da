"""What a reader sees of a page, for evidence: its title, what it complains of, and its text without all else."""

import re
from collections.abc import Iterator

from probes.pages.markup import HostilePage
from probes.pages.page import Node, Page, text_of

MAX_MESSAGES = 5
MAX_MESSAGE = 300  # characters; what is longer is a part of the page, whatever its class says
MAX_TEXT = 32_000  # characters of a page that are looked at: evidence is cut to far less, once secrets are masked
_LOOKED_AT = 200  # elements that could be messages

_UNSEEN = (
    "script, style, template, noscript, svg, option, datalist, [hidden], [aria-hidden=true], "
    "[style*='display:none'], [style*='display: none'], .hidden, .d-none, .sr-only, .visually-hidden"
)
_MESSAGE = re.compile(r"(?!.*[:\[])(.*error|.*alert|.*flash|.*danger|message|messages__.*)", re.I)
_MAYBE_MESSAGES = (
    "[role=alert], [aria-live=assertive], "
    "[class*=error i], [class*=alert i], [class*=flash i], [class*=danger i], [class*=message i]"
)
_CONTROL = re.compile(r"\x1b\[[0-9;]*m|[\x00-\x08\x0e-\x1f\x7f]")  # colours that a server meant for its own terminal
_MAIN = ("main", "[role=main]", "#main", "#content", "body")


def visible(page: Page) -> str | None:
    """`the page titled "Checkout", which says "Payment declined": Your basket …`; None where there is nothing to see.

    None too for a page that is made to be slow. The page is cut about: give it one of its own.
    """
    try:
        title = next((text_of(node) for node in page.select("title")), "")
        _drop_unseen(page)
        messages = list(_messages(page))
        text = next((text for selector in _MAIN for node in page.select(selector)[:1] if (text := _text(node))), "")
    except HostilePage:
        return None
    if not (title or text):
        return None
    named = f' titled "{title}"' if title else ""
    says = f", which says {' and '.join(messages)}" if messages else ""
    return f"the page{named}{says}: {text}" if text else f"the page{named}, which shows no text"


def complaints(page: Page) -> list[str]:
    """What the page says in its messages, `"Payment declined"` in quotes; nothing where it is made to be slow.

    The page is cut about: give it one of its own.
    """
    try:
        _drop_unseen(page)
        return list(_messages(page))
    except HostilePage:
        return []


def _drop_unseen(page: Page) -> None:
    for node in page.select(_UNSEEN):
        if node.tag not in ("html", "body", "main"):
            node.decompose()


def _messages(page: Page) -> Iterator[str]:
    """What looks like a complaint, each text once: of elements within one another the outer one's."""
    told: list[str] = []
    for node in page.select(_MAYBE_MESSAGES)[:_LOOKED_AT]:
        if len(told) == MAX_MESSAGES:
            return
        text = _text(node, MAX_MESSAGE) if _is_message(node) else ""
        if 2 < len(text) <= MAX_MESSAGE and not any(text in other for other in told):
            told.append(text)
            yield f'"{text}"'


def _is_message(node: Node) -> bool:
    """Words of a class with a `:` in them are utilities that say how an element would look if it were in error."""
    attributes = node.attributes
    if node.tag in ("html", "body") or attributes.get("role") == "alert" or "aria-live" in attributes:
        return node.tag not in ("html", "body")
    return any(_MESSAGE.match(word) for word in (attributes.get("class") or "").split())


def _text(node: Node, limit: int = MAX_TEXT) -> str:
    """With a space where one element ends and the next begins; cut past `limit`, which makes it longer than that."""
    pieces: list[str] = []
    length = 0
    for part in node.traverse(include_text=True):
        if part.tag == "-text" and (piece := " ".join(_CONTROL.sub("", part.text_content).split())):
            pieces.append(piece)
            length += len(piece) + 1
            if length > limit:
                return " ".join(pieces)[:limit] + " …"
    return re.sub(r" (?=[.,:;!?)](\s|$))", "", " ".join(pieces))
