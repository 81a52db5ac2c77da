"""Who may call what, as pure questions about a request. contracts: docs/api.md, "Who may call what".

Three strangers are kept apart here: another machine, a proxy that makes other machines look local, and a web page in
the engineer's own browser, which is local and still not to be trusted (foreign Origin, a rebound Host, a form post).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address
from socket import gethostname
from urllib.parse import urlsplit

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})  # every other method changes something
FORWARDING = frozenset(
    {"forwarded", "via", "x-real-ip", "x-client-ip", "x-cluster-client-ip", "true-client-ip", "cf-connecting-ip"}
)
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Peer:
    """What the guards look at. `headers` has lower-case names; `client` and `server` are IP addresses, or None."""

    method: str
    headers: Mapping[str, str]
    client: str | None
    server: str | None
    scheme: str = "http"


@dataclass(frozen=True, slots=True)
class Names:
    """The host names under which this Shopwatch is known, and whether proxies stand in front of it."""

    hosts: frozenset[str] = frozenset()  # lower case, without a port
    origins: frozenset[str] = frozenset()  # as `scheme://host[:port]`, without a default port
    trusted_proxies: tuple[str, ...] = ()
    machine: str = field(default_factory=lambda: gethostname().lower())

    @classmethod
    def of(
        cls, host: str, public_url: str | None, trusted_proxies: tuple[str, ...], more: tuple[str, ...] = ()
    ) -> "Names":
        hosts = {"localhost", host.lower(), *(name.lower() for name in more)}
        origin = _origin(public_url) if public_url else None
        if public_url and origin:
            hosts.add((urlsplit(public_url).hostname or "").lower())
        return cls(frozenset(hosts - {"", "0.0.0.0", "::"}), frozenset({origin} if origin else ()), trusted_proxies)  # noqa: S104


def is_loopback(peer: Peer, names: Names) -> bool:
    """A program on this machine, for sure: no proxy on the way, and no web page speaking through a browser."""
    if peer.client is None or not _loopback_address(peer.client) or names.trusted_proxies or through_proxy(peer):
        return False
    return foreign(peer, names) is None


def through_proxy(peer: Peer) -> bool:
    return any(name in FORWARDING or name.startswith("x-forwarded") for name in peer.headers)


def foreign(peer: Peer, names: Names) -> str | None:
    """Why this request comes from somewhere that has no business here (a text for the log and the caller), or None."""
    host = peer.headers.get("host", "")
    if not _own_host(host, peer, names):
        return (
            f"the Host {host!r} is not one of this Shopwatch's names (see `listen.names` and `status_page.public_url`)"
        )
    origin = peer.headers.get("origin")
    if origin is not None and not _own_origin(origin, host, peer, names):
        return f"the Origin {origin!r} is foreign"
    if peer.headers.get("sec-fetch-site") == "cross-site":
        return "the request was made by a web page of another site"
    return None


def wrong_content_type(peer: Peer, accepted: tuple[str, ...]) -> str | None:
    """Why the body cannot be taken, or None. Only a request without a body may leave its type out."""
    given = peer.headers.get("content-type")
    if given is None:
        has_body = peer.headers.get("content-length", "0") != "0" or "transfer-encoding" in peer.headers
        return f"the Content-Type is missing; it must be {' or '.join(accepted)}" if has_body else None
    if given.partition(";")[0].strip().lower() in accepted:
        return None
    return f"the Content-Type {given!r} is not {' or '.join(accepted)}"


def _own_host(header: str, peer: Peer, names: Names) -> bool:
    try:
        host = (urlsplit(f"//{header}").hostname or "").lower()
    except ValueError:
        return False
    if not host or any(c in header for c in "/@?#\\ "):
        return False
    if host in names.hosts or host == names.machine:
        return True
    if not _is_address(host):
        return False
    # An address cannot be rebound by a name server, but only the one that was connected to is ours.
    return _loopback_address(host) or (peer.server is not None and _same_address(host, peer.server))


def _own_origin(origin: str, host: str, peer: Peer, names: Names) -> bool:
    normal = _origin(origin)
    if normal is None:
        return False
    own = {_origin(f"{peer.scheme}://{host}"), *names.origins}
    if names.trusted_proxies:  # TLS may end in front of us
        own.add(_origin(f"https://{host}"))
    return normal in own


def _origin(url: str) -> str | None:
    """`scheme://host[:port]`, lower case, without a default port; None for what is no origin (`null`)."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in _DEFAULT_PORTS or not host:
        return None
    shown = f"[{host}]" if ":" in host else host
    return (
        f"{parts.scheme}://{shown}"
        if port in (None, _DEFAULT_PORTS[parts.scheme])
        else f"{parts.scheme}://{shown}:{port}"
    )


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _loopback_address(text: str) -> bool:
    try:
        address = ip_address(text)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


def _same_address(one: str, other: str) -> bool:
    return _is_address(other) and ip_address(one) == ip_address(other)
