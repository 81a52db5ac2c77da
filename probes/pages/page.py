"""An HTML page as a run reads it: CSS selectors and text. Its forms are in forms.py."""

import re
from functools import cached_property, lru_cache
from typing import Annotated, Any
from urllib.parse import urljoin

from pydantic import AfterValidator
from selectolax.lexbor import LexborDocumentOptions, LexborHTMLParser, SelectolaxError

from probes.charsets import codec
from probes.pages.markup import HostilePage, check_page

MAX_SELECTOR = 2000
MAX_COSTLY = 10_000  # elements of a page on which selectors that look at all neighbours or descendants may run

Node = Any
"""A selectolax node: it has no types that mypy could use."""

_COSTLY = re.compile(r":(nth-|has\()", re.I)
_PROBE = LexborHTMLParser("<html></html>")
_META_CHARSET = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w.:-]{1,40})""", re.I)


@lru_cache(maxsize=4096)
def check_selector(text: str) -> str:
    """The selector itself. Raises ValueError with a text for the user."""
    selector = text.strip()
    if not selector:
        raise ValueError("an empty CSS selector")
    if len(selector) > MAX_SELECTOR:
        raise ValueError(f"a CSS selector has at most {MAX_SELECTOR} characters")
    if selector.lower().count(":has(") > 1:
        raise ValueError(f"{selector!r}: one :has() in a selector is enough; more of them could take minutes on a page")
    _check_balance(selector)
    try:
        _PROBE.css(selector)
    except (SelectolaxError, ValueError):
        raise ValueError(f"{selector!r} is not a CSS selector") from None
    return selector


def _check_balance(selector: str) -> None:
    """The parser closes what was left open, silently; a user who forgot a bracket wants to know."""
    bare = re.sub(r"\\.|\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'", "", selector)
    for opening, closing in ("[]", "()"):
        if bare.count(opening) != bare.count(closing):
            raise ValueError(f"{selector!r} is not a CSS selector: {opening} and {closing} do not match")
    if '"' in bare or "'" in bare:
        raise ValueError(f"{selector!r} is not a CSS selector: a quote is not closed")


SelectorText = Annotated[str, AfterValidator(check_selector)]


def decode_html(body: bytes, charset: str | None = None) -> tuple[str, str]:
    """The text of a page, and its encoding: by mark, by header (`charset`), by `<meta charset>`, else UTF-8.

    What cannot be decoded becomes U+FFFD, as in a browser.
    """
    if body.startswith(b"\xef\xbb\xbf"):
        return body[3:].decode("utf-8", "replace"), "utf-8"
    declared = _META_CHARSET.search(body[:4096])
    for name in (charset, declared and declared[1].decode("ascii", "replace")):
        if name and codec(encoding := _browser_encoding(name)):
            return body.decode(encoding, "replace"), encoding
    return body.decode("utf-8", "replace"), "utf-8"


def _browser_encoding(name: str) -> str:
    lowered = name.strip("\"' ").lower()
    return {"gb2312": "gb18030", "gbk": "gb18030", "iso-8859-1": "cp1252", "ascii": "cp1252"}.get(lowered, lowered)


class Page:
    """One page, parsed when it is first asked for something. `url`: its own address, absolute."""

    def __init__(self, html: str | bytes, url: str = "", charset: str | None = None) -> None:
        self._html, self.encoding = (
            decode_html(html, charset) if isinstance(html, bytes) else (html, charset or "utf-8")
        )
        self.url = url

    @cached_property
    def document(self) -> Node:
        """Raises HostilePage."""
        check_page(self._html)
        return LexborHTMLParser(self._html, options=LexborDocumentOptions.WO_EVENTS)  # twice as fast

    @cached_property
    def base(self) -> str:
        """The address that relative links start from: `<base href>`, else the page's own."""
        node = self.document.css_first("base[href]")
        try:
            return urljoin(self.url, (node.attributes.get("href") or "").strip()) if node else self.url
        except ValueError:
            return self.url

    def select(self, selector: str) -> list[Node]:
        """All elements, in the order of the page. Raises HostilePage; ValueError for a bad selector."""
        checked = check_selector(selector)
        if _COSTLY.search(checked) and self._is_large:
            raise HostilePage(f"the page has more than {MAX_COSTLY} elements, too many for {checked!r}")
        found: list[Node] = self.document.css(checked)
        return found

    @cached_property
    def _is_large(self) -> bool:
        return self._html.count("<") > MAX_COSTLY and len(self.document.css("*")) > MAX_COSTLY


def text_of(node: Node) -> str:
    """The text of an element and all in it as a reader sees it: white space is one space, and none is around it."""
    return " ".join(node.text().split())


def attribute(node: Node, name: str) -> str | None:
    """None where the element has it not; "" for one without a value, such as `checked`."""
    attributes = node.attributes
    key = name.lower()
    return (attributes[key] or "") if key in attributes else None
