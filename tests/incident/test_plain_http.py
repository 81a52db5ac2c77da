"""The command line's own HTTP, held against servers that answer in every way that HTTP allows, and in some that it does
not."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import trustme

from incident import plain_http
from incident.client import Answered, BadAddress, Client, Unreachable
from incident.plain_http import NotHttp, Server


@contextmanager
def answering(*parts: bytes) -> Iterator[tuple[Server, list[bytes]]]:
    """A server that answers its one caller so, whatever it is asked, and hangs up; and what it was asked."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def work() -> None:
            connection, _ = listening.accept()
            with connection:
                asked.append(connection.recv(1 << 16))
                with suppress(OSError):  # it may have heard enough
                    for part in parts:
                        connection.sendall(part)

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield Server("127.0.0.1", listening.getsockname()[1], tls=False, timeout=5), asked
        finally:
            thread.join()


def asked_and_answered(*parts: bytes) -> tuple[int, bytes]:
    with answering(*parts) as (server, _):
        return server.ask("GET", "/", {}, None)


@pytest.mark.parametrize(
    ("parts", "body"),
    [
        pytest.param([b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello and more"], b"hello", id="length"),
        pytest.param([b"HTTP/1.1 200 OK\r\ncontent-LENGTH:5\r\n\r\nhe", b"llo"], b"hello", id="in pieces"),
        pytest.param([b"HTTP/1.0 200 OK\r\n\r\nhello"], b"hello", id="to the end"),
        pytest.param([b"HTTP/1.1 200\nContent-Length: 0\n\n"], b"", id="bare lines"),
        pytest.param(
            [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nhel\r\n", b"2\r\nlo\r\n0\r\n\r\n"],
            b"hello",
            id="chunks",
        ),
        pytest.param(
            [b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"],
            b"hi",
            id="a word in between",
        ),
    ],
)
def test_an_answer_is_read_however_its_length_is_said(parts: list[bytes], body: bytes) -> None:
    assert asked_and_answered(*parts) == (200, body)


def test_an_answer_without_a_body_is_not_waited_for() -> None:
    assert asked_and_answered(b"HTTP/1.1 204 No Content\r\nConnection: keep-alive\r\n\r\n") == (204, b"")


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        pytest.param([b""], "closed before", id="nothing"),
        pytest.param([b"SSH-2.0-OpenSSH_9.2\r\n"], "does not speak HTTP", id="another protocol"),
        pytest.param([b"HTTP/1.1 200 OK\r\nContent-Le"], "closed before", id="half a head"),
        pytest.param([b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello"], "in the middle", id="half a body"),
        pytest.param([b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"], "how long it is", id="negative"),
        pytest.param([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n"], "how long it is", id="bad chunk"),
        pytest.param([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe"], "middle", id="cut chunk"),
        pytest.param([b"HTTP/1.1 2x0 OK\r\n\r\n"], "does not speak HTTP", id="no status"),
        pytest.param([b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 200, b"\r\n"], "head of the answer", id="endless head"),
        pytest.param([b"HTTP/1.1 200 OK\r\nX: ", b"y" * (1 << 17)], "a line of the answer", id="endless line"),
    ],
)
def test_what_is_no_answer_is_said_to_be_none(parts: list[bytes], said: str) -> None:
    with pytest.raises(NotHttp, match=said):
        asked_and_answered(*parts)


@pytest.mark.parametrize(
    "head",
    [b"Content-Length: 9\r\n\r\n", b"\r\n", b"Transfer-Encoding: chunked\r\n\r\n9\r\n"],
    ids=["length", "to the end", "chunks"],
)
def test_an_answer_that_is_too_large_is_not_read(head: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain_http, "LARGEST_ANSWER", 8)
    with pytest.raises(NotHttp, match="larger than"):
        asked_and_answered(b"HTTP/1.1 200 OK\r\n" + head + b"123456789\r\n0\r\n\r\n")


def test_a_server_that_is_silent_is_not_waited_for_longer_than_was_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = Client(f"http://127.0.0.1:{silent.getsockname()[1]}", token="t", timeout=0.05)
        with pytest.raises(Unreachable, match="it took too long"):
            client.get("/")


def test_a_request_says_all_that_it_must() -> None:
    with answering(b"HTTP/1.1 204 No Content\r\n\r\n") as (server, asked):
        Client(f"http://127.0.0.1:{server.port}/behind a proxy", token="secret").post("/api/v1/x", {"a": "é"})
    head, _, body = asked[0].partition(b"\r\n\r\n")
    first, *fields = head.decode().split("\r\n")
    assert first == "POST /behind%20a%20proxy/api/v1/x HTTP/1.1"
    assert f"Host: 127.0.0.1:{server.port}" in fields
    assert {"Connection: close", "Authorization: Bearer secret", "Content-Type: application/json"} <= set(fields)
    assert f"Content-Length: {len(body)}" in fields
    assert body.decode() == '{"a": "é"}'


def test_a_host_with_colons_is_named_in_brackets() -> None:
    server = Server("::1", 80, tls=False, timeout=1)
    assert b"\r\nHost: [::1]\r\n" in server._head("GET", "/", {}, None)


def test_an_international_name_is_asked_for_by_its_ascii_form() -> None:
    assert b"\r\nHost: xn--lden-loa.example:81\r\n" in Server("läden.example", 81, tls=False, timeout=1)._head(
        "GET", "/", {}, None
    )
    with pytest.raises(Unreachable, match="no host can have that name"):
        Client(f"http://{'ä' * 70}.example", token="t").get("/")


@pytest.mark.parametrize("token", ["one\r\nX-Other: two", "zwei–drei", "tab\there"])
def test_a_token_that_would_not_stay_in_its_line_is_refused(token: str) -> None:
    with pytest.raises(BadAddress, match="SHOPWATCH_TOKEN"):
        Client("http://127.0.0.1:1", token=token)


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(404)
        self.end_headers()
        self.wfile.write(b'{"error": "over TLS"}')

    def log_message(self, *words: object) -> None:
        """Not into the tests' output."""


def test_over_tls_the_certificate_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with _tls_server(context) as port:
        client = Client(f"https://localhost:{port}", token="t")
        with pytest.raises(Unreachable, match=r"(?i)certificate"):
            client.get("/")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        with pytest.raises(Answered, match="over TLS"):
            client.get("/")


@contextmanager
def _tls_server(context: ssl.SSLContext) -> Iterator[int]:
    class Quiet(HTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """A caller that does not trust us hangs up."""

    with Quiet(("127.0.0.1", 0), _Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()
