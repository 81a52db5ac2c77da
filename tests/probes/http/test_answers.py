"""What a server may say, and what is made of it."""

import asyncio
import gzip
import tracemalloc
import zlib

import httpx
import pytest

from probes.http import Transport, TransportError, read_body
from probes.result import Reason
from tests.probes.http.servers import failure, failure_of, get, ok, saying, serving

pytestmark = pytest.mark.anyio


async def answer_to(answer: bytes, method: str = "GET") -> httpx.Response:
    async with serving(saying(answer)) as port:
        return await get(f"http://127.0.0.1:{port}/", method=method)


async def test_a_body_with_a_length_is_read() -> None:
    response = await answer_to(ok(b"hello", b"X-Two: a", b"X-Two: b"))
    assert (response.status_code, response.content) == (200, b"hello")
    assert response.headers.get_list("x-two") == ["a", "b"]


async def test_chunks_are_put_together_and_what_trails_them_is_no_header() -> None:
    chunks = b"3\r\nhel\r\n2;name=value\r\nlo\r\n0\r\nX-Trailer: 1\r\n\r\n"
    response = await answer_to(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)
    assert response.content == b"hello"
    assert "x-trailer" not in response.headers


async def test_a_body_without_a_length_ends_with_the_connection() -> None:
    assert (await answer_to(b"HTTP/1.1 200 OK\r\n\r\nhello")).content == b"hello"


async def test_an_http_1_0_server_is_understood() -> None:
    response = await answer_to(b"HTTP/1.0 200 OK\r\n\r\nhello")
    assert (response.content, response.http_version) == (b"hello", "HTTP/1.0")


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
async def test_an_answer_that_has_no_body_by_its_status_ends_with_its_head(status: bytes) -> None:
    async with serving(saying(b"HTTP/1.1 " + status + b"\r\nETag: x\r\n\r\n", hold=True)) as port:
        assert (await get(f"http://127.0.0.1:{port}/", within=60)).content == b""


async def test_the_answer_to_head_has_no_body_whatever_its_length_says() -> None:
    async with serving(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", hold=True)) as port:
        response = await get(f"http://127.0.0.1:{port}/", within=60, method="HEAD")
    assert (response.status_code, response.content) == (200, b"")


async def test_interim_answers_are_passed_over() -> None:
    response = await answer_to(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" + ok(b"real")
    )
    assert response.content == b"real"
    assert "link" not in response.headers


async def test_an_answer_in_single_bytes_is_the_same_answer() -> None:
    whole = ok(b"hello", b"Content-Type: text/plain")
    async with serving(saying(*[whole[i : i + 1] for i in range(len(whole))])) as port:
        assert (await get(f"http://127.0.0.1:{port}/")).content == b"hello"


@pytest.mark.parametrize(
    ("coding", "encoded"),
    [
        (b"gzip", gzip.compress(b"hello", mtime=0)),
        (b"gzip", gzip.compress(b"hel", mtime=0) + gzip.compress(b"lo", mtime=0)),
        (b"deflate", zlib.compress(b"hello")),
        (b"deflate", zlib.compress(b"hello")[2:-4]),
        (b"deflate, gzip", gzip.compress(zlib.compress(b"hello"), mtime=0)),
        (b"identity", b"hello"),
        (b"utf-8", b"hello"),
    ],
)
async def test_encodings_are_undone(coding: bytes, encoded: bytes) -> None:
    response = await answer_to(ok(encoded, b"Content-Encoding: " + coding))
    assert response.content == b"hello"
    assert response.headers["content-encoding"] == coding.decode()


async def test_a_named_encoding_without_a_body_is_no_mistake() -> None:
    assert (await answer_to(ok(b"", b"Content-Encoding: gzip"))).content == b""


@pytest.mark.parametrize(
    ("coding", "body", "message"),
    [
        (b"gzip", b"not gzip at all", "the body is not the gzip that it claims to be"),
        (b"gzip", gzip.compress(b"hello" * 100, mtime=0)[:-9], "the body's gzip is cut off after"),
        (b"gzip", gzip.compress(b"x", mtime=0) + b"garbage", "the body is not the gzip that it claims to be"),
        (b"deflate", zlib.compress(b"x") + b"garbage", "bytes follow the end of the body's deflate"),
        (b"br", b"whatever", "the body is encoded as br, which was not asked for"),
    ],
)
async def test_an_encoding_that_lies_is_a_failure_of_the_body(coding: bytes, body: bytes, message: str) -> None:
    error = await failure_of(ok(body, b"Content-Encoding: " + coding))
    assert (error.reason, error.status) == (Reason.BODY, 200)
    assert message in error.message
    assert "transfer" in error.phases


async def test_a_zip_bomb_is_stopped_at_the_bound() -> None:
    bomb = ok(gzip.compress(b"\0" * 50_000_000), b"Content-Encoding: gzip")
    tracemalloc.start()
    try:
        error = await failure_of(bomb)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (error.reason, error.message) == (Reason.BODY, "the body is over 2097152 bytes once decoded")
    assert peak < 8 * 1024 * 1024


async def test_a_zip_bomb_behind_a_redirect_that_is_followed_is_stopped_too() -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    answer = (
        b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb) + bomb
    )
    async with (
        serving(saying(answer)) as port,
        httpx.AsyncClient(transport=Transport(), follow_redirects=True) as client,
    ):
        with pytest.raises(TransportError, match="once decoded"):
            await client.get(f"http://127.0.0.1:{port}/")


