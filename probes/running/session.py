"""One shopper's visit: sends requests over one transport, keeps the cookies, follows redirects where it may.

httpx's requests, cookies and URLs are used, its client is not: redirects have rules of their own here (which hosts,
which headers go along), and a client costs more CPU than all else in a step.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, lru_cache
from http.cookiejar import Cookie
from typing import NamedTuple

import httpx

from probes import __version__
from probes.http import ACCEPT_ENCODING, Exchange, TransportError
from probes.result import Reason
from probes.running.answer import Answer
from probes.running.failure import Failed

USER_AGENT = f"shopwatch/{__version__}"
MAX_REDIRECTS = 20
_SAME_PAGE = 3  # how often a redirect chain may come by the same URL: once more to set a cookie is common
_DEFAULT_PORTS = {"http": 80, "https": 443}
_DEFAULT_HEADERS = {
    "user-agent": ("User-Agent", USER_AGENT),
    "accept": ("Accept", "*/*"),
    "accept-encoding": ("Accept-Encoding", ACCEPT_ENCODING),
}
_URL_LIMIT = 16 << 10
_COOKIE_LIMIT = 8 << 10  # characters of one cookie with its attributes; browsers drop it past half of that
_NEW_COOKIES = 50  # of one answer
_MOST_COOKIES = 150  # of one shop: as many as browsers keep, and each costs time to read and to mask


class Host(NamedTuple):
    """Who is talked to; `port` None in a list of allowed hosts means any."""

    name: str
    port: int | None


@dataclass(slots=True)
class Outgoing:
    """One request as a step wants it. `headers` are the step's own: they go along to its own host only."""

    method: str
    url: httpx.URL
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""
    content_type: str | None = None


@dataclass(slots=True)
class Hop:
    """One exchange, for those who trace a run. `at` is loop.time() at its start."""

    step: str
    method: str
    url: str
    at: float
    status: int | None
    phases: dict[str, float]
    body_bytes: int = 0


@lru_cache(maxsize=4096)
def parse_url(text: str) -> httpx.URL:
    """Raises ValueError with a text for the user. Only http and https, with a host; user and fragment are dropped."""
    if len(text) > _URL_LIMIT:
        raise ValueError(f"a URL of {len(text)} characters")
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, UnicodeError, ValueError) as error:
        raise ValueError(f"{text!r} is not a URL: {error}") from None
    if url.scheme not in _DEFAULT_PORTS or not url.host:
        raise ValueError(f"{text!r} is not an http or https URL")
    return url.copy_with(userinfo=b"", fragment=None) if url.fragment or url.userinfo else url


def host_of(url: httpx.URL) -> Host:
    return Host(url.host.lower(), url.port or _DEFAULT_PORTS[url.scheme])  # hashing a URL, for a cache, costs more


@lru_cache(maxsize=1024)
def parse_host(text: str) -> Host:
    """An entry of `hosts`: `pay.shop.example`, or with a port, which then is the only one meant. Raises ValueError."""
    try:
        url = httpx.URL(text if "://" in text else f"//{text}")
    except (httpx.InvalidURL, UnicodeError) as error:
        raise ValueError(f"{text!r} is not a host: {error}") from None
    return Host(url.host.lower(), url.port or _DEFAULT_PORTS.get(url.scheme))


def one_site(one: Host, other: Host) -> bool:
    """The same name and port; http and https on their default ports count as one, as a redirect to https goes."""
    return one == other or (one.name == other.name and {one.port, other.port} == {80, 443})


def may_have(home: Host, other: Host) -> bool:
    """Whether what is meant for `home` may go to `other`: the same site, but never from https down to http."""
    return one_site(home, other) and not (home.port == 443 and other.port == 80)


