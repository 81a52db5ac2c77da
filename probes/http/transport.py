"""HTTP/1.1 for journeys, and for httpx's client: own connections, every phase timed and under one deadline."""

import asyncio
import ssl
from collections.abc import Callable
from functools import partial

import httpx

from probes.http import request as wire
from probes.http.answer import Answer
from probes.http.body import MAX_BODY
from probes.http.channel import Channel
from probes.http.dial import dial
from probes.http.errors import TransportError
from probes.http.exchange import Exchange
from probes.http.headers import Headers
from probes.http.pool import Pool
from probes.http.request import Request
from probes.http.resolve import Resolver, SystemResolver
from probes.http.response import Body, Reply, Response
from probes.http.tls import context_for
from probes.http.url import Origin
from probes.result import Reason

_DEFAULT_TIMEOUT = 30.0  # seconds, for requests that come without a deadline
_IDEMPOTENT = {"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"}


def _default_context(_host: str) -> ssl.SSLContext:
    return context_for()


class Transport(httpx.AsyncBaseTransport):
    """One shopper's connections: made when first needed, kept alive until `aclose`. One per run.

    A request's absolute deadline (`loop.time()`) covers everything from the name's resolution to the body's last byte.
    For httpx it is `request.extensions["deadline"]`, and `response.extensions["shopwatch"]` is the Exchange. Failures
    raise TransportError, from the request or from reading the body. Share one resolver among transports: one that is
    made here, because none was given, serves and ends with this transport alone.
    """

    def __init__(
        self,
        *,
        resolver: Resolver | None = None,
        ssl_context_for: Callable[[str], ssl.SSLContext] = _default_context,
        max_body: int = MAX_BODY,
    ) -> None:
        self._given_resolver = resolver
        self._resolver = resolver or SystemResolver()
        self._ssl_context_for = ssl_context_for
        self._max_body = max_body
        self._pool = Pool()

    async def ask(self, request: Request) -> Reply:
        """One exchange, to the end of the answer. What httpx makes of one costs as much CPU as all the rest of it."""
        body = await self._answered(request)
        headers = Headers(body.answer.headers)
        content = await body.decoded(headers.get("content-encoding"), self._max_body)
        return Reply(body.answer.status, headers, content, body.answer.exchange)

    async def handle_async_request(self, request: httpx.Request) -> Response:
        in_a_while = asyncio.get_running_loop().time() + _DEFAULT_TIMEOUT
        body = await self._answered(wire.from_httpx(request, in_a_while))
        exchange = body.answer.exchange
        extensions = {
            "shopwatch": exchange,
            "http_version": exchange.http_version.encode("ascii"),
            "reason_phrase": body.answer.reason_phrase,
        }
        return Response(request, body, extensions, self._max_body)

    async def aclose(self) -> None:
        self._pool.close()
        if self._given_resolver is None:
            await self._resolver.aclose()

    async def _answered(self, request: Request) -> Body:
        """The head has come, the body can be read."""
        origin = request.url.origin
        if origin is None:
            raise TransportError(Reason.CONFIG, f"not an address that can be asked: {request.url}")
        head = self._head(request)
        exchange = _begin(request)
        answered = await self._ask_again(origin, request, head, exchange)
        if answered is None:
            answered = await self._ask_anew(origin, request, head, exchange)
        channel, answer = answered
        exchange.peer, exchange.certificate_expires = channel.peer, channel.certificate_expires
        return Body(answer, partial(self._release, origin, channel, answer))

    def _head(self, request: Request) -> bytes:
        return wire.head(request)

    async def _dial(self, origin: Origin, context: ssl.SSLContext | None, exchange: Exchange) -> Channel:
        return await dial(origin, self._resolver, context, exchange)

    async def _ask_again(
        self, origin: Origin, request: Request, head: bytes, exchange: Exchange
    ) -> tuple[Channel, Answer] | None:
        """Over a connection that is there. None where there is none, or where the server closed it just then: what it
        cannot have seen, or may safely see twice, is asked anew."""
        channel = self._pool.take(origin)
        if channel is None:
            return None
        exchange.reused = True
        exchange.enter("processing")
        answer = await self._converse(channel, request, head, exchange)
        if answer.error is None or answer.head_complete:
            return channel, answer
        self._discard(channel, answer)
        replayable = request.method in _IDEMPOTENT and request.stream is None
        if answer.error.reason is not Reason.CONNECT or answer.bytes_received or not replayable:
            raise answer.error
        exchange.reused = False
        exchange.phases.clear()
        return None

    async def _ask_anew(
        self, origin: Origin, request: Request, head: bytes, exchange: Exchange
    ) -> tuple[Channel, Answer]:
        context = self._ssl_context_for(origin.host) if origin.scheme == "https" else None
        channel = await self._dial(origin, context, exchange)
        self._pool.add(channel)
        answer = await self._converse(channel, request, head, exchange)
        if answer.error is not None and not answer.head_complete:
            self._discard(channel, answer)
            raise answer.error
        return channel, answer

    async def _converse(self, channel: Channel, request: Request, head: bytes, exchange: Exchange) -> Answer:
        """Sends the request and waits for the head of the answer, or its failure."""
        answer = Answer(request.method, exchange, self._max_body)
        channel.receiver = answer
        late = asyncio.get_running_loop().call_at(exchange.deadline, answer.fail_late)
        try:
            if request.stream is None:
                channel.write(head + request.content)
            else:
                channel.write(head)
                await _send_body(channel, request, answer)
            while not answer.head_complete and answer.error is None:
                await answer.changed()
        except TimeoutError:
            answer.fail_late()
        except BaseException:
            self._discard(channel, answer)
            raise
        finally:
            late.cancel()
        return answer

    def _release(self, origin: Origin, channel: Channel, answer: Answer) -> None:
        """The body has been read, or nobody wants the rest of it."""
        if answer.complete and answer.keep_alive and channel.sent and not channel.closed:
            self._pool.put_back(origin, channel)
            answer.let_go()
        else:
            self._discard(channel, answer)

    def _discard(self, channel: Channel, answer: Answer) -> None:
        self._pool.discard(channel)
        answer.let_go()


def _begin(request: Request) -> Exchange:
    if request.deadline <= asyncio.get_running_loop().time():
        raise TransportError(Reason.TIMEOUT, "no time was left to ask")
    return Exchange(request.deadline)


async def _send_body(channel: Channel, request: Request, answer: Answer) -> None:
    """A body that comes piece by piece; not sent to its end to a server that has already answered."""
    async with asyncio.timeout_at(answer.exchange.deadline):
        async for piece in wire.pieces(request):
            if answer.head_complete or answer.error is not None:
                answer.keep_alive = False
                return
            channel.write(piece)
            await channel.drain()