LIES = [
    (b"", Reason.CONNECT, "the server closed the connection without an answer"),
    (b"HTTP/1.1 200 OK\r\nX: 1\r\n", Reason.HEADER, "the server closed the connection in the middle of the header"),
    (b"SSH-2.0-OpenSSH_9.2\r\n", Reason.STATUS, "the answer is not HTTP: "),
    (b"HTTP/1.1 abc OK\r\n\r\n", Reason.STATUS, "the answer is not HTTP: "),
    (b"HTTP/1.1 99999 OK\r\n\r\n", Reason.STATUS, "the answer is not HTTP: "),
    (b"HTTP/9.9 200 OK\r\n\r\n", Reason.STATUS, "the answer is not HTTP: "),
    (b"<html>no head at all</html>", Reason.STATUS, "the answer is not HTTP: "),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", Reason.BODY, "shorter than announced: 5 of 10 bytes came"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello world", Reason.BODY, "more came after"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello", Reason.BODY, "the header lies about the body's length"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 5x\r\n\r\nhello", Reason.BODY, "the header lies about the body's length"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\nhello", Reason.BODY, "the header lies about"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", Reason.BODY, "the header lies about"),
    (
        b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n",
        Reason.BODY,
        "over 2097152 bytes: 100000000 are announced",
    ),
    (
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        Reason.BODY,
        "about the body's length",
    ),
    (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        Reason.BODY,
        "about the body's length",
    ),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhello", Reason.BODY, "about the body's length"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\nhello", Reason.BODY, "about the body's length"),
    (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        Reason.BODY,
        "about the body's length",
    ),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", Reason.BODY, "not what its header announced"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n", Reason.BODY, "not what its header announced"),
    (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloXX",
        Reason.BODY,
        "not what its header announced",
    ),
    (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffffff\r\n",
        Reason.BODY,
        "not what its header announced",
    ),
    (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        Reason.BODY,
        "shorter than announced: 3 bytes came",
    ),
    (b"HTTP/1.1 200 OK\r\nX-Bad: a\0b\r\n\r\n", Reason.HEADER, "the header is not HTTP: "),
    (b"HTTP/1.1 200 OK\r\nbad header: a\r\n\r\n", Reason.HEADER, "the header is not HTTP: "),
    (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70_000 + b"\r\n\r\n", Reason.HEADER, "the header is over 65536 bytes"),
    (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000, Reason.HEADER, "the header is over 65536 bytes"),
    (b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 300 + b"\r\n", Reason.HEADER, "the header has over 200 lines"),
    (b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, Reason.STATUS, "over 20 answers 100 and no real one"),
    (
        b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        Reason.STATUS,
        "another protocol, unasked",
    ),
    (ok(b"one") + ok(b"two"), Reason.BODY, "more came after the end of the answer"),
]


@pytest.mark.parametrize(
    ("answer", "reason", "message"), LIES, ids=[f"{i}-{lie[0][:60]!r}" for i, lie in enumerate(LIES)]
)
async def test_each_lie_has_its_reason_and_its_text(answer: bytes, reason: Reason, message: str) -> None:
    error = await failure_of(answer)
    assert (error.reason, message in error.message) == (reason, True), f"{error.reason}: {error.message}"
    assert list(error.phases) == ["resolve", "connect", "processing"] + ["transfer"] * bool(answer)


async def test_a_body_in_answer_to_head_is_a_lie() -> None:
    error = await failure_of(ok(b"hello"), method="HEAD")
    assert (error.reason, error.message) == (Reason.BODY, "a body came with an answer that has none")


async def test_a_failure_of_the_body_leaves_the_head_to_be_judged() -> None:
    short = saying(b"HTTP/1.1 500 Oops\r\nContent-Length: 10\r\n\r\nhello")
    async with serving(short) as port, httpx.AsyncClient(transport=Transport()) as client:
        response = await client.send(client.build_request("GET", f"http://127.0.0.1:{port}/"), stream=True)
        assert response.status_code == 500
        with pytest.raises(TransportError, match="5 of 10 bytes came"):
            await response.aread()


async def test_read_body_bounds_the_answers_of_other_transports() -> None:
    bomb = httpx.Response(
        200, headers={"Content-Encoding": "gzip"}, stream=httpx.ByteStream(gzip.compress(b"\0" * 50_000_000))
    )
    with pytest.raises(TransportError, match="once decoded"):
        await read_body(bomb)


async def test_marks_without_an_end_around_small_chunks_are_bounded() -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"1;" + b"x" * 60_000 + b"\r\na\r\n")
            await writer.drain()

    async with serving(handler) as port:
        error = await failure(f"http://127.0.0.1:{port}/", within=60)
    assert error.reason is Reason.BODY
    assert "bytes came for a body of" in error.message