@dataclass
class Session:
    """`own` is the journey's own host, None until the first request where it has no `base`.

    `journey_headers` and `own_headers` (the account's, and our mark) go to that host and to no other. Each host gets
    only its own cookies back.
    """

    transport: httpx.AsyncBaseTransport
    own: Host | None
    hosts: Sequence[Host] = ()
    own_headers: Sequence[tuple[str, str]] = ()
    journey_headers: Sequence[tuple[str, str]] = ()
    trace: Callable[[Hop], None] | None = None
    request: httpx.Request | None = None  # the last one that was sent or was about to be
    left: bool = False  # whether a request may have reached its target since `begin`
    spent: dict[str, float] = field(default_factory=dict)  # phases since `begin`
    step: str = ""
    answer: Answer | None = None  # the last one of this step, for who traces the run
    certificates: dict[str, datetime] = field(default_factory=dict)  # by `host:port`: the end of the one that it showed
    _jars: dict[int, httpx.Cookies] = field(default_factory=dict)

    def begin(self, step: str) -> None:
        """A step starts, or starts again."""
        self.step, self.request, self.left, self.spent = step, None, False, {}
        self.answer = None

    def again(self) -> None:
        """The same step asks once more: its phases start anew."""
        self.spent = {}

    async def close(self) -> None:
        await self.transport.aclose()

    def allows(self, url: httpx.URL) -> bool:
        host = host_of(url)
        if self.own is None or one_site(self.own, host):
            return True
        return any(host.name == allowed.name and allowed.port in (None, host.port) for allowed in self.hosts)

    async def send(self, outgoing: Outgoing, *, follow: bool, deadline: float) -> Answer:
        """Raises Failed (a redirect that leads in circles or elsewhere) and TransportError."""
        if self.own is None:
            self.own = host_of(outgoing.url)
        visited: dict[tuple[str, httpx.URL], int] = {}
        first = host_of(outgoing.url)
        while True:
            answer = await self.exchange(outgoing, deadline)
            if not (follow and answer.is_redirect):
                return answer
            outgoing = self._redirected(outgoing, answer, first)
            place = (outgoing.method, outgoing.url)
            visited[place] = visited.get(place, 0) + 1
            if visited[place] > _SAME_PAGE or sum(visited.values()) > MAX_REDIRECTS:
                raise Failed(
                    Reason.HEADER,
                    "redirects that end somewhere",
                    f"a redirect loop: {sum(visited.values())} redirects, now to {outgoing.url}",
                    status=answer.status,
                )

    async def exchange(self, outgoing: Outgoing, deadline: float) -> Answer:
        """One request and its answer, to any host. Raises TransportError."""
        request = self.request = self._request(outgoing, deadline)
        at = asyncio.get_running_loop().time()
        try:
            response = await self.transport.handle_async_request(request)
            response.request = request
            content = await response.aread()
        except TransportError as error:
            self._account(error.phases)
            self._note(request, at, error.status, error.phases, 0)
            raise
        except BaseException:  # cancelled: it may have reached its target, or not
            self.left = True
            raise
        made: Exchange = response.extensions["shopwatch"]
        phases = made.phases
        self._account(phases)
        if made.certificate_expires is not None:
            self.certificates[f"{outgoing.url.host}:{outgoing.url.port or 443}"] = made.certificate_expires
        self._note(request, at, response.status_code, phases, len(content))
        cookies = self._cookies(request, response)
        answer = Answer(response.status_code, outgoing.url, response.headers, content, cookies, self.spent)
        if self.trace is not None:
            self.answer = answer
        return answer

    def _request(self, outgoing: Outgoing, deadline: float) -> httpx.Request:
        """Headers of the step win over the journey's, and those over ours."""
        headers = dict(_DEFAULT_HEADERS)
        if outgoing.content_type is not None:
            headers["content-type"] = ("Content-Type", outgoing.content_type)
        if self.own is not None and may_have(self.own, host_of(outgoing.url)):
            for name, value in (*self.journey_headers, *self.own_headers):
                headers[name.lower()] = (name, value)
        headers.update((name.lower(), (name, value)) for name, value in outgoing.headers)
        request = httpx.Request(
            outgoing.method,
            outgoing.url,
            headers=[
                (name.encode("utf-8", "replace"), value.encode("utf-8", "replace")) for name, value in headers.values()
            ],
            content=outgoing.body or None,
            extensions={"deadline": deadline},
        )
        jar = self._jars.get(_jar_key(outgoing.url))
        if jar and "cookie" not in headers:
            plain = _plain_cookies(jar, outgoing.url)
            if plain is None:
                jar.set_cookie_header(request)
            elif plain:
                request.headers["Cookie"] = plain
        return request

    def _redirected(self, outgoing: Outgoing, answer: Answer, first: Host) -> Outgoing:
        """What a browser would send next. Raises Failed where the redirect leads out of what the journey allows."""
        location = answer.headers["location"]
        try:
            url = parse_url(str(answer.url.join(location)).strip())
        except (ValueError, httpx.InvalidURL):
            raise self._elsewhere(answer, location, "an http or https URL") from None
        if not self.allows(url):
            raise self._elsewhere(answer, location, f"a redirect within {self._allowed()}")
        method = outgoing.method
        if (answer.status in (301, 302) and method == "POST") or (answer.status == 303 and method != "HEAD"):
            method = "GET"
        headers = outgoing.headers if may_have(first, host_of(url)) else ()
        if method != outgoing.method:
            return Outgoing(method, url, headers)
        return Outgoing(method, url, headers, outgoing.body, outgoing.content_type)

    def _elsewhere(self, answer: Answer, location: str, expected: str) -> Failed:
        return Failed(Reason.HEADER, expected, f"{answer.status} with Location: {location}", status=answer.status)

    def _allowed(self) -> str:
        own = [] if self.own is None else [shown(self.own)]
        return ", ".join([*own, *map(shown, self.hosts)])

    def refuse(self, url: httpx.URL, what: str, reason: Reason = Reason.HEADER) -> Failed:
        """The failure of a step whose form or URL leads to a host that the journey does not name."""
        return Failed(reason, f"{what} within {self._allowed()}", f"{url} (add {url.host} to hosts to allow it)")

    def _account(self, phases: Mapping[str, float]) -> None:
        for phase, seconds in phases.items():
            self.spent[phase] = self.spent.get(phase, 0.0) + seconds
        self.left = self.left or "processing" in phases

    def _note(
        self, request: httpx.Request, at: float, status: int | None, phases: Mapping[str, float], size: int
    ) -> None:
        if self.trace is not None:
            self.trace(Hop(self.step, request.method, str(request.url), at, status, dict(phases), size))

    # Cookies

    def set_cookies(self, url: httpx.URL, cookies: Mapping[str, str]) -> None:
        """Cookies that the shopper brings along, for the host of `url`."""
        jar = self._jars.setdefault(_jar_key(url), httpx.Cookies())
        for name, value in cookies.items():
            jar.set(name, value, domain=_cookie_domain(url.host))

    def secrets(self) -> Iterable[tuple[str, str]]:
        """Name and value of every cookie held."""
        for jar in self._jars.values():
            for cookie in jar.jar:
                yield cookie.name, cookie.value or ""

    def _cookies(self, request: httpx.Request, response: httpx.Response) -> Mapping[str, str]:
        key = _jar_key(request.url)
        jar = self._jars.get(key)
        if "set-cookie" in response.headers:
            if jar is None:
                jar = self._jars[key] = httpx.Cookies()
            if len(jar) < _MOST_COOKIES:
                jar.extract_cookies(_within_bounds(request, response))
        return _Held(jar, _cookie_domain(request.url.host)) if jar is not None else {}


