"""Callers who send too much before a request, or take for ever over it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn

from incident.web.protocol import HEAD_BYTES, BoundedProtocol

pytestmark = [pytest.mark.anyio, pytest.mark.by_the_clock]  # it gives a head 0.3 s, a reader 0.5


LARGE = 16 << 20  # bytes, more than the kernel keeps for a reader


class Hasty(BoundedProtocol):
    head_seconds = 0.3
    read_seconds = 0.5


async def hello(scope: Any, receive: Any, send: Any) -> None:
    while (await receive()).get("more_body"):
        continue
    if scope["path"] == "/large":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % LARGE)]})
        await send({"type": "http.response.body", "body": b"x" * LARGE})
        return
    if scope["path"] == "/slow":
        await asyncio.sleep(0.2)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"hello"})


@pytest.fixture
async def port() -> AsyncIterator[int]:
    config = uvicorn.Config(
        hello, http=Hasty, ws="none", lifespan="off", log_config=None, port=0, timeout_keep_alive=1,
        limit_concurrency=30,
    )  # fmt: skip
    server = uvicorn.Server(config)
    server.config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await server.shutdown()


async def test_a_head_without_end_is_cut_off(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with pytest.raises(ConnectionError):
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nX: ")
        for _ in range(200 * HEAD_BYTES // 65536):
            writer.write(b"a" * 65536)
            await writer.drain()
        await reader.readexactly(1)
    writer.close()


@pytest.mark.parametrize("begun", [b"", b"GET / HTTP/1.1\r\nHost: x\r\n"])
async def test_a_head_that_does_not_come_is_not_waited_for(port: int, begun: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(begun)
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await asyncio.wait_for(reader.readexactly(1), 30)
    writer.close()


async def test_large_bodies_slow_ones_and_several_requests_are_none_of_its_business(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(3):
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (2 * HEAD_BYTES))
        await asyncio.sleep(0.4)
        writer.write(b"x" * 2 * HEAD_BYTES)
        assert (await reader.readuntil(b"hello")).startswith(b"HTTP/1.1 200")
    writer.close()


async def test_who_takes_nothing_of_an_answer_is_hung_up_on_even_when_it_is_all_written(port: int) -> None:
    for more in (b"", b"Connection: close\r\n"):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.write(b"GET /large HTTP/1.1\r\nHost: x\r\n" + more + b"\r\n")
        await asyncio.sleep(2)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(LARGE)
        writer.close()


async def test_who_reads_slowly_is_waited_for(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
    writer.write(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    for _ in range(8):
        await asyncio.sleep(0.2)  # more than `read_seconds` in all
        assert len(await reader.readexactly(LARGE // 8)) == LARGE // 8
    writer.close()


async def test_who_asks_again_and_again_before_reading_is_hung_up_on(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n" * 5)
    for _ in range(5):
        await asyncio.wait_for(reader.readuntil(b"hello"), 30)
    writer.write(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n" * 100)
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await asyncio.wait_for(reader.readuntil(b"hello"), 30)
    writer.close()


SLOW = {
    "that say nothing": b"",
    "that never end a head": b"GET / HTTP/1.1\r\nHost: x\r\n",
    "that never send a body": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n",
    "that ask and never ask again": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
}


@pytest.mark.parametrize("begun", SLOW)
async def test_who_holds_many_connections_shuts_nobody_out(port: int, begun: str) -> None:
    held = []
    for _ in range(60):
        held.append(await asyncio.open_connection("127.0.0.1", port, local_addr=("127.0.0.2", 0)))
        held[-1][1].write(SLOW[begun])
    for _ in range(5):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await asyncio.wait_for(reader.readuntil(b"hello"), 30)).startswith(b"HTTP/1.1 200")
        writer.close()
    for _, writer in held:
        writer.close()


async def test_a_patient_neighbour_keeps_its_connection_while_another_address_takes_them_all(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n12")
    held = [await asyncio.open_connection("127.0.0.1", port, local_addr=("127.0.0.2", 0)) for _ in range(60)]
    writer.write(b"345")
    assert (await asyncio.wait_for(reader.readuntil(b"hello"), 30)).startswith(b"HTTP/1.1 200")
    for _, other in [(reader, writer), *held]:
        other.close()
