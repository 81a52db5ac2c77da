"""What was recorded: requests, and where it is known, the answers to them."""

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from probes.errors import ProbesError

Pairs = list[tuple[str, str]]

MOST_BYTES = 256 << 20  # of a recording
MOST_REQUESTS = 20_000
SAFE = ("GET", "HEAD")


class CannotImport(ProbesError):
    """The recording cannot be made into a journey; the text says why, and what to do."""


@dataclass
class Answer:
    """`text` is empty where the recording does not hold the body."""

    status: int
    headers: Pairs = field(default_factory=list)
    text: str = ""
    mime: str = ""

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name), None)

    @property
    def is_html(self) -> bool:
        return "html" in self.mime

    @property
    def is_redirect(self) -> bool:
        return self.status in (301, 302, 303, 307, 308) and self.header("location") is not None

    @property
    def json(self) -> Any:
        """None where it is not JSON."""
        if "json" not in self.mime:
            return None
        try:
            return json.loads(self.text)
        except (ValueError, RecursionError):
            return None


@dataclass
class Exchange:
    """`kind`: what the browser wanted it for (document, xhr, image, …), as far as it is known."""

    method: str
    url: str
    headers: Pairs = field(default_factory=list)
    body: str = ""
    form: Pairs | None = None  # fields of the body, where it is a form
    multipart: bool = False
    answer: Answer | None = None
    kind: str = ""
    cookies: Pairs = field(default_factory=list)  # that came with the answer, or with redirects on the way to it
    follow: bool = False
    final_url: str = ""  # where the redirects that are followed have led
    insecure: bool = False  # the certificate was not to be checked

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name), None)

    @property
    def host(self) -> str:
        """With the port, where one is written."""
        return urlsplit(self.url).netloc.rpartition("@")[2].lower()

    @property
    def path(self) -> str:
        return urlsplit(self.url).path or "/"

    @property
    def query(self) -> Pairs:
        return parse_qsl(urlsplit(self.url).query, keep_blank_values=True)

    @property
    def is_safe(self) -> bool:
        return self.method in SAFE

    @property
    def json(self) -> Any:
        """The body as JSON; None where it is none."""
        if not self.body or "json" not in (self.header("content-type") or "json"):
            return None
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError):
            return None
        return found if isinstance(found, dict | list) else None


def cookie_of(header: str) -> tuple[str, str]:
    """Name and value of a Set-Cookie header."""
    name, _, value = header.partition(";")[0].partition("=")
    return name.strip(), value.strip().strip('"')
