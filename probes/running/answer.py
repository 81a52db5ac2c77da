"""What came back to a step: the last response, the cookies the shopper now holds, and what it took."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from probes.charsets import codec
from probes.http.headers import Headers
from probes.http.url import Url
from probes.language.values import parse_json

if TYPE_CHECKING:
    from probes.pages.page import Page

_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)", re.IGNORECASE)
HTML = ("text/html", "application/xhtml+xml")


class WrongEncoding(ValueError):
    """The body is not in the encoding that it declares; the text says where."""


@dataclass
class Answer:
    """`content` is decoded from gzip and its kin. `phases` (seconds) are summed over the redirects that were followed.

    `cookies`: name -> value as the shopper holds them for this host after the answer.
    """

    status: int
    url: Url
    headers: Headers
    content: bytes
    cookies: Mapping[str, str] = field(default_factory=dict)
    phases: dict[str, float] = field(default_factory=dict)
    unshown: bool = False  # it is not to be read here, not even to show it

    def __post_init__(self) -> None:
        self.content_type = (self.headers.get("content-type") or "").partition(";")[0].strip().lower()

    @property
    def is_redirect(self) -> bool:
        return 300 <= self.status < 400 and "location" in self.headers

    @property
    def is_there(self) -> bool:
        """Whether there is anything that `shown` could tell of."""
        return bool(self.content) or self.is_redirect

    @property
    def is_page(self) -> bool:
        """Whether a browser would show it as a page, from which forms can be submitted."""
        return not self.is_redirect and self.content_type in HTML

    @cached_property
    def charset(self) -> str | None:
        """The charset that the Content-Type header declares."""
        found = _CHARSET.search(self.headers.get("content-type") or "")
        return found[1].lower() if found else None

    @property
    def _codec(self) -> str | None:
        """None where no charset is declared, or one that nobody knows."""
        return codec(self.charset) if self.charset else None

    @cached_property
    def text(self) -> str:
        """The body as text. Raises WrongEncoding where it breaks the charset that it declares."""
        charset = self._codec or ("utf-8" if self.content_type.endswith("json") and not self.charset else None)
        try:
            return self.content.decode(charset or "utf-8", "strict" if charset else "replace")
        except UnicodeDecodeError as error:
            charset = self.charset or charset
            raise WrongEncoding(f"byte {error.start} of {len(self.content)} is not {charset}: {error.reason}") from None

    @property
    def shown(self) -> str:
        """What came, for people: where a redirect leads, of a page what a reader would see of it, else the body's text,
        whatever its encoding."""
        from probes.pages.page import Page
        from probes.pages.visible import visible

        if self.unshown:
            return "a body"
        if self.is_redirect:
            return f"a {self.status} that leads to {self.headers['location']}"
        if self.content_type in HTML and (seen := visible(Page(self.content, self.url.text, self.charset))):
            return seen
        return f"the body: {self.content.decode(self._codec or 'utf-8', 'replace').strip()}"

    @property
    def complaints(self) -> list[str]:
        """What a page says in its messages: the reason, often, why something else on it is not as it should be."""
        from probes.pages.page import Page
        from probes.pages.visible import complaints

        return complaints(Page(self.content, self.url.text, self.charset)) if self.is_page else []

    @cached_property
    def document(self) -> Any:
        """The body as JSON with decimals. Raises WrongEncoding, or ValueError where it is no JSON.

        A byte order mark before it is ignored, as RFC 8259 section 8.1 allows and browsers' `fetch().json()` does.
        """
        return parse_json(self.text.removeprefix("\ufeff"))

    @cached_property
    def page(self) -> "Page":
        from probes.pages.page import Page

        return Page(self.content, self.url.text, self.charset)
