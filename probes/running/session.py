"""One shopper's visit: sends requests over one transport, keeps the cookies, follows redirects where it may.

httpx's URLs and cookies are used, its client is not: redirects have rules of their own here (which hosts, which headers
go along), and a client costs more CPU than all else in a step.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import httpx

from probes.http import ACCEPT_ENCODING, Transport, TransportError
from probes.http.hosts import in_reach, may_have, parse_url, shown
from probes.http.request import Request
from probes.http.response import Reply
from probes.http.url import Host, Url
from probes.result import Reason
from probes.running.answer import Answer
from probes.running.cookies import Held, Jar
from probes.running.failure import Failed
from probes.version import __version__

USER_AGENT = f"shopwatch/{__version__}"
MAX_REDIRECTS = 20
_SAME_PAGE = 3  # how often a redirect chain may come by the same URL: once more to set a cookie is common
_DEFAULT_HEADERS = {
    "user-agent": (b"User-Agent", USER_AGENT.encode()),
    "accept": (b"Accept", b"*/*"),
    "accept-encoding": (b"Accept-Encoding", ACCEPT_ENCODING.encode()),
}
_HAS_A_BODY = ("POST", "PUT", "PATCH")  # and says so even where the body is empty


@dataclass(slots=True)
class Outgoing:
    """One request as a step wants it. `headers` are the step's own: they go along to its own host only."""

    method: str
    url: Url
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


@dataclass
class Session:
    """`own` is the journey's own host, None until the first request where it has no `base`.

    `journey_headers` and `own_headers` (the account's, and our mark) go to that host and to no other. Each host gets
    only its own cookies back.
    """

    transport: Transport
    own: Host | None
    hosts: Sequence[Host] = ()
    own_headers: Sequence[tuple[str, str]] = ()
    journey_headers: Sequence[tuple[str, str]] = ()
    trace: Callable[[Hop], None] | None = None
    request: Request | None = None  # the last one that was sent or was about to be
    left: bool = False  # whether a request may have reached its target since `begin`
    spent: dict[str, float] = field(default_factory=dict)  # phases since `begin`
    step: str = ""
    answer: Answer | None = None  # the last one of this step, for who traces the run
    certificates: dict[str, datetime] = field(default_factory=dict)  # by `host:port`: the end of the one that it showed
    _jars: dict[int, Jar] = field(default_factory=dict)

    def begin(self, step: str) -> None:
        """A step starts, or starts again."""
        self.step, self.request, self.left, self.spent = step, None, False, {}
        self.answer = None

    def again(self) -> None:
        """The same step asks once more: its phases start anew."""
        self.spent = {}

    async def close(self) -> None:
        await self.transport.aclose()

    def allows(self, url: Url) -> bool:
        return in_reach(url.at, self.own, self.hosts)

    async def send(self, outgoing: Outgoing, *, follow: bool, deadline: float) -> Answer:
        """Raises Failed (a redirect that leads in circles or elsewhere) and TransportError."""
        if self.own is None:
            self.own = outgoing.url.at
        visited: dict[tuple[str, Url], int] = {}
        first = outgoing.url.at
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
            reply = await self.transport.ask(request)
        except TransportError as error:
            self._account(error.phases)
            self._note(request, at, error.status, error.phases, 0)
            raise
        except BaseException:  # cancelled: it may have reached its target, or not
            self.left = True
            raise
        made = reply.exchange
        self._account(made.phases)
        if made.certificate_expires is not None:
            self.certificates[f"{outgoing.url.host}:{outgoing.url.port or 443}"] = made.certificate_expires
        self._note(request, at, reply.status, made.phases, len(reply.content))
        answer = Answer(
            reply.status, outgoing.url, reply.headers, reply.content, self._cookies(request, reply), self.spent
        )
        if self.trace is not None:
            self.answer = answer
        return answer

    def _request(self, outgoing: Outgoing, deadline: float) -> Request:
        """Headers of the step win over the journey's, and those over ours."""
        url, body = outgoing.url, outgoing.body
        headers = dict(_DEFAULT_HEADERS)
        if outgoing.content_type is not None:
            headers["content-type"] = (b"Content-Type", outgoing.content_type.encode("utf-8", "replace"))
        if self.own is not None and may_have(self.own, url.at):
            for name, value in (*self.journey_headers, *self.own_headers):
                headers[name.lower()] = (name.encode("utf-8", "replace"), value.encode("utf-8", "replace"))
        for name, value in outgoing.headers:
            headers[name.lower()] = (name.encode("utf-8", "replace"), value.encode("utf-8", "replace"))
        if body:
            headers.setdefault("content-length", (b"Content-Length", b"%d" % len(body)))
        elif outgoing.method in _HAS_A_BODY and "transfer-encoding" not in headers:
            headers.setdefault("content-length", (b"Content-Length", b"0"))
        jar = self._jars.get(_jar_key(url))
        if jar is not None and "cookie" not in headers and (cookies := jar.header(outgoing.method, url)):
            headers["cookie"] = (b"Cookie", cookies.encode("utf-8", "replace"))
        pairs = [*headers.values()] if "host" in headers else [(b"Host", url.authority), *headers.values()]
        return Request(outgoing.method, url, pairs, body, deadline)

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
        headers = outgoing.headers if may_have(first, url.at) else ()
        if method != outgoing.method:
            return Outgoing(method, url, headers)
        return Outgoing(method, url, headers, outgoing.body, outgoing.content_type)

    def _elsewhere(self, answer: Answer, location: str, expected: str) -> Failed:
        return Failed(Reason.HEADER, expected, f"{answer.status} with Location: {location}", status=answer.status)

    def _allowed(self) -> str:
        own = [] if self.own is None else [shown(self.own)]
        return ", ".join([*own, *map(shown, self.hosts)])

    def refuse(self, url: Url, what: str, reason: Reason = Reason.HEADER) -> Failed:
        """The failure of a step whose form or URL leads to a host that the journey does not name."""
        return Failed(reason, f"{what} within {self._allowed()}", f"{url} (add {shown(url.at)} to hosts to allow it)")

    def _account(self, phases: Mapping[str, float]) -> None:
        for phase, seconds in phases.items():
            self.spent[phase] = self.spent.get(phase, 0.0) + seconds
        self.left = self.left or "processing" in phases

    def _note(self, request: Request, at: float, status: int | None, phases: Mapping[str, float], size: int) -> None:
        if self.trace is not None:
            self.trace(Hop(self.step, request.method, request.url.text, at, status, dict(phases), size))

    # Cookies

    def set_cookies(self, url: Url, cookies: Mapping[str, str]) -> None:
        """Cookies that the shopper brings along, for the host of `url`."""
        jar = self._jars.setdefault(_jar_key(url), Jar())
        for name, value in cookies.items():
            jar.set(url, name, value)

    def secrets(self) -> Iterable[tuple[str, str]]:
        """Name and value of every cookie held."""
        for jar in self._jars.values():
            for cookie in jar.held:
                yield cookie.name, cookie.value or ""

    def _cookies(self, request: Request, reply: Reply) -> Mapping[str, str]:
        key = _jar_key(request.url)
        jar = self._jars.get(key)
        if "set-cookie" in reply.headers:
            if jar is None:
                jar = self._jars[key] = Jar()
            jar.take(request.method, request.url, reply.headers.get_list("set-cookie"))
        return Held(jar, request.url.host) if jar is not None else {}


def _jar_key(url: Url) -> int:
    """Cookies do not know ports, but services on other ports of one machine are other hosts to a journey."""
    port = url.at.port or 0
    return 0 if port in (80, 443) else port
