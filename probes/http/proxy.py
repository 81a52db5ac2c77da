"""A forward proxy between a journey and the shop: http by the whole address, https through a tunnel (CONNECT).

What goes wrong on the way to the proxy, or at it, is `connect` and says that it was the proxy: the shop was never
reached. Its name and its connection are timed as `resolve` and `connect`, the tunnel is part of `connect`.
"""

import asyncio
import ssl
from base64 import b64encode
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from probes.http.channel import Channel
from probes.http.dial import dial
from probes.http.errors import TransportError
from probes.http.exchange import Exchange
from probes.http.request import Request
from probes.http.resolve import Resolver
from probes.http.response import Body
from probes.http.transport import Transport
from probes.http.url import Origin
from probes.result import Reason

_MOST = 16 << 10  # bytes of the proxy's answer to CONNECT
_PROXY_PORT = 3128


class Proxy(NamedTuple):
    """`authorization`: the value of Proxy-Authorization, empty where none is needed."""

    host: str
    port: int
    authorization: bytes = b""

    @property
    def name(self) -> str:
        return f"the proxy {self.host}:{self.port}"


def parse_proxy(text: str) -> Proxy:
    """Of `http://user:password@proxy.example:3128`, which a journey has validated."""
    parts = urlsplit(text)
    token = b""
    if parts.username:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        token = b"Basic " + b64encode(pair.encode())
    return Proxy(parts.hostname or "", parts.port or _PROXY_PORT, token)


class ProxyTransport(Transport):
    """As Transport, by way of a proxy. Connections are kept for the shop's origins, as without one."""

    def __init__(self, proxy: Proxy, *, resolver: Resolver, ssl_context_for: Callable[[str], ssl.SSLContext]) -> None:
        super().__init__(resolver=resolver, ssl_context_for=ssl_context_for)
        self._proxy = proxy

    async def _answered(self, request: Request) -> Body:
        body = await super()._answered(request)
        if body.answer.status == 407:
            body.release()
            raise TransportError(Reason.CONNECT, _refused(self._proxy, 407), body.answer.exchange.phases)
        return body

    def _head(self, request: Request) -> bytes:
        head = super()._head(request)
        if request.url.scheme == "https":
            return head
        line, end, rest = head.partition(b"\r\n")
        method, _, version = line.split(b" ")
        target = b"http://%b%b" % (request.url.authority, request.url.target)
        return b"%b %b %b%b%b%b" % (method, target, version, end, self._authorization(), rest)

    async def _dial(self, origin: Origin, context: ssl.SSLContext | None, exchange: Exchange) -> Channel:
        proxy = Origin("http", self._proxy.host, self._proxy.port)
        try:
            channel = await dial(proxy, self._resolver, None, exchange)
        except TransportError as error:
            if error.reason is Reason.PROBER:
                raise
            message = f"{self._proxy.name}: {error.message}"
            raise TransportError(Reason.CONNECT, message, error.phases) from None
        if context is None:
            return channel
        try:
            async with asyncio.timeout_at(exchange.deadline):
                await self._tunnel(channel, origin, exchange)
                exchange.enter("tls")
                await channel.secure(context, origin.host)
        except BaseException as error:
            channel.close()
            in_tls = exchange.phase == "tls"
            exchange.stop()
            if isinstance(error, TransportError):
                error.phases = exchange.phases
            if not isinstance(error, TimeoutError):
                raise
            if in_tls:
                late = f"{origin.name}: the TLS handshake was not over within {exchange.allowance}"
                raise TransportError(Reason.TIMEOUT, late, exchange.phases) from None
            late = f"{self._proxy.name} opened no way to {origin.name} within {exchange.allowance}"
            raise TransportError(Reason.CONNECT, late, exchange.phases) from None
        exchange.enter("processing")
        return channel

    async def _tunnel(self, channel: Channel, origin: Origin, exchange: Exchange) -> None:
        """Raises TransportError (connect) where the proxy does not lead on."""
        exchange.stop()
        del exchange.phases["processing"]  # which `dial` has begun: there is a tunnel to be made first
        connected = exchange.phases["connect"]
        exchange.enter("connect")
        host = f"[{origin.host}]" if ":" in origin.host else origin.host
        target = f"{host}:{origin.port}".encode("ascii")
        answer = _Answer()
        channel.receiver = answer
        channel.write(b"CONNECT %b HTTP/1.1\r\nHost: %b\r\n%b\r\n" % (target, target, self._authorization()))
        try:
            status = await answer.over
        except OSError as error:
            said = f"{self._proxy.name} broke off on the way to {origin.name}: {error}"
            raise TransportError(Reason.CONNECT, said) from None
        finally:
            channel.receiver = None
            exchange.stop()
            exchange.phases["connect"] += connected
        if not 200 <= status < 300:
            raise TransportError(Reason.CONNECT, _refused(self._proxy, status, origin))

    def _authorization(self) -> bytes:
        token = self._proxy.authorization
        return b"Proxy-Authorization: %b\r\n" % token if token else b""


class _Answer:
    """Waits for the head of the proxy's answer; nothing follows a good one, as the shop waits to be spoken to."""

    def __init__(self) -> None:
        self.over: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._head = b""

    def received(self, data: bytes) -> bool:
        self._head += data[: _MOST - len(self._head)]
        if b"\r\n\r\n" in self._head and not self.over.done():
            words = self._head.split(b"\r\n", 1)[0].split(b" ")
            if len(words) < 2 or not words[0].startswith(b"HTTP/") or not words[1].isdigit():
                self.over.set_exception(ConnectionError("an answer that is no HTTP"))
            else:
                self.over.set_result(int(words[1]))
        elif len(self._head) >= _MOST and not self.over.done():
            self.over.set_exception(ConnectionError("an answer without end"))
        return True

    def ended(self, error: OSError | None) -> None:
        if not self.over.done():
            self.over.set_exception(error or ConnectionError("it closed the connection"))


def _refused(proxy: Proxy, status: int, origin: Origin | None = None) -> str:
    if status == 407:
        return f"{proxy.name} wants other credentials (407)"
    where = "" if origin is None else f" to {origin.name}"
    return f"{proxy.name} opens no way{where}: {status}"
