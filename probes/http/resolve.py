"""From a host's name to its addresses, in the event loop: asyncio's own resolver runs in a few threads, and one dead
name server would block them for everybody."""

import asyncio
import ipaddress
import socket
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

from probes.http.errors import TransportError
from probes.result import Reason

if TYPE_CHECKING:
    import aiodns

_MAX_ADDRESSES = 16  # more would be tried in vain, and fill the message
_LOOPBACK = ("127.0.0.1", "::1")


class Resolver(Protocol):
    """What Transport needs. `resolve` returns numeric addresses, best first, and raises TransportError (dns)."""

    async def resolve(self, host: str) -> tuple[str, ...]: ...

    async def aclose(self) -> None: ...


class SystemResolver:
    """The machine's own name servers (resolv.conf) and /etc/hosts, IPv4 and IPv6, in the order of RFC 6724.

    Answers are kept for their time to live, as a shopper's computer would. Belongs to one event loop; share one among
    all transports of the loop, and close it at the end. `nameservers` (`address` or `address:port`) replaces the
    machine's.
    """

    def __init__(self, nameservers: list[str] | None = None) -> None:
        self._nameservers = nameservers
        self._ares: aiodns.DNSResolver | None = None

    async def resolve(self, host: str) -> tuple[str, ...]:
        known = without_dns(host)
        return known if known is not None else await self._ask(host)

    async def _ask(self, host: str) -> tuple[str, ...]:
        import aiodns

        ares = self._channel()
        try:
            answer = await ares.getaddrinfo(host, type=socket.SOCK_STREAM)
        except (aiodns.error.DNSError, ValueError) as error:
            text = error.args[1] if len(error.args) > 1 else str(error)
            raise TransportError(Reason.DNS, f"{host} cannot be resolved: {text}") from error
        addresses = tuple(dict.fromkeys(node.addr[0].decode("ascii") for node in answer.nodes))
        if not addresses:
            raise TransportError(Reason.DNS, f"{host} has no address")
        return addresses[:_MAX_ADDRESSES]

    async def query(self, name: str, record: str) -> list[Any]:
        """The data of the records of one type (`MX`, `TXT`, …), as pycares has them. Raises TransportError (dns)."""
        import aiodns
        import pycares

        ares = self._channel()
        try:
            answer = await ares.query_dns(name, record)
        except (aiodns.error.DNSError, ValueError) as error:
            text = error.args[1] if len(error.args) > 1 else str(error)
            raise TransportError(Reason.DNS, f"{name} has no {record} record: {text}") from error
        wanted = getattr(pycares, f"{record}RecordData")
        return [found.data for found in answer.answer if isinstance(found.data, wanted)]

    def _channel(self) -> "aiodns.DNSResolver":
        import aiodns
        import pycares

        try:
            if self._ares is None:
                self._ares = aiodns.DNSResolver(nameservers=self._nameservers, loop=asyncio.get_running_loop())
        except pycares.AresError as error:
            raise TransportError(Reason.PROBER, f"name resolution cannot start: {error}") from error
        return self._ares

    async def aclose(self) -> None:
        if self._ares is not None:
            await self._ares.close()
            self._ares = None


@lru_cache(maxsize=1024)
def without_dns(host: str) -> tuple[str, ...] | None:
    """The addresses of a host that needs no name server: a numeric address, or `localhost` (RFC 6761)."""
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return _LOOPBACK
    try:
        return (str(ipaddress.ip_address(host)),)
    except ValueError:
        return None
