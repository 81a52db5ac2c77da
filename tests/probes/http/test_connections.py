"""Which connection carries a request, and what its phases say."""

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator

import httpx
import pytest

from probes.http import Exchange, Transport, TransportError
from probes.http.connect import open_socket
from probes.result import Reason
from tests.probes.http.servers import failure, get, ok, repeating, request_of, reset, saying, serving

pytestmark = pytest.mark.anyio


def exchange_of(response: httpx.Response) -> Exchange:
    exchange = response.extensions["shopwatch"]
    assert isinstance(exchange, Exchange)
    return exchange


@pytest.mark.by_the_clock
async def test_a_new_connection_has_the_phases_up_to_the_transfer_but_no_tls() -> None:
    async with serving(saying(ok(b"hello"), pause=0.1)) as port:
        exchange = exchange_of(await get(f"http://127.0.0.1:{port}/"))
    assert list(exchange.phases) == ["resolve", "connect", "processing", "transfer"]
    assert exchange.phases["processing"] == pytest.approx(0.1, abs=0.09)
    assert exchange.peer == f"127.0.0.1:{port}"
    assert (exchange.reused, exchange.certificate_expires) == (False, None)


@pytest.mark.by_the_clock
async def test_the_transfer_lasts_until_the_last_byte() -> None:
    async with serving(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", b"a", b"b", pause=0.05)) as port:
        exchange = exchange_of(await get(f"http://127.0.0.1:{port}/"))
    assert exchange.phases["processing"] == pytest.approx(0.05, abs=0.045)
    assert exchange.phases["transfer"] == pytest.approx(0.1, abs=0.09)


@pytest.mark.by_the_clock
async def test_the_time_in_which_nobody_reads_is_not_the_transfers() -> None:
    async with serving(repeating(ok(b"hello"))) as port, httpx.AsyncClient(transport=Transport()) as client:
        response = await client.send(client.build_request("GET", f"http://127.0.0.1:{port}/"), stream=True)
        await asyncio.sleep(0.2)
        await response.aread()
    assert exchange_of(response).phases["transfer"] < 0.1


async def test_the_second_request_goes_over_the_same_connection() -> None:
    async with serving(repeating(ok(b"hello"))) as port, httpx.AsyncClient(transport=Transport()) as client:
        first, second = [exchange_of(await client.get(f"http://127.0.0.1:{port}/")) for _ in range(2)]
    assert (first.reused, second.reused) == (False, True)
    assert list(second.phases) == ["processing", "transfer"]


@pytest.mark.parametrize("answer", [b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", ok(b"", b"Connection: close")])
async def test_a_connection_that_the_server_gives_up_is_not_used_again(answer: bytes) -> None:
    async with serving(repeating(answer)) as port, httpx.AsyncClient(transport=Transport()) as client:
        assert not [(await client.get(f"http://127.0.0.1:{port}/")).extensions["shopwatch"].reused for _ in range(2)][1]


async def test_each_transport_has_connections_of_its_own() -> None:
    async with serving(repeating(ok(b"hello"))) as port:
        assert not [exchange_of(await get(f"http://127.0.0.1:{port}/")).reused for _ in range(2)][1]


async def test_requests_at_the_same_time_have_connections_of_their_own() -> None:
    async with serving(repeating(ok(b"hello"))) as port, httpx.AsyncClient(transport=Transport()) as client:
        answers = await asyncio.gather(*[client.get(f"http://127.0.0.1:{port}/") for _ in range(5)])
    assert [answer.content for answer in answers] == [b"hello"] * 5


async def test_a_connection_that_was_closed_while_idle_is_replaced_for_any_method() -> None:
    async with serving(saying(ok(b"hello"))) as port, httpx.AsyncClient(transport=Transport()) as client:
        await client.get(f"http://127.0.0.1:{port}/")
        await asyncio.sleep(0.05)
        assert (await client.post(f"http://127.0.0.1:{port}/", content=b"order")).status_code == 200


def test_a_closed_connection_is_noticed_even_if_the_loop_had_no_time_to_see_it() -> None:
    def answer_twice(listening: socket.socket) -> None:
        for _ in range(2):
            connection, _ = listening.accept()
            with connection:
                connection.recv(10_000)
                connection.sendall(ok(b"hello"))

    async def ask(port: int) -> httpx.Response:
        async with httpx.AsyncClient(transport=Transport()) as client:
            await client.get(f"http://127.0.0.1:{port}/")
            time.sleep(0.1)
            return await client.post(f"http://127.0.0.1:{port}/", content=b"order")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(60)
        server = threading.Thread(target=answer_twice, args=(listening,))
        server.start()
        assert asyncio.run(ask(listening.getsockname()[1])).content == b"hello"
        server.join()


def closing_on_the_second_request(asked: list[bytes], last_words: bytes = b"") -> object:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await request_of(reader))
        writer.write(ok(b"hello"))
        asked.append(await request_of(reader))
        writer.write(last_words)

    return handler


async def test_a_get_that_met_a_closing_connection_is_asked_once_more_on_a_new_one() -> None:
    asked: list[bytes] = []
    async with (
        serving(closing_on_the_second_request(asked)) as port,  # type: ignore[arg-type]
        httpx.AsyncClient(transport=Transport()) as client,
    ):
        await client.get(f"http://127.0.0.1:{port}/")
        exchange = exchange_of(await client.get(f"http://127.0.0.1:{port}/"))
    assert len(asked) == 3
    assert exchange.reused is False
    assert list(exchange.phases) == ["resolve", "connect", "processing", "transfer"]


async def test_a_post_that_may_have_been_seen_is_not_sent_twice() -> None:
    asked: list[bytes] = []
    async with (
        serving(closing_on_the_second_request(asked)) as port,  # type: ignore[arg-type]
        httpx.AsyncClient(transport=Transport()) as client,
    ):
        await client.get(f"http://127.0.0.1:{port}/")
        with pytest.raises(TransportError) as caught:
            await client.post(f"http://127.0.0.1:{port}/", content=b"order")
    assert caught.value.reason is Reason.CONNECT
    assert [line.split()[0] for line in asked] == [b"GET", b"POST"]


async def test_an_answer_that_broke_off_is_not_asked_for_again() -> None:
    asked: list[bytes] = []
    async with (
        serving(closing_on_the_second_request(asked, last_words=b"HTTP/1.1 2")) as port,  # type: ignore[arg-type]
        httpx.AsyncClient(transport=Transport()) as client,
    ):
        await client.get(f"http://127.0.0.1:{port}/")
        with pytest.raises(TransportError):
            await client.get(f"http://127.0.0.1:{port}/")
    assert len(asked) == 2


async def test_an_answer_that_was_reset_half_way_is_not_asked_for_again() -> None:
    asked = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await request_of(reader))
        writer.write(ok(b"hello"))
        asked.append(await request_of(reader))
        writer.write(b"HTTP/1.1 2")
        await asyncio.sleep(0.05)
        reset(writer)

    async with serving(handler) as port, httpx.AsyncClient(transport=Transport()) as client:
        await client.get(f"http://127.0.0.1:{port}/")
        with pytest.raises(TransportError, match="the header broke off: Connection reset by peer"):
            await client.get(f"http://127.0.0.1:{port}/")
    assert len(asked) == 2


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers with what it was sent, length or chunks taken as they come."""
    head = await request_of(reader)
    if b"content-length: " in head.lower():
        body = await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
    else:
        body = await reader.readuntil(b"0\r\n\r\n")
    writer.write(ok(head.split(b"\r\n")[0] + b"|" + body))
    await writer.drain()


async def test_a_body_is_sent_with_its_length() -> None:
    async with serving(echo) as port, httpx.AsyncClient(transport=Transport()) as client:
        response = await client.post(f"http://127.0.0.1:{port}/a%20b?c=d", content=b"hello")
    assert response.content == b"POST /a%20b?c=d HTTP/1.1|hello"


async def test_a_body_of_unknown_length_is_sent_in_chunks() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"hel"
        yield b""
        yield b"lo"

    async with serving(echo) as port, httpx.AsyncClient(transport=Transport()) as client:
        response = await client.post(f"http://127.0.0.1:{port}/", content=pieces())
    assert response.content == b"POST / HTTP/1.1|3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"


async def test_a_body_larger_than_the_sockets_buffers_arrives_whole() -> None:
    body = bytes(range(256)) * 80_000  # 20 MB
    async with (
        serving(counting_bytes) as port,
        httpx.AsyncClient(transport=Transport()) as client,
    ):
        response = await client.post(f"http://127.0.0.1:{port}/", content=body)
    assert response.content == str(len(body)).encode()


async def counting_bytes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = await request_of(reader)
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    writer.write(ok(str(len(await reader.readexactly(length))).encode()))


async def test_an_answer_before_the_body_was_sent_counts() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        await reader.read()

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 65_536
            await asyncio.sleep(0)

    async with serving(refuse) as port, httpx.AsyncClient(transport=Transport()) as client:
        assert (await client.post(f"http://127.0.0.1:{port}/", content=endless())).status_code == 413


@pytest.mark.by_the_clock
async def test_a_server_that_does_not_read_the_body_times_out() -> None:
    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.sleep(60)

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 65_536

    async with serving(deaf) as port, httpx.AsyncClient(transport=Transport()) as client:
        deadline = asyncio.get_running_loop().time() + 0.3
        with pytest.raises(TransportError) as caught:
            await client.post(f"http://127.0.0.1:{port}/", content=endless(), extensions={"deadline": deadline})
    assert caught.value.reason is Reason.TIMEOUT


async def test_the_next_address_is_tried_when_one_refuses() -> None:
    async with serving(repeating(ok(b""))) as port:
        opened, address = await open_socket("shop.example", ["::1", "127.0.0.2", "127.0.0.1"], port)
    opened.close()
    assert address == "127.0.0.1"


@pytest.mark.by_the_clock
async def test_an_address_that_swallows_packets_holds_up_the_next_by_a_quarter_of_a_second() -> None:
    async with serving(repeating(ok(b""))) as port:
        with socket.socket() as full:
            full.bind(("127.0.0.2", port))
            full.listen(0)
            others = [socket.socket() for _ in range(4)]
            for other in others:
                other.setblocking(False)
                other.connect_ex(full.getsockname())
            started = asyncio.get_running_loop().time()
            opened, address = await open_socket("shop.example", ["127.0.0.2", "127.0.0.1"], port)
            took = asyncio.get_running_loop().time() - started
            for closing in [opened, *others]:
                closing.close()
    assert address == "127.0.0.1"
    assert took == pytest.approx(0.25, abs=0.15)


async def test_a_failure_names_every_address_that_was_tried() -> None:
    with pytest.raises(TransportError) as caught:
        await open_socket("shop.example", ["127.0.0.1", "127.0.0.2"], 1)
    assert caught.value.message == (
        "shop.example port 1: no address takes the connection "
        "(127.0.0.1: Connection refused, 127.0.0.2: Connection refused)"
    )


async def test_localhost_finds_a_server_on_either_family() -> None:
    async with serving(repeating(ok(b"six")), host="::1") as port:
        response = await get(f"http://localhost:{port}/")
        assert (response.content, exchange_of(response).peer) == (b"six", f"[::1]:{port}")
    error = await failure(f"http://localhost:{port}/")
    assert error.reason is Reason.CONNECT