class _Held(Mapping[str, str]):
    """What a jar holds for a host, by name; looked up when somebody asks, before the jar changes again."""

    def __init__(self, jar: httpx.Cookies, domain: str) -> None:
        self._jar = jar
        self._domain = domain

    @cached_property
    def _cookies(self) -> dict[str, str]:
        return {cookie.name: cookie.value or "" for cookie in self._jar.jar if _belongs(cookie, self._domain)}

    def __getitem__(self, name: str) -> str:
        return self._cookies[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._cookies)

    def __len__(self) -> int:
        return len(self._cookies)


def _plain_cookies(jar: httpx.Cookies, url: httpx.URL) -> str | None:
    """The Cookie header where every cookie is meant for the whole host of `url` and for the session, as most are.

    None where it takes the standard library's rules to tell, which cost as much as the rest of a request.
    """
    domain, pairs = _cookie_domain(url.host), []
    for cookie in jar.jar:
        plain = cookie.path == "/" and cookie.expires is None and not cookie.secure and not cookie.version
        if not plain or cookie.domain_specified or cookie.domain != domain or cookie.port is not None:
            return None
        pairs.append(cookie.name if cookie.value is None else f"{cookie.name}={cookie.value}")
    return "; ".join(pairs)


def _within_bounds(request: httpx.Request, response: httpx.Response) -> httpx.Response:
    """The answer itself, or one with no more cookies than a shopper's browser would take."""
    cookies = response.headers.get_list("set-cookie")
    if len(cookies) <= _NEW_COOKIES and all(len(cookie) <= _COOKIE_LIMIT for cookie in cookies):
        return response
    taken = [("set-cookie", cookie) for cookie in cookies if len(cookie) <= _COOKIE_LIMIT][:_NEW_COOKIES]
    return httpx.Response(response.status_code, headers=taken, request=request)


def shown(host: Host) -> str:
    return host.name if host.port in (None, 80, 443) else f"{host.name}:{host.port}"


def _jar_key(url: httpx.URL) -> int:
    """Cookies do not know ports, but services on other ports of one machine are other hosts to a journey."""
    port = host_of(url).port or 0
    return 0 if port in (80, 443) else port


def _cookie_domain(host: str) -> str:
    """The name that the standard library's jar knows a host by."""
    return host if "." in host or ":" in host else f"{host}.local"


def _belongs(cookie: Cookie, domain: str) -> bool:
    return cookie.domain == domain or (cookie.domain.startswith(".") and f".{domain}".endswith(cookie.domain))
