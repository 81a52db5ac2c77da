"""From an origin to a channel: resolve, connect, tls, each timed, all under the deadline."""

import asyncio
import ssl

from probes.http.channel import Channel
from probes.http.connect import open_socket
from probes.http.errors import TransportError
from probes.http.exchange import Exchange
from probes.http.resolve import Resolver, without_dns
from probes.http.url import Origin
from probes.result import Reason

_MISSING = {
    "resolve": "the name was not resolved",
    "connect": "no connection",
    "tls": "the TLS handshake was not over",
}


async def dial(origin: Origin, resolver: Resolver, context: ssl.SSLContext | None, exchange: Exchange) -> Channel:
    """A new connection, with TLS where there is a context. Raises TransportError."""
    try:
        async with asyncio.timeout_at(exchange.deadline):
            return await _dial(origin, resolver, context, exchange)
    except TimeoutError:
        missing = _MISSING[exchange.phase or "resolve"]
        exchange.stop()
        raise TransportError(
            Reason.TIMEOUT, f"{origin.name}: {missing} within {exchange.allowance}", exchange.phases
        ) from None
    except TransportError as error:
        exchange.stop()
        error.phases = exchange.phases
        raise


async def _dial(origin: Origin, resolver: Resolver, context: ssl.SSLContext | None, exchange: Exchange) -> Channel:
    exchange.enter("resolve")
    addresses = without_dns(origin.host) or await resolver.resolve(origin.host)
    exchange.enter("connect")
    opened, address = await open_socket(origin.host, addresses, origin.port)
    channel = Channel(opened, f"[{address}]:{origin.port}" if ":" in address else f"{address}:{origin.port}")
    if context is not None:
        exchange.enter("tls")
        try:
            await channel.secure(context, origin.host)
        except BaseException:
            channel.close()
            raise
    exchange.enter("processing")
    return channel
