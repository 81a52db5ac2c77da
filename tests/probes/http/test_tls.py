"""Certificates and handshakes, good and bad."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
import trustme

from probes.http import TlsOptions, Transport, TransportError, context_for
from probes.http.certificate import expiry
from probes.result import Reason
from tests.probes.http.servers import Handler, failure, get, ok, repeating, saying, serving

pytestmark = pytest.mark.anyio
ENDS = datetime(2031, 5, 17, 12, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca(authority: trustme.CA, tmp_path: Path) -> Path:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return tmp_path / "ca.pem"


@pytest.fixture
def served_as(authority: trustme.CA) -> Callable[..., ssl.SSLContext]:
    def context(*names: str, ends: datetime = ENDS, by: trustme.CA = authority) -> ssl.SSLContext:
        made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        by.issue_cert(*names, not_after=ends).configure_cert(made)
        return made

    return context


def trusting(ca: Path | None, **options: object) -> Transport:
    wanted = TlsOptions(ca=ca, **options)  # type: ignore[arg-type]
    return Transport(ssl_context_for=lambda host: context_for(wanted))


async def test_a_good_certificate_is_accepted_and_its_end_read(
    served_as: Callable[..., ssl.SSLContext], ca: Path
) -> None:
    async with (
        serving(repeating(ok(b"hello")), served_as("localhost")) as port,
        httpx.AsyncClient(transport=trusting(ca)) as client,
    ):
        first, second = [await client.get(f"https://localhost:{port}/") for _ in range(2)]
    exchange = first.extensions["shopwatch"]
    assert (first.content, exchange.certificate_expires) == (b"hello", ENDS)
    assert list(exchange.phases) == ["resolve", "connect", "tls", "processing", "transfer"]
    assert list(second.extensions["shopwatch"].phases) == ["processing", "transfer"]


async def test_an_address_may_be_the_certificates_name(served_as: Callable[..., ssl.SSLContext], ca: Path) -> None:
    async with serving(repeating(ok(b"hello")), served_as("127.0.0.1")) as port:
        assert (await get(f"https://127.0.0.1:{port}/", trusting(ca))).content == b"hello"


async def test_a_large_body_passes_through_tls(served_as: Callable[..., ssl.SSLContext], ca: Path) -> None:
    body = bytes(range(256)) * 8000
    async with serving(repeating(ok(body)), served_as("localhost")) as port:
        assert (await get(f"https://localhost:{port}/", trusting(ca))).content == body


async def failing(context: ssl.SSLContext | None, transport: Transport, handler: Handler | None = None) -> str:
    """The text of a request's failure, which must be one of TLS, found in that phase."""
    async with serving(handler or repeating(ok(b"")), context) as port:
        error = await failure(f"https://localhost:{port}/", transport)
    assert error.reason is Reason.TLS
    assert list(error.phases) == ["resolve", "connect", "tls"]
    return error.message


async def test_an_expired_certificate(served_as: Callable[..., ssl.SSLContext], ca: Path) -> None:
    past = datetime(2020, 1, 1, tzinfo=UTC)
    message = await failing(served_as("localhost", ends=past), trusting(ca))
    assert message == "localhost: certificate not accepted: certificate has expired"


async def test_a_certificate_of_another_host(served_as: Callable[..., ssl.SSLContext], ca: Path) -> None:
    message = await failing(served_as("other.example"), trusting(ca))
    assert message == (
        "localhost: certificate not accepted: Hostname mismatch, certificate is not valid for 'localhost'"
    )


async def test_a_certificate_of_an_unknown_authority(served_as: Callable[..., ssl.SSLContext], ca: Path) -> None:
    message = await failing(served_as("localhost", by=trustme.CA()), trusting(ca))
    assert message == "localhost: certificate not accepted: unable to get local issuer certificate"


async def test_a_self_signed_certificate(authority: trustme.CA, tmp_path: Path) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    own = trustme.CA()
    pem = tmp_path / "own.pem"
    pem.write_bytes(own.private_key_pem.bytes() + own.cert_pem.bytes())
    context.load_cert_chain(pem)
    message = await failing(context, Transport())
    assert message in (
        "localhost: certificate not accepted: self-signed certificate",
        "localhost: certificate not accepted: self signed certificate",
    )


