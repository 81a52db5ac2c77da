"""What a shopper holds of one host's cookies, by the rules of the standard library's jar.

Those rules cost as much CPU as the rest of a request. Most cookies need none of them: they are for the whole host that
set them and for the session. These are read and sent here, exactly as the jar would do it.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from http.cookiejar import Cookie

import httpx

from probes.http.url import Url

_COOKIE_LIMIT = 8 << 10  # characters of one cookie with its attributes; browsers drop it past half of that
_NEW_COOKIES = 50  # of one answer
_MOST_COOKIES = 150  # of one shop: as many as browsers keep, and each costs time to read and to mask
_PLAIN = re.compile(
    r"([!#%&'*+.^_`|~0-9A-Za-z-]{1,200})=([!#-+./0-9:<-\[\]-~-]{0,4000})"
    r"((?:; ?(?:path=/|httponly|secure|samesite=(?:lax|strict|none))(?![^;]))*)",
    re.IGNORECASE | re.ASCII,
).fullmatch


class Jar:
    """Of one host; services on other ports have jars of their own."""

    def __init__(self) -> None:
        self._rules = httpx.Cookies()
        self._known: tuple[Cookie, ...] | None = None

    @property
    def held(self) -> tuple[Cookie, ...]:
        if self._known is None:
            self._known = tuple(self._rules.jar)
        return self._known

    def set(self, url: Url, name: str, value: str) -> None:
        """One that the shopper brings along."""
        self._rules.set(name, value, domain=_domain(url.host))
        self._known = None

    def take(self, method: str, url: Url, lines: Sequence[str]) -> None:
        """The Set-Cookie lines of an answer: no more of them than a shopper's browser would take."""
        if len(self.held) >= _MOST_COOKIES:
            return
        others: list[tuple[bytes, bytes]] = []
        for line in [line for line in lines if len(line) <= _COOKIE_LIMIT][:_NEW_COOKIES]:
            cookie = None if others else _plain(line, url.host)
            if cookie is None:
                others.append((b"set-cookie", line.encode("utf-8", "replace")))
            else:
                self._rules.jar.set_cookie(cookie)
        if others:
            self._rules.extract_cookies(httpx.Response(200, headers=others, request=httpx.Request(method, url)))
        self._known = None

    def header(self, method: str, url: Url) -> str | None:
        """The value of Cookie, None where there is nothing to send."""
        domain, secure, pairs = _domain(url.host), url.scheme == "https", []
        for cookie in self.held:
            plain = cookie.path == "/" and cookie.expires is None and not cookie.version and cookie.port is None
            if not plain or cookie.domain_specified or cookie.domain != domain:
                return self._by_the_rules(method, url)
            if secure or not cookie.secure:
                pairs.append(cookie.name if cookie.value is None else f"{cookie.name}={cookie.value}")
        return "; ".join(pairs) or None

    def _by_the_rules(self, method: str, url: Url) -> str | None:
        request = httpx.Request(method, url)
        request.headers.encoding = "utf-8"  # left to itself it may take ASCII, and fail
        self._rules.set_cookie_header(request)
        self._known = None  # what has expired is gone
        sent = request.headers.get("cookie")
        return None if sent is None else str(sent)


class Held(Mapping[str, str]):
    """What a jar holds for a host at this moment, by name; looked up when somebody asks."""

    def __init__(self, jar: Jar, host: str) -> None:
        self._held = jar.held
        self._host = host

    @cached_property
    def _cookies(self) -> dict[str, str]:
        domain = _domain(self._host)
        return {cookie.name: cookie.value or "" for cookie in self._held if _belongs(cookie, domain)}

    def __getitem__(self, name: str) -> str:
        return self._cookies[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._cookies)

    def __len__(self) -> int:
        return len(self._cookies)


def _plain(line: str, host: str) -> Cookie | None:
    """None for one that takes the jar's own rules."""
    found = _PLAIN(line)
    if found is None or ":" in host or not host.isascii():
        return None
    attributes = found[3].lower().replace(" ", "").split(";")
    if "path=/" not in attributes:
        return None
    return Cookie(
        version=0,
        name=found[1],
        value=found[2],
        port=None,
        port_specified=False,
        domain=_domain(host),
        domain_specified=False,
        domain_initial_dot=False,
        path="/",
        path_specified=True,
        secure="secure" in attributes,
        expires=None,
        discard=True,
        comment=None,
        comment_url=None,
        rest={},
    )


def _domain(host: str) -> str:
    """The name that the standard library's jar knows a host by."""
    return host if "." in host or ":" in host else f"{host}.local"


def _belongs(cookie: Cookie, domain: str) -> bool:
    return cookie.domain == domain or (cookie.domain.startswith(".") and f".{domain}".endswith(cookie.domain))
