"""Through a forward proxy: http by the whole address, https through a tunnel, and whose fault it is when it fails."""

import asyncio
import contextlib
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trustme

from probes.http import ProxyTransport, SystemResolver, TransportError, context_for, parse_proxy
from probes.result import Reason
from tests.probes.http.servers import get, ok, repeating, request_of, saying, serving

pytestmark = pytest.mark.anyio


class Forwarder:
    """A small proxy: passes http on, tunnels https, and remembers what it was asked."""

    def __init__(self, token: bytes = b"") -> None:
        self.asked: list[bytes] = []
        self.token = token

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await request_of(reader)
        self.asked.append(head)
        if self.token and b"Proxy-Authorization: Basic " + b64encode(self.token) not in head:
            writer.write(b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n")
            return
        method, target, _ = head.split(b"\r\n")[0].split(b" ")
        host, _, port = (target if method == b"CONNECT" else target.split(b"/")[2]).rpartition(b":")
        try:
            there, back = await asyncio.open_connection(host.decode(), int(port))
        except OSError:
            writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
            return
        if method == b"CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            back.write(head)
        await asyncio.gather(_pour(reader, back), _pour(there, writer))


async def _pour(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError, asyncio.CancelledError):
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    sink.close()


@asynccontextmanager
async def through(address: str, context: ssl.SSLContext | None = None) -> AsyncIterator[ProxyTransport]:
    resolver = SystemResolver()
    transport = ProxyTransport(
        parse_proxy(address), resolver=resolver, ssl_context_for=lambda _: context or context_for()
    )
    try:
        yield transport
    finally:
        await transport.aclose()
        await resolver.aclose()


async def trouble(url: str, transport: ProxyTransport, within: float = 2) -> TransportError:
    with pytest.raises(TransportError) as caught:
        await get(url, transport, within)
    return caught.value


async def test_http_goes_by_the_whole_address_and_with_the_name_and_password_of_the_proxy() -> None:
    forwarder = Forwarder(token=b"me:s3cret@")
    async with (
        serving(repeating(ok(b"hello"))) as shop,
        serving(forwarder) as port,
        through(f"http://me:s3cret%40@127.0.0.1:{port}") as transport,
    ):
        answer = await get(f"http://127.0.0.1:{shop}/a?b=c", transport)
    assert answer.content == b"hello"
    assert forwarder.asked[0].startswith(b"GET http://127.0.0.1:%d/a?b=c HTTP/1.1\r\nProxy-Authorization" % shop)


async def test_https_goes_through_a_tunnel_to_a_shop_whose_certificate_is_checked() -> None:
    authority = trustme.CA()
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(server)
    authority.configure_trust(client)
    forwarder = Forwarder()
    async with (
        serving(repeating(ok(b"hello")), server) as shop,
        serving(forwarder) as port,
        through(f"http://127.0.0.1:{port}", client) as transport,
    ):
        answer = await get(f"https://localhost:{shop}/", transport)
    assert answer.content == b"hello"
    assert forwarder.asked == [b"CONNECT localhost:%d HTTP/1.1\r\nHost: localhost:%d\r\n\r\n" % (shop, shop)]
    made = answer.extensions["shopwatch"]
    assert list(made.phases) == ["resolve", "connect", "tls", "processing", "transfer"]
    assert made.certificate_expires is not None


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_that_is_not_there_is_said_to_be_the_proxy(scheme: str) -> None:
    async with through("http://127.0.0.1:1") as transport:
        error = await trouble(f"{scheme}://shop.example/", transport)
    assert error.reason is Reason.CONNECT
    assert error.message == "the proxy 127.0.0.1:1: 127.0.0.1 port 1: Connection refused"


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_that_wants_other_credentials_is_not_the_shop_refusing(scheme: str) -> None:
    async with serving(Forwarder(b"me:else")) as port, through(f"http://me:wrong@127.0.0.1:{port}") as transport:
        error = await trouble(f"{scheme}://127.0.0.1:1/", transport)
    assert (error.reason, "wants other credentials (407)" in error.message) == (Reason.CONNECT, True)


async def test_a_tunnel_that_cannot_be_made_is_the_proxys_word() -> None:
    async with serving(Forwarder()) as port, through(f"http://127.0.0.1:{port}") as transport:
        error = await trouble("https://127.0.0.1:1/", transport)
    assert (error.reason, error.message) == (
        Reason.CONNECT,
        f"the proxy 127.0.0.1:{port} opens no way to 127.0.0.1 port 1: 502",
    )


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (b"220 mail.example\r\n\r\n", "an answer that is no HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 4000, "an answer without end"),
        (b"", "it closed the connection"),
    ],
    ids=["no HTTP", "endless", "nothing"],
)
async def test_a_proxy_that_talks_nonsense_is_named(said: bytes, words: str) -> None:
    async with serving(saying(said)) as port, through(f"http://127.0.0.1:{port}") as transport:
        error = await trouble("https://shop.example/", transport)
    assert (error.reason, words in error.message) == (Reason.CONNECT, True)


@pytest.mark.by_the_clock
async def test_a_proxy_that_hangs_is_left_in_time() -> None:
    async with serving(saying(hold=True)) as port, through(f"http://127.0.0.1:{port}") as transport:
        error = await trouble("https://shop.example/", transport, within=0.2)
    assert error.reason is Reason.CONNECT
    assert "opened no way to shop.example port 443 within 0.2 s" in error.message
    assert error.phases["connect"] > 0.1
