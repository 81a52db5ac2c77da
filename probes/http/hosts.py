"""Which hosts a journey may talk to: judged alike before a run, by `check`, and in it."""

import re
from collections.abc import Iterable
from functools import lru_cache

import httpx

from probes.http.url import DEFAULT_PORTS, Host, Url

_URL_LIMIT = 16 << 10
_ABSOLUTE = re.compile(r"\s*[a-z][a-z0-9+.-]*://", re.IGNORECASE)


@lru_cache(maxsize=4096)
def parse_url(text: str) -> Url:
    """Raises ValueError with a text for the user. Only http and https, with a host; user and fragment are dropped."""
    if len(text) > _URL_LIMIT:
        raise ValueError(f"a URL of {len(text)} characters")
    try:
        url = Url(text)
    except (httpx.InvalidURL, UnicodeError, ValueError) as error:
        raise ValueError(f"{text!r} is not a URL: {error}") from None
    if url.scheme not in DEFAULT_PORTS or not url.host:
        raise ValueError(f"{text!r} is not an http or https URL")
    return Url(url.copy_with(userinfo=b"", fragment=None)) if url.fragment or url.userinfo else url


@lru_cache(maxsize=4096)
def join(base: str, text: str) -> Url:
    """`/x` from the root of the host, `x` and `?x` below `base`. Raises ValueError."""
    text = text.strip()
    root = parse_url(base if base.endswith("/") else base + "/")
    if text.startswith("/") and not text.startswith("//"):
        return parse_url(f"{root.scheme}://{root.authority.decode('ascii')}{text}")
    try:
        return parse_url(str(root.join(text)))
    except httpx.InvalidURL as error:
        raise ValueError(f"{text!r} is not a URL: {error}") from None


def address(base: str | None, text: str) -> Url:
    """Where a step's address leads: absolute, or as a link on a page at `base` would. Raises ValueError."""
    return parse_url(text) if base is None or _ABSOLUTE.match(text) else join(base, text)


@lru_cache(maxsize=1024)
def parse_host(text: str) -> Host:
    """An entry of `hosts`: `pay.shop.example`, or with a port, which then is the only one meant. Raises ValueError."""
    try:
        url = httpx.URL(text if "://" in text else f"//{text}")
    except (httpx.InvalidURL, UnicodeError) as error:
        raise ValueError(f"{text!r} is not a host: {error}") from None
    return Host(url.host.lower(), url.port or DEFAULT_PORTS.get(url.scheme))


def one_site(one: Host, other: Host) -> bool:
    """The same name and port; http and https on their default ports count as one, as a redirect to https goes."""
    return one == other or (one.name == other.name and {one.port, other.port} == {80, 443})


def may_have(home: Host, other: Host) -> bool:
    """Whether what is meant for `home` may go to `other`: the same site, but never from https down to http."""
    return one_site(home, other) and not (home.port == 443 and other.port == 80)


def in_reach(host: Host, own: Host | None, hosts: Iterable[Host]) -> bool:
    """`own`: the journey's own host, None before its first request where it has no `base`."""
    if own is None or one_site(own, host):
        return True
    return any(host.name == allowed.name and allowed.port in (None, host.port) for allowed in hosts)


def shown(host: Host) -> str:
    """As an entry of `hosts` that allows it."""
    name = f"[{host.name}]" if ":" in host.name else host.name
    return name if host.port in (None, 80, 443) else f"{name}:{host.port}"