async def test_verification_can_be_switched_off_and_the_end_is_read_all_the_same(
    served_as: Callable[..., ssl.SSLContext],
) -> None:
    async with serving(repeating(ok(b"hello")), served_as("other.example")) as port:
        response = await get(f"https://localhost:{port}/", trusting(None, verify=False))
    assert response.extensions["shopwatch"].certificate_expires == ENDS


async def test_a_port_that_speaks_plain_http() -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    assert await failing(None, Transport(), plain) == "localhost: the server does not speak TLS on this port"


async def test_garbage_in_the_handshake() -> None:
    async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"\x16\x03\x03\x00\x05abcde")

    assert (await failing(None, Transport(), garbage)).startswith("localhost: handshake failed: ")


async def test_a_server_that_closes_in_the_handshake() -> None:
    async def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10_000)

    message = await failing(None, Transport(), close)
    assert message == "localhost: in the handshake, the server closed the connection"


@pytest.mark.by_the_clock
async def test_a_server_that_is_silent_in_the_handshake_times_out_there() -> None:
    async with serving(saying(hold=True)) as port:
        error = await failure(f"https://localhost:{port}/", within=0.5)
    assert error.reason is Reason.TIMEOUT
    assert error.message.startswith(f"localhost port {port}: the TLS handshake was not over within 0.")
    assert list(error.phases) == ["resolve", "connect", "tls"]


async def test_a_server_that_wants_a_certificate_gets_the_clients(
    authority: trustme.CA, served_as: Callable[..., ssl.SSLContext], ca: Path, tmp_path: Path
) -> None:
    strict = served_as("localhost")
    strict.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(strict)
    client = authority.issue_cert("client.example")
    client.cert_chain_pems[0].write_to_path(str(tmp_path / "client.pem"))
    client.private_key_pem.write_to_path(str(tmp_path / "client.key"))
    async with serving(repeating(ok(b"hello")), strict) as port:
        known = trusting(ca, cert=tmp_path / "client.pem", key=tmp_path / "client.key")
        assert (await get(f"https://localhost:{port}/", known)).content == b"hello"
    with socket.create_server(("127.0.0.1", 0)) as listening:  # asyncio's servers do not say why they refuse
        thread = threading.Thread(target=refuse, args=(listening, strict))
        thread.start()
        error = await failure(f"https://localhost:{listening.getsockname()[1]}/", trusting(ca))
        thread.join()
    assert error.reason is Reason.TLS
    assert error.message == "the TLS session broke: handshake failed: tlsv13 alert certificate required"


def refuse(listening: socket.socket, context: ssl.SSLContext) -> None:
    connection, _ = listening.accept()
    with connection, pytest.raises(ssl.SSLError):
        context.wrap_socket(connection, server_side=True)


def test_a_context_is_built_once_and_again_when_its_file_changes(ca: Path) -> None:
    assert context_for() is context_for(TlsOptions())
    first = context_for(TlsOptions(ca=ca))
    assert context_for(TlsOptions(ca=ca)) is first
    trustme.CA().cert_pem.write_to_path(str(ca))
    assert context_for(TlsOptions(ca=ca)) is not first


def test_a_file_that_cannot_be_used_is_a_mistake_in_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "bad.pem").write_text("not a certificate")
    for name, why in (("missing.pem", "No such file or directory"), ("bad.pem", "no certificate or crl found")):
        with pytest.raises(TransportError) as caught:
            context_for(TlsOptions(ca=tmp_path / name))
        assert caught.value.reason is Reason.CONFIG
        assert caught.value.message == f"tls: cannot use {tmp_path / name}: {why}"


@pytest.mark.parametrize(
    "der", [b"", b"0", b"0\x82", b"\x30\x03\x30\x01\xa0", b"\x30\x84\xff\xff\xff\xff\x30", b"x" * 100]
)
def test_bytes_that_are_no_certificate_have_no_end(der: bytes) -> None:
    assert expiry(der) is None
